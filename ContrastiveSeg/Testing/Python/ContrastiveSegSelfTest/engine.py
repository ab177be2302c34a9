"""Stands in for the engine where torch is missing: writes a run folder as the jobs do, in seconds.

Started by the self test as `python engine.py JOB --settings FILE`. It learns nothing: structures
are thresholds. Everything that crosses the border between processes is as in a real job.
"""

import csv
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, os.getcwd())  # noqa: PTH109 - jobs are started in the folder that holds the library

import numpy as np

from ContrastiveSegLib.dataset.cases import find_cases
from ContrastiveSegLib.file_io.files import read_image, read_labels, write_image, write_labels
from ContrastiveSegLib.imaging.grid import slice_axis
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Volume
from ContrastiveSegLib.runs.atomic_write import make_folder
from ContrastiveSegLib.runs.events import heartbeat, log_event
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.job_settings import JOBS
from ContrastiveSegLib.settings.schema import from_dict

STEPS = 8
STEP_S = float(os.environ.get("CONTRASTIVESEG_SELF_TEST_STEP_S", "0.05"))
TABLE = LabelTable((Structure(1, "bright", (0.9, 0.2, 0.2)), Structure(2, "middle", (0.2, 0.5, 0.9))))


def train(run: RunFolder, job: str, model: ModelFolder) -> None:
    """Tell of steps, notice a wish to cancel, leave a finished model."""
    make_folder(model.path)
    for step in range(1, STEPS + 1):
        terms = {"position": 3 / step} if job == "pretrain" else {"dice_ce": 2 / step}
        log_event(run.events, "progress", job=job, step=step, steps=STEPS, terms=terms, watched={}, lr=0.001,
             images_per_s=40.0, memory_mb=500.0, eta_s=(STEPS - step) * STEP_S)  # fmt: skip
        if job == "finetune" and step % 4 == 0:
            dice = {structure.name: 1 - 1 / step for structure in TABLE.structures}
            log_event(run.events, "validation", job=job, step=step, dice=dice)
        model.last.write_bytes(b"state")
        if run.cancel_requested():
            log_event(run.events, "end", job=job, outcome="Cancelled", text=f"Cancelled after step {step}.")
            sys.exit(130)
        time.sleep(STEP_S)
    model.weights.write_bytes(b"weights")
    model.model.write_text(json.dumps({"job": job}), encoding="utf-8")
    model.last.unlink()


def pretrain(run: RunFolder, data: dict) -> None:
    run.begin("pretrain", from_dict(JOBS["pretrain"], data))
    train(run, "pretrain", ModelFolder(run.pretrain))


def finetune(run: RunFolder, data: dict) -> None:
    number, _again = run.begin_finetune(from_dict(JOBS["finetune"], data))
    model = ModelFolder(run.finetune(number))
    model.labels.write_text(json.dumps(TABLE.to_json()), encoding="utf-8")
    if data.get("strategy") == "self_training":
        used = {structure.name: 0.75 for structure in TABLE.structures}
        text = "Round 1 learns from 4 of 4 predicted scans too."
        log_event(
            run.events, "pseudo_labels", job="finetune", round=1, step=STEPS, used_share=used, text=text
        )
    train(run, "finetune", model)


def predict(run: RunFolder, data: dict) -> None:
    only = data.get("cases", {}).get("only", ())
    for case in find_cases(Path(data["images"]), only=only).cases:
        image = read_image(case.images).volume
        low, high = np.percentile(image.array[0], (60, 90))
        labels = np.where(image.array[0] > high, 1, np.where(image.array[0] > low, 2, 0)).astype(np.int16)
        folder = Path(data["output"]) if data.get("output") else None
        target = run.prediction(case.name, folder=folder)
        write_labels(target, Volume(labels, image.geometry), TABLE, overwrite=bool(data.get("overwrite")))
        hesitation = np.exp(-(((image.array[0] - low) / (high - low + 1e-6)) ** 2)).astype(np.float32)
        write_image(
            run.uncertainty(case.name, folder=folder), Volume(hesitation, image.geometry), overwrite=True
        )
        log_event(run.events, "result", job="predict", case=case.name, file=str(target))


