"""Sound inputs for the fuzzer to damage: small volumes in every format, and a run that learned from two."""

from __future__ import annotations

import json
import locale
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from safetensors.torch import save_file

from ContrastiveSegLib.__main__ import main
from ContrastiveSegLib.file_io.files import write_image, write_labels
from ContrastiveSegLib.imaging.labels import LabelTable, Structure
from ContrastiveSegLib.imaging.volume import Geometry, Volume
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.slicer_bridge.run_archive import export_run
from Testing.fuzz.archive_mutators import sound_events

SHAPE = (6, 16, 20)
GRID = Geometry(
    SHAPE[::-1], (1.5, 1.5, 4.0), (-10.0, 5.0, 30.0), (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
)
TABLE = LabelTable((Structure(1, "liver", (1.0, 0.0, 0.0)), Structure(2, "spleen", (0.0, 1.0, 0.0))))
# The sound neighbor of every damaged case: it must come through whatever happens.
SOUND = "d"
SMALL = ["--base-channels", "4", "--batch", "2", "--device", "cpu", "--precision", "float32", "--steps", "1"]


def image(seed: int) -> Volume:
    """A ball in noise."""
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij"))
    noise = np.random.default_rng(seed).normal(100, 10, SHAPE)
    return Volume((noise + 80 * (np.linalg.norm(places, axis=0) < 0.7)).astype(np.int16), GRID)


def labels() -> Volume:
    """Two boxes."""
    array = np.zeros(SHAPE, np.int16)
    array[1:5, 3:9, 3:12], array[2:5, 9:14, 11:18] = 1, 2
    return Volume(array, GRID)


def write_case(
    folder: Path,
    name: str,
    suffix: str,
    seed: int,
    *,
    labels_suffix: str = ".seg.nrrd",
    channels: bool = False,
) -> None:
    """An image and its labels below images/ and labels/."""
    path = folder / "images" / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if channels:
        write_channels(path, seed)
    elif suffix == "":
        write_series(path, seed)
    elif suffix in (".mhd", ".nhdr"):
        sitk.WriteImage(image(seed).to_sitk(), str(path), useCompression=bool(seed % 2))
    else:
        write_image(path, image(seed))
    write_labels(folder / "labels" / f"{name}{labels_suffix}", labels(), TABLE)


def write_channels(path: Path, seed: int) -> None:
    """An image of two channels: a fourth axis in NIfTI, two numbers per voxel in NRRD."""
    both = [image(seed).to_sitk(), image(seed + 1).to_sitk()]
    whole = sitk.JoinSeries(both) if path.suffix == ".nii" else sitk.Compose(both)
    sitk.WriteImage(whole, str(path))


def write_tables(folder: Path, run: Path) -> None:
    """What a user gives beside images and labels: tables, weights of others, an exported run.

    Also, in the run folder, what the module and its jobs write there.
    """
    write_dataset(folder, ".nii")
    slices = [(case, k) for case in ("c", SOUND) for k in range(SHAPE[0])]
    (folder / "slices.csv").write_text("case,slice\n" + "".join(f"{c},{k}\n" for c, k in slices if k % 2))
    flags = "".join(f"{c},{k},{k % 2}\n" for c, k in slices)
    (folder / "organ.csv").write_text(f"case,slice,organ\n{flags}")
    tensors = {
        "image_encoder.pos_embed": torch.zeros(1, 4, 4, 8),
        "mask_decoder.iou_token.weight": torch.ones(3),
    }
    torch.save({"model": tensors}, folder / "foreign.pt")
    save_file(tensors, folder / "foreign.safetensors")
    export_run(RunFolder(run), folder / "run.zip")
    state = {"job": "finetune", "pid": 2**22 + 1, "position": 0, "started": 1.0, "run": True, "words": ["x"]}
    written = {
        "panel/process.json": json.dumps(state).encode(),
        "annotations/.written.json": b'{"files": ["images/c.nii", "labels/c.seg.nrrd"]}',
        "suggestions.csv": b"kind,case,slice,axis,score,reason\ncase,c,,,0.5,far\nslice,d,3,k,0.25,unsure\n",
        "finetune/01/metrics.csv": b"step,liver,spleen\n1,0.5,0.25\n2,0.75,\n",
    }
    for name, content in written.items():
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_bytes(content)
    with (run / "events.jsonl").open("ab") as stream:
        stream.write(sound_events())


def write_series(folder: Path, seed: int) -> None:
    """A DICOM series of one file per slice."""
    folder.mkdir(parents=True)
    whole = image(seed).to_sitk()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    words = locale.setlocale(locale.LC_CTYPE)
    direction = np.reshape(whole.GetDirection(), (3, 3))
    for k in range(SHAPE[0]):
        piece = whole[:, :, k : k + 1]
        tags = {
            "0008|0060": "MR", "0010|0020": "P1", "0020|000d": "1.2.3.4", "0020|000e": "1.2.3.4.5",
            "0008|0018": f"1.2.3.4.5.{k + 1}", "0020|0013": str(k + 1), "0008|103e": "axial",
            "0020|0032": "\\".join(f"{x:.6g}" for x in whole.TransformIndexToPhysicalPoint((0, 0, k))),
            "0020|0037": "\\".join(f"{x:.6g}" for x in (*direction[:, 0], *direction[:, 1])),
        }  # fmt: skip
        for tag, value in tags.items():
            piece.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{k}.dcm"))
        writer.Execute(piece)
    locale.setlocale(locale.LC_CTYPE, words)  # GDCM leaves the process with plain ASCII


def write_dataset(folder: Path, suffix: str, labels_suffix: str = ".seg.nrrd") -> None:
    """The case `c`, which will be damaged, and its sound neighbor."""
    several = folder.name.startswith("channels")
    write_case(folder, "c", suffix, 1, labels_suffix=labels_suffix, channels=several)
    write_case(folder, SOUND, ".nii.gz", 2)
    names = {"0": "background", **{str(s.value): s.name for s in TABLE.structures}}
    content = {"labels": names, "channel_names": {"0": "MR"}, "file_ending": suffix}
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


def write_run(folder: Path) -> None:
    """A run with one pre-training and one round of fine-tuning."""
    data, run = folder / "data", str(folder / "run")
    write_dataset(data, ".nii.gz")
    images = ["--images", str(data)]
    orders = (
        ["pretrain", run, *images, *SMALL, "--patch", "16", "16"],
        ["finetune", run, "--labeled", str(data), *SMALL[2:], "--save-every-min", "1"],
    )
    for words in orders:
        if main(words) != 0:
            raise RuntimeError(f"the seed of the fuzzer cannot be made: {words}")
    shutil.rmtree(folder / "run" / "prepared")
