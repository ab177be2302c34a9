"""Every kind of file the program reads: where a sound one lies, how it is damaged, which jobs meet it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from Testing.fuzz.archive_mutators import LINES, TENSORS, ZIP
from Testing.fuzz.bytes_mutators import ANY, Draw, Mutator
from Testing.fuzz.dicom_mutators import DICOM
from Testing.fuzz.json_mutators import JSON
from Testing.fuzz.nifti_mutators import NIFTI
from Testing.fuzz.text_mutators import TEXT

DATA = ("scan", "scan", "scan", "evaluate", "evaluate", "predict", "predict", "finetune")
# What a job writes; "new" is where a run begins or is unpacked.
OWN = ("run", "new")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Args:
        data: Which folder of seeds it lies in.
        file: The file that is damaged, below that folder; a pattern stands for any of several.
        mutators: What may happen to it.
        orders: The jobs that meet it.
        folder: "data", or "run" for what lies in the run folder.
    """

    name: str
    data: str
    file: str
    mutators: Sequence[Mutator]
    orders: Sequence[str] = DATA
    folder: str = "data"

    @property
    def is_case(self) -> bool:
        """Whether the file belongs to one case, so that the job must go on without it."""
        return self.folder == "data" and "/" in self.file


# Name, suffix of the image, suffix of the labels.
SEEDS = {
    "nii": (".nii", ".nii.gz"),
    "nii.gz": (".nii.gz", ".nii"),
    "nrrd": (".nrrd", ".seg.nrrd"),
    "nhdr": (".nhdr", ".nrrd"),
    "mha": (".mha", ".mha"),
    "mhd": (".mhd", ".seg.nrrd"),
    "dicom": ("", ".seg.nrrd"),
    "channels.nii": (".nii", ".nii.gz"),
    "channels.nrrd": (".nrrd", ".seg.nrrd"),
}
KINDS = (
    Kind("NIfTI", "nii", "images/c.nii", (*NIFTI, *ANY)),
    Kind("compressed NIfTI", "nii.gz", "images/c.nii.gz", (*NIFTI, *ANY)),
    Kind("NRRD", "nrrd", "images/c.nrrd", (*TEXT, *ANY)),
    Kind("detached NRRD", "nhdr", "images/c.nhdr", (*TEXT, *ANY)),
    Kind("MHA", "mha", "images/c.mha", (*TEXT, *ANY)),
    Kind("MHD", "mhd", "images/c.mhd", (*TEXT, *ANY)),
    Kind("DICOM", "dicom", "images/c/*.dcm", (*DICOM, *DICOM, *ANY)),
    Kind("segmentation", "nrrd", "labels/c.seg.nrrd", (*TEXT, *TEXT, *ANY)),
    Kind("NIfTI labels", "nii.gz", "labels/c.nii", (*NIFTI, *ANY)),
    Kind("MHA labels", "mha", "labels/c.mha", (*TEXT, *ANY)),
    Kind("dataset.json", "nii", "dataset.json", (*JSON, *JSON, *TEXT, *ANY), ("scan", "scan", "finetune")),
    Kind("4D NIfTI", "channels.nii", "images/c.nii", (*NIFTI, *ANY), DATA[:-1]),
    Kind("NRRD with channels", "channels.nrrd", "images/c.nrrd", (*TEXT, *ANY), DATA[:-1]),
    Kind("table of slices", "tables", "slices.csv", (*TEXT, *ANY), ("slices",)),
    Kind("table of organs", "tables", "organ.csv", (*TEXT, *ANY), ("organ",)),
    Kind("foreign weights", "tables", "foreign.pt", (*ZIP, *ANY), ("refine .pt", "models .pt")),
    Kind("foreign tensors", "tables", "foreign.safetensors", (*TENSORS, *ANY), ("models .safetensors",)),
    Kind("archive", "tables", "run.zip", (*ZIP, *ANY), ("import",)),
    Kind("cases.csv", "nii", "finetune/01/cases.csv", (*TEXT, *ANY), ("predict",), "run"),
    Kind("metrics.csv", "nii", "finetune/01/metrics.csv", (*TEXT, *ANY), ("read metrics",), "run"),
    Kind("suggestions.csv", "nii", "suggestions.csv", (*TEXT, *ANY), ("read suggestions",), "run"),
    Kind(
        "labels.json",
        "nii",
        "finetune/01/labels.json",
        (*JSON, *JSON, *TEXT, *ANY),
        ("read structures",),
        "run",
    ),
    Kind("process.json", "nii", "panel/process.json", (*JSON, *TEXT, *ANY), ("read process",), "run"),
    Kind("events", "nii", "events.jsonl", (*LINES, *LINES, *TEXT, *ANY), ("read events",), "run"),
    Kind("record", "nii", "annotations/.written.json", (*JSON, *TEXT, *ANY), ("read record",), "run"),
    Kind("pre-trained page", "nii", "pretrain/model.json", (*JSON, *TEXT, *ANY), ("finetune",), "run"),
    Kind("pre-trained weights", "nii", "pretrain/model.safetensors", (*TENSORS, *ANY), ("finetune",), "run"),
    Kind("model.json", "nii", "finetune/01/model.json", (*JSON, *JSON, *TEXT, *ANY), ("predict",), "run"),
    Kind("safetensors", "nii", "finetune/01/model.safetensors", ANY, ("predict",), "run"),
    Kind("settings.json", "nii", "settings.json", (*JSON, *JSON, *TEXT, *ANY), ("finetune",), "run"),
)


