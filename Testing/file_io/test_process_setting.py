"""What several threads set for the whole process stays set until the last of them is done."""

from __future__ import annotations

import threading

import SimpleITK as sitk

from ContrastiveSegLib.file_io.opening import itk_warnings_off
from ContrastiveSegLib.file_io.process_setting import WholeProcess


def test_the_first_thread_sets_and_the_last_takes_back() -> None:
    happened: list[str] = []

    def begin():
        happened.append("set")
        return lambda: happened.append("taken back")

    setting = WholeProcess(begin)
    with setting.held():
        with setting.held():
            happened.append("both")
        happened.append("one")
    with setting.held():
        pass

    assert happened == ["set", "both", "one", "taken back", "set", "taken back"]


def test_warnings_stay_off_while_one_thread_ends_before_the_other() -> None:
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    first_inside, first_may_end = threading.Event(), threading.Event()

    def first() -> None:
        with itk_warnings_off():
            first_inside.set()
            first_may_end.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    first_inside.wait(10)
    with itk_warnings_off():
        first_may_end.set()
        thread.join()
        # Before, the first thread switched them on again under the second, which then left them off for good.
        during = sitk.ProcessObject.GetGlobalWarningDisplay()

    assert during is False
    assert sitk.ProcessObject.GetGlobalWarningDisplay() == before
