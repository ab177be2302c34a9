"""What processes agree on, by a store that is a dictionary, and what is said where they cannot meet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.distributed import coordination, process_group, processes
from ContrastiveSegLib.distributed.coordination import (
    FAILED,
    announce_failure,
    check_alike,
    first_process_first,
    on_first_process,
    wait_for_all,
)
from ContrastiveSegLib.distributed.division import Division, check_division
from ContrastiveSegLib.distributed.processes import Processes, asked_for, met, refuse_several
from ContrastiveSegLib.errors import BadFile, BadSetting, Cancelled, ProcessLost
from ContrastiveSegLib.settings.job_settings import PretrainSettings
from ContrastiveSegLib.training.two_streams import TwoStreamSampler


class Texts(dict[str, bytes]):
    """What torch's stores do, for the processes of one test."""

    def set(self, key: str, value: str) -> None:
        self[key] = value.encode()

    def check(self, keys: list[str]) -> bool:
        return all(key in self for key in keys)

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        if self.get(key, b"").decode() == expected:
            self.set(key, desired)
        return self[key]


@pytest.fixture
def some_texts(monkeypatch) -> Texts:
    monkeypatch.setattr(coordination, "LOOKS_EVERY_S", 0.01)
    monkeypatch.setattr(coordination, "MESSAGE_WITHIN_S", 0.1)
    return Texts()


@pytest.fixture
def second_of_two(some_texts) -> Iterator[Texts]:
    with met(Processes(1, 2, some_texts)):
        yield some_texts


@pytest.mark.parametrize(
    ("images", "several", "sizes"), [(8, 2, (4, 4)), (7, 3, (3, 2, 2)), (3, 3, (1, 1, 1)), (5, 1, (5,))]
)
def test_every_image_is_in_one_process(images, several, sizes):
    divisions = [Division(images, several, rank) for rank in range(several)]

    assert divisions[0].sizes == sizes
    assert [n for each in divisions for n in range(images)[each.own]] == list(range(images))


@pytest.mark.usefixtures("second_of_two")
def test_fewer_images_than_processes_are_refused():
    check_division(2)

    with pytest.raises(
        BadSetting, match=r"1 images per step cannot be divided over 2 processes\. Choose --batch 2"
    ):
        check_division(1)


@pytest.mark.usefixtures("second_of_two")
def test_halves_of_an_odd_step_are_refused():
    with pytest.raises(BadSetting, match=r"7 images have no half.*Choose --batch 8"):
        TwoStreamSampler(None, None).draw(0, 7)


@pytest.mark.usefixtures("second_of_two")
def test_halves_of_a_step_with_fewer_images_than_processes_are_refused():
    with pytest.raises(BadSetting, match=r"half of 2 images cannot be divided over 2.*Choose --batch 4"):
        TwoStreamSampler(None, None).draw(0, 2)


def test_where_the_store_has_ended_too_no_memory_has(monkeypatch):
    def ended() -> None:
        raise RuntimeError("Connection reset by peer")

    monkeypatch.setattr(coordination, "store", ended)

    assert coordination.memory_ended() is False


def test_the_others_wait_until_the_first_has_gone_ahead(some_texts):
    done: list[str] = []

    def others() -> None:
        with met(Processes(1, 2, some_texts)), first_process_first():
            done.append("others")

    with met(Processes(0, 2, some_texts)), first_process_first():
        done.append("first")
    others()

    assert done == ["first", "others"]
    with met(Processes(1, 2, some_texts)):
        on_first_process(done.append, "never in the second")
    assert "never in the second" not in done


def test_nobody_goes_on_before_all_have_come(some_texts):
    some_texts.set(FAILED, "Process 1 of 2 failed: no disk")
    with met(Processes(0, 2, some_texts)), pytest.raises(ProcessLost, match="no disk"):
        wait_for_all()
    (own,) = (key for key in some_texts if key.startswith("here"))
    some_texts.clear()
    some_texts.set(own.removesuffix("0") + "1", "")

    with met(Processes(0, 2, some_texts)):
        wait_for_all()

    assert own in some_texts


