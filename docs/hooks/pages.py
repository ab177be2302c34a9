"""What MkDocs does beside turning Markdown into pages: tables from the code, links, pictures, equations."""

from __future__ import annotations

import html
import logging
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import links  # noqa: E402 - the paths above lead to it
import settings_tables as tables  # noqa: E402

LOGGER = logging.getLogger("mkdocs.plugins.contrastiveseg")
MARKER = re.compile(r"<!-- (?:list: ([a-z]+)|settings: (job|method|strategy) ([a-z0-9_]+)) -->")
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
KINDS = {"method": "pretraining", "strategy": "finetuning"}


def on_config(config: Any) -> None:
    """Let an entry of the menu that names a folder hold all pages of that folder."""
    config.nav = [_expanded(entry, Path(config.docs_dir)) for entry in config.nav]


def on_files(files: Files, config: Any) -> None:
    """Add pages and pictures from outside of docs/, and pages of methods without one."""
    for source, page in links.OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for picture in _pictures():
        files.append(File.generated(config, picture, abs_src_path=str(ROOT / picture)))
    for kind, folder in tables.PAGES.items():
        for name in tables.pages_of(kind):
            page = f"{folder}/{name}.md"
            if not (ROOT / "docs" / page).is_file():
                files.append(File.generated(config, page, content=tables.generated_page(kind, name)))


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:  # noqa: ARG001 - MkDocs names them
    """Put the tables where the page asks for them, and lead its links to where they are on the site."""
    repository = f"{config.repo_url.rstrip('/')}/blob/main"
    where = page.file.src_uri

    def missing(target: str) -> None:
        LOGGER.warning("%s links to %s, which is not there.", where, target)

    linked = links.rewritten(markdown, where, repository=repository, missing=missing)
    return MARKER.sub(_table, linked)


def on_page_content(content: str, page: Page, config: Any, files: Files) -> str:  # noqa: ARG001 - MkDocs names them
    """Turn equations into MathML, which browsers show without a script."""
    return EQUATION.sub(_math, content)


def _table(match: re.Match[str]) -> str:
    what, kind, name = match.groups()
    if what:
        return tables.list_of(what)
    return tables.table(tables.job_rows(name) if kind == "job" else tables.method_rows(KINDS[kind], name))


def _math(match: re.Match[str]) -> str:
    display = "block" if match[1] == "div" else "inline"
    return convert(html.unescape(match[2]), display=display)


def _pictures() -> list[str]:
    """Every picture that a page links to, as a path in the repository."""
    found = set()
    pages = [*ROOT.glob("docs/**/*.md"), *(ROOT / source for source in links.OUTSIDE)]
    for path in pages:
        relative = path.relative_to(ROOT).as_posix()
        page = links.OUTSIDE.get(relative, relative.removeprefix("docs/"))
        found |= set(links.targets(path.read_text(encoding="utf-8"), page))
    return sorted(target for target in found if target.endswith(links.PICTURES))


def _expanded(entry: Any, docs: Path) -> Any:
    if not isinstance(entry, dict):
        return entry
    ((title, content),) = entry.items()
    if isinstance(content, list):
        return {title: [_expanded(inner, docs) for inner in content]}
    if not content.endswith("/"):
        return entry
    names = {path.name for path in (docs / content).glob("*.md")} - {"index.md"}
    kind = next((kind for kind, folder in tables.PAGES.items() if content == f"{folder}/"), None)
    names |= {f"{name}.md" for name in tables.pages_of(kind)} if kind else set()
    return {title: [f"{content}index.md", *(f"{content}{name}" for name in sorted(names))]}
