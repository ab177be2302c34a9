"""MONAI bundle: the fine-tuned network with all that its prediction needs, for MONAI's own programs.

Source: MONAI, docs/source/mb_specification.rst (MONAI 1.5). What MONAI has no equal of, the bundle carries as
copies of our modules in scripts/, so that it runs where this program is not installed.
"""

from __future__ import annotations

import io
from pathlib import Path

import torch

from ContrastiveSegLib import __version__
from ContrastiveSegLib.errors import CannotWrite
from ContrastiveSegLib.exporting._bundle_configs import inference_config, license_text, metadata, readme
from ContrastiveSegLib.exporting._format import Exported
from ContrastiveSegLib.exporting._module_copies import copy_modules
from ContrastiveSegLib.exporting._network_files import onnx_file, torchscript_file
from ContrastiveSegLib.networks.weights import read_model_card
from ContrastiveSegLib.runs.atomic_write import make_folder, write_atomically, write_json
from ContrastiveSegLib.runs.run_folder import RunFolder
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.session.reporter import Reporter
from ContrastiveSegLib.settings.job_settings import ExportSettings
from ContrastiveSegLib.training.fine_tuned import Model, finished_round, load_round

STEPS = "exporting._monai_steps"


def export(run: RunFolder, settings: ExportSettings, reporter: Reporter) -> Exported:
    """Write the network of the last finished round.

    The output is a new or empty folder, or the one in which the folder RUN_bundle is made.

    Raises:
        BadCheckpoint: Nothing is fine-tuned.
        BadSetting: A package for one of the further files is missing, or the network cannot become one.
        CannotWrite: The folder has files already, or the disk refuses.
    """
    name = run.path.resolve().name
    bundle = _folder(settings.output, name)
    card = read_model_card(finished_round(run, None))
    model = load_round(run, None, Compute(torch.device("cpu"), "float32"))
    files = {"model.pt": _weights(model)}
    if settings.torchscript:
        files["model.ts"] = torchscript_file(model)
    if settings.onnx:
        files["model.onnx"] = onnx_file(model)
    make_folder(bundle / "models")
    for file, content in files.items():
        write_atomically(bundle / "models" / file, content)
    _write_texts(bundle, model, dict(card["arguments"]), name)
    for note in _notes(model):
        reporter.warn(note)
    return Exported(
        bundle, f"Round {model.round} is a MONAI bundle in {bundle}. Its docs/README.md says how to run it."
    )


def _folder(output: Path, name: str) -> Path:
    """A folder without files.

    Raises:
        CannotWrite: There is none.
    """
    inside = output / f"{name}_bundle"
    bundle = inside if output.is_dir() and any(output.iterdir()) else output
    if bundle.exists() and not (bundle.is_dir() and not any(bundle.iterdir())):
        raise CannotWrite(f"{bundle} is there already, and not an empty folder.", "Choose another folder.")
    return bundle


def _weights(model: Model) -> bytes:
    """The state dict as torch saves it, without our layout in memory."""
    content = io.BytesIO()
    state = model.network.state_dict()
    torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, content)
    return content.getvalue()


def _write_texts(bundle: Path, model: Model, arguments: dict[str, object], name: str) -> None:
    """The rest of the files; the metadata last, because by it programs know a bundle."""
    copy_modules([STEPS, f"networks.{model.architecture}"], bundle / "scripts", version=__version__)
    for folder in ("docs", "configs"):
        make_folder(bundle / folder)
    write_atomically(bundle / "LICENSE", license_text())
    write_atomically(bundle / "docs" / "license.txt", license_text())
    write_atomically(bundle / "docs" / "README.md", readme(model, name))
    write_json(bundle / "configs" / "inference.json", inference_config(model, arguments, STEPS))
    write_json(bundle / "configs" / "metadata.json", metadata(model, name))


def _notes(model: Model) -> list[str]:
    """What a user of the bundle would not expect."""
    plain = tuple(range(1, len(model.table.values) + 1))
    if model.table.values == plain:
        return []
    values = ", ".join(f"{s.name} {s.value}" for s in model.table.structures)
    return [f"Files that the bundle writes have the label values of this run: {values}."]
