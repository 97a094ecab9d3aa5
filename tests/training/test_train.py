"""Training: it learns, it is the same each time, and what was stopped goes on as if it was not."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from backend.errors import Cancelled, UserError
from backend.models import convnets
from backend.training import read_run
from backend.training.nets import build
from backend.training.pictures import read_labelled, scaled
from backend.training.train import train
from tests.training.made import dataset, recipe


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return train(recipe(epochs=6), data, tmp_path_factory.mktemp("runs"))


def weights(run, epoch):
    return load_file(run.folder / f"epoch-{epoch:04d}" / "model.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def test_it_learns(run):
    history = run.facts["history"]
    assert [h["epoch"] for h in history] == list(range(7))
    assert history[-1]["train_accuracy"] > 0.9 and history[-1]["test_accuracy"] > 0.8
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert run.finished and read_run(run.folder) == run


def test_the_record_tells_what_was_trained_on(run, data):
    facts = run.facts
    assert facts["data"] == data.hash and facts["classes"] == ["lying", "standing"]
    assert sorted(facts["train"] + facts["test"]) == list(range(60)) and len(facts["test"]) == 12
    assert (facts["size"], facts["channels"]) == (8, 1) and facts["noisy"]["row"] == []
    assert facts["parameters"] == sum(
        t.numel() for n, t in weights(run, 0).items() if "running" not in n and "num_b" not in n
    )
    assert not list(run.folder.glob(".*")) and not (run.folder / "state.safetensors").exists()


def test_every_checkpoint_opens_and_is_what_the_record_says(run, data):
    held = read_labelled(run.recipe, data, progress=lambda *_: None)
    assert [c.epoch for c in run.checkpoints] == list(range(7))
    for checkpoint in run.checkpoints:
        net = convnets.from_folder(checkpoint.folder)
        with torch.inference_mode():
            logits = net(pixel_values=scaled(held.X[held.test]))
        loss = torch.nn.functional.cross_entropy(logits, held.y[held.test])
        told = run.facts["history"][checkpoint.epoch]
        assert float(loss) == pytest.approx(told["test_loss"], rel=1e-4)
        right = (logits.argmax(1) == held.y[held.test]).float().mean()
        assert float(right) == pytest.approx(told["test_accuracy"])
    assert convnets.read_labels(checkpoint.folder) == ("lying", "standing")
    config = json.loads((checkpoint.folder / "config.json").read_text())
    assert config["classes"] == ["lying", "standing"]
    assert config["training"] == {"recipe": str(run.recipe), "epoch": 6, "data": data.hash}


def test_weights_differ_between_checkpoints(run):
    assert not same(weights(run, 0), weights(run, 1))
    fresh = weights(run, 0)
    assert int(fresh["stem.1.num_batches_tracked"]) == 0
    assert int(weights(run, 6)["stem.1.num_batches_tracked"]) == 6 * 6


def test_the_same_seed_gives_the_same_weights(data, tmp_path, run):
    again = train(recipe(epochs=6), data, tmp_path)
    assert again.folder != run.folder and again.folder.name == run.folder.name
    assert same(weights(again, 6), weights(run, 6))
    other = train(recipe(epochs=1, seed=1), data, tmp_path)
    assert not same(weights(other, 0), weights(run, 0))


def test_the_dice_of_others_are_left_alone(data, tmp_path):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    train(recipe(epochs=1), data, tmp_path)
    assert torch.equal(torch.rand(3), wanted)


class Stopper:
    """Progress that raises at a step, as the user's stop does."""

    def __init__(self, at):
        self.at, self.seen = at, []

    def __call__(self, done, total, what):
        self.seen.append((done, total, what))
        if what.startswith("epoch") and done >= self.at:
            raise Cancelled


MLP = dict(net="mlp", features=64)
NEW = MLP | dict(loss="mse", head_bias=0, head_decay=2.0, body_decay=0.0, drop="1/2")


@pytest.mark.parametrize("changes", [dict(momentum=0.0), {}, NEW])
def test_a_stopped_run_goes_on_to_the_same_weights(data, tmp_path, changes):
    asked = recipe(epochs=5, checkpoints=4, **changes)  # epochs 0, 1, 2, 5
    whole = train(asked, data, tmp_path / "whole")
    with pytest.raises(Cancelled):
        train(asked, data, tmp_path / "cut", progress=Stopper(6 * 3 + 2))  # within epoch 4
    left = read_run(tmp_path / "cut" / whole.folder.name)
    assert [c.epoch for c in left.checkpoints] == [0, 1, 2] and not left.finished
    assert [h["epoch"] for h in left.facts["history"]] == [0, 1, 2, 3]
    assert same(weights(left, 2), weights(whole, 2))
    stopper = Stopper(999)
    done = train(asked, data, tmp_path / "cut", progress=stopper)
    steps = [done for done, _, what in stopper.seen if what.startswith("epoch")]
    assert min(steps) == 12  # epoch 3 is the first to be run
    assert done.finished and same(weights(done, 5), weights(whole, 5))
    ours, theirs = ([{k: v for k, v in h.items() if k != "seconds"} for h in r.facts["history"]]
                    for r in (done, whole))  # fmt: skip
    assert ours == theirs


def test_the_record_on_disk_follows_every_epoch(data, tmp_path):
    asked, seen = recipe(epochs=4, checkpoints=2), {}
    (name,) = {train(asked, data, tmp_path / "whole").folder.name}

    def look(done, total, what):
        if what.startswith("epoch"):
            run = read_run(tmp_path / "live" / name)
            seen[int(what.split()[1])] = [h["epoch"] for h in run.facts["history"]], run.finished
            assert {"train_accuracy", "test_loss", "seconds"} <= run.facts["history"][-1].keys()

    train(asked, data, tmp_path / "live", progress=look)
    assert seen == {e: (list(range(e)), False) for e in range(1, 5)}


