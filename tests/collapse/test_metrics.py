"""Measures of collapse: the card's known answers, invariances, the papers' forms, and refusals."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from backend.collapse.metrics import CENTRES, FORMULAS, Collapse, measure
from backend.collapse.streaming import collapse, summarise
from backend.errors import AnalysisError
from tests.collapse.made import network, noise, simplex, written_out

K, D, N = 10, 32, 20
LABELS = np.repeat(np.arange(K), N)
MEASURES = ("nc1", "nc1_ratio", "cdnv", "nc2_equinorm", "nc2_equiangular", "nc2")


def values(found: Collapse) -> dict[str, float]:
    return {name: value for name, value in asdict(found).items() if name in FORMULAS}


def test_a_simplex_with_an_offset_is_collapse():
    corners = simplex(K, D)
    H, W = corners[LABELS] + 2, 5 * corners
    found = collapse(H, LABELS, weight=W, bias=-W @ (corners + 2).mean(axis=0))
    assert all(value < 1e-14 for value in values(found).values())
    assert (found.nc4, found.centre_error, found.head_error) == (0, 0, 0)
    assert (found.n, found.n_classes, found.width, found.dropped) == (200, 10, 32, 0)
    assert (found.still_units, found.notes) == (0, ())


def test_a_head_needs_the_bias_that_takes_the_offset_off():
    corners = simplex(K, D)
    assert collapse(corners[LABELS] + 2, LABELS, weight=5 * corners).nc4 == pytest.approx(0.8)
    assert collapse(corners[LABELS], LABELS, weight=5 * corners).nc4 == 0


def test_orthogonal_means_are_a_simplex_once_centred_but_not_with_their_own_head():
    means = np.linalg.qr(np.random.default_rng(1).normal(size=(D, K)))[0].T
    found = collapse(means[LABELS], LABELS, weight=means)
    assert found.nc2 < 1e-14
    assert found.nc2_equiangular < 1e-14
    assert found.nc3_zhu < 1e-14
    assert found.nc3 == pytest.approx(2 - 2 * math.sqrt(1 - 1 / K))
    assert round(found.nc3, 4) == 0.1026


def test_noise_around_a_simplex_gives_its_trace_in_the_span_and_in_all():
    corners, X = simplex(K, D, radius=3), noise(K, N, D)
    found = collapse(corners[LABELS] + X, LABELS)
    within = X.T @ X / len(X)
    span = np.linalg.svd(corners, full_matrices=False)[2][: K - 1]
    assert found.nc1 == pytest.approx((K - 1) / (9 * K) * np.trace(span @ within @ span.T))
    assert found.nc1_ratio == pytest.approx(np.trace(within) / 9)
    assert found.cdnv == pytest.approx(np.trace(within) / (18 * K / (K - 1)))


@pytest.mark.parametrize(("d", "changes"), [(9, False), (30, True)])
def test_a_linear_map_leaves_nc1_alone_only_where_the_means_span_everything(d: int, changes: bool):
    rng = np.random.default_rng(2)
    H = 2 * rng.normal(size=(K, d))[LABELS] + noise(K, N, d)
    first = collapse(H, LABELS)
    mapped = collapse(H @ (np.eye(d) + 0.5 * rng.normal(size=(d, d))), LABELS)
    assert (mapped.nc1 == pytest.approx(first.nc1, rel=1e-9)) is not changes
    assert mapped.nc1_ratio != pytest.approx(first.nc1_ratio, rel=1e-3)


def test_rotation_scale_shift_order_and_names_of_classes_change_nothing():
    H, y, W, b = network()
    first = values(collapse(H, y, weight=W, bias=b))
    rng = np.random.default_rng(3)
    Q = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    moved = collapse(7 * H @ Q, y, weight=W @ Q, bias=7 * b)
    assert values(moved) == pytest.approx(first | {"bias": 7 * first["bias"]}, rel=1e-10)
    shift = rng.normal(size=12)
    moved = collapse(H + shift, y, weight=W, bias=b - W @ shift)
    assert values(moved) == pytest.approx(first, rel=1e-10)
    rows, names = rng.permutation(len(H)), rng.permutation(5)
    back = names.argsort()
    moved = collapse(H[rows], names[y[rows]], weight=W[back], bias=b[back])
    assert values(moved) == pytest.approx(first, rel=1e-10)


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("d", [4, 12, 40])  # the least that holds a simplex; d below and above N/K
def test_measures_equal_their_papers_forms(centre, d: int):
    H, y, W, b = network(d=d)
    found = collapse(H, y, weight=W, bias=b, centre=centre)
    assert values(found) == pytest.approx(written_out(H, y, W, b, centre=centre), rel=1e-10)
    assert (found.centre, found.counts) == (centre, (30, 33, 36, 39, 42))
    assert any("30 to 42 rows" in note for note in found.notes)


def test_the_global_mean_matters_only_where_counts_differ():
    H, y, _, _ = network()
    one, other = collapse(H, y), collapse(H, y, centre="samples")
    assert abs(one.nc1 - other.nc1) > 1e-4 * one.nc1
    assert one.cdnv == pytest.approx(other.cdnv)
    even = np.concatenate([np.flatnonzero(y == k)[:30] for k in range(5)])
    one, other = collapse(H[even], y[even]), collapse(H[even], y[even], centre="samples")
    assert values(one) == pytest.approx(values(other), nan_ok=True)


def test_two_classes_have_no_angles_to_speak_of():
    H, y, W, b = network(K=2)
    found = collapse(H, y, weight=W, bias=b)
    assert all(math.isnan(getattr(found, name)) for name in MEASURES[3:])
    known = written_out(H, y, W, b)
    rest = {name: value for name, value in known.items() if name not in MEASURES[3:]}
    assert {name: getattr(found, name) for name in rest} == pytest.approx(rest)
    assert any("always opposite" in note for note in found.notes)


def test_fewer_units_than_a_simplex_needs_leave_nc2_out_and_the_rest_right():
    H, y, W, b = network(K=6, d=4)
    found = collapse(H, y, weight=W, bias=b)
    gone = {name for name, value in values(found).items() if math.isnan(value)}
    assert gone == {name for name in FORMULAS if "nc2" in name} | {"nc3_zhu"}
    known = written_out(H, y, W, b)
    assert found.nc1 == pytest.approx(known["nc1"])
    assert found.nc4 == pytest.approx(known["nc4"])
    assert found.dropped == 0
    assert any("No simplex of 6 corners fits into 4 units" in note for note in found.notes)


def test_a_layer_of_constants_has_no_measures_and_says_so():
    found = collapse(np.full((20, 5), 3.25), np.repeat(np.arange(4), 5))
    assert all(math.isnan(getattr(found, name)) for name in MEASURES)
    assert found.still_units == 5
    assert "All class means are alike" in found.notes[0]


def test_class_means_that_differ_by_rounding_only_are_alike():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(500, 6)) + 100
    H = np.concatenate([rows[rng.permutation(500)] for _ in range(3)])
    found = collapse(H, np.repeat(np.arange(3), 500))
    assert not np.array_equal(H[:500].mean(axis=0), H[500:1000].mean(axis=0))
    assert math.isnan(found.nc1)
    assert "All class means are alike" in found.notes[0]


def test_two_classes_alike_leave_cdnv_undefined_and_drop_a_direction():
    X = noise(3, 10, 8)
    H = simplex(3, 8)[[0] * 10 + [1] * 10 + [2] * 10] + X
    H = np.concatenate([H, H[-10:][::-1]])
    found = collapse(H, np.repeat(np.arange(4), 10))
    assert math.isnan(found.cdnv)
    assert found.dropped == 1
    assert math.isfinite(found.nc1)
    assert any("Two class means are alike" in note for note in found.notes)
    assert any("leaves out 1 direction" in note for note in found.notes)


def test_units_that_never_vary_are_counted():
    H, y, _, _ = network()
    H[:, 3], H[:, 7] = 0, 0.1
    for features in (H, H.astype(np.float32), H.astype(np.float16)):
        found = collapse(features, y)
        assert found.still_units == 2
    assert any("2 of 12 units" in note for note in found.notes)
    H[0, 3] = 1e-6
    assert collapse(H, y).still_units == 1


def test_a_unit_with_one_mean_in_all_classes_can_vary():
    y, H = np.repeat(np.arange(3), 4), simplex(3, 5)[np.repeat(np.arange(3), 4)]
    H[:, 2] = np.arange(12) % 2
    assert collapse(H, y).still_units == 0
    H[:, 2] = 1
    assert collapse(H, y).still_units == 1


def test_a_mean_in_the_middle_and_a_zero_head_row_have_no_angle():
    corners = np.concatenate([simplex(4, 8), np.zeros((1, 8))])
    y = np.repeat(np.arange(5), 6)
    found = collapse(corners[y] + noise(5, 6, 8), y, weight=corners)
    assert math.isnan(found.nc2_weight_equiangular)
    assert any("head row is zero" in note for note in found.notes)
    line = np.array([[1.0, 0], [1, 0], [-1, 0], [-1, 0], [0, 0], [0, 0]])
    exact = collapse(line, np.repeat(np.arange(3), 2))
    assert math.isnan(exact.nc2_equiangular)
    assert any("is the global mean" in note for note in exact.notes)


def test_std_is_that_of_torch():
    corners = simplex(3, 6) * np.array([[1.0], [2.0], [3.0]])
    M = corners - corners.mean(axis=0)
    lengths = np.linalg.norm(M, axis=1)
    found = collapse(corners[[0, 0, 1, 1, 2, 2]], np.repeat(np.arange(3), 2))
    assert found.nc2_equinorm == pytest.approx(lengths.std(ddof=1) / lengths.mean())


def test_every_measure_has_its_formula_beside_it():
    assert set(FORMULAS) <= set(Collapse.__dataclass_fields__)
    assert all(isinstance(text, str) and text for text in FORMULAS.values())


def test_measures_of_one_moment_can_be_taken_around_either_mean():
    H, y, W, b = network()
    moments = summarise(H, y, weight=W, bias=b).moments
    assert measure(moments, centre="samples") == collapse(H, y, weight=W, bias=b, centre="samples")


def test_classes_of_one_row_are_refused():
    H, y, _, _ = network()
    with pytest.raises(AnalysisError, match=r"Class 5 has 0 row\(s\)"):
        collapse(H, y, n_classes=6)
    with pytest.raises(AnalysisError, match="no between-class spread"):
        collapse(H, np.zeros(len(H), int))
