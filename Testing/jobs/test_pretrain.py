"""Pre-training with each family of methods, from the settings to the first weights of fine-tuning."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import load_file

from ContrastiveSegLib.errors import BadFolder, Cancelled
from ContrastiveSegLib.jobs import finetune, pretrain
from ContrastiveSegLib.networks.backbone import build_network
from ContrastiveSegLib.networks.weights import load_parts, read_model_card
from ContrastiveSegLib.preprocessing import prepared_cache
from ContrastiveSegLib.runs.events import read_new
from ContrastiveSegLib.runs.run_folder import ModelFolder, RunFolder
from ContrastiveSegLib.settings.job_settings import Compute, FinetuneSettings, GridSettings, PretrainSettings

ON_CPU = Compute(device="cpu", precision="float32")
GRID = GridSettings(patch=(64, 64), spacing=1.0)
SLICES = 5
METHODS = {
    "supercl": ({}, ["encoder"]),
    "macl": ({"decoder_blocks": 2}, ["encoder", "decoder.0", "decoder.1"]),
    "polycl": ({"selection": "O"}, ["encoder"]),
}


def shows_the_organ(k):
    return k in (1, 2)


@pytest.fixture(scope="module")
def a_data_folder(tmp_path_factory):
    """Three scans of five slices, whose organ is a disc in two of them: images/, labels/ and slices.csv."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    table = ["case,slice,organ"]
    for n in range(3):
        disc = np.hypot(rows - 30 - n, columns - 28) < 12
        labels = np.stack([disc * shows_the_organ(k) for k in range(SLICES)]).astype(np.uint8)
        images = (labels + random.normal(0, 0.2, labels.shape)).astype(np.float32)
        for kind, array in (("images", images), ("labels", labels)):
            volume = sitk.GetImageFromArray(array)
            volume.SetSpacing((1.0, 1.0, 5.0))
            (folder / kind).mkdir(exist_ok=True)
            sitk.WriteImage(volume, folder / kind / f"scan{n}.nii.gz")
        table += [f"scan{n},{k},{int(shows_the_organ(k))}" for k in range(SLICES)]
    (folder / "slices.csv").write_text("\n".join(table), encoding="utf-8")
    return folder


def settings_for(method, run, folder, **more):
    given = {"options": METHODS[method][0], "steps": 3, "batch": 4, "base_channels": 4} | more
    return PretrainSettings(
        run=run, images=folder / "images", method=method, grid=GRID, compute=ON_CPU, **given
    )


def sentences(run):
    events, _ = read_new(run / "events.jsonl")
    return "\n".join(str(event.get("text", "")) for event in events)


def fresh_network(card):
    """What pre-training began with: the same seed."""
    return build_network(card["network"], seed=0, **card["arguments"]).eval()


@pytest.mark.parametrize("method", METHODS)
def test_what_was_learned_is_saved_and_fine_tuning_starts_from_it(
    a_data_folder, tmp_path, monkeypatch, method
):
    learned = []
    save = pretrain.save_model
    monkeypatch.setattr(pretrain, "save_model", lambda *a, **named: learned.append(a[1]) or save(*a, **named))
    run, parts = tmp_path / "run", METHODS[method][1]

    pretrain.run(settings_for(method, run, a_data_folder))

    folder = ModelFolder(RunFolder(run).pretrain)
    card = read_model_card(folder)
    network, fresh = fresh_network(card), fresh_network(card)
    loaded = load_parts(network, folder)
    assert (card["parts"], card["method"]) == (parts, method)
    expected = [n for n in network.state_dict() if n.startswith(tuple(part + "." for part in parts))]
    assert sorted(loaded) == sorted(expected)
    before, after = fresh.state_dict(), network.state_dict()
    assert [name for name in loaded if torch.equal(before[name], after[name])] == []
    assert all(torch.equal(before[name], after[name]) for name in after if name not in loaded)

    trained = learned[0].eval().to(memory_format=torch.contiguous_format)  # sums in the order of a fresh one
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        ours, theirs, unlearned = (n.encode(images) for n in (network, trained, fresh))
        depth = len(parts) - 1
        pairs = [
            *zip(ours, theirs, strict=True),
            (network.decode(ours, depth), trained.decode(theirs, depth)),
        ]
    for one, other in pairs:
        assert torch.equal(one, other)
    assert not torch.allclose(ours[-1], unlearned[-1])

    finetune.run(
        FinetuneSettings(
            run=run, labeled=a_data_folder, unlabeled="none", steps=1, lr=1e-8, batch=2, compute=ON_CPU
        )
    )

    started = load_file(ModelFolder(RunFolder(run).finetune(1)).weights)
    weights = [name for name, parameter in network.named_parameters() if not name.startswith("head.")]
    assert len([name for name in weights if name in loaded]) >= 28
    for name in weights:
        torch.testing.assert_close(started[name], after[name], atol=1e-5, rtol=0, msg=name)


