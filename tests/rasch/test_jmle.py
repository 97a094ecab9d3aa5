"""Joint maximum likelihood: score equations, recovery, bias, invariances."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import DataError
from backend.rasch.extremes import set_aside
from backend.rasch.fit import Fit, expect, expect_at
from backend.rasch.jmle import check_finite, fit_jmle
from backend.rasch.reading import read_ratings
from backend.rasch.simulate import Simulated, simulate


def fitted(s: Simulated, **settings) -> Fit:
    return fit_jmle(read_ratings(s.table()), **settings)


def truth(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """True values in the order of the fit's elements, whose names are a letter and a number."""
    return values[[int(name[1:]) for name in labels]]


def slope(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.polyfit(true, found, 1)[0])


def one_rater(n: int, difficulty: np.ndarray, most: np.ndarray | None = None, **more) -> Simulated:
    return simulate(n, 1, 1, difficulty=difficulty, most=most, harshness=0.0, **more)


@pytest.mark.parametrize("scale", ["partial_credit", "rating_scale"])
def test_at_the_end_observed_equals_expected(scale: str):
    s = simulate(80, 12, 4, seed=0, difficulty=np.linspace(-1, 1, 4), most=np.full(4, 3))
    fit = fit_jmle(read_ratings(s.table(), shared=scale == "rating_scale"), scale=scale)
    assert fit.converged
    residual = expect(fit).residual(fit.ratings.x) * fit.used
    for facet in ("item", "rater", "criterion"):
        plain = ~fit.extreme[facet]
        total = np.bincount(fit.ratings.codes[facet], weights=residual)
        assert np.abs(total[plain]).max() < 0.05
    assert np.allclose([tau.sum() for tau in fit.thresholds], 0, atol=1e-9)
    assert fit.measures["criterion"].mean() == pytest.approx(0, abs=1e-9)
    assert fit.measures["rater"].mean() == pytest.approx(0, abs=1e-9)


def test_category_counts_are_reproduced():
    from backend.rasch.partial_credit import probabilities

    fit = fitted(simulate(80, 12, 4, seed=1))
    part, eta = fit.ratings.keep(fit.used), fit.eta()[fit.used]
    for i, steps in enumerate(fit.steps):
        rows = part.rows_of(i)
        counts = np.bincount(part.x[rows], minlength=len(steps) + 1)
        assert probabilities(eta[rows], steps).sum(axis=1) == pytest.approx(counts, abs=0.05)


def test_with_one_rater_and_complete_data_equal_scores_have_equal_measures():
    s = one_rater(150, np.linspace(-1, 1, 5), np.full(5, 2), seed=2)
    fit = fitted(s)
    assert fit.measures["rater"] == pytest.approx([0])
    score = np.bincount(fit.ratings.codes["item"], weights=fit.ratings.x)
    for value in np.unique(score[~fit.extreme["item"]]):
        assert fit.measures["item"][score == value].std() < 1e-8


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("per_item", [4, 8])
def test_truth_is_recovered(seed: int, per_item: int):
    s = simulate(400, 40, per_item, seed=seed)
    fit = fitted(s)
    labels = fit.ratings.labels
    severity, theta = (truth(v, labels[f]) for f, v in (("rater", s.severity), ("item", s.theta)))
    assert fit.converged
    assert np.corrcoef(fit.measures["rater"], severity)[0, 1] > 0.97
    assert np.corrcoef(fit.measures["item"], theta)[0, 1] > 0.96
    assert np.abs(fit.measures["criterion"] - s.difficulty).max() < 0.35
    assert 0.97 < slope(fit.measures["rater"], severity) < 1.1
    if per_item == 8:
        assert np.sqrt(np.mean((fit.measures["rater"] - severity) ** 2)) < 0.12
        apart = [np.abs(a - b).max() for a, b in zip(fit.thresholds, s.thresholds, strict=True)]
        assert max(apart) < 0.3


