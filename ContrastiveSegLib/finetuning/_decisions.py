"""What the settings of a fine-tuning leave to the data, the machine and the pre-training."""

from __future__ import annotations

import dataclasses
from dataclasses import asdict
from typing import Any

from ContrastiveSegLib.errors import BadCheckpoint
from ContrastiveSegLib.imaging.grid import LARGEST_SIDES, WorkingGrid, count_slices
from ContrastiveSegLib.networks.backbone import build_network, fitting_patch, pools_for
from ContrastiveSegLib.networks.foreign_weights import ForeignWeights, Start
from ContrastiveSegLib.networks.weights import model_card_errors, read_model_card
from ContrastiveSegLib.preprocessing.intensities import Intensities
from ContrastiveSegLib.preprocessing.plan import BASE_CHANNELS, plan_finetuning
from ContrastiveSegLib.session.device import Compute
from ContrastiveSegLib.settings.job_settings import FinetuneSettings
from ContrastiveSegLib.settings.schema import from_dict
from ContrastiveSegLib.training.data import Found, grid_for, intensities_for

LEARNING_RATE = 3e-3


def decide_finetuning(
    settings: FinetuneSettings, found: Found, start: Start | None, compute: Compute
) -> dict[str, Any]:
    """What the settings leave to the data, the machine and the pre-training."""
    card = _card_of(start) if start else {}
    name = settings.network or card.get("network", "unet")
    base_channels = (
        settings.base_channels
        or card.get("arguments", {}).get("base_channels")
        or BASE_CHANNELS[compute.machine]
    )
    grid = _grid(settings, found, card, compute)
    if isinstance(start, ForeignWeights):
        _check_foreign(start, name, len(grid.patch))
    if settings.grid.patch is None:
        dims, pools = len(grid.patch), pools_for(grid.patch)
        network = build_network(name, seed=0, base_channels=base_channels, spatial_dims=dims, pools=pools)
        grid = dataclasses.replace(grid, patch=fitting_patch(network, grid.patch))
    slices = count_slices(found.geometries, grid)
    plan = plan_finetuning(slices, grid.patch, compute.machine, steps=settings.steps, batch=settings.batch)
    return {
        "grid": asdict(grid),
        "intensities": card.get("intensities") or asdict(intensities_for(settings.grid)),
        "network": name,
        "base_channels": base_channels,
        **asdict(plan),
        "lr": settings.lr or LEARNING_RATE,
        "precision": compute.precision,
    }


def _card_of(start: Start) -> dict[str, Any]:
    if isinstance(start, ForeignWeights):
        return {"network": start.network, "arguments": {"base_channels": start.base_channels}}
    card = read_model_card(start)
    with model_card_errors(start):
        from_dict(WorkingGrid, card["grid"]), from_dict(Intensities, card["intensities"])
        card["arguments"].get("base_channels")
    return card


def _check_foreign(start: ForeignWeights, network: str, dims: int) -> None:
    """Refuse weights of another program before anything is prepared.

    Raises:
        BadCheckpoint: They are of another network or of other dimensions than asked.
    """
    if start.network != network:
        what = f"{start.path} holds weights of {start.network}, but the network {network} was asked for."
        raise BadCheckpoint(what, f"Leave --network out, or choose {start.network}.")
    if start.spatial_dims != dims:
        what = (
            f"{start.path} holds weights for {start.spatial_dims}D, but the patches have {dims} dimensions."
        )
        raise BadCheckpoint(what, f"Add --spatial-dims {start.spatial_dims}.")


def _grid(settings: FinetuneSettings, found: Found, card: dict[str, Any], compute: Compute) -> WorkingGrid:
    """The grid of pre-training, where there was one; what the settings name differently prevails."""
    own = grid_for(found, settings.grid, largest_side=LARGEST_SIDES[compute.machine])
    if "grid" not in card:
        return own
    learned = from_dict(WorkingGrid, card["grid"])
    return dataclasses.replace(
        learned,
        spacing=settings.grid.spacing or learned.spacing,
        patch=own.patch if settings.grid.patch else learned.patch,
    )
