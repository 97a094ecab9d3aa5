"""Names, stored order and shards of captures."""

from dataclasses import replace

import numpy as np
import pytest

from backend.capture.request import (
    CaptureRequest,
    check_pooling,
    rows_of_shard,
    shard_rows,
    stored_order,
)
from backend.errors import CaptureError

REQUEST = CaptureRequest("m", "d" * 32, ("embed", "final"), "last", 100, 1000)


@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000, 131_073])
def test_shards_cover_every_row_once(n):
    request = replace(REQUEST, rows=n, of=n)
    parts = [rows_of_shard(n, shard) for shard in request.shards()]
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert all(len(part) == shard_rows(n) for part in parts[:-1]) and len(parts[-1]) > 0
    assert len(parts) <= 512


def test_the_order_is_fixed_and_a_prefix_is_a_uniform_sample():
    n, first = 20_000, 1024
    order = stored_order(n)
    assert np.array_equal(order, stored_order(n)) and order.dtype == np.int64
    sample = order[:first]
    # Each tenth of the data is met as often as chance allows: binomial, five standard errors.
    counts = np.bincount(sample * 10 // n, minlength=10)
    assert np.abs(counts - first / 10).max() < 5 * np.sqrt(first * 0.1 * 0.9)
    assert abs(sample.mean() - n / 2) < 5 * n / np.sqrt(12 * first)


def test_only_the_leading_shards_are_needed():
    assert replace(REQUEST, rows=256).shards() == (0,)
    assert replace(REQUEST, rows=257).shards() == (0, 1)
    assert replace(REQUEST, rows=10**9).shards() == (0, 1, 2, 3)


def test_the_key_names_what_decides_the_numbers():
    key = REQUEST.key("final")
    same = [replace(REQUEST, sites=("final",)), replace(REQUEST, rows=5), replace(REQUEST, of=7)]
    assert {r.key("final") for r in same} == {key}
    other = [
        replace(REQUEST, model_id="n"), replace(REQUEST, dataset="e" * 32),
        replace(REQUEST, pooling="mean"), replace(REQUEST, max_tokens=9),
        replace(REQUEST, half=True), replace(REQUEST, whatif="skip 3"),
    ]  # fmt: skip
    assert len({key, REQUEST.key("embed"), *(r.key("final") for r in other)}) == len(other) + 2


@pytest.mark.parametrize(
    ("pooling", "modality"),
    [("spatial", "text"), ("tokens", "image"), ("cls", "audio"), ("x", "text")],
)
def test_poolings_that_do_not_fit_are_refused(pooling, modality):
    with pytest.raises(CaptureError, match=f"{pooling!r} does not fit.*Choose from: "):
        check_pooling(pooling, modality)
