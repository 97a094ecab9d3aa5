"""Mean complexity over the epochs: of all features, and of those that matter most."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import feature_training, palette
from tests.figures.feature_results import EPOCHS, learning


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def training(result):
    return result.tables["training"]


def test_lines_are_means_of_all_and_of_the_most_important():
    fig = feature_training(learning())
    drawn = named(fig)
    assert np.allclose(drawn["all features"].y, [0.3, 0.4, 0.5, 0.6])
    step = 0.2 / 19  # two of twenty: the most complex at epoch 0, later the simplest
    ends = [0.4 - step / 2, 0.3 + step / 2, 0.4 + step / 2, 0.5 + step / 2]
    assert np.allclose(drawn["top 10 % by importance"].y, ends)
    assert fig.layout.xaxis.ticktext == tuple(map(str, EPOCHS))  # at equal steps
    assert "4 checkpoints · 20 features each" in fig.layout.title.subtitle.text


def test_the_band_is_the_interval_of_the_mean_over_features():
    values = 0.3 + np.linspace(-0.1, 0.1, 20)
    half = 1.96 * values.std(ddof=1) / np.sqrt(20)
    drawn = named(feature_training(learning()))
    band = drawn["all features: interval"]
    assert np.isclose(band.y[0], 0.3 - half, atol=1e-5)
    assert np.isclose(band.y[-1], 0.3 + half, atol=1e-5)
    assert drawn["all features"].hovertext[0].endswith("<br>n 20 features")


def test_a_single_feature_has_no_band():
    drawn = named(feature_training(learning(10)))  # a tenth of ten is one
    assert "top 10 % by importance: interval" not in drawn
    assert drawn["top 10 % by importance"].hovertext[1] == "epoch 1: 0.300<br>n 1 features"
    assert "all features: interval" in drawn


def test_the_whole_share_is_all_of_them():
    drawn = named(feature_training(learning(), share=1))
    assert np.allclose(drawn["top 100 % by importance"].y, drawn["all features"].y)


def test_features_without_importance_count_among_all_alone():
    table = training(learning())
    weight = [None if f >= 10 else w for f, w in zip(table["feature"].to_pylist(),
                                                     table["importance"].to_pylist(),
                                                     strict=True)]  # fmt: skip
    some = table.set_column(table.column_names.index("importance"), "importance", [weight])
    result = learning()
    result.tables["training"] = some
    drawn = named(feature_training(result))
    assert np.allclose(drawn["all features"].y, [0.3, 0.4, 0.5, 0.6])
    assert drawn["top 10 % by importance"].hovertext[0].endswith("n 1 features")
    result.tables["training"] = table.set_column(3, "importance", pa.nulls(80, pa.float64()))
    with pytest.raises(AnalysisError, match="'importance' of the table 'training' is empty"):
        feature_training(result)


def test_the_current_epoch_is_marked():
    fig = feature_training(learning(), current=10)
    lines = [s.x0 for s in fig.layout.shapes if s.line.color == palette.SELECTED]
    assert lines == [3]
    assert not feature_training(learning(), current=5).layout.shapes


def test_what_cannot_be_drawn_is_said():
    for share in (0, 1.1):
        with pytest.raises(AnalysisError, match="above 0, at most 1"):
            feature_training(learning(), share=share)
    result = learning()
    result.tables["training"] = training(result).slice(0, 0)
    with pytest.raises(AnalysisError, match="No checkpoint was read"):
        feature_training(result)
