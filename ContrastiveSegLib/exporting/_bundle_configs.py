"""The texts of a MONAI bundle: metadata, the configuration of prediction, the readme, the license."""

from __future__ import annotations

import re
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from ContrastiveSegLib import __version__
from ContrastiveSegLib.imaging.label_array import label_type
from ContrastiveSegLib.postprocessing.spatial_prior import places_to_json
from ContrastiveSegLib.program_identity import PROGRAM
from ContrastiveSegLib.training.fine_tuned import Model

SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
# What the steps import beside MONAI, and what MONAI's own ones here need.
PACKAGES = ("SimpleITK", "scipy", "nibabel", "pytorch-ignite", "fire")
# Of those that this program itself does not have.
OLDEST = {"nibabel": "5.2", "pytorch-ignite": "0.4.11", "fire": "0.4"}

# What is the same for every network: MONAI's own loop over the cases.
LOOP = {
    "dataloader": {
        "_target_": "DataLoader",
        "dataset": "@dataset",
        "batch_size": 1,
        "shuffle": False,
        "num_workers": 0,
    },
    "handlers": [
        {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/model.pt'",
            "load_dict": {"model": "@network"},
            "map_location": "@device",
        }
    ],
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
        "val_handlers": "@handlers",
        "amp": False,
    },
    "run": ["$@evaluator.run()"],
}


def inference_config(model: Model, arguments: dict[str, Any], steps: str) -> dict[str, Any]:
    """configs/inference.json, with the names that MONAI's programs look for.

    Args:
        arguments: What the network is built with.
        steps: The module of our own steps, inside of scripts/.
    """
    network = {"_target_": f"scripts.networks.{model.architecture}.Network", **arguments}
    return {
        "imports": ["$import numpy", "$import os", "$import torch", f"$import scripts.{steps} as steps"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "mirror": model.mirrored,
        "intensity_refinement": True,
        "datalist": f"$steps.list_images(@dataset_dir, {model.channels})",
        "network_def": network,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": _preprocessing(model, steps)},
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "inferer": {
            "_target_": f"scripts.{steps}.SlicesOrBlocks",
            "patch": list(model.grid.patch),
            "mirror": "@mirror",
        },
        "postprocessing": {"_target_": "Compose", "transforms": _postprocessing(model, steps)},
        **LOOP,
    }


def _preprocessing(model: Model, steps: str) -> list[dict[str, Any]]:
    return [
        {"_target_": "LoadImaged", "keys": "image", "dtype": "$numpy.float32"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {
            "_target_": f"scripts.{steps}.ToWorkingGridd",
            "keys": "image",
            "grid": {**asdict(model.grid), "patch": list(model.grid.patch)},
            "intensities": {"modality": model.intensities.modality, "window": model.intensities.window},
            "channels": model.channels,
        },
    ]


def _postprocessing(model: Model, steps: str) -> list[dict[str, Any]]:
    return [
        {
            "_target_": f"scripts.{steps}.ToLabelsd",
            "keys": "pred",
            "image_key": "image",
            "values": list(model.table.values),
            "single_components": [list(group) for group in model.single_components],
            "places": places_to_json(model.places),
            "intensity_refinement": "@intensity_refinement",
        },
        {
            "_target_": "SaveImaged",
            "keys": "pred",
            "output_dir": "@output_dir",
            "output_postfix": "seg",
            "output_ext": ".nii.gz",
            "output_dtype": f"$numpy.{label_type(max(model.table.values, default=0))}",
            "resample": False,
            "separate_folder": False,
        },
    ]


def metadata(model: Model, name: str) -> dict[str, Any]:
    """configs/metadata.json.

    Args:
        name: Of the run.
    """
    structures = ", ".join(model.table.names)
    return {
        "schema": SCHEMA,
        "version": f"0.{model.round}.0",
        "changelog": {f"0.{model.round}.0": f"round {model.round} of fine-tuning"},
        "monai_version": version("monai").partition("+")[0],
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {package: _version(package) for package in PACKAGES},
        "optional_packages_version": {},
        "supported_apps": {},
        "name": re.sub(r"\W+", "_", name).strip("_") or "model",
        "task": f"Segmentation of {structures}",
        "description": f"Segments {structures}; trained with {PROGRAM} {__version__} as {name}",
        "authors": f"The owners of the run {name}",
        "copyright": f"The owners of the run {name}",
        "intended_use": "Research. Not to be used for diagnosis.",
        "references": [],
        "network_data_format": {"inputs": {"image": _input(model)}, "outputs": {"pred": _output(model)}},
    }


def _version(package: str) -> str:
    return OLDEST[package] if package in OLDEST else version(package)


def _input(model: Model) -> dict[str, Any]:
    is_ct = model.intensities.modality == "ct"
    return {
        "type": "image",
        "format": "hounsfield" if is_ct else "magnitude",
        "modality": "CT" if is_ct else "n/a",
        "num_channels": model.channels,
        "spatial_shape": list(model.grid.patch),
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": True,
        "channel_def": {str(n): f"image {n}" for n in range(model.channels)},
    }


def _output(model: Model) -> dict[str, Any]:
    names = ("background", *model.table.names)
    return {
        "type": "image",
        "format": "segmentation",
        "num_channels": len(names),
        "spatial_shape": list(model.grid.patch),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": True,
        "channel_def": {str(n): name for n, name in enumerate(names)},
    }


def readme(model: Model, name: str) -> str:
    """docs/README.md."""
    rows = "".join(f"| {s.value} | {s.name} |\n" for s in model.table.structures)
    return f"""# {name}

Segments volumes. Round {model.round} of a fine-tuning with {PROGRAM} {__version__}.
Network: `{model.architecture}`, {model.grid.describe()}. For research, not for diagnosis.

| value | structure |
|---|---|
{rows}
## Predict

In this folder, with MONAI and the packages of `configs/metadata.json` (`required_packages_version`):

```bash
python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES --output_dir LABELS
```

`IMAGES` is a folder with NIfTI files of {model.channels} channel(s). Several channels are in one file, or in
files NAME_0000.nii.gz, NAME_0001.nii.gz and so on. Labels are written as NAME_seg.nii.gz, each on the grid of
its image.

`scripts/` holds the steps that MONAI has no equal of. {PROGRAM} need not be installed.
`--mirror true` averages over mirrored copies. `--intensity_refinement false` leaves out the correction by
gray values.

## License

The files in `scripts/` are part of {PROGRAM}, Apache-2.0. The weights belong to those who trained them: ask
them before passing the bundle on.
"""


def license_text() -> str:
    """License of the scripts, and whose the weights are."""
    return f"""The files in scripts/ are part of {PROGRAM}.

Licensed under the Apache License, Version 2.0 (the "License"); you may not use these files except in
compliance with the License. You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is
distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See
the License for the specific language governing permissions and limitations under the License.

The weights in models/ are the work of those who trained them, who decide on their license.
"""
