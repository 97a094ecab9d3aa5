"""One measure against another, with the rank correlation; and one epoch of a training."""

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.intervals import rank_correlation
from backend.errors import AnalysisError
from backend.figures import feature_scatter, palette, theme
from tests.figures.feature_results import K, complexity, features, learning, result_of


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_points_are_the_measures_and_the_small_print_their_correlation():
    fig = feature_scatter(complexity(features=features(importance=[9, 8, 7, 6, 5, 1, 2, 3, 4, 0])))
    dots = named(fig)["signed importance"]
    assert np.allclose(dots.x, K) and list(dots.y) == [9, 8, 7, 6, 5, 1, 2, 3, 4, 0]
    rho = rank_correlation(K, np.array(dots.y, float))
    assert -0.95 < rho[0] < -0.85
    said = f"Spearman ρ {theme.interval(*rho)} over 10 features · n 1 234 rows"
    assert said in fig.layout.title.subtitle.text
    assert fig.layout.title.text == "Complexity against importance"


def test_importance_is_coloured_by_its_sign_where_that_is_known():
    dots = named(feature_scatter(complexity()))["signed importance"]
    assert np.allclose(dots.marker.color, features()["importance_signed"].to_numpy())
    plain = complexity(features=features(importance_signed=pa.nulls(10, pa.float64())))
    assert named(feature_scatter(plain))["features"].marker.color == palette.BASELINE
    assert named(feature_scatter(complexity(), colour=""))["features"].marker.color
    assert "dog" in named(feature_scatter(complexity(), colour="origin"))
    with pytest.raises(AnalysisError, match="no column 'age'. They have: feature, "):
        feature_scatter(complexity(), colour="age")


def test_any_two_measures_and_those_that_lack_one_are_not_drawn():
    fig = feature_scatter(complexity(), x="redundancy", y="hoyer", current=7)
    dots = named(fig)["features"]
    assert list(dots.customdata) == [5, 6, 7, 8, 9] and np.allclose(dots.x[0], 0.5)
    assert "over 5 features" in fig.layout.title.subtitle.text
    assert "5 of 10 features" in fig.layout.title.subtitle.text
    assert named(fig)["selected"].x[0] == pytest.approx(0.3)
    assert "selected" not in named(feature_scatter(complexity(), y="redundancy", current=2))


def test_a_measure_that_was_not_computed_is_said():
    with pytest.raises(AnalysisError, match="'sensitivity' of the table 'features' is empty"):
        feature_scatter(complexity(), y="sensitivity")
    with pytest.raises(AnalysisError, match="no column time_to_decode"):
        feature_scatter(complexity(), y="time_to_decode")
    apart = features(hoyer=[0.5] + [None] * 9)
    with pytest.raises(AnalysisError, match="both a redundancy and a Hoyer"):
        feature_scatter(complexity(features=apart), x="redundancy", y="hoyer")


def test_intervals_are_thin_bars_while_points_are_few():
    bars = named(feature_scatter(complexity()))["interval"]
    assert np.allclose(bars.error_x.array, 0.1) and np.allclose(bars.error_x.arrayminus, 0.05)
    assert bars.error_y.array is None
    many = features().take(np.arange(200) % 10)
    assert "interval" not in named(feature_scatter(complexity(features=many)))
    bare = features().drop_columns(["complexity_low"])
    assert "interval" not in named(feature_scatter(complexity(features=bare)))


def test_a_wide_measure_above_zero_has_a_log_axis():
    wide = complexity(features=features(importance=10.0 ** -np.arange(10)))
    assert feature_scatter(wide).layout.yaxis.type == "log"
    zero = complexity(features=features(importance=[0.0] + [10.0**i for i in range(9)]))
    assert feature_scatter(zero).layout.yaxis.type is None
    assert feature_scatter(complexity()).layout.yaxis.type is None  # one decade


def test_features_of_few_rows_are_left_out():
    fig = feature_scatter(complexity(), fewest=30)
    assert list(named(fig)["signed importance"].customdata) == list(range(2, 10))
    assert "8 of 10 features" in fig.layout.title.subtitle.text


def test_an_epoch_shows_its_own_features_on_axes_that_all_share():
    first, last = (feature_scatter(learning(), epoch=e) for e in (0, 10))
    assert np.allclose(np.sort(named(first)["features"].x), np.linspace(0.2, 0.4, 20))
    assert np.allclose(np.sort(named(last)["features"].x), np.linspace(0.5, 0.7, 20))
    assert first.layout.xaxis.range == last.layout.xaxis.range == pytest.approx((0.175, 0.725))
    assert first.layout.yaxis.range == last.layout.yaxis.range
    assert "ρ 1.00" in first.layout.title.subtitle.text
    assert "ρ -1.00" in last.layout.title.subtitle.text
    assert "epoch 10" in last.layout.title.subtitle.text


def test_an_epochs_features_of_few_rows_are_left_out():
    fig = feature_scatter(learning(), epoch=1, fewest=100)
    assert sorted(named(fig)["features"].customdata) == list(range(10, 20))


def test_an_epoch_that_was_not_kept_is_said():
    with pytest.raises(AnalysisError, match=r"of epoch 3. There is: 0, 1, 2, 10"):
        feature_scatter(learning(), epoch=3)
    with pytest.raises(AnalysisError, match="no table 'training'"):
        feature_scatter(result_of("complexity", {"features": features()}), epoch=3)