def test_superpixels_are_prepared_only_for_those_who_ask(a_data_folder, tmp_path):
    runs = {name: tmp_path / name for name in ("cached", "per_view")}

    for name, run in runs.items():
        options = {"superpixels": name, "pixels": 8}
        pretrain.run(settings_for("supercl", run, a_data_folder, options=options, steps=1))

    kinds = {
        name: sorted(np.load(file).dtype.name for file in RunFolder(run).prepared.glob("*.npy"))
        for name, run in runs.items()
    }
    assert kinds == {"cached": ["float16"] * 3 + ["uint16"] * 3, "per_view": ["float16"] * 3}


def test_runs_with_one_folder_for_prepared_scans_prepare_once(a_data_folder, tmp_path, monkeypatch):
    shared, runs = tmp_path / "scratch disk", [tmp_path / "one", tmp_path / "two"]
    pretrain.run(settings_for("supercl", runs[0], a_data_folder, prepared=shared))
    made = {file.name: file.stat().st_mtime_ns for file in shared.iterdir()}

    monkeypatch.setattr(prepared_cache, "read_image", None)
    pretrain.run(settings_for("supercl", runs[1], a_data_folder, prepared=shared))

    assert made
    assert {file.name: file.stat().st_mtime_ns for file in shared.iterdir()} == made
    assert not any(RunFolder(run).prepared.exists() for run in runs)
    one, other = (load_file(ModelFolder(RunFolder(run).pretrain).weights) for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_slices_without_examples_are_counted(a_data_folder, tmp_path):
    """Only the first scan has flags: of its slices four can be anchors of M with a negative in the scan."""
    table = tmp_path / "flags.csv"
    table.write_text("case,slice,organ\n" + "\n".join(f"scan0,{k},{int(k == 4)}" for k in range(SLICES)))
    options = {"selection": "M", "m_negative": "same_scan"}

    pretrain.run(
        settings_for("polycl", tmp_path / "run", a_data_folder, options=options, slice_labels=table, steps=1)
    )

    said = sentences(tmp_path / "run")
    assert "11 of 15 slices have no positive or negative example and are not used." in said
    assert "Learning from 4 slices of 3 cases with polycl" in said


def test_flags_without_any_pair_are_refused(a_data_folder, tmp_path):
    table = tmp_path / "flags.csv"
    table.write_text("case,slice,organ\n" + "\n".join(f"scan0,{k},{int(k == 4)}" for k in range(SLICES)))
    options = {"selection": "M", "m_negative": "other_scan"}

    with pytest.raises(BadFolder, match="No slice has both a positive and a negative example") as refused:
        pretrain.run(
            settings_for("polycl", tmp_path / "run", a_data_folder, options=options, slice_labels=table)
        )

    assert "Methods that do without: " in refused.value.remedy


def test_an_interrupted_pretraining_with_partners_ends_as_one_that_was_not(
    a_data_folder, tmp_path, monkeypatch
):
    whole = settings_for("polycl", tmp_path / "whole", a_data_folder, steps=4)
    pretrain.run(whole)

    halves = settings_for("polycl", tmp_path / "halves", a_data_folder, steps=4)
    train = pretrain.train

    def stopped(learner, parameters, sampler, how, watch):
        cancelled = iter([False, True])
        monkeypatch.setattr(watch, "cancelled", lambda: next(cancelled))
        train(learner, parameters, sampler, how, watch)

    monkeypatch.setattr(pretrain, "train", stopped)
    with pytest.raises(Cancelled):
        pretrain.run(halves)
    monkeypatch.setattr(pretrain, "train", train)
    pretrain.run(halves)

    one, other = (
        load_file(RunFolder(tmp_path / n).pretrain / "model.safetensors") for n in ("whole", "halves")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
