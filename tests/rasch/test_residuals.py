"""What the model leaves."""

import numpy as np
import pyarrow as pa
import pytest

from backend.rasch.fit import expect
from backend.rasch.jmle import fit_jmle
from backend.rasch.reading import read_ratings
from backend.rasch.residuals import (
    first_contrast,
    most_unexpected,
    rater_by_criterion,
    residual_correlations,
)
from backend.rasch.simulate import simulate


def test_the_most_unexpected_come_first():
    z = np.array([0.5, -4.0, 3.0, 2.9, 6.0])
    assert most_unexpected(z, at_least=3, most=10).tolist() == [4, 1, 2]
    assert most_unexpected(z, at_least=3, most=1).tolist() == [4]


def test_cells_hold_their_mean_residual():
    fit = fit_jmle(read_ratings(simulate(60, 5, 3, seed=0).table()))
    expected = expect(fit)
    rater, criterion, n, residual, z = rater_by_criterion(fit, expected)
    assert n.sum() == fit.ratings.n
    own = (fit.ratings.codes["rater"] == rater[3]) & (
        fit.ratings.codes["criterion"] == criterion[3]
    )
    assert residual[3] == pytest.approx(expected.residual(fit.ratings.x)[own].mean())
    assert z[3] == pytest.approx(
        expected.residual(fit.ratings.x)[own].sum() / np.sqrt(expected.variance[own].sum())
    )


def test_correlations_are_those_of_numpy_where_data_are_complete():
    s = simulate(200, 1, 1, seed=1, difficulty=np.linspace(-1, 1, 4), most=np.full(4, 3),
                 harshness=0)  # fmt: skip
    fit = fit_jmle(read_ratings(s.table()))
    matrix, pairs = residual_correlations(fit, expect(fit))
    part = fit.ratings.keep(fit.used)
    Z = np.empty((fit.ratings.size("item"), 4))
    z = expect(fit).z(fit.ratings.x)[fit.used]
    Z[part.codes["item"], part.codes["criterion"]] = z
    Z = Z[~fit.extreme["item"]]
    assert pairs[0, 1] == len(Z)
    assert matrix == pytest.approx(np.corrcoef(Z.T))


def test_copied_answers_show_as_a_second_dimension():
    s = simulate(300, 6, 3, seed=2, difficulty=np.linspace(-1, 1, 6), most=np.full(6, 2))
    x = s.x.reshape(6, -1).copy()
    x[1], x[2] = x[0], x[0]  # halo
    plain = fit_jmle(read_ratings(s.table()))
    halo = fit_jmle(read_ratings(s.table().set_column(3, "rating", pa.array(x.ravel()))))
    values = [first_contrast(residual_correlations(f, expect(f))[0]) for f in (plain, halo)]
    assert values[0] < 1.5
    assert values[1] > 2


def test_gaps_leave_no_contrast():
    assert np.isnan(first_contrast(np.full((3, 3), np.nan)))
    assert np.isnan(first_contrast(np.eye(2)))
