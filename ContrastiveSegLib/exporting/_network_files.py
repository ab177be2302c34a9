"""The bare network as TorchScript and ONNX: prepared patches to class scores, and nothing around it."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from ContrastiveSegLib.errors import BadSetting
from ContrastiveSegLib.training.fine_tuned import Model


def torchscript_file(model: Model) -> bytes:
    """The network, traced on one patch.

    Raises:
        BadSetting: It cannot be traced.
    """
    content = io.BytesIO()

    def write(patch: torch.Tensor) -> None:
        torch.jit.save(torch.jit.trace(model.network, patch), content)

    _converted(model, write, "TorchScript")
    return content.getvalue()


def onnx_file(model: Model) -> bytes:
    """The network as ONNX, for batches of any size of patches of its own size.

    Raises:
        BadSetting: The package is not installed, or the network cannot be converted.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        what = "Writing ONNX needs further packages."
        raise BadSetting(what, "Install them: pip install 'contrastiveseg[onnx]'") from error

    def write(patch: torch.Tensor) -> None:
        program = torch.onnx.export(
            model.network,
            (patch,),
            input_names=["image"],
            output_names=["pred"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.save(file)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        _converted(model, write, "ONNX")
        return file.read_bytes()


def _converted(model: Model, write: Callable[[torch.Tensor], None], form: str) -> None:
    """Let a converter run on a patch (2, C, *patch), and turn what it cannot do into a sentence."""
    generator = torch.Generator().manual_seed(0)
    patch = torch.rand((2, model.channels, *model.grid.patch), generator=generator)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of converters, to those who write networks
            write(patch)
    except Exception as error:
        raise BadSetting(
            f"The network {model.architecture} cannot be written as {form}: {type(error).__name__}: {error}",
            f"Export without {form}.",
        ) from error
