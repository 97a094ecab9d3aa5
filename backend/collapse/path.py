"""Gradient flow on the central path from noisy features, beside the tethered model's minimisers.

A tethered minimiser is one implicit step of length 1/beta along that flow, so that the two lie
close for small t and go apart later.
"""

from dataclasses import dataclass

import numpy as np

from backend.collapse.central_path import Flow, flow
from backend.collapse.tethered import minimise, with_noise
from backend.collapse.unconstrained import minimiser, nc1_ratio
from backend.errors import AnalysisError

_STEPS = 7  # tethered minimisers, from 1/64 of the duration on, each at twice the t of the last
_MOST_TURNS = 1000


@dataclass(frozen=True)
class Path:
    """NC1~ and the traces along the flow, and NC1~ of tethered minimisers with 1/beta = t."""

    setting: dict[str, float]
    flow: Flow
    t: np.ndarray  # (m,)
    nc1_ratio: np.ndarray  # (m,); NaN where the minimisation did not converge


def central_path(
    lW: float, lH: float, K: int, d: int, n: int, noise: float, seed: int, duration: float
) -> Path:
    """Follow the flow from collapsed features with noise.

    Parameters
    ----------
    lW, lH, K, d, n, noise, seed : as in `backend.collapse.playground`.
    duration : the flow's time at its end; compares with 1/beta.

    Raises
    ------
    AnalysisError : a number that the model cannot take, decay that leaves no features
        (lW lH >= 1), or no noise.

    Source: Tirer, Huang, Niles-Weed 2022/23, Eq 4 and Theorem 3.1.
    """
    if lW * lH >= 1:
        raise AnalysisError(f"lW lH = {lW * lH:.3g} is 1 or more: there are no classes to follow.",
                            "Lower lW or lH.")  # fmt: skip
    if not noise > 0:
        raise AnalysisError(f"noise = {noise:g} leaves nothing to fall.", "Give some noise.")
    start = minimiser(K, d, n, lW=lW, lH=lH, seed=seed)
    H0 = with_noise(start.H, noise, seed=seed + 1)
    found = flow(H0, lW=lW, lH=lH, duration=duration)
    t = duration / 2.0 ** np.arange(_STEPS)[::-1]
    ends = [minimise(H0, lW=lW, lH=lH, beta=1 / at, max_iterations=_MOST_TURNS) for at in t]
    ratio = [nc1_ratio(e.H) if e.converged else np.nan for e in ends]
    setting = {"lW": lW, "lH": lH, "K": K, "d": d, "n": n, "noise": noise, "seed": seed,
               "duration": duration}  # fmt: skip
    return Path(setting, found, t, np.array(ratio))