def test_who_waits_for_a_process_that_failed_says_why(second_of_two):
    with met(Processes(0, 2, second_of_two)):
        assert announce_failure(BadFile("a.nii.gz is damaged.", "Copy it again."))

    assert not announce_failure(ValueError("later"))
    with pytest.raises(ProcessLost, match=r"Process 0 of 2 failed: a\.nii\.gz is damaged\. Copy it again"):
        on_first_process(print)


def test_a_message_that_names_its_process_is_told_as_it_is(second_of_two):
    announce_failure(BadSetting("Process 1 of 2 has other cases.", "Start all with the same."))

    assert second_of_two[FAILED] == b"Process 1 of 2 has other cases. Start all with the same."


@pytest.mark.usefixtures("second_of_two")
def test_who_waits_for_a_process_that_was_cancelled_stops_too():
    coordination.announce_cancelled(Cancelled("Stopped after step 3.", "Start it again."))

    with pytest.raises(Cancelled, match=r"Stopped after step 3\. Start it again\."):
        on_first_process(print)


def test_other_settings_are_named(second_of_two):
    for turn in (0, 1):
        second_of_two.set(f"alike 0.{turn} settings", json.dumps({"batch": 8, "seed": 0}))

    check_alike("settings", {"batch": 8, "seed": 0})

    with pytest.raises(
        BadSetting, match=r"Process 1 of 2 has other settings than process 0: batch is 6 here and 8"
    ):
        check_alike("settings", {"batch": 6, "seed": 0})


def test_settings_that_say_where_a_job_runs_may_differ(tmp_path):
    names = process_group._by_name(PretrainSettings(run=tmp_path, images=tmp_path))

    assert {"images", "batch", "grid.spacing", "compute.precision"} <= names.keys()
    assert not {"run", "compute.device", "compute.threads"} & names.keys()


@pytest.mark.parametrize("variables", [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "x"}, {"WORLD_SIZE": "0"}])
def test_an_environment_that_makes_no_sense_is_refused(variables):
    with pytest.raises(BadSetting, match="which is not a process and how many there are"):
        asked_for(variables)


def test_a_job_for_one_process_refuses_several(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")

    assert main(["scan", str(tmp_path)]) == 1

    assert "The job scan is done by one process, but torchrun started 2. Start it without torchrun." in (
        capsys.readouterr().err
    )
    with pytest.raises(BadSetting, match="A plan is made by one process"):
        refuse_several("pretrain", plan=True)


def test_windows_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(process_group.sys, "platform", "win32")

    with (
        pytest.raises(BadSetting, match="torchrun with several processes is not supported on Windows"),
        process_group.joined("pretrain", None),
    ):
        pass


def test_a_first_process_that_cannot_be_reached_is_named(monkeypatch):
    for name, value in {
        "RANK": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "9",
    }.items():
        monkeypatch.setenv(name, value)

    with (
        pytest.raises(
            BadSetting, match=r"Process 1 of 2 could not meet the others at MASTER_ADDR='127\.0\.0\.1'"
        ),
        process_group.joined("pretrain", None, within_s=1),
    ):
        pass


def test_a_process_that_does_not_come_is_named(monkeypatch):
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(process_group, "_store", lambda *_: Texts())
    monkeypatch.setattr(process_group, "LEAVES_WITHIN_S", 0.1)

    with (
        pytest.raises(
            BadSetting, match="2 processes were announced, but process 1 did not come within 1 seconds"
        ),
        process_group.joined("pretrain", None, within_s=1),
    ):
        pass


def test_of_torch_distributed_only_one_room_knows():
    others = [
        path
        for path in Path(processes.__file__).parents[1].rglob("*.py")
        if "torch.distributed" in path.read_text("utf-8") and path.parent.name != "distributed"
    ]

    assert others == []
