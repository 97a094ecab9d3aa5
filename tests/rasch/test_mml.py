"""Marginal maximum likelihood."""

import numpy as np
import pytest

from backend.errors import DataError
from backend.rasch import mml
from backend.rasch.jmle import fit_jmle
from backend.rasch.mml import fit_mml
from backend.rasch.reading import read_ratings
from backend.rasch.simulate import simulate


def names(labels: np.ndarray) -> list[int]:
    return [int(name[1:]) for name in labels]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_truth_is_recovered_without_the_stretch_of_jmle(seed: int):
    d = np.linspace(-1.5, 1.5, 5)
    s = simulate(3000, 1, 1, seed=seed, difficulty=d, harshness=0.0)
    ratings = read_ratings(s.table())
    fit, joint = fit_mml(ratings), fit_jmle(ratings)
    slopes = [np.polyfit(d, f.measures["criterion"], 1)[0] for f in (fit, joint)]
    assert slopes[0] == pytest.approx(1.0, abs=0.08)
    assert slopes[1] > 1.2
    assert fit.spread[1] == pytest.approx(1.5, abs=0.15)
    assert fit.converged


def test_raters_and_items_are_found():
    s = simulate(300, 30, 4, seed=3)
    fit = fit_mml(read_ratings(s.table()))
    labels = fit.ratings.labels
    assert np.corrcoef(fit.measures["rater"], s.severity[names(labels["rater"])])[0, 1] > 0.97
    assert np.corrcoef(fit.measures["item"], s.theta[names(labels["item"])])[0, 1] > 0.96
    assert fit.measures["rater"].mean() == pytest.approx(0, abs=1e-9)
    assert fit.spread[0] == pytest.approx(fit.measures["item"].mean(), abs=0.05)


def test_the_gradient_is_that_of_the_marginal_likelihood(monkeypatch):
    s = simulate(60, 5, 3, seed=4, difficulty=np.array([-0.5, 0.5]), most=np.array([1, 2]))
    kept = {}
    original = mml.climb

    def spy(evaluate, point, **settings):
        kept["evaluate"] = evaluate
        return original(evaluate, point, **settings)

    monkeypatch.setattr(mml, "climb", spy)
    fit_mml(read_ratings(s.table()), nodes=61)
    evaluate, rng = kept["evaluate"], np.random.default_rng(0)
    point = rng.normal(0, 0.3, 5 + 3 + 2)
    state = evaluate(point)
    for i in range(len(point)):
        h = 1e-5 * np.eye(len(point))[i]
        slope = (evaluate(point + h).value - evaluate(point - h).value) / 2e-5
        assert state.gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-3)


def test_more_nodes_change_nothing():
    s = simulate(150, 10, 3, seed=5)
    ratings = read_ratings(s.table())
    few, many = (fit_mml(ratings, nodes=n, tolerance=1e-5) for n in (81, 121))
    assert few.log_likelihood == pytest.approx(many.log_likelihood, abs=1e-3)
    assert few.measures["rater"] == pytest.approx(many.measures["rater"], abs=1e-3)


def test_extreme_items_get_finite_scores_that_shrink():
    s = simulate(300, 1, 1, seed=6, difficulty=np.linspace(-1, 1, 4), harshness=0.0)
    fit = fit_mml(read_ratings(s.table()))
    assert fit.extreme["item"].any()
    assert np.abs(fit.measures["item"]).max() < 3
    warm = fit_mml(read_ratings(s.table()), score="wle")
    spread = [f.measures["item"].std() for f in (fit, warm)]
    assert spread[0] < spread[1]


def test_one_rating_scale_for_all():
    s = simulate(200, 10, 3, seed=7, difficulty=np.linspace(-1, 1, 4), most=np.full(4, 3))
    fit = fit_mml(read_ratings(s.table(), shared=True), scale="rating_scale")
    assert all(np.allclose(tau, fit.thresholds[0]) for tau in fit.thresholds)
    assert fit.thresholds[0] == pytest.approx([-1, 0, 1], abs=0.25)


def test_what_does_not_fit_in_memory_and_item_anchors_are_refused(monkeypatch):
    ratings = read_ratings(simulate(60, 6, 3, seed=8).table())
    with pytest.raises(DataError, match="Anchor items with jmle"):
        fit_mml(ratings, anchors={"item": {"i0": 0.0}})
    monkeypatch.setattr(mml, "MOST_VALUES", 100)
    with pytest.raises(DataError, match="Use method=jmle"):
        fit_mml(ratings)
