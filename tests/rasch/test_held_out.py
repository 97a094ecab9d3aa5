"""Calibration at fixed criteria: score equations, the ruler's place, extremes, and no leak."""

import numpy as np
import pytest

from backend.rasch.component_score import measure_of_total
from backend.rasch.held_out import extremes, recalibrate
from backend.rasch.partial_credit import moments
from tests.rasch.test_multitask import DIFFICULTIES, THRESHOLDS, ratings

RULER = {"difficulties": DIFFICULTIES, "thresholds": THRESHOLDS}
MOST = np.array([len(t) for t in THRESHOLDS])


def fitted(seed: int, keep=None):
    _, theta, severity, codes = ratings(seed)
    if keep is not None:
        codes = [column[keep(codes[0])] for column in codes]
    start = {"measures": np.zeros(len(theta)), "severities": np.zeros(len(severity))}
    found, harsh = recalibrate(*codes, **RULER, **start)
    return codes, theta, severity, found, harsh


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_at_the_end_observed_totals_are_expected_totals(seed):
    (item, rater, criterion, x), theta, severity, found, harsh = fitted(seed)
    most = MOST[criterion]
    ends = extremes(item, rater, x, most, sizes=(len(theta), len(severity)))
    E = np.empty(len(x))
    for c, (d, taus) in enumerate(zip(DIFFICULTIES, THRESHOLDS, strict=True)):
        own = criterion == c
        E[own] = moments(found[item[own]] - harsh[rater[own]], d + taus)[0]
    left = np.bincount(item, x - E)
    assert np.abs(left[~ends[0]]).max() < 0.01
    both = ~ends[0][item]
    assert np.abs(np.bincount(rater[both], (x - E)[both])).max() < 0.01
    assert np.sqrt(np.mean((harsh - severity) ** 2)) < 0.35 < severity.std()
    assert np.corrcoef(found, theta)[0, 1] > 0.9
    assert harsh.mean() == pytest.approx(0, abs=1e-9)


def test_one_rater_of_severity_0_gives_the_score_table():
    _, _, _, (item, _, criterion, x) = ratings(3, each=1, n_raters=1)
    none = np.zeros_like(item)
    found, harsh = recalibrate(
        item, none, criterion, x, **RULER, measures=np.zeros(80), severities=np.zeros(1)
    )
    table, _ = measure_of_total(np.bincount(item, x), *RULER.values(), inward=0.3)
    assert harsh[0] == 0 and found == pytest.approx(table, abs=1e-3)


def test_what_is_left_out_has_no_say():
    def keep(item):
        return item >= 20

    codes, _, _, found, harsh = fitted(4, keep)
    assert np.isnan(found[:20]).all() and np.isfinite(found[20:]).all()
    (item, rater, criterion, x), *_ = fitted(4)
    x = np.where(item < 20, MOST[criterion] - x, x)  # other ratings of the items left out
    seen = item >= 20
    again = recalibrate(
        item[seen], rater[seen], criterion[seen], x[seen], **RULER,
        measures=np.zeros(80), severities=np.zeros(10),
    )  # fmt: skip
    assert np.array_equal(again[0], found, equal_nan=True) and np.array_equal(again[1], harsh)


def test_a_rater_without_ratings_is_not_known_and_the_level_stays():
    (item, rater, criterion, x), *_ = fitted(5)
    seen = rater != 3
    severities = np.arange(10.0)
    _, harsh = recalibrate(
        item[seen], rater[seen], criterion[seen], x[seen], **RULER,
        measures=np.zeros(80), severities=severities,
    )  # fmt: skip
    assert np.isnan(harsh[3])
    assert np.nanmean(harsh) == pytest.approx(np.delete(severities, 3).mean())


def test_extremes_are_found_in_turn():
    item = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    rater = np.array([0, 1, 0, 1, 2, 1, 2, 0])
    x = np.array([0, 0, 1, 0, 1, 1, 1, 0])
    by_item, by_rater = extremes(item, rater, x, np.ones(8, int), sizes=(4, 3))
    # items 0 and 2 first, and rater 2; then rater 1 (only 0s are left), and so item 1 and all
    assert by_item.tolist() == [True] * 4 and by_rater.tolist() == [True] * 3
    x = np.array([0, 1, 1, 0, 1, 0, 0, 1])
    by_item, by_rater = extremes(item, rater, x, np.ones(8, int), sizes=(4, 3))
    assert not by_item.any() and not by_rater.any()


def test_measures_of_extreme_items_are_finite_and_flagged():
    (item, rater, criterion, x), *_ = fitted(6)
    x = np.where(item == 7, MOST[criterion], x)
    ends = extremes(item, rater, x, MOST[criterion], sizes=(80, 10))
    found, _ = recalibrate(
        item, rater, criterion, x, **RULER, measures=np.zeros(80), severities=np.zeros(10)
    )
    assert ends[0][7] and np.isfinite(found).all()
    assert found[7] == found.max() and found[7] < 12
