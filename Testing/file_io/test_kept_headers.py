"""A header is read once while its file stays the same, and again as soon as it does not."""

from __future__ import annotations

import os

from ContrastiveSegLib.file_io.kept_headers import kept_while_unchanged


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(tmp_path, monkeypatch):
    read = []

    @kept_while_unchanged
    def content(path):
        read.append(path)
        return path.read_text(encoding="utf-8")

    file = tmp_path / "a.txt"
    file.write_text("one", encoding="utf-8")
    assert [content(file), content(file)] == ["one", "one"]
    assert len(read) == 1
    file.write_text("two", encoding="utf-8")
    os.utime(file, ns=(0, 5))
    assert content(file) == "two"

    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("six", encoding="utf-8")
    os.utime(other / "a.txt", ns=(0, 5))
    monkeypatch.chdir(tmp_path)
    assert content(file.relative_to(tmp_path)) == "two"
    monkeypatch.chdir(other)
    assert content(file.relative_to(tmp_path)) == "six"
