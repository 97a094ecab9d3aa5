"""Labelled pictures: classes, splits, noise, sizes, and pixels as captures prepare them."""

import io

import numpy as np
import pyarrow as pa
import pytest
import torch

from backend.data.dataset import write_dataset
from backend.errors import DataError
from backend.models.inputs import ImageInputs
from backend.training.pictures import read_labelled, scaled, split, with_noise
from tests.training.made import bars, dataset, png, recipe


def quiet(*_):
    return None


def read(data, **changes):
    return read_labelled(recipe(**changes), data, progress=quiet)


def with_column(root, values, n=60):
    table, media = bars(n)
    table = pa.table({"way": values, "number": table["number"]})
    return write_dataset(root, table, kind="image", name="Bars", media=media)


@pytest.mark.parametrize("colour", [False, True])
def test_pixels_are_those_that_a_capture_reads(tmp_path, colour):
    from PIL import Image

    data = dataset(tmp_path, 20, side=20, colour=colour)
    found = read(data, size=12)
    assert found.X.shape == (20, 3 if colour else 1, 12, 12) and found.X.dtype == torch.uint8
    pictures = [Image.open(io.BytesIO(m)).convert("RGB") for m in data.media(np.arange(20))]
    wanted = torch.stack(ImageInputs(size=12).prepare(pictures, max_tokens=0).samples)
    assert torch.equal(scaled(found.X), wanted if colour else wanted[:, :1])


@pytest.mark.parametrize(("side", "size"), [(5, 8), (8, 8), (40, 40), (90, 64)])
def test_the_size_is_the_pictures_own_within_limits(tmp_path, side, size):
    assert read(dataset(tmp_path, 20, side=side)).X.shape[-1] == size


def test_one_coloured_picture_makes_all_of_them_so(tmp_path):
    table, media = bars(70)
    media[69] = png(np.full((8, 8, 3), (250, 0, 0), np.uint8))
    data = write_dataset(tmp_path, table, kind="image", name="Bars", media=media)
    X = read(data).X
    assert X.shape[1] == 3 and X[69, :, 0, 0].tolist() == [250, 0, 0]
    assert torch.equal(X[0, 0], X[0, 2])


def test_classes_are_sorted_and_rows_without_one_left_out(tmp_path):
    values = [None if i < 3 else 10 if i % 2 else 9 for i in range(60)]
    found = read(with_column(tmp_path, pa.array(values)))
    assert found.classes == ("9", "10") and len(found.rows) == 57 and found.rows[0] == 3
    assert [found.classes[i] for i in found.y[:3]] == ["10", "9", "10"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.5] * 60, "holds double, no classes"),
        (["one"] * 60, "has 1 values in 60 rows"),
        (list(range(60)), "has 60 values in 60 rows"),
        (["a"] * 59 + ["b"], "too few to train"),
        (["a", "b"] * 3 + [None] * 54, "6 rows of 2 classes are too few"),
    ],
)
def test_columns_that_hold_no_classes(tmp_path, values, said):
    with pytest.raises(DataError, match=said):
        read(with_column(tmp_path, pa.array(values)))


def test_data_that_do_not_do(tmp_path):
    with pytest.raises(DataError, match="no column 'kind'.*way, number"):
        read(dataset(tmp_path), label="kind")
    texts = write_dataset(tmp_path, pa.table({"text": ["a"]}), kind="text", name="Texts")
    with pytest.raises(DataError, match="'Texts' holds text, no pictures"):
        read(texts)


def test_a_fifth_of_every_class_is_held_out():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    train, test = split(y, rng=np.random.default_rng(3))
    assert np.array_equal(np.union1d(train, test), np.arange(100))
    assert len(train) == 80 and np.bincount(y[test]).tolist() == [10, 6, 4]
    again, _ = split(y, rng=np.random.default_rng(3))
    other, _ = split(y, rng=np.random.default_rng(4))
    assert np.array_equal(train, again) and not np.array_equal(train, other)


def test_every_class_has_something_to_train_on():
    y = np.repeat(np.arange(20), 2)
    for seed in range(20):
        train, _ = split(y, rng=np.random.default_rng(seed))
        assert len(set(y[train])) == 20


def test_noise_hits_a_share_of_the_training_rows_only():
    y = np.arange(100) % 4
    train = np.arange(0, 80)
    rng = np.random.default_rng(0)
    given = with_noise(y, train, share=0.25, n_classes=4, rng=rng)
    hit = np.flatnonzero(given != y)
    assert len(hit) == 20 and hit.max() < 80 and set(given) == {0, 1, 2, 3}
    assert np.array_equal(with_noise(y, train, share=0.0, n_classes=4, rng=rng), y)
    assert (with_noise(y, train, share=1.0, n_classes=4, rng=rng)[train] != y[train]).all()


def test_a_sample_of_the_rows(tmp_path):
    found = read(dataset(tmp_path), rows=30, label_noise=0.5)
    assert len(found.rows) == len(found.X) == len(found.y) == 30
    assert (np.diff(found.rows) > 0).all() and found.rows.max() > 30
    assert len(found.train) == 24 and len(found.noisy) == 12
    assert np.isin(found.noisy, found.train).all()
    whole = read(dataset(tmp_path))
    assert torch.equal(found.X, whole.X[found.rows])
