"""Vectors out of .npz files: read, checked, and trained on by an MLP."""

import numpy as np
import pytest
import torch

from backend.data.sources import read_data
from backend.errors import DataError
from backend.models import convnets
from backend.settings import Settings
from backend.training.pictures import read_labelled, scaled
from backend.training.train import train
from tests.training.made import dataset, recipe

VECTORS = dict(net="mlp", features=64, label="labels")


def clouds(n=60):
    """Three classes a long way apart, and their labels."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return 3 * rng.standard_normal((3, 5))[y] + rng.standard_normal((n, 5)), y


def stored(root, **arrays):
    root.mkdir(exist_ok=True)
    np.savez(root / "a.npz", **arrays)
    return read_data(root / "a.npz", root=root / "data", settings=Settings(home=root))


def test_an_mlp_is_trained_on_vectors_and_opens_as_a_net(tmp_path):
    X, y = clouds()
    data = stored(tmp_path, features=X, labels=y)
    asked = recipe(**VECTORS, epochs=8)
    run = train(asked, data, tmp_path / "runs")
    assert run.facts["history"][-1]["test_accuracy"] > 0.8
    assert run.facts["width"] == 5 and "size" not in run.facts
    assert run.facts["classes"] == ["0", "1", "2"]
    net = convnets.from_folder(run.checkpoints[-1].folder)
    held = read_labelled(asked, data, progress=lambda *_: None)
    assert torch.equal(scaled(held.X), torch.from_numpy(X.astype(np.float32)))
    with torch.inference_mode():
        right = (net(held.X[held.test]).argmax(1) == held.y[held.test]).float().mean()
    assert float(right) == pytest.approx(run.facts["history"][-1]["test_accuracy"])


def test_words_name_classes_and_a_sample_keeps_its_rows(tmp_path):
    X, y = clouds()
    data = stored(tmp_path, features=X, labels=np.array(["b", "a", "c"])[y])
    held = read_labelled(recipe(**VECTORS, rows=30), data, progress=lambda *_: None)
    assert held.classes == ("a", "b", "c") and len(held.X) == 30
    assert torch.equal(held.X, torch.from_numpy(X[held.rows].astype(np.float32)))
    assert [held.classes[i] for i in held.y[:4]] == ["bac"[i] for i in y[held.rows[:4]]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": np.zeros((60, 2, 2))}, r"'features' in 'a' is float64\[60, 2, 2\]"),
        ({"features": np.full((60, 2), "x")}, "'features' in 'a' is <U1"),
        ({"labels": np.zeros(59, int)}, r"'labels' in 'a' has the shape \(59,\)"),
        ({"labels": np.zeros(60)}, "'labels' holds float64, no classes"),
        ({"features": np.full((60, 2), np.inf)}, "not finite"),
        ({"features": np.full((60, 2), 1e300)}, "not finite"),
    ],
)
def test_arrays_that_do_not_do(tmp_path, change, said):
    X, y = clouds()
    with pytest.raises(DataError, match=said):
        read_labelled(recipe(**VECTORS), stored(tmp_path, **{"features": X, "labels": y} | change),
                      progress=lambda *_: None)  # fmt: skip


def test_what_is_lacking_is_named(tmp_path):
    X, y = clouds()
    with pytest.raises(DataError, match="no array 'features'. It has: X, labels"):
        read_labelled(recipe(**VECTORS), stored(tmp_path, X=X, labels=y), progress=print)
    both = stored(tmp_path, features=X, labels=y)
    with pytest.raises(DataError, match="holds arrays, no pictures.*net=mlp also takes"):
        read_labelled(recipe(label="labels"), both, progress=print)
    with pytest.raises(DataError, match="size=16 is a size of pictures"):
        read_labelled(recipe(**VECTORS, size=16), both, progress=print)


def test_a_trailing_batch_of_one_row_is_left_out(tmp_path):
    data = dataset(tmp_path / "data", 61)
    asked = recipe(net="mlp", features=64, epochs=1, batch=16)
    run = train(asked, data, tmp_path / "runs")
    assert len(run.facts["train"]) % 16 == 1
    net = convnets.from_folder(run.checkpoints[-1].folder)
    assert int(net.blocks[0][1].num_batches_tracked) == len(run.facts["train"]) // 16
