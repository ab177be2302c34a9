"""The command line of the benchmarks of training steps."""

from __future__ import annotations

import argparse
import time

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def arguments(description: str | None) -> argparse.Namespace:
    """The command line, with the description of the script that asks."""
    lines = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=lines)
    parser.add_argument("--size", type=int, default=128, help="sides of a patch (default %(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="images per step (default %(default)s)")
    parser.add_argument("--channels", type=int, default=1, help="of the images (default %(default)s)")
    parser.add_argument("--base-channels", type=int, help="of the network; default: the device's")
    parser.add_argument(
        "--methods",
        nargs="*",
        default=["simclr", "pcl", "supercl", "macl"],
        help="of pre-training, or all",
    )
    parser.add_argument("--strategies", nargs="+", default=["supervised"], help="of fine-tuning")
    parser.add_argument("--depth", type=int, help="slices of a block, to learn in 3D")
    parser.add_argument("--processes", type=int, help="compare so many processes with one")
    parser.add_argument("--no-finetuning", action="store_true", help="leave out the step of fine-tuning")
    parser.add_argument("--steps", type=int, default=8, help="steps per turn (default %(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="turns of each (default %(default)s)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="processor: time that was really computed, for a CPU that others use too; with --threads 1",
    )
    return parser.parse_args()
