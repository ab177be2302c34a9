"""Whatever goes wrong with one case is the reason why it is left out; what meets every case ends the job."""

from __future__ import annotations

import errno
import logging

import pytest

from ContrastiveSegLib.errors import BadFile, Cancelled, CannotWrite, RunInUse
from ContrastiveSegLib.imaging.case_errors import LostCases, attempt, one_line, reason_of


def fail(error: BaseException) -> None:
    raise error


def refusing(number: int) -> CannotWrite:
    error = CannotWrite("out/c.nrrd cannot be written.", "Choose another folder.")
    error.__cause__ = OSError(number, "why")
    return error


class OutOfMemoryError(RuntimeError):
    """As torch calls its own."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadFile("a.nii is empty.", "Export it again."), "a.nii is empty. Export it again."),
        (
            ValueError("array of shape (0,)"),
            "unexpected happened: ValueError: array of shape (0,). Leave the",
        ),
        (KeyError("spacing"), "unexpected happened: KeyError: 'spacing'. Leave"),
        (RuntimeError(""), "unexpected happened: RuntimeError. Leave"),
        (IndexError("\x1b[31mred\nnext\u2028line\x00"), "[31mred next line"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/d/a.nii"),
            "/d/a.nii cannot be used: Permission",
        ),
        (MemoryError(), "does not fit into memory. Close other"),
        (OutOfMemoryError("CUDA"), "does not fit into memory"),
        (RuntimeError("ITK: Failed to allocate memory for image."), "does not fit into memory"),
        (RecursionError("maximum"), "RecursionError: maximum"),
        (refusing(errno.ENAMETOOLONG), "out/c.nrrd cannot be written."),
        (CannotWrite("c.nrrd exists already.", "Choose another name."), "c.nrrd exists already."),
    ],
)
def test_any_error_becomes_a_reason_on_one_line(error: Exception, words: str) -> None:
    value, reason = attempt("case1", fail, error)

    assert value is None
    assert words in reason
    assert reason.isprintable()


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(2),
        Cancelled("Stopped.", "Start again."),
        RunInUse("In use.", "Wait."),
        BrokenPipeError(errno.EPIPE, "head has seen enough"),
        OSError(errno.ENOSPC, "No space left"),
        refusing(errno.ENOSPC),
        refusing(errno.EACCES),
        ModuleNotFoundError("No module named 'skimage'"),
    ],
)
def test_what_meets_every_other_case_too_goes_on(error: BaseException) -> None:
    with pytest.raises(type(error)):
        attempt("case1", fail, error)


def test_what_the_work_returns_comes_back_without_a_reason() -> None:
    assert attempt("case1", divmod, 7, 2) == ((3, 1), "")


def test_the_log_gets_the_traceback_of_what_nobody_expected_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ContrastiveSegLib")

    attempt("case1", fail, BadFile("Empty.", "Export it."))
    attempt("case2", fail, ZeroDivisionError("division by zero"))

    (record,) = caplog.records
    assert record.getMessage().startswith("case2 is left out: Something unexpected happened")
    assert "in fail\n    raise error\nZeroDivisionError" in caplog.text


def test_a_very_long_text_keeps_both_ends() -> None:
    assert one_line("a" * 400 + "\n" + "z" * 400, longest=20) == "a" * 10 + " ... " + "z" * 10
    assert len(reason_of(ValueError("x" * 100_000))) < 700


@pytest.mark.parametrize(("lost", "of", "most"), [(0, 0, False), (1, 2, False), (2, 3, True), (0, 9, False)])
def test_most_is_more_than_half(lost: int, of: int, most: bool) -> None:
    assert (LostCases(1, 1) + LostCases(lost - 1, of - 1)).are_most is most


def test_a_name_that_is_too_long_is_to_be_shortened():
    error = OSError(errno.ENAMETOOLONG, "File name too long", "n.seg.nrrd")

    assert reason_of(error) == (
        "n.seg.nrrd cannot be used: File name too long. Give the case a shorter name."
    )
