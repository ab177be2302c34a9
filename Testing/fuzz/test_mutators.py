"""Each mutation follows from its seed, and the judge of the fuzzer sees what it looks for."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from Testing.fuzz import run
from Testing.fuzz.archive_mutators import LINES, TENSORS, ZIP, change_header, sound_events
from Testing.fuzz.bytes_mutators import ANY
from Testing.fuzz.dicom_mutators import DICOM
from Testing.fuzz.json_mutators import JSON
from Testing.fuzz.kinds import KINDS, SEEDS, damage
from Testing.fuzz.nifti_mutators import NIFTI
from Testing.fuzz.seeds import write_case
from Testing.fuzz.text_mutators import TEXT

EVERY = {mutator for mutators in (ANY, DICOM, JSON, LINES, NIFTI, TENSORS, TEXT, ZIP) for mutator in mutators}


@pytest.mark.parametrize("mutator", sorted(EVERY, key=lambda m: m.__name__), ids=lambda m: m.__name__)
def test_the_same_seed_does_the_same_damage(mutator, tmp_path: Path) -> None:
    write_case(tmp_path, "c", ".nrrd", 0)
    data = (tmp_path / "images" / "c.nrrd").read_bytes()

    found = [mutator(data, np.random.default_rng(5)) for _ in range(2)]

    assert found[0] == found[1]


@pytest.mark.parametrize("kind", KINDS[:7], ids=lambda kind: kind.name)
def test_damage_changes_the_file_of_its_kind(kind, tmp_path: Path) -> None:
    write_case(tmp_path, "c", SEEDS[kind.data][0], 0)
    before = {path: path.read_bytes() for path in tmp_path.glob(kind.file)}

    for number in range(5):
        damage(kind, tmp_path, np.random.default_rng(number))

    assert any(path.read_bytes() != content for path, content in before.items())


def test_the_judge_notices_a_traceback_a_lost_neighbor_and_a_foreign_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(words: list[str]) -> int:
        Path(words[-1], "left.txt").write_text("x")
        raise KeyError("oops")

    monkeypatch.setattr(run, "job", spoiled)
    monkeypatch.setattr(run, "words_of", lambda _, folder: [str(folder)])
    write_case(tmp_path / "seeds" / "nii", "c", ".nii", 0)
    (tmp_path / "seeds" / "run").mkdir()
    number = next(n for n in range(0, 1400, len(KINDS)) if _order(n) == "scan")

    problems = run.run_one(0, number, tmp_path / "seeds", tmp_path / "one")["problems"]

    assert problems == [
        "shows 'Traceback (most recent call last)'",
        "ends with -1",
        "changes files outside the run folder",
        "loses the sound case",
    ]


def _order(number: int) -> str:
    kind = KINDS[number % len(KINDS)]
    return kind.orders[int(np.random.default_rng((0, number)).integers(len(kind.orders)))]


def test_a_member_of_an_archive_is_damaged_and_the_archive_still_opens() -> None:
    with zipfile.ZipFile(stream := io.BytesIO(), "w") as archive:
        archive.writestr("run/settings.json", '{"pretrain": {"method": "pcl"}}')
        archive.writestr("run/events.jsonl", sound_events())
    sound = zipfile.ZipFile(stream)

    changed = 0
    for number in range(20):
        for mutator in ZIP:
            with zipfile.ZipFile(
                io.BytesIO(mutator(stream.getvalue(), np.random.default_rng(number)))
            ) as found:
                content = {name: found.read(name) for name in found.namelist()}
                changed += content != {name: sound.read(name) for name in sound.namelist()}

    assert changed > 40


def test_the_header_of_tensors_is_damaged_and_its_length_is_right(tmp_path: Path) -> None:
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    data = (tmp_path / "x.safetensors").read_bytes()

    found = [change_header(data, np.random.default_rng(number)) for number in range(10)]

    assert sum(each != data for each in found) > 5
    assert all(each.endswith(data[-12:]) for each in found)
    assert all(int.from_bytes(each[:8], "little") == len(each) - 12 - 8 for each in found)
