"""Peak memory and time of predicting one large volume, in a process of its own.

    python Testing/Benchmarks/prediction_memory.py --structures 5 60

The image is coarse noise of 512 x 512 x 400 voxels at its native spacing; the network is narrow and
untrained, so that every class is likely everywhere, which is the worst there is. The whole job is measured:
reading, preparing, predicting, correcting by gray values, restoring, the uncertainty map, writing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CHILD = "--one-prediction"


def main() -> None:
    """Make the image and a model for each number of structures, and let a child predict."""
    asked = _arguments()
    if asked.one_prediction:
        _predict(Path(asked.one_prediction[0]), Path(asked.one_prediction[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_image(folder / "images" / "large.mha", asked.size)
        for structures in asked.structures:
            run = folder / f"run{structures}"
            _make_model(run, structures, asked)
            done = subprocess.run(
                [sys.executable, __file__, CHILD, str(run), str(folder / "images")],
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            size = " x ".join(map(str, asked.size))
            print(
                f"{structures} structures, {size}, patch {' x '.join(map(str, asked.patch))}: "
                f"peak {found['peak_gb']:.2f} GB, {found['seconds']:.0f} s; {found['said']}",
                flush=True,
            )


def _predict(run: Path, images: Path) -> None:
    from ContrastiveSegLib.__main__ import main as engine

    begin = time.perf_counter()
    engine(["predict", str(run), "--images", str(images)])
    seconds = time.perf_counter() - begin
    events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    said = [event["text"] for event in events if " GB" in event.get("text", "")]
    assert any(event["kind"] == "result" for event in events), events
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(json.dumps({"peak_gb": peak, "seconds": seconds, "said": " ".join(said)}))


def _make_image(path: Path, size: list[int]) -> None:
    from ContrastiveSegLib.file_io.files import write_image
    from ContrastiveSegLib.imaging.volume import Geometry, Volume

    random = np.random.default_rng(0)
    small = random.random((size[2], size[1] // 8, size[0] // 8), np.float32)
    large = (1000 * np.kron(small, np.ones((1, 8, 8), np.float32))).astype(np.int16)
    path.parent.mkdir()
    write_image(path, Volume(large, Geometry((size[0], size[1], size[2]), (0.7, 0.7, 1.25))))


def _make_model(run: Path, structures: int, asked: argparse.Namespace) -> None:
    from ContrastiveSegLib.imaging.grid import WorkingGrid
    from ContrastiveSegLib.imaging.labels import LabelTable
    from ContrastiveSegLib.networks.backbone import build_network, pools_for
    from ContrastiveSegLib.networks.weights import save_model
    from ContrastiveSegLib.preprocessing.intensities import Intensities
    from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder

    folder = RunFolder(run)
    folder.create()
    arguments = {
        "in_channels": 1,
        "classes": structures + 1,
        "base_channels": asked.base_channels,
        "spatial_dims": len(asked.patch),
        "pools": pools_for(asked.patch),
    }
    between = 1.25 if len(asked.patch) == 3 else 0.0
    save_model(
        ModelFolder(folder.finetune(1)),
        build_network("unet", seed=0, **arguments),
        name="unet",
        arguments=arguments,
        parts=("encoder", "decoder", "head"),
        strategy="supervised",
        mirrored=False,
        start="none",
        grid=dataclasses.asdict(WorkingGrid("axial", 0.7, between, tuple(asked.patch))),
        intensities=dataclasses.asdict(Intensities()),
        labels=LabelTable.default_for(range(1, structures + 1)).to_json(),
        single_components=[[n] for n in range(1, structures + 1)],
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--structures", type=int, nargs="+", default=[5, 60])
    parser.add_argument("--size", type=int, nargs=3, default=[512, 512, 400], help="default %(default)s")
    parser.add_argument("--patch", type=int, nargs="+", default=[128, 128], help="default %(default)s")
    parser.add_argument("--base-channels", type=int, default=4, help="of the network (default %(default)s)")
    parser.add_argument(CHILD, nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