def test_lr_drops_when_its_share_of_the_epochs_is_over(data, tmp_path, monkeypatch):
    used = []
    real = torch.optim.SGD.step

    def step(self, *args):
        used.append({group["lr"] for group in self.param_groups})
        return real(self, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    train(recipe(epochs=4, drop="1/4,3/4", **MLP), data, tmp_path)
    expected = [recipe().lr] * 6 + [recipe().lr / 10] * 12 + [recipe().lr / 100] * 6
    assert used == [{lr} for lr in expected]


LAYERWISE = recipe(**MLP, blocks=3, epochs=2, layerwise=1)


def test_layer_by_layer_what_is_there_stays_as_it_is(data, tmp_path):
    run = train(LAYERWISE, data, tmp_path)
    assert run.finished and [c.epoch for c in run.checkpoints] == [0, 2, 4, 6]
    assert [h["epoch"] for h in run.facts["history"]] == list(range(7))
    for depth, epoch in enumerate((2, 4, 6), start=1):
        net = convnets.from_folder(run.checkpoints[depth].folder)
        assert len(net.blocks) == depth
        if depth > 1:
            before, now = weights(run, epoch - 2), weights(run, epoch)
            old = [name for name in before if name.startswith("blocks.")]
            assert len(old) == 6 * (depth - 1)
            assert all(torch.equal(before[name], now[name]) for name in old)
            assert not torch.equal(before["classifier.weight"], now["classifier.weight"])
    first = f"blocks.{depth - 1}.0.weight"
    fresh = build(LAYERWISE, (1, 8, 8), ("lying", "standing"), layers=3)
    assert not torch.equal(weights(run, 6)[first], fresh.state_dict()[first])
    assert run.facts["history"][-1]["train_accuracy"] > 0.8


@pytest.mark.parametrize("at", [1, 4, 5, 6, 11])  # steps: six to an epoch, twelve to a layer
def test_layer_by_layer_a_stopped_run_goes_on(data, tmp_path, at):
    whole = train(LAYERWISE, data, tmp_path / "whole")
    with pytest.raises(Cancelled):
        train(LAYERWISE, data, tmp_path / "cut", progress=Stopper(12 + at))
    done = train(LAYERWISE, data, tmp_path / "cut")
    assert all(same(weights(done, e), weights(whole, e)) for e in (0, 2, 4, 6))


def test_the_first_layer_of_many_is_a_net_of_one(data, tmp_path):
    """Layer by layer begins as an MLP of one layer does, end to end."""
    many = train(LAYERWISE, data, tmp_path)
    one = train(recipe(**MLP, blocks=1, epochs=2), data, tmp_path)
    assert same(weights(many, 2), weights(one, 2))


def test_a_damaged_state_means_to_begin_anew(data, tmp_path):
    whole = train(recipe(), data, tmp_path / "whole")
    with pytest.raises(Cancelled):
        train(recipe(), data, tmp_path / "cut", progress=Stopper(7))
    (tmp_path / "cut" / whole.folder.name / "state.safetensors").write_bytes(b"cut short")
    done = train(recipe(), data, tmp_path / "cut")
    assert same(weights(done, 3), weights(whole, 3))


def test_a_finished_run_is_handed_back(run, data, monkeypatch):
    monkeypatch.setattr("backend.training.train.read_labelled", lambda *a, **k: pytest.fail("read"))
    assert train(recipe(epochs=6), data, run.folder.parent) == run


def test_a_run_that_lost_a_checkpoint_is_trained_again(data, tmp_path):
    import shutil

    first = train(recipe(), data, tmp_path)
    kept = weights(first, 2)
    shutil.rmtree(first.folder / "epoch-0002")
    assert not read_run(first.folder).finished
    again = train(recipe(), data, tmp_path)
    assert again.finished and same(weights(again, 2), kept)


def test_labels_with_noise_are_harder_to_learn_and_named(data, tmp_path):
    run = train(recipe(epochs=6, label_noise=0.5), data, tmp_path)
    noisy, names = run.facts["noisy"], data.table()["way"].to_pylist()
    assert len(noisy["row"]) == 24 and set(noisy["row"]) <= set(run.facts["train"])
    assert all(names[r] != label for r, label in zip(noisy["row"], noisy["label"], strict=True))
    assert run.facts["history"][-1]["train_accuracy"] < 0.85


def test_progress_counts_steps_and_tells_the_accuracy(data, tmp_path):
    stopper = Stopper(999)
    train(recipe(), data, tmp_path, progress=stopper)
    assert stopper.seen[0] == (0, 60, "reading pictures")
    assert stopper.seen[-1][:2] == (18, 18) and "trained, " in stopper.seen[-1][2]
    steps = [s for s in stopper.seen if s[2].startswith("epoch")]
    assert [done for done, _, _ in steps] == list(range(18)) and {t for _, t, _ in steps} == {18}
    assert "epoch 1 of 3, " in steps[0][2] and "% of the test rows right" in steps[0][2]


def test_a_loss_without_end_is_said(data, tmp_path):
    with pytest.raises(UserError, match="infinite in epoch 1. Train with a smaller lr"):
        train(recipe(lr=100.0, momentum=0.999, weight_decay=1.0), data, tmp_path)


def test_the_last_batch_may_be_one_picture(tmp_path):
    data = dataset(tmp_path / "data", 61)
    run = train(recipe(epochs=1, batch=16), data, tmp_path / "runs")
    assert len(run.facts["train"]) % 16 == 1 and np.isfinite(run.facts["history"][-1]["test_loss"])
