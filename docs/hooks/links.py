"""Where a link of a document leads on the site: to a page, to a picture, or to a file of the repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Documents that lie at the top of the repository or beside what they describe, and their pages on the site.
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "TECH_DEBT.md": "known-limits.md",
    "Testing/Benchmarks/RESULTS.md": "results.md",
}
PICTURES = (".png", ".jpg", ".svg")
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


def source_of(page: str) -> str:
    """The file of the repository that a page of the site is made from."""
    return next((file for file, there in OUTSIDE.items() if there == page), f"docs/{page}")


def targets(text: str, page: str) -> list[str]:
    """What the links of a page lead to, as paths in the repository; other sites are left out."""
    base = posixpath.dirname(source_of(page))
    words = [match[2] for match in LINK.finditer(FENCE.sub("", text))]
    return [posixpath.normpath(posixpath.join(base, word)) for word in words if not _elsewhere(word)]


def rewritten(text: str, page: str, *, repository: str, missing: Callable[[str], None]) -> str:
    """The text of a page with every link as the site needs it.

    Args:
        repository: Address of the files that are not part of the site.
        missing: Told the target of a link that leads nowhere.
    """
    base = posixpath.dirname(source_of(page))

    def replaced(match: re.Match[str]) -> str:
        before, word, anchor, after = match.groups()
        if _elsewhere(word):
            return match[0]
        target = posixpath.normpath(posixpath.join(base, word))
        if not (ROOT / target).exists():
            missing(target)
        return f"{before}{_on_site(target, page, repository)}{anchor or ''}{after}"

    parts = FENCE.split(text)
    return "".join(part if part.startswith("```") else LINK.sub(replaced, part) for part in parts)


def _elsewhere(word: str) -> bool:
    return bool(re.match(r"[a-z]+:", word))


def _on_site(target: str, page: str, repository: str) -> str:
    here = posixpath.dirname(page) or "."
    if target in OUTSIDE:
        return posixpath.relpath(OUTSIDE[target], here)
    if target.startswith("docs/"):
        return posixpath.relpath(target.removeprefix("docs/"), here)
    if target.endswith(PICTURES):
        return posixpath.relpath(target, here)
    return f"{repository}/{target}"
