"""Labels, heads and counts that make no sense are refused with what is wrong."""

import numpy as np
import pytest

from backend.collapse.moments import as_head, as_labels, check_counts
from backend.collapse.streaming import summarise
from backend.errors import AnalysisError
from tests.collapse.made import network


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        (np.array([0.0, 1, 2]), "type float64"),
        (np.array(["a", "b", "c"]), "type <U1"),
        (np.array([True, False, True]), "type bool"),
        (np.array([0, 1]), "are not 3 class numbers"),
        (np.array([[0], [1], [2]]), r"shape \(3, 1\)"),
        (np.array([0, 1, 3]), "Label 3 is not one of the 3"),
        (np.array([0, -1, 2]), "Label -1 is not one of the 3"),
    ],
)
def test_labels_that_are_not_class_numbers_are_refused(labels: np.ndarray, wrong: str):
    with pytest.raises(AnalysisError, match=wrong):
        as_labels(labels, 3, 3)


@pytest.mark.parametrize("kind", ["u1", "i4", "i8"])
def test_integers_of_any_width_are_labels(kind: str):
    found = as_labels(np.array([2, 0, 1], kind), 3, 3)
    assert found.dtype == np.int64
    assert found.tolist() == [2, 0, 1]


def test_a_head_has_a_row_and_a_bias_for_each_class():
    assert as_head(None, None, 3) is None
    weight, bias = as_head(np.ones((3, 4), np.float32), None, 3)
    assert (weight.dtype, bias.tolist()) == (np.float64, [0, 0, 0])
    for W, b, wrong in (
        (np.ones((4, 3)), None, r"\(4, 3\) and bias \(3,\) do not fit 3 classes"),
        (np.ones((3, 4)), np.ones(4), r"bias \(4,\)"),
        (np.full((3, 4), np.nan), None, "NaN or infinite"),
        (None, np.ones(3), "bias without weights"),
    ):
        with pytest.raises(AnalysisError, match=wrong):
            as_head(W, b, 3)


def test_a_class_of_one_row_has_no_variance():
    check_counts(np.array([2, 2]))
    with pytest.raises(AnalysisError, match=r"Class 1 has 1 row\(s\) \(and 1 more classes too\)"):
        check_counts(np.array([5, 1, 0]))
    with pytest.raises(AnalysisError, match="1 class has no between-class spread"):
        check_counts(np.array([9]))


def test_moments_are_what_they_say():
    H, y, W, b = network()
    found = summarise(H, y, weight=W, bias=b).moments
    means = np.array([H[y == k].mean(axis=0) for k in range(5)])
    X = H - means[y]
    assert found.means == pytest.approx(means)
    assert found.basis @ found.basis.T == pytest.approx(np.eye(4), abs=1e-12)
    assert found.coordinates() @ found.basis == pytest.approx(means - means.mean(axis=0))
    assert found.within == pytest.approx(found.basis @ (X.T @ X / len(X)) @ found.basis.T)
    assert found.around("samples") == pytest.approx(means - H.mean(axis=0))
    assert found.global_mean("samples") == pytest.approx(H.mean(axis=0))
    assert found.coordinates("samples") @ found.basis == pytest.approx(found.around("samples"))
