"""There is a page for everything a user can choose, and it shows every setting."""

from __future__ import annotations

import re
from pathlib import Path

import links
import pytest
import settings_tables as tables

from ContrastiveSegLib.command_line import parse_command
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.method_catalog import list_methods
from ContrastiveSegLib.settings.network_catalog import network_names
from ContrastiveSegLib.training.prediction_summary import COLUMNS


@pytest.mark.parametrize("job", JOBS)
def test_each_job_has_a_page_that_asks_for_its_settings(job: str, root: Path) -> None:
    page = root / "docs" / "jobs" / f"{job}.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else tables.generated_page("jobs", job)

    assert f"<!-- settings: job {job} -->" in text


@pytest.mark.parametrize("job", JOBS)
def test_the_table_of_a_job_shows_the_flags_of_its_help(
    job: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        parse_command([job, "--help"])
    shown = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    # What belongs to every job, and to the method of the job, has a place of its own.
    shown -= {"--help", "--settings", "--verbose"}
    listed = set(re.findall(r"--[a-z][a-z-]+", " ".join(row.flag for row in tables.job_rows(job))))

    of_methods = {
        flag
        for entry in list_methods()
        for row in tables.method_rows(entry.kind, entry.name)
        for flag in re.findall(r"--[a-z][a-z-]+", row.flag)
    }
    assert listed <= shown | {"--no-help"}
    assert shown - listed - of_methods == set() or _only_in_help_texts(shown - listed - of_methods, job)


def _only_in_help_texts(flags: set[str], job: str) -> bool:
    texts = " ".join(row.help for row in tables.job_rows(job))
    return all(flag in texts for flag in flags)


def test_each_written_page_of_a_method_asks_for_its_settings(root: Path) -> None:
    for kind, folder in tables.PAGES.items():
        what = {"pretraining": "method", "finetuning": "strategy", "jobs": "job"}[kind]
        names = set(tables.pages_of(kind))
        for page in (root / "docs" / folder).glob("*.md"):
            if page.stem != "index":
                assert page.stem in names, f"{page} describes nothing that there is"
                assert f"<!-- settings: {what} {page.stem} -->" in page.read_text(encoding="utf-8")


def test_a_method_without_a_page_gets_one_from_its_docstring() -> None:
    text = tables.generated_page("pretraining", "simclr")

    assert "Chen et al." in text
    assert "<!-- settings: method simclr -->" in text


def test_a_job_without_a_page_gets_one_from_its_docstring() -> None:
    text = tables.generated_page("jobs", "scan")

    assert text.startswith("# scan\n\n")
    assert "<!-- settings: job scan -->" in text


def test_the_table_of_a_method_shows_help_range_and_default() -> None:
    (row,) = [row for row in tables.method_rows("pretraining", "pcl") if row.flag == "--threshold"]

    assert row.values == "a number from 0 to 1"
    assert row.default == "`0.1`"
    assert "published: CT 0.1, ACDC 0.35" in row.help


def test_a_setting_whose_name_the_job_uses_carries_the_name_of_the_method() -> None:
    flags = {row.flag for e in list_methods() for row in tables.method_rows(e.kind, e.name)}
    jobs = {row.flag for job in ("pretrain", "finetune") for row in tables.job_rows(job)}

    assert flags.isdisjoint(jobs)


def test_every_network_has_a_line(root: Path) -> None:
    text = (root / "docs" / "networks.md").read_text(encoding="utf-8")
    assert [name for name in network_names() if f"`{name}`" not in text] == []


def test_the_columns_of_the_summary_are_documented_in_their_order(root: Path) -> None:
    text = (root / "docs" / "jobs" / "predict.md").read_text(encoding="utf-8")
    table = text.partition("| columns | meaning |")[2].partition("\n\n")[0]

    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]

    assert tuple(named) == COLUMNS


def test_every_link_between_documents_leads_to_a_file(documents: dict[str, str], root: Path) -> None:
    generated = {
        f"docs/{folder}/{name}.md" for kind, folder in tables.PAGES.items() for name in tables.pages_of(kind)
    }
    missing = [
        f"{name}: {target}"
        for name, text in documents.items()
        for target in _targets(name, text)
        if not (root / target).exists() and target not in generated
    ]

    assert missing == []


def _targets(name: str, text: str) -> list[str]:
    page = links.OUTSIDE.get(name, name.removeprefix("docs/"))
    if name.startswith("docs/") or name in links.OUTSIDE:
        return links.targets(text, page)
    return [match[2] for match in links.LINK.finditer(text) if ":" not in match[2]]  # a file at the top


def test_a_link_that_leaves_the_site_goes_to_the_repository() -> None:
    lost: list[str] = []
    text = "[a](../ARCHITECTURE.md) [b](../pyproject.toml#x) [c](jobs/scan.md) ![d](../Resources/no.png)"

    written = links.rewritten(text, "index.md", repository="https://example.org/blob", missing=lost.append)

    assert "[a](architecture.md)" in written
    assert "[b](https://example.org/blob/pyproject.toml#x)" in written
    assert "[c](jobs/scan.md)" in written
    assert lost == ["Resources/no.png"]
