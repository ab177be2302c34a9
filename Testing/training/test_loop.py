"""A training can be interrupted anywhere and ends the same; cancel, full memory and lost numbers are handled.

Run as a script, this file trains and kills itself without warning: `test_loop.py STATE STEPS RECIPE KILL_AT`.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from ContrastiveSegLib.errors import Cancelled, Diverged, TooLarge
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.pretraining.simclr import Method, Settings
from ContrastiveSegLib.training import loop
from ContrastiveSegLib.training.batches import Batch, Sampler
from ContrastiveSegLib.training.checkpoint import load_state
from ContrastiveSegLib.training.compute import Compute
from ContrastiveSegLib.training.learner import Learner
from ContrastiveSegLib.training.loop import Training, train
from ContrastiveSegLib.training.schedule import Schedule
from ContrastiveSegLib.volumes.slices import PreparedCase
from ContrastiveSegLib.volumes.volume import Geometry

ROOT = Path(__file__).parents[2]
STEPS = 7
CPU = Compute(torch.device("cpu"), "float32")


@dataclass
class Witness:
    """Remembers what it is told, and cancels or does worse after some steps."""

    after_step: Callable[[int], bool] = lambda _: False
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    steps: int = 0

    def tell(self, kind: str, **facts: Any) -> None:
        self.events.append((kind, facts))

    def warn(self, sentence: str, **facts: Any) -> None:
        self.warnings.append(sentence)
        self.events.append(("warning", facts))

    def cancelled(self) -> bool:
        self.steps += 1
        return self.after_step(self.steps)


class Probe(Learner):
    """A learner of one number, whose loss a test decides."""

    def __init__(
        self, loss: Callable[[Probe, int], Tensor] = lambda probe, _: probe.weight.square().sum()
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.loss = loss
        self.batches: list[int] = []

    def loss_terms(self, batch: Batch, _: Generator) -> dict[str, Tensor]:
        self.batches.append(len(batch.images))
        return {"probe": self.loss(self, len(self.batches))}


def a_sampler() -> Sampler:
    shape = (5, 40, 40)
    images = np.random.default_rng(0).random((1, *shape)).astype(np.float16)
    geometry = Geometry(shape[::-1])
    return Sampler(
        [PreparedCase("a", "a", images, None, geometry, geometry)], (32, 32), labeled=False, seed=0
    )


def a_method() -> Method:
    torch.manual_seed(0)
    return Method(build_network("unet", seed=0, width=4), Settings())


def how(state: Path, *, recipe: str = "sgd_cosine", steps: int = STEPS, **changes: Any) -> Training:
    schedule = Schedule(
        steps, batch=changes.pop("batch", 4), lr=0.05, recipe=recipe, epoch=changes.pop("epoch", 3)
    )
    return Training(schedule, changes.pop("compute", CPU), state, seed=changes.pop("seed", 0), **changes)


def weights_after(training: Training, watch: Witness | None = None) -> dict[str, Tensor]:
    method = a_method()
    train(method, list(method.parameters()), a_sampler(), training, watch or Witness())
    return method.state_dict()


def probe(training: Training, learner: Probe, watch: Witness | None = None) -> Probe:
    train(learner, list(learner.parameters()), a_sampler(), training, watch or Witness())
    return learner


def assert_identical(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.fixture(params=["sgd_cosine", "adamw_one_cycle"])
def a_recipe(request) -> str:
    return request.param


@pytest.fixture
def speak_always(monkeypatch) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_REPORTS", 0)


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("stop_at", [1, 3, 4, 6])
def test_a_cancelled_and_resumed_training_ends_with_the_same_bits(tmp_path, a_recipe, stop_at, average):
    expected = weights_after(how(tmp_path / "whole", recipe=a_recipe, average=average))

    part = how(tmp_path / "part", recipe=a_recipe, average=average)
    with pytest.raises(Cancelled):
        weights_after(part, Witness(lambda step: step == stop_at))
    resumed = weights_after(how(tmp_path / "part", recipe=a_recipe, average=average))

    assert_identical(resumed, expected)


def test_a_training_cancelled_after_every_step_ends_with_the_same_bits(tmp_path):
    expected = weights_after(how(tmp_path / "whole"))

    for _ in range(STEPS):
        with pytest.raises(Cancelled):
            weights_after(how(tmp_path / "part"), Witness(lambda _: True))

    assert_identical(weights_after(how(tmp_path / "part")), expected)


def test_a_training_that_crashed_goes_on_from_the_end_of_its_last_epoch(tmp_path, a_recipe):
    def crash(step: int) -> bool:
        if step == 5:
            raise KeyError("crash")
        return False

    expected = weights_after(how(tmp_path / "whole", recipe=a_recipe))
    with pytest.raises(KeyError, match="crash"):
        weights_after(how(tmp_path / "part", recipe=a_recipe), Witness(crash))
    watch = Witness()

    resumed = weights_after(how(tmp_path / "part", recipe=a_recipe), watch)

    assert watch.steps == STEPS - 3
    assert_identical(resumed, expected)


def test_a_killed_process_is_resumed_with_the_same_bits(tmp_path):
    expected = weights_after(how(tmp_path / "whole"))
    command = [sys.executable, __file__, tmp_path / "part", STEPS, "sgd_cosine", 5]

    killed = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )

    assert killed.returncode not in (0, 1), killed.stderr.decode()
    assert load_state(tmp_path / "part", CPU.device)["step"] == 4
    assert_identical(weights_after(how(tmp_path / "part")), expected)


def test_a_finished_training_is_not_repeated(tmp_path):
    expected = weights_after(how(tmp_path / "last"))
    watch = Witness()

    again = weights_after(how(tmp_path / "last"), watch)

    assert watch.steps == 0
    assert_identical(again, expected)


def test_another_seed_gives_other_weights(tmp_path):
    one, other = (weights_after(how(tmp_path / str(seed), seed=seed)) for seed in (0, 1))

    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_cancelling_saves_and_says_how_to_go_on(tmp_path):
    with pytest.raises(
        Cancelled, match=r"cancelled after step 2 of 7; everything is saved\. Start the same command"
    ):
        probe(how(tmp_path / "last"), Probe(), Witness(lambda step: step == 2))

    assert load_state(tmp_path / "last", CPU.device)["step"] == 2


def test_the_state_is_saved_when_the_time_is_up(tmp_path):
    saved = []

    def look(_: int) -> bool:
        state = load_state(tmp_path / "last", CPU.device)
        saved.append(state["step"] if state else 0)
        return False

    probe(how(tmp_path / "last", epoch=100, checkpoint_every_s=0), Probe(), Witness(look))
    assert saved == [1, 2, 3, 4, 5, 6, 7]

    saved.clear()
    probe(how(tmp_path / "last", epoch=3, checkpoint_every_s=1000), Probe(), Witness(look))
    assert saved == []  # finished


def test_at_the_end_of_each_epoch_the_state_is_saved(tmp_path):
    saved = []

    def look(_: int) -> bool:
        state = load_state(tmp_path / "last", CPU.device)
        saved.append(state["step"] if state else 0)
        return False

    probe(how(tmp_path / "last"), Probe(), Witness(look))

    assert saved == [0, 0, 3, 3, 3, 6, 7]


def out_of_memory_above(images: int) -> Callable[[Probe, int], Tensor]:
    def loss(probe: Probe, _: int) -> Tensor:
        if probe.batches[-1] > images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return probe.weight.square().sum()

    return loss


def test_when_memory_ends_the_batch_is_halved_and_the_training_goes_on(tmp_path):
    watch = Witness()

    learner = probe(how(tmp_path / "last", batch=10), Probe(out_of_memory_above(4)), watch)

    assert learner.batches == [10, 5, *[2] * STEPS]
    assert watch.steps == STEPS
    assert watch.warnings == [
        "Memory ran out; going on with 5 images per step.",
        "Memory ran out; going on with 2 images per step.",
    ]
    assert [facts for kind, facts in watch.events if kind == "warning"] == [{"batch": 5}, {"batch": 2}]


def test_a_batch_of_three_is_halved_to_two(tmp_path):
    assert probe(how(tmp_path / "last", batch=3), Probe(out_of_memory_above(2))).batches[:2] == [3, 2]


def test_memory_that_ends_later_loses_no_step(tmp_path):
    def loss(probe: Probe, call: int) -> Tensor:
        if call == 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return probe.weight.square().sum()

    watch = Witness()

    learner = probe(how(tmp_path / "last", batch=4), Probe(loss), watch)

    assert learner.batches == [4, 4, 4, 4, 2, 2, 2, 2]
    assert watch.steps == STEPS


def test_a_resumed_training_remembers_the_smaller_batch(tmp_path):
    with pytest.raises(Cancelled):
        probe(how(tmp_path / "last"), Probe(out_of_memory_above(2)), Witness(lambda step: step == 2))

    assert probe(how(tmp_path / "last"), Probe()).batches == [2] * (STEPS - 2)


def test_when_not_even_two_images_fit_the_remedy_is_told(tmp_path):
    with pytest.raises(
        TooLarge, match=r"Not even 2 images fit into the memory of cpu.*smaller --patch or --width"
    ):
        probe(how(tmp_path / "last", batch=8), Probe(out_of_memory_above(1)))


def test_other_errors_are_not_taken_for_full_memory(tmp_path):
    def loss(*_: object) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        probe(how(tmp_path / "last"), Probe(loss))


@pytest.mark.usefixtures("speak_always")
@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_training(tmp_path, lost):
    def loss(probe: Probe, call: int) -> Tensor:
        return probe.weight.sum() * (lost if call == 5 else 1)

    with pytest.raises(
        Diverged, match=r"no longer a number near step 5: probe (nan|inf)\. Begin a new run with a lower"
    ):
        probe(how(tmp_path / "last"), Probe(loss))

    assert load_state(tmp_path / "last", CPU.device)["learner"]["weight"].isfinite().all()


def test_lost_weights_are_never_saved(tmp_path):
    def loss(probe: Probe, call: int) -> Tensor:
        return probe.weight.sum() * (math.nan if call == 5 else 1)

    with pytest.raises(Diverged, match="near step 6"):  # the end of the epoch, long before the next report
        probe(how(tmp_path / "last"), Probe(loss))

    state = load_state(tmp_path / "last", CPU.device)
    assert state["step"] == 3
    assert state["learner"]["weight"].isfinite().all()


def test_a_huge_gradient_moves_weights_only_so_far(tmp_path):
    learner = probe(how(tmp_path / "last", steps=1), Probe(lambda probe, _: 1e6 * probe.weight.sum()))

    assert learner.weight.item() == pytest.approx(1 - 0.05 * loop.LARGEST_GRADIENT, rel=1e-4)


def test_terms_are_added_up(tmp_path):
    class Two(Probe):
        def loss_terms(self, *_: object) -> dict[str, Tensor]:
            return {"one": self.weight.sum(), "other": 2 * self.weight.sum()}

    learner = probe(how(tmp_path / "last", steps=1), Two())

    assert learner.weight.item() == pytest.approx(1 - 0.05 * 3, rel=1e-4)


def test_the_best_weights_win_and_the_later_of_two_equals(tmp_path):
    scores, weights = iter([0.1, 0.8, 0.8, 0.3]), []
    learner = Probe()

    def score(step: int) -> float:
        assert not learner.training
        weights.append((step, learner.weight.item()))
        return next(scores)

    probe(how(tmp_path / "last", steps=8, epoch=2, score=score), learner)

    assert [step for step, _ in weights] == [2, 4, 6, 8]
    assert learner.weight.item() == weights[2][1]
    assert learner.weight.item() != weights[3][1]


def test_the_average_of_the_weights_is_judged_and_stays(tmp_path):
    taken, judged = [], []

    def loss(probe: Probe, _: int) -> Tensor:
        taken.append(probe.weight.item())  # the weights before each step
        return probe.weight.square().sum()

    def score(_: int) -> float:
        judged.append(learner.weight.item())
        return 1.0

    longer = Probe(loss)
    probe(how(tmp_path / "longer", steps=4), longer)
    learner = Probe()
    probe(how(tmp_path / "last", steps=4, epoch=4, average=0.9, score=score), learner)

    by_hand = taken[0]
    for step, weight in enumerate([*taken[1:], longer.weight.item()], start=1):
        decay = min(0.9, step / (step + 10))
        by_hand = decay * by_hand + (1 - decay) * weight
    assert judged == [pytest.approx(by_hand, rel=1e-5)]
    assert learner.weight.item() == judged[0]


def test_the_best_weights_survive_an_interruption(tmp_path):
    best = {}

    def score(step: int) -> float:
        best.setdefault(step, learner.weight.item())
        return -step

    learner = Probe()
    with pytest.raises(Cancelled):
        probe(how(tmp_path / "last", score=score), learner, Witness(lambda step: step == 4))
    learner = probe(how(tmp_path / "last", score=score), Probe())

    assert learner.weight.item() == best[3]


def test_scores_that_are_no_numbers_leave_the_last_weights(tmp_path):
    whole = probe(how(tmp_path / "whole"), Probe())

    unscored = probe(how(tmp_path / "last", score=lambda _: math.nan), Probe())

    assert unscored.weight.item() == whole.weight.item()


def test_learning_happens_in_training_mode(tmp_path):
    modes = set()

    def loss(probe: Probe, _: int) -> Tensor:
        modes.add(probe.training)
        return probe.weight.sum()

    probe(how(tmp_path / "last", score=lambda _: 0.0), Probe(loss).eval())

    assert modes == {True}


def test_every_step_draws_new_numbers_and_draws_them_again_after_an_interruption(tmp_path):
    class Drawing(Probe):
        def __init__(self) -> None:
            super().__init__()
            self.drawn: list[tuple[float, float]] = []

        def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
            self.drawn.append((torch.rand(1, generator=generator).item(), torch.rand(1).item()))
            return super().loss_terms(batch, generator)

    def numbers(state: str, watch: Witness | None = None, seed: int = 0) -> list[tuple[float, float]]:
        learner = Drawing()
        with contextlib.suppress(Cancelled):
            probe(how(tmp_path / state, seed=seed), learner, watch)
        return learner.drawn

    whole = numbers("whole")

    assert numbers("part", Witness(lambda step: step == 4)) + numbers("part") == whole
    assert len(set(whole) | set(numbers("other", seed=1))) == 2 * STEPS


@pytest.mark.usefixtures("speak_always")
def test_progress_tells_step_terms_rate_memory_and_time_left(tmp_path):
    watch = Witness()

    probe(how(tmp_path / "last"), Probe(lambda probe, call: probe.weight.sum() * 0 + call), watch)

    facts = [facts for kind, facts in watch.events if kind == "progress"]
    assert [f["step"] for f in facts] == [1, 2, 3, 4, 5, 6, 7]
    assert [f["terms"] for f in facts] == [{"probe": float(n)} for n in range(1, 8)]
    assert facts[0]["lr"] == pytest.approx(0.05)
    assert facts[-1]["eta_s"] == 0
    assert all(f["images_per_s"] > 0 and f["memory_mb"] > 0 and f["steps"] == 7 for f in facts)


def test_between_reports_terms_are_averaged(tmp_path):
    watch = Witness()

    probe(how(tmp_path / "last"), Probe(lambda probe, call: probe.weight.sum() * 0 + call), watch)

    (kind, facts), *_ = watch.events
    assert (kind, facts["step"], facts["terms"]) == ("progress", 7, {"probe": 4.0})


@pytest.mark.usefixtures("speak_always")
def test_a_collapse_is_told_while_it_can_be_mended_and_again_at_the_end(tmp_path):
    watch = Witness()

    training = how(tmp_path / "last", steps=10, collapse=lambda images: 1.25 * images)
    probe(training, Probe(lambda probe, _: probe.weight.sum() * 0 + 5), watch)

    assert [facts for kind, facts in watch.events if kind == "warning"] == [{"step": 2}, {"step": 10}]
    assert "Cancel, and begin a new run" in watch.warnings[0]
    assert "Do not build on this model" in watch.warnings[1]
    assert (
        "The features have collapsed: the loss stays at the value it has if all images looked alike"
        in watch.warnings[0]
    )


@pytest.mark.usefixtures("speak_always")
def test_a_loss_beside_the_collapse_value_is_no_collapse(tmp_path):
    watch = Witness()

    probe(how(tmp_path / "last", collapse=lambda _: 5.1), Probe(lambda p, _: p.weight.sum() * 0 + 5), watch)

    assert watch.warnings == []


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_trains_and_resumes(tmp_path, precision):
    compute = Compute(torch.device("cpu"), precision)
    expected = weights_after(how(tmp_path / "whole", compute=compute))

    with pytest.raises(Cancelled):
        weights_after(how(tmp_path / "part", compute=compute), Witness(lambda step: step == 4))
    resumed = weights_after(how(tmp_path / "part", compute=compute))

    assert_identical(resumed, expected)
    assert all(tensor.isfinite().all() for tensor in resumed.values())
    start = a_method().state_dict()
    assert not torch.equal(
        resumed["network.encoder.center.2.weight"], start["network.encoder.center.2.weight"]
    )


def test_the_scale_of_float16_gradients_survives_an_interruption(tmp_path, a_recipe):
    """At first the scaled gradient is infinite; each such step is left out and halves the scale."""
    compute = Compute(torch.device("cpu"), "float16")

    def huge(probe: Probe, _: int) -> Tensor:
        return 1e36 * probe.weight.sum()

    def training(state: str) -> Training:
        return how(tmp_path / state, steps=12, compute=compute, recipe=a_recipe)

    whole = probe(training("whole"), Probe(huge))
    with pytest.raises(Cancelled):
        probe(training("part"), Probe(huge), Witness(lambda step: step == 5))
    resumed = probe(training("part"), Probe(huge))

    assert resumed.weight.item() == whole.weight.item() != 1


def main(state: str, steps: str, recipe: str, kill_at: str) -> None:
    """Train, saving every step, and end at once when a step is done but not yet saved."""
    torch.set_num_threads(1)

    def kill(step: int) -> bool:
        if step == int(kill_at) - 1:
            loop.save_state = lambda *_: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return False

    weights_after(how(Path(state), steps=int(steps), recipe=recipe, checkpoint_every_s=0), Witness(kill))


if __name__ == "__main__":
    main(*sys.argv[1:])


@pytest.mark.usefixtures("speak_always")
def test_equal_features_are_a_collapse_whatever_the_loss_is(tmp_path):
    class Collapsing(Probe):
        def loss_terms(self, batch: Batch, generator: Generator) -> dict[str, Tensor]:
            self.watched["spread"] = torch.tensor(0.001)
            return super().loss_terms(batch, generator)

    watch = Witness()
    probe(how(tmp_path / "last", steps=10), Collapsing(), watch)

    assert len(watch.warnings) == 2
    assert all(
        facts["watched"]["spread"] == pytest.approx(0.001) for k, facts in watch.events if k == "progress"
    )