def suggest(run: RunFolder, data: dict) -> None:
    with run.suggestions().open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["rank", "kind", "case", "slice", "axis", "score", "reason"])
        cases, isWhole = find_cases(Path(data["images"])).cases, data.get("kind") == "cases"
        for number in range(min(data.get("count", 5), len(cases) if isWhole else 100)):
            case, place = cases[number % len(cases)], ("", "") if isWhole else (3 + number, "k")
            kind = "case" if isWhole else "slice"
            table.writerow([number + 1, kind, case.name, *place, 0.9 - 0.1 * number, "typical"])


def propagate(run: RunFolder, data: dict) -> None:
    """The annotated slice as it is, in every slice."""
    read = read_labels(Path(data["annotation"]))
    axis = 2 - slice_axis(read.volume.geometry, data["plane"])
    cut = np.moveaxis(read.volume.array, axis, 0)
    labels = np.moveaxis(np.repeat(cut[data["slice"]][None], len(cut), axis=0), 0, axis)
    for k in range(len(cut)):
        log_event(run.events, "propagated", job="propagate", slice=k, slices=len(cut))
    output = Path(data["output"])
    write_labels(output, Volume(labels, read.volume.geometry), read.table, overwrite=data["overwrite"])
    log_event(
        run.events, "result", job="propagate", text=f"The carried labels are in {output}", file=str(output)
    )


def refine(run: RunFolder, data: dict) -> None:
    """Only the first structure stays."""
    (case,) = find_cases(Path(data["images"]), only=data["cases"]["only"]).cases
    read = read_labels(run.prediction(case.name))
    labels = np.where(read.volume.array == 1, read.volume.array, 0)
    target = run.prediction(case.name, folder=Path(data["output"]))
    write_labels(target, Volume(labels, read.volume.geometry), read.table, overwrite=data["overwrite"])
    log_event(run.events, "result", job="refine", case=case.name, file=str(target), asked=3, accepted=2)


JOBS_HERE = {
    "pretrain": pretrain,
    "finetune": finetune,
    "predict": predict,
    "suggest": suggest,
    "propagate": propagate,
    "refine": refine,
}


def plan(job: str, data: dict) -> None:
    """What a job with `plan` says; the numbers are made up."""
    if job == "finetune":
        n, disk = (3, 300) if data.get("unlabeled", "none") != "none" else (1, 0)
        times = {"trainings": n, "steps": 1500, "seconds": 600 * n}
        print(json.dumps({**times, "memory_mb": 900, "disk_mb": disk}))
        return
    batch = data.get("batch") or 32
    facts = {"slices": 5 * batch, "batch": batch, "cases": len(find_cases(Path(data["images"])).cases)}
    facts |= {"seconds_per_case": 1.0, "seconds_per_step": 0.5, "startup_s": 4.0, "memory_mb": 700}
    print(json.dumps(facts))


def main(words) -> int:
    """Do one job."""
    job, data = words[0], json.loads(Path(words[2]).read_text(encoding="utf-8"))[words[0]]
    if data.get("plan"):
        plan(job, data)
        return 0
    if job == "check":
        facts = {"device": "stand-in", "torch": "none", "slices_per_s": 80}
        Path(data["output"]).write_text(json.dumps(facts), encoding="utf-8")
        print("One training step of 8 slices of 128 x 128: 0.100 s (80 slices/s), loss 1.000.")
        return 0
    run = RunFolder(Path(data["run"]))
    run.create()
    with run.lock():
        log_event(run.events, "start", job=job)
        with heartbeat(run.events):
            JOBS_HERE[job](run, data)
            log_event(run.events, "end", job=job, outcome="done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