def test_a_harsh_rater_gives_lower_ratings():
    severity = np.array([-1.0, 0.0, 1.0])
    s = simulate(150, 3, 3, seed=3, severity=severity)
    fit = fitted(s)
    assert fit.measures["rater"] == pytest.approx(
        truth(severity, fit.ratings.labels["rater"]), abs=0.3
    )
    mean = np.bincount(s.rater, weights=s.x) / np.bincount(s.rater)
    assert mean[0] > mean[1] > mean[2]


def test_two_dichotomous_criteria_are_stretched_by_two():
    s = one_rater(20_000, np.array([-0.5, 0.5]), seed=4)
    X = s.x.reshape(2, -1)
    log_odds = np.log(((X[0] == 1) & (X[1] == 0)).sum() / ((X[0] == 0) & (X[1] == 1)).sum())
    fit = fitted(s, tolerance=1e-7)
    assert np.ptp(fit.measures["criterion"]) == pytest.approx(2 * log_odds, abs=1e-3)
    corrected = fitted(s, tolerance=1e-7, correct=True)
    assert corrected.factor == pytest.approx(0.5)
    assert np.ptp(corrected.measures["criterion"]) == pytest.approx(log_odds, abs=1e-3)


@pytest.mark.parametrize(("n", "stretch"), [(5, 1.283), (10, 1.140), (20, 1.052)])
def test_the_stretch_falls_with_the_number_of_criteria(n: int, stretch: float):
    d = np.linspace(-1.5, 1.5, n)
    slopes = [
        [slope(fitted(one_rater(3000, d, seed=k), correct=c).measures["criterion"], d)
         for k in range(3)]
        for c in (False, True)
    ]  # fmt: skip
    assert np.mean(slopes[0]) == pytest.approx(stretch, abs=0.06)
    assert np.mean(slopes[1]) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_lenient_and_harsh_groups_of_raters_stop_favouring_items(seed: int):
    rng = np.random.default_rng(seed)
    severity = np.linspace(-1.5, 1.5, 20)
    lenient, harsh = np.arange(10), np.arange(10, 20)
    item, rater = [], []
    for i in range(300):
        own = rng.choice(lenient if i < 150 else harsh, 3, replace=False)
        extra = rng.choice(np.setdiff1d(np.arange(20), own))
        item += [i] * 4
        rater += [*own, extra]
    s = simulate(300, 20, 4, seed=seed, severity=severity, pairs=(np.array(item), np.array(rater)))
    fit = fitted(s)
    own = np.array([int(name[1:]) for name in fit.ratings.labels["item"]])
    theta = s.theta[own]
    raw = np.bincount(s.item, weights=s.x)[own] / np.bincount(s.item)[own]
    line = np.polyfit(raw, theta, 1)
    gaps = [float(apart[own >= 150].mean() - apart[own < 150].mean())
            for apart in (np.polyval(line, raw) - theta, fit.measures["item"] - theta)]  # fmt: skip
    assert gaps[0] < -0.5
    assert abs(gaps[1]) < 0.35
    r = [np.corrcoef(v, theta)[0, 1] for v in (raw, fit.measures["item"])]
    assert r[1] > r[0] + 0.02


def test_adding_a_constant_to_items_and_raters_changes_nothing():
    fit = fitted(simulate(60, 8, 3, seed=5))
    moved = {**fit.measures, "item": fit.measures["item"] + 2, "rater": fit.measures["rater"] + 2}
    there = replace(fit, measures=moved)
    assert np.allclose(expect_at(fit.ratings, there.eta(), fit.steps).mean, expect(fit).mean)


def test_turning_a_criterion_round_turns_its_residuals():
    s = simulate(200, 12, 4, seed=6, difficulty=np.array([-0.5, 0.0, 0.5]), most=np.full(3, 2))
    table = s.table()
    wrong = s.x.copy()
    wrong[s.criterion == 1] = 2 - wrong[s.criterion == 1]
    turned = table.set_column(3, "rating", pa.array(wrong))
    back = fit_jmle(read_ratings(turned, collapse="c1:2,1,0"))
    plain = fit_jmle(read_ratings(table))
    assert np.allclose(back.measures["item"], plain.measures["item"])
    bad = fit_jmle(read_ratings(turned))
    z = expect(bad).z(bad.ratings.x)
    own = bad.ratings.codes["criterion"]
    square = np.bincount(own, weights=z * z) / np.bincount(own)
    assert square.argmax() == 1


