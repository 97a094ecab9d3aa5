"""Pooling: closed forms, padding that does not matter, feature maps and frames."""

import numpy as np
import pytest
import torch

from backend.capture.pooling import POOLINGS, pool, to_sequence, unroll
from backend.capture.verify import pool_plain
from backend.errors import CaptureError

X = torch.tensor([[[1.0, 5.0], [3.0, 1.0], [100.0, 100.0]], [[2.0, 2.0], [4.0, 0.0], [0.0, 7.0]]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("last", [[3, 1], [0, 7]]),
        ("mean", [[2, 3], [2, 3]]),
        ("max", [[3, 5], [4, 7]]),
        ("cls", [[1, 5], [2, 2]]),
    ],
)
def test_closed_forms(how, expected):
    assert pool(X, MASK, how).tolist() == expected


@pytest.mark.parametrize("how", ["last", "mean", "max", "cls"])
def test_without_a_mask_every_position_counts(how):
    assert torch.equal(pool(X, None, how), pool(X, torch.ones(2, 3, dtype=torch.bool), how))


@pytest.mark.parametrize("how", ["last", "mean", "max", "cls"])
@pytest.mark.parametrize("padding", [-1e9, 0.0, 1e9, float("nan")])
def test_padding_does_not_matter(how, padding):
    rng = torch.Generator().manual_seed(0)
    lengths = [1, 4, 7]
    rows = [torch.randn(n, 5, generator=rng) for n in lengths]
    padded = torch.full((3, 9, 5), padding)
    mask = torch.zeros(3, 9, dtype=torch.bool)
    for i, row in enumerate(rows):
        padded[i, : len(row)], mask[i, : len(row)] = row, True
    got = pool(padded, mask, how)
    for vector, row in zip(got, rows, strict=True):
        torch.testing.assert_close(vector, pool(row[None], None, how)[0])
        np.testing.assert_allclose(vector, pool_plain(row.numpy(), how), rtol=1e-6, atol=1e-7)


def test_half_precision_is_summed_in_float32():
    ones = torch.ones(1, 5000, 1, dtype=torch.float16)
    mask = torch.ones(1, 5000, dtype=torch.bool)
    assert pool(ones, mask, "mean").item() == pool(ones, None, "mean").item() == 1.0


def test_an_unknown_pooling_names_those_there_are():
    with pytest.raises(CaptureError, match="median.*last, mean"):
        pool(X, MASK, "median")
    assert {"tokens", "spatial"} < set(POOLINGS)


def test_a_feature_map_becomes_positions():
    maps = torch.arange(24.0).reshape(1, 2, 3, 4)
    sequence, mask = to_sequence(maps, None, None)
    assert sequence.shape == (1, 12, 2) and mask is None
    assert sequence[0, 5].tolist() == [maps[0, 0, 1, 1], maps[0, 1, 1, 1]]
    assert pool(sequence, None, "mean")[0].tolist() == [5.5, 17.5]


def test_one_vector_is_one_position():
    sequence, mask = to_sequence(torch.ones(4, 3), torch.ones(4, 9, dtype=torch.bool), None)
    assert sequence.shape == (4, 1, 3) and mask is None


def test_a_mask_of_another_length_is_not_applied():
    _, mask = to_sequence(torch.ones(2, 5, 3), torch.ones(2, 9, dtype=torch.bool), None)
    assert mask is None


def test_frames_are_the_positions_of_their_row():
    frames = torch.arange(10.0).reshape(5, 2)
    sequence, mask = to_sequence(frames, None, [2, 3])
    assert mask.tolist() == [[True, True, False], [True, True, True]]
    assert pool(sequence, mask, "mean").tolist() == [[1, 2], [6, 7]]
    assert pool(sequence, mask, "last").tolist() == [[2, 3], [8, 9]]
    maps = frames[..., None, None].expand(5, 2, 3, 1)
    assert torch.equal(to_sequence(maps, None, [2, 3])[0], sequence)


def test_unrolled_positions_are_the_real_ones():
    parts = unroll(X, MASK)
    assert [p.tolist() for p in parts] == [X[0, :2].tolist(), X[1].tolist()]
    assert [len(p) for p in unroll(X, None)] == [3, 3]
