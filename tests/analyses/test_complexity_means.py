"""A mean over features with Student's interval."""

import numpy as np
import pytest
from scipy import stats

from backend.analyses.complexity_means import mean_interval


def test_the_interval_is_students_and_leaves_out_what_is_unknown():
    values = np.array([0.2, 0.5, np.nan, 0.9, 0.4])
    known = values[np.isfinite(values)]
    expected = stats.ttest_1samp(known, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((known.mean(), expected.low, expected.high))


def test_one_value_has_no_interval_and_none_no_mean():
    mean, low, high = mean_interval(np.array([0.3, np.nan]))
    assert mean == pytest.approx(0.3) and np.isnan([low, high]).all()
    assert np.isnan(mean_interval(np.array([np.nan]))).all()
