"""Gradient flow of the features on the central path, where the head is always the best one.

    dH/dt = -Kn grad L(H),   L(H) = f(W*(H), H)

Source: Tirer, Huang, Niles-Weed 2022/23, Eq 4 and Theorem 3.1.
"""

from dataclasses import dataclass

import numpy as np

from backend.collapse.unconstrained import best_head, check, gradient, spreads, value
from backend.errors import AnalysisError

_STEP, _MOST_STEPS = 0.2, 50_000


@dataclass(frozen=True)
class Flow:
    """Traces along the flow; t compares with 1/beta of the tethered model."""

    t: np.ndarray  # (m,), from 0
    within: np.ndarray  # (m,) tr(Sigma_W)
    between: np.ndarray  # (m,) tr(Sigma_B)
    value: np.ndarray  # (m,) L
    H: np.ndarray  # (K, n, d), at the end
    lH: float

    @property
    def nc1_ratio(self) -> np.ndarray:
        """NC1~ (m,): by Theorem 3.1 it falls strictly, to 0."""
        return self.within / self.between

    def without_decay(self, trace: np.ndarray) -> np.ndarray:
        """exp(2 lH t) times a trace: by Theorem 3.1 the within one falls, the between one rises."""
        return np.exp(2 * self.lH * self.t) * trace


def slope(H: np.ndarray, *, lW: float, lH: float) -> np.ndarray:
    """Kn grad L(H), (K, n, d): W*^T (W* H - Y) + lH H, as W* is optimal (ours: the envelope)."""
    return gradient(best_head(H, lW=lW), H, lH=lH)


def flow(H0: np.ndarray, *, lW: float, lH: float, duration: float) -> Flow:
    """Follow the flow from H0 (K, n, d), by Runge-Kutta steps of fourth order.

    A step is 0.2 of the time in which a feature moves by its distance to where its head wants it,
    1 / (lH + ||W||^2).

    Parameters
    ----------
    lW, lH : lW > 0, lH >= 0.

    Raises
    ------
    AnalysisError : a number that the flow cannot take, class means that are all equal, or more than
        50,000 steps.
    """
    check(lW=lW, beta=duration)
    if lH:
        check(lH=lH)
    if not spreads(H0)[1]:
        raise AnalysisError("All class means are equal, and the flow keeps them so.",
                            "Give features whose classes differ.")  # fmt: skip
    H, t = H0, 0.0
    rows = []
    while True:
        W = best_head(H, lW=lW)
        rows.append((t, *spreads(H), value(W, H, lW=lW, lH=lH)))
        if t >= duration:
            break
        if len(rows) > _MOST_STEPS:
            raise AnalysisError(f"The flow got to {t:.3g} of {duration:g} and ran out of steps.",
                                "Give a shorter duration, or a larger lW.")  # fmt: skip
        step = min(_STEP / (lH + (W**2).sum()), duration - t)
        H = _advance(H, gradient(W, H, lH=lH), step, lW=lW, lH=lH)
        t = duration if step == duration - t else t + step
    t, within, between, values = np.array(rows).T
    return Flow(t, within, between, values, H, lH)


def _advance(H: np.ndarray, first: np.ndarray, step: float, *, lW: float, lH: float) -> np.ndarray:
    second = slope(H - step / 2 * first, lW=lW, lH=lH)
    third = slope(H - step / 2 * second, lW=lW, lH=lH)
    fourth = slope(H - step * third, lW=lW, lH=lH)
    return H - step / 6 * (first + 2 * second + 2 * third + fourth)
