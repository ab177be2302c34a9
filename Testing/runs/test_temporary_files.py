"""What a killed process left half-written goes from folders of results, and nothing else does."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ContrastiveSegLib.runs.temporary_files import ABANDONED_S, make_output_folder


def test_a_folder_of_results_loses_only_what_a_killed_process_left_there(tmp_path: Path) -> None:
    old = time.time() - ABANDONED_S - 60
    for name, written in {
        ".partial-0123456789ab.seg.nrrd": old,
        ".partial-ba9876543210.nrrd": time.time(),
        "scan.nrrd": old,
        ".partial-of-a-user.nrrd": old,
        "x.tmp": old,
    }.items():
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (written, written))

    make_output_folder(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {
        ".partial-ba9876543210.nrrd", "scan.nrrd", ".partial-of-a-user.nrrd", "x.tmp",
    }  # fmt: skip


def test_a_folder_of_results_is_made(tmp_path: Path) -> None:
    make_output_folder(tmp_path / "new" / "results")

    assert (tmp_path / "new" / "results").is_dir()
