"""Last words that follow several patients alike, as bone and lung in P1_bone, P1_lung, P2_bone, P2_lung."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from ContrastiveSegLib.dataset.patient_words import names_a_patient, shortened

# P1_bone, P1-B30f, P1_T1+C, P1_C-: a word after something with a number; a word such as p2 may be a person.
LAST_WORD = re.compile(r"(?P<stem>.*\d.*?)[-_. ]+(?P<word>(?!p\d)[^\W\d_][\w+]*[-+]?)", re.IGNORECASE)

FIRST_WORD = re.compile(r"[^\W\d_]+[-+]?[-_. ]+(?P<rest>\d.*)")


def without_repeated_words(names: Iterable[str]) -> dict[str, str]:
    """Each name without such words, which no list of sequences and reconstructions can hold completely.

    In doubt, what is called alike is of one patient: then no split can tear a patient apart.
    """
    short = {name: name for name in names}
    while True:
        taken = _without_last_word(set(short.values()))
        if not taken:
            return short
        short = {name: taken.get(now, now) for name, now in short.items()}


def _without_last_word(names: set[str]) -> dict[str, str]:
    """The names that lose a word which follows several stems, if their stem is that of several names."""
    parted = {name: found for name in names if (found := _parted(name))}
    stems_of: dict[str, set[str]] = defaultdict(set)
    for stem, word in parted.values():
        stems_of[word].add(stem)
    repeated = {name: stem for name, (stem, word) in parted.items() if len(stems_of[word]) > 1}
    members: dict[str, set[str]] = defaultdict(set)
    for name, stem in [*repeated.items(), *((name, name) for name in names)]:
        members[stem].add(name)
    return {name: stem for name, stem in repeated.items() if len(members[stem]) > 1}


def _parted(name: str) -> tuple[str, str] | None:
    found = LAST_WORD.fullmatch(name)
    if found is None or names_a_patient(found["word"]):
        return None
    stem = shortened(found["stem"])
    return (stem, found["word"].casefold()) if stem else None


def alike_but_for_the_first_word(names: Iterable[str]) -> list[list[str]]:
    """Names such as bone_001 and lung_001 which differ in nothing else.

    What is first may as well be a hospital, so these are not taken for one patient.
    """
    distinct = set(names)
    rests = Counter(rest for name in distinct if (rest := _rest(name)))
    alike = [rest for rest, count in rests.items() if count + (rest in distinct) > 1]
    return sorted(sorted(name for name in distinct if _rest(name) == rest or name == rest) for rest in alike)


def _rest(name: str) -> str:
    found = FIRST_WORD.fullmatch(name)
    return found["rest"] if found else ""
