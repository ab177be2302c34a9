"""Where and how precisely to compute: CUDA, MPS or CPU; bfloat16 where it pays."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import torch
from torch import nn

from ContrastiveSegLib.distributed.processes import asked_for, local_rank
from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.preprocessing.plan import kind_of_machine
from ContrastiveSegLib.settings.job_settings import Compute as Settings
from ContrastiveSegLib.threads import is_waiting_decided, leaves_a_core

LOGGER = logging.getLogger("ContrastiveSegLib")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Compute:
    """A device and the precision of its matrix products.

    Args:
        precision: float32 (no mixed precision), bfloat16 or float16.
    """

    device: torch.device
    precision: str

    @contextlib.contextmanager
    def mixed(self) -> Iterator[None]:
        """Matrix products inside this block run in the reduced precision."""
        reduced = self.precision != "float32"
        with torch.autocast(self.device.type, PRECISIONS[self.precision], enabled=reduced):
            yield

    def place(self, module: nn.Module) -> nn.Module:
        """Move a module here; channels last is 10-25 % faster for 2D convolutions on CPU and CUDA."""
        module.to(self.device)
        if self.device.type != "mps":
            for part in module.modules():
                if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
                    part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module

    def generator(self, seed: int) -> torch.Generator:
        """A source of random numbers on the device."""
        return torch.Generator(self.device).manual_seed(seed)

    def memory_mb(self) -> float:
        """Peak memory on the GPU since the start, or the process's memory now, in MB."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        return float(psutil.Process().memory_info().rss) / 2**20

    def describe(self) -> str:
        """One line for people: device, its name, precision."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else ""
        threads = f"{torch.get_num_threads()} threads" if self.device.type == "cpu" else name
        products = " with TF32" if self.device.type == "cuda" and self.precision != "float32" else ""
        return f"{self.device} ({threads}), {self.precision}{products}"

    @property
    def machine(self) -> str:
        """The key of what depends on the kind of machine: "cpu" or "gpu"."""
        return kind_of_machine(self.device.type)


def choose_compute(asked: Settings) -> Compute:
    """The device and precision asked for, or the best there is; sets the number of CPU threads.

    Raises:
        BadSetting: No such device here.
    """
    if asked.threads:
        torch.set_num_threads(asked.threads)
    else:
        _leave_a_core()
    chosen = _own_device(_best_device() if asked.device == "auto" else asked.device)
    if (chosen.type == "cuda" and not torch.cuda.is_available()) or (
        chosen.type == "mps" and not torch.backends.mps.is_available()
    ):
        raise BadSetting(
            f'The device "{asked.device}" is not usable here (PyTorch {torch.__version__}).',
            "Choose auto or cpu, or install the build of PyTorch for your graphics card.",
        )
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise BadSetting(
            f'There is no device "{chosen}": {torch.cuda.device_count()} CUDA device(s) were found.',
            "Choose cuda:0, or auto; with several processes start as many on each computer as it has GPUs.",
        )
    if chosen.type == "cpu" and not is_waiting_decided():
        _warn_of_spinning()
    compute = Compute(chosen, _best_precision(chosen) if asked.precision == "auto" else asked.precision)
    if chosen.type == "cuda":
        _allow_tf32(compute.precision != "float32")
    return compute


def _allow_tf32(allowed: bool) -> None:
    """Whether products of float32 may be rounded; who asks for float32 gets it, convolutions included."""
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


def _own_device(name: str) -> torch.device:
    """The device; of several GPUs the one of this process, where there are several processes.

    Raises:
        BadSetting: All processes were to compute on one GPU.
    """
    chosen, (_, several) = torch.device(name), asked_for()
    if chosen.type != "cuda" or several == 1:
        return chosen
    if chosen.index is not None:
        raise BadSetting(
            f"Several processes cannot share the device {name}.",
            "Choose --device cuda, which gives each process a GPU of its own, or start one process.",
        )
    return torch.device("cuda", local_rank())


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error means that memory ran out, on any device."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error).lower() for w in words)


@functools.cache
def _leave_a_core() -> None:
    """Once per process, because a second job in it would leave one more."""
    if leaves_a_core():
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))


@functools.cache
def _warn_of_spinning() -> None:
    """Once per process: in a notebook nothing else can be done about it."""
    LOGGER.warning(
        "PyTorch was loaded before ContrastiveSegLib, so its threads spin while they wait, and training is "
        "many times slower while another program works. Import ContrastiveSegLib.jobs first, or start Python "
        "with OMP_WAIT_POLICY=PASSIVE."
    )


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _best_precision(device: torch.device) -> str:
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if device.type == "cpu" and _cpu_has_bfloat16() else "float32"


def _cpu_has_bfloat16() -> bool:
    """Without these instructions bfloat16 is several times slower than float32."""
    private = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public names for them
    asks = (getattr(torch.cpu, name, None) for name in private)
    return any(ask() for ask in asks if ask is not None)
