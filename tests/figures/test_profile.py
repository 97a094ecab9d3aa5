"""Lines over the layers."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import palette, profile_lines


def test_all_measures_with_numbers_become_small_multiples(profile):
    fig = profile_lines(profile)
    titles = [a.text for a in fig.layout.annotations if a.name != "footer"]
    assert titles == [
        "what a linear probe reads: topic, held-out score",
        "likeness of two rows, cosine",
        "length of a vector, mean and quartiles",
    ]
    baselines = [t for t in fig.data if t.name == "baseline"]
    assert len(baselines) == 3
    assert [t.showlegend for t in baselines] == [True, False, False]
    assert "n 12 of 20 000" in fig.layout.title.subtitle.text


def test_one_measure_with_interval_control_and_majority(profile):
    fig = profile_lines(profile, "probe", current="resid_post.3")
    lines = {t.name: t for t in fig.data}
    assert np.allclose(lines["baseline"].y, 0.3 + 0.5 * np.linspace(0, 1, 7))
    assert np.allclose(lines["baseline: interval"].y[:7], lines["baseline"].y - 0.1)
    assert np.allclose(lines["shuffled labels"].y, 0.17)
    assert np.allclose(lines["largest class"].y, 0.22)
    assert "0.550 (0.450 to 0.600)" in lines["baseline"].customdata[3]
    assert fig.layout.shapes[0].x0 == 4
    assert fig.layout.shapes[0].line.color == palette.SELECTED
    assert "topic" in fig.layout.title.text


def test_the_what_if_is_amber_beside_the_baseline(profile):
    lines = {t.name: t for t in profile_lines(profile, "anisotropy", whatif=profile).data}
    assert lines["what-if"].line.color == palette.WHATIF
    assert lines["baseline"].line.color == palette.BASELINE


def test_a_measure_over_decades_has_a_log_axis(profile):
    assert profile_lines(profile, "norm_mean").layout.yaxis.type == "log"
    assert profile_lines(profile, "anisotropy").layout.yaxis.type is None


def test_a_measure_without_numbers_is_refused(profile):
    with pytest.raises(AnalysisError, match=r"no measure 'effective_rank'.*probe"):
        profile_lines(profile, "effective_rank")