def test_unlinked_halves_are_said_and_centred_apart():
    item = np.r_[np.repeat(np.arange(40), 3), np.repeat(np.arange(40, 80), 3)]
    rater = np.r_[np.tile(np.arange(3), 40), np.tile(np.arange(3, 6), 40)]
    s = simulate(80, 6, 3, seed=7, pairs=(item, rater))
    fit = fitted(s)
    assert fit.subsets.number == 2
    assert any("2 subsets" in note for note in fit.notes)
    for subset in (0, 1):
        own = fit.subsets.of["rater"] == subset
        assert fit.measures["rater"][own].mean() == pytest.approx(0, abs=1e-9)


def test_anchors_hold_and_the_rest_follows():
    s = simulate(200, 10, 4, seed=8)
    free = fitted(s)
    names = free.ratings.labels["criterion"]
    shift = dict(zip(names, free.measures["criterion"] + 1.0, strict=True))
    fit = fitted(s, anchors={"criterion": shift}, tolerance=1e-6)
    assert fit.measures["criterion"] == pytest.approx(free.measures["criterion"] + 1.0)
    assert fit.measures["item"] == pytest.approx(free.measures["item"] + 1.0, abs=0.01)
    assert fit.measures["rater"] == pytest.approx(free.measures["rater"], abs=0.01)
    for wrong, said in (({"judge": {}}, "no facet 'judge'"), ({"rater": {"bob": 0.0}}, "'bob'")):
        with pytest.raises(DataError, match=said):
            fitted(s, anchors=wrong)
    with pytest.raises(DataError, match="cannot be shrunk"):
        fitted(s, anchors={"criterion": shift}, correct=True)


def test_anchored_items_let_the_raters_float():
    s = simulate(120, 8, 4, seed=9)
    free = fitted(s)
    items = dict(zip(free.ratings.labels["item"], free.measures["item"] + 2.0, strict=True))
    fit = fitted(s, anchors={"item": items}, tolerance=1e-6)
    assert fit.measures["item"] == pytest.approx(free.measures["item"] + 2.0)
    assert fit.measures["rater"] == pytest.approx(free.measures["rater"] + 2.0, abs=0.02)
    assert fit.measures["criterion"].mean() == pytest.approx(0, abs=1e-9)


def test_a_fourth_facet_is_estimated():
    s = simulate(150, 10, 4, seed=10)
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, len(s.x))
    easier = np.where(group == 1, np.minimum(s.x + (rng.random(len(s.x)) < 0.3), s.x.max()), s.x)
    top = np.array([len(t) for t in s.thresholds])[s.criterion]
    table = s.table().set_column(3, "rating", pa.array(np.minimum(easier, top)))
    fit = fit_jmle(read_ratings(table.append_column("group", pa.array(group)), facet="group"))
    found = dict(zip(fit.ratings.labels["group"], fit.measures["group"], strict=True))
    assert found["1"] < -0.2 < 0.2 < found["0"]
    assert sum(found.values()) == pytest.approx(0, abs=1e-9)


def test_scales_that_were_not_read_as_one_are_refused():
    with pytest.raises(DataError, match="not read for scale=rating_scale"):
        fitted(simulate(30, 5, 3, seed=11), scale="rating_scale")


def test_too_few_iterations_are_said():
    fit = fitted(simulate(80, 10, 3, seed=12), max_iterations=1)
    assert not fit.converged
    assert any("Not converged after 1" in note for note in fit.notes)


def test_estimates_that_run_off_are_counted_or_refused():
    split = set_aside(read_ratings(simulate(30, 6, 3, seed=14).table()))
    measures = {"item": np.zeros(30), "rater": np.zeros(6)}
    steps = [np.zeros(m) for m in split.ratings.most]
    assert check_finite(split, measures, steps) == 0
    measures["item"][np.flatnonzero(~split.extreme["item"])[:2]] = 40.0
    assert check_finite(split, measures, steps) == 2
    steps[0][0] = -30.0
    with pytest.raises(DataError, match="part without bound.*method=mml"):
        check_finite(split, measures, steps)
