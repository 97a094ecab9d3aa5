"""The table of classes against sums over the rows of each."""

import numpy as np
import pytest

from backend.collapse.metrics import measure
from backend.collapse.per_class import per_class
from backend.collapse.streaming import summarise
from tests.collapse.made import network, noise, simplex


@pytest.mark.parametrize("centre", ["classes", "samples"])
def test_each_class_is_what_its_rows_say(centre):
    H, y, W, b = network()
    moments = summarise(H, y, weight=W, bias=b).moments
    table, K = per_class(moments, centre=centre), 5
    means = np.array([H[y == k].mean(axis=0) for k in range(K)])
    middle = means.mean(axis=0) if centre == "classes" else H.mean(axis=0)
    norms = np.linalg.norm(means - middle, axis=1)
    v = [np.square(H[y == k] - means[k]).sum(axis=1).mean() for k in range(K)]
    for k in range(K):
        rows, others = H[y == k], [j for j in range(K) if j != k]
        far = np.linalg.norm(means[others] - means[k], axis=1)
        nearest = np.linalg.norm(rows[:, None] - means, axis=2).argmin(axis=1)
        assert table.n[k] == len(rows)
        assert table.within[k] == pytest.approx(v[k])
        assert table.nearest[k] == others[far.argmin()]
        assert table.distance[k] == pytest.approx(far.min())
        pairs = [(v[k] + v[j]) / 2 / f**2 for j, f in zip(others, far, strict=True)]
        assert table.cdnv[k] == pytest.approx(np.mean(pairs))
        assert table.centre_error[k] == np.mean(nearest != k)
        assert table.head_error[k] == np.mean((rows @ W.T + b).argmax(axis=1) != k)
    assert table.norm == pytest.approx(norms)
    assert table.norm_excess == pytest.approx(norms / norms.mean() - 1)


def test_the_table_adds_up_to_the_measures():
    H, y, W, b = network()
    moments = summarise(H, y, weight=W, bias=b).moments
    table, found = per_class(moments), measure(moments)
    assert table.cdnv.mean() == pytest.approx(found.cdnv)
    assert table.centre_error @ table.n / table.n.sum() == pytest.approx(found.centre_error)
    assert table.head_error @ table.n / table.n.sum() == pytest.approx(found.head_error)
    assert table.norm_excess.std(ddof=1) == pytest.approx(found.nc2_equinorm)


def test_classes_of_a_simplex_are_all_alike_and_a_spoilt_one_stands_out():
    K, n, d = 6, 20, 16
    y, X = np.repeat(np.arange(K), n), noise(K, n, d, size=0.05)
    X[y == 4] *= 10
    table = per_class(summarise(simplex(K, d)[y] + X, y).moments)
    assert table.norm_excess == pytest.approx(np.zeros(K), abs=1e-12)
    assert table.distance == pytest.approx(np.sqrt(2 * K / (K - 1)))
    assert table.within.argmax() == table.cdnv.argmax() == 4
    assert np.isnan(table.head_error).all()


def test_classes_alike_have_no_cdnv_and_no_norm():
    table = per_class(summarise(np.ones((8, 3)), np.repeat(np.arange(4), 2)).moments)
    assert np.isnan(table.cdnv).all()
    assert np.isnan(table.norm_excess).all()
    assert table.distance.tolist() == [0, 0, 0, 0]