def damage(kind: Kind, folder: Path, draw: Draw) -> list[str]:
    """Damage the file of a kind one to three times; returns what was done."""
    files = sorted(folder.glob(kind.file))
    done = []
    for _ in range(int(draw.choice([1, 1, 2, 3]))):
        file = files[int(draw.integers(len(files)))]
        mutator: Callable[[bytes, Draw], bytes] = kind.mutators[int(draw.integers(len(kind.mutators)))]
        file.write_bytes(mutator(file.read_bytes(), draw))
        done.append(f"{mutator.__name__} of {file.name}")
    return done


def words_of(order: str, folder: Path) -> list[str]:
    """The command line of a job on the damaged data."""
    data, run = str(folder / "data"), str(folder / "run")
    small = ["--device", "cpu", "--precision", "float32"]
    one = ["--labeled", data, "--steps", "1", "--batch", "2", *small]
    drawn = ["--annotation", "slices", "--annotated-slices", f"{data}/slices.csv"]
    organ = [
        "--method",
        "polycl",
        "--slice-labels",
        f"{data}/organ.csv",
        "--base-channels",
        "4",
        "--patch",
        "16",
        "16",
    ]
    asked = ["--images", data, "--predictions", f"{data}/labels", "--output", str(folder / "new" / "refined")]
    return {
        "scan": ["scan", data],
        "predict": ["predict", run, "--images", data, *small],
        "finetune": ["finetune", run, *one],
        "slices": ["finetune", run, *one, *drawn],
        "organ": ["pretrain", str(folder / "new"), "--images", data, *one[2:], *organ, "--patch", "16", "16"],
        "refine .pt": ["refine", run, *asked, "--checkpoint", f"{data}/foreign.pt"],
        "models .pt": ["models", "--checkpoint", f"{data}/foreign.pt"],
        "models .safetensors": ["models", "--checkpoint", f"{data}/foreign.safetensors"],
        "evaluate": ["evaluate", "--predictions", str(folder / "data" / "labels"), "--labels", data],
    }[order]


def lay_out(kind: Kind, seeds: Path, folder: Path) -> None:
    """A copy of the seeds that a kind needs."""
    shutil.copytree(seeds / kind.data, folder / "data")
    shutil.copytree(seeds / "run", folder / "run")


def listing(folder: Path) -> str:
    """All files outside the run folder, with size and time: what nothing may change."""
    files = [
        path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] not in OWN
    ]
    return json.dumps(sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files))
