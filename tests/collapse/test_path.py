"""The flow falls as Theorem 3.1 says, and the tethered model follows it at first."""

import numpy as np
import pytest

from backend.collapse.path import central_path
from backend.errors import AnalysisError

SETTING = {"lW": 0.5, "lH": 0.5, "K": 4, "d": 8, "n": 5, "noise": 0.05, "seed": 0, "duration": 1.0}


def test_the_flow_and_the_tethered_minimisers_agree_while_t_is_small():
    path = central_path(**SETTING)
    assert (np.diff(path.flow.nc1_ratio) < 0).all()
    assert path.t[-1] == 1 and path.t[0] == pytest.approx(1 / 64)
    along = np.interp(path.t, path.flow.t, path.flow.nc1_ratio)
    apart = np.abs(path.nc1_ratio / along - 1)
    assert apart[0] < 2e-3 and apart[-1] > 20 * apart[0]  # an implicit step is of first order
    assert (np.diff(path.nc1_ratio) < 0).all()


@pytest.mark.parametrize(
    ("changed", "said"), [({"lW": 2.0, "lH": 0.5}, "no classes"), ({"noise": 0.0}, "noise = 0")]
)
def test_what_cannot_be_followed_is_refused(changed, said):
    with pytest.raises(AnalysisError, match=said):
        central_path(**SETTING | changed)
