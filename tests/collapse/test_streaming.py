"""Batches, devices, mapped files and threads give what the whole array in memory gives."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.collapse.intervals import bootstrap
from backend.collapse.metrics import FORMULAS, Collapse, measure
from backend.collapse.streaming import ClassStatistics, collapse, summarise
from backend.errors import AnalysisError
from tests.collapse.made import network, noise, simplex, written_out


def values(found: Collapse) -> dict[str, float]:
    return {name: value for name, value in asdict(found).items() if name in FORMULAS}


def streamed(batches, W=None, b=None, *, keep: bool = False) -> ClassStatistics:
    """Statistics of batches, which come from a function that is given the pass."""
    statistics = ClassStatistics(5, weight=W, bias=b, keep=keep)
    for number in statistics.passes():
        for H, y in batches(number):
            statistics.add(H, y)
    return statistics


def cut(H, y, sizes: tuple[int, ...]):
    edges = [0, *np.cumsum(sizes), len(y)]
    return [(H[a:z], y[a:z]) for a, z in zip(edges, edges[1:], strict=False)]


@pytest.mark.parametrize("put", [np.asarray, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("sizes", [(), (1, 0, 70), tuple([10] * 17)])
def test_batches_give_what_the_whole_gives(put, sizes: tuple[int, ...]):
    H, y, W, b = network()
    found = measure(streamed(lambda _: cut(put(H), put(y), sizes), put(W), put(b)).moments)
    whole = collapse(H, y, weight=W, bias=b)
    assert values(found) == pytest.approx(values(whole), rel=1e-12)
    assert replace(found, **values(whole)) == whole


def test_passes_may_bring_other_batches_in_another_order():
    H, y, W, b = network()

    def batches(number: int):
        rows = np.random.default_rng(number).permutation(len(y))
        return cut(H[rows], y[rows], (40, 3 + number))

    found = measure(streamed(batches, W, b).moments)
    assert values(found) == pytest.approx(values(collapse(H, y, weight=W, bias=b)), rel=1e-12)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_narrow_tensors_are_measured_in_float64(kind: torch.dtype):
    H, y, W, b = network()
    narrow = torch.tensor(H).to(kind)
    found = collapse(narrow, torch.tensor(y), weight=torch.tensor(W), bias=torch.tensor(b))
    exact = written_out(narrow.double().numpy(), y, W, b)
    assert values(found) == pytest.approx(exact, rel=1e-10)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same():
    H, y, W, b = network()
    on_gpu, labels = (torch.tensor(a, device="cuda") for a in (H, y))
    found = collapse(on_gpu, labels, weight=W, bias=b)
    assert values(found) == pytest.approx(values(collapse(H, y, weight=W, bias=b)), rel=1e-12)


@pytest.mark.parametrize("workers", [2, 3, 50])
def test_threads_change_nothing_but_the_order_of_sums(workers: int, monkeypatch):
    from backend.collapse import arrays

    monkeypatch.setattr(arrays.Numpy, "values", 12 * 7)  # blocks of seven rows
    H, y, W, b = network()
    one = summarise(H, y, weight=W, bias=b, keep=True)
    many = summarise(H, y, weight=W, bias=b, keep=True, workers=workers)
    assert values(measure(many.moments)) == pytest.approx(values(measure(one.moments)), rel=1e-12)
    assert np.array_equal(many.rows.labels, one.rows.labels)
    assert many.rows.inside == pytest.approx(one.rows.inside, abs=1e-12)


def test_a_mapped_file_is_read_and_left_alone(tmp_path: Path):
    H, y, W, b = network()
    np.save(tmp_path / "h.npy", H.astype(np.float32))
    np.save(tmp_path / "y.npy", y)
    before = (tmp_path / "h.npy").read_bytes()
    mapped, labels = (np.load(tmp_path / name, mmap_mode="r") for name in ("h.npy", "y.npy"))
    found = collapse(mapped, labels, weight=W, bias=b)
    assert found == collapse(H.astype(np.float32), y, weight=W, bias=b)
    assert (tmp_path / "h.npy").read_bytes() == before


def test_an_array_in_memory_is_left_alone():
    H, y, W, b = network()
    copies = [a.copy() for a in (H, y, W, b)]
    summarise(H, y, weight=W, bias=b, keep=True)
    assert all(np.array_equal(a, c) for a, c in zip((H, y, W, b), copies, strict=True))


def test_a_huge_offset_costs_no_more_digits_than_the_type_has_lost():
    H, y, W, b = network()
    far = (H + 1e5).astype(np.float32)  # 1/128 apart
    exact = written_out(far.astype(np.float64) - 1e5, y, W, b + 1e5 * W.sum(axis=1))
    found = values(collapse(far, y, weight=W, bias=b))
    assert found == pytest.approx(exact, rel=1e-9)
    naive = np.mean(np.square(far), axis=0) - np.square(far.mean(axis=0))
    assert abs(naive.sum() / np.var(far.astype(np.float64), axis=0).sum() - 1) > 0.1


def test_a_huge_offset_of_float64_costs_few_digits():
    H, y, _, _ = network()
    far = H + 1e9
    exact = collapse(far - 1e9, y)
    found = collapse(far, y)
    for name in ("nc1", "nc1_ratio", "cdnv", "nc2", "nc2_equinorm"):
        assert getattr(found, name) == pytest.approx(getattr(exact, name), rel=1e-9)


def test_exact_collapse_far_from_zero_is_no_false_alarm():
    corners = simplex(5, 12, radius=1e-3) + 1e8
    y = np.repeat(np.arange(5), 7)
    assert collapse(corners[y], y).nc1 < 1e-8


@pytest.mark.parametrize("put", [np.asarray, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 17])
def test_features_that_are_not_finite_are_refused(put, bad: float, row: int):
    H, y, _, _ = network()
    H[row, 2] = bad
    with pytest.raises(AnalysisError, match="NaN or infinite in 1 of 12 units, first in unit 2"):
        collapse(put(H), y)


def test_squares_that_overflow_are_refused():
    H, y, _, _ = network()
    large = H.copy()
    large[np.flatnonzero(y == 0)[:2], 3] += [1e200, -1e200]
    for features in (H * 1e200, large):
        with pytest.raises(AnalysisError, match="too large for float64"):
            collapse(features, y)


def test_a_second_pass_over_other_rows_is_refused():
    H, y, _, _ = network()
    with pytest.raises(AnalysisError, match=rf"Class {y[-1]} had \d+ rows in the first pass"):
        streamed(lambda number: [(H, y)] if number == 0 else [(H[:-1], y[:-1])])


def test_a_second_pass_with_dropout_on_is_refused():
    H, y, _, _ = network()
    keep = np.random.default_rng(0).random(H.shape) < 0.9
    with pytest.raises(AnalysisError, match="is not what it was in the first pass"):
        streamed(lambda number: [(H * keep / 0.9 if number else H, y)])


def test_rows_for_intervals_must_keep_their_order():
    H, y, _, _ = network()
    order = np.random.default_rng(0).permutation(len(y))
    with pytest.raises(AnalysisError, match="come in another order"):
        streamed(lambda number: [(H, y)] if number < 2 else [(H[order], y[order])], keep=True)
    same = np.argsort(y, kind="stable")
    swapped = same.copy()
    swapped[:2] = same[1::-1]
    rows = (same, same, swapped)  # labels agree, rows do not
    with pytest.raises(AnalysisError, match="come in another order"):
        streamed(lambda number: [(H[rows[number]], y[rows[number]])], keep=True)


def test_rows_kept_from_batches_give_the_same_intervals():
    H, y, W, b = network()
    whole = summarise(H, y, weight=W, bias=b, keep=True)
    parts = streamed(lambda _: cut(torch.tensor(H), y, (60, 1)), W, b, keep=True)
    one, other = (bootstrap(s.moments, s.rows, draws=20) for s in (whole, parts))
    assert other.low == pytest.approx(one.low, rel=1e-9)
    assert other.high == pytest.approx(one.high, rel=1e-9)


def test_statistics_can_be_used_again_and_batches_must_agree():
    H, y, W, _ = network()
    statistics = ClassStatistics(5)
    for scale in (1, 2):
        for _ in statistics.passes():
            statistics.add(scale * H, y)
        assert statistics.moments.means == pytest.approx(scale * summarise(H, y).moments.means)
    with pytest.raises(AnalysisError, match="No pass"):
        statistics.add(H, y)
    with pytest.raises(AnalysisError, match="No features were given"):
        streamed(lambda _: [])
    with pytest.raises(AnalysisError, match="of 11 columns do not fit 12"):
        streamed(lambda _: [(H, y), (H[:, :11], y)])
    with pytest.raises(AnalysisError, match="of 12 columns do not fit 9"):
        collapse(H, y, weight=W[:, :9])
    with pytest.raises(AnalysisError, match="some torch tensors"):
        streamed(lambda _: [(H, y), (torch.tensor(H), y)])


def test_what_was_not_asked_for_is_not_there():
    H, y, _, _ = network()
    statistics = ClassStatistics(5)
    with pytest.raises(AnalysisError, match="not finished"):
        _ = statistics.moments
    with pytest.raises(AnalysisError, match="No rows were kept"):
        _ = summarise(H, y).rows


def test_many_classes_and_few_rows():
    K, d = 60, 80
    y = np.repeat(np.arange(K), 3)
    H = np.random.default_rng(0).normal(size=(K, d))[y] + noise(K, 3, d)
    W, b = simplex(K, d), np.zeros(K)
    found = collapse(H, y, weight=W, bias=b)
    assert values(found) == pytest.approx(written_out(H, y, W, b), rel=1e-9)
