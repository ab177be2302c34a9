"""The device and precision that were asked for, or the best there is."""

from __future__ import annotations

import pytest
import torch

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.imaging.grid import LARGEST_SIDES
from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS
from ContrastiveSegLib.session import device
from ContrastiveSegLib.session.device import Compute, choose_compute, is_out_of_memory
from ContrastiveSegLib.settings.job_settings import Compute as Settings
from ContrastiveSegLib.threads import FREE_CORE


@pytest.fixture
def no_gpu(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(("fast", "expected"), [(True, "bfloat16"), (False, "float32")])
@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_cpu_takes_bfloat16_only_where_it_is_fast(fast, expected, monkeypatch):
    monkeypatch.setattr(device, "_cpu_has_bfloat16", lambda: fast)

    assert choose_compute(Settings()) == Compute(torch.device("cpu"), expected)


def test_whether_the_cpu_is_fast_is_known():
    assert device._cpu_has_bfloat16() in (True, False)


def test_what_was_asked_for_is_taken():
    assert choose_compute(Settings(device="cpu", precision="float16")) == Compute(
        torch.device("cpu"), "float16"
    )


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
@pytest.mark.usefixtures("no_gpu")
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(BadSetting, match=rf'device "{device}" is not usable here.*Choose auto or cpu'):
        choose_compute(Settings(device=device))


def test_a_gpu_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    with pytest.raises(BadSetting, match=r'no device "cuda:2": 2 CUDA device\(s\) were found'):
        choose_compute(Settings(device="cuda:2"))


def test_threads_are_set():
    before = torch.get_num_threads()

    try:
        choose_compute(Settings(device="cpu", threads=before + 1))

        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("offered", "asked", "free", "taken"),
    [(3, None, "1", 2), (1, None, "1", 1), (3, 3, "1", 3), (3, None, "", 3)],
)
def test_one_core_is_left_where_that_was_asked_for(offered, asked, free, taken, monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv(FREE_CORE, free)
    device._leave_a_core.cache_clear()

    try:
        torch.set_num_threads(offered)
        for _ in range(2):  # a second job in the same process leaves not one more
            choose_compute(Settings(device="cpu", threads=asked))

        assert torch.get_num_threads() == taken
    finally:
        torch.set_num_threads(before)
        device._leave_a_core.cache_clear()


def test_threads_that_spin_are_spoken_of_once(monkeypatch, caplog):
    for decided in (True, False, False):
        monkeypatch.setattr(device, "is_waiting_decided", lambda decided=decided: decided)
        device._warn_of_spinning.cache_clear() if decided else None
        choose_compute(Settings(device="cpu"))

    assert [record.message[:41] for record in caplog.records] == ["PyTorch was loaded before ContrastiveSegL"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_matrix_products_run_in_the_precision(precision):
    matrix = torch.rand(4, 4)

    with Compute(torch.device("cpu"), precision).mixed():
        product = matrix @ matrix

    assert product.dtype == device.PRECISIONS[precision]
    assert (matrix @ matrix).dtype == torch.float32


def test_placing_changes_the_memory_and_not_the_result(a_network, a_compute):
    a_network.eval()
    images = torch.rand(2, 1, 32, 32)
    before = a_network(images)

    a_compute.place(a_network)

    assert a_network.encoder.center[0].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(a_network(images), before)


def test_placing_takes_blocks_too(make_network, a_compute):
    network = a_compute.place(make_network(spatial_dims=3))

    assert network(torch.rand(2, 1, 16, 32, 32)).isfinite().all()


def test_a_generator_repeats_its_numbers(a_compute):
    first, again, other = (torch.rand(3, generator=a_compute.generator(seed)) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (RuntimeError("memory format option is only supported by strided tensors"), False),
    ],
)
def test_the_end_of_memory_is_recognized_on_every_device(error, expected):
    assert is_out_of_memory(error) is expected


def test_a_real_failed_allocation_is_recognized():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)

    assert is_out_of_memory(caught.value)


def test_the_description_names_device_threads_and_precision(a_compute):
    assert a_compute.describe() == f"cpu ({torch.get_num_threads()} threads), float32"


def test_a_cpu_gets_a_smaller_network_and_smaller_patches(a_compute):
    gpu = Compute(torch.device("cuda"), "bfloat16")

    assert (BASE_CHANNELS[a_compute.machine], BASE_CHANNELS[gpu.machine]) == (24, 32)
    assert (LARGEST_SIDES[a_compute.machine], LARGEST_SIDES[gpu.machine]) == (128, 256)


def test_the_memory_of_this_process_is_counted(a_compute):
    assert 50 < a_compute.memory_mb() < 100_000


@pytest.mark.parametrize(
    ("precision", "asked", "described"),
    [("float32", "highest", "float32"), ("bfloat16", "high", "bfloat16 with TF32")],
)
def test_on_a_gpu_products_are_rounded_only_where_float32_was_not_asked_for(
    precision, asked, described, monkeypatch
):
    for name, answer in {"is_available": True, "device_count": 1, "get_device_name": "a card"}.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    try:
        compute = choose_compute(Settings(device="cuda:0", precision=precision))
        found = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]

    assert found == (asked, asked == "high")
    assert compute.describe() == f"cuda:0 (a card), {described}"
