"""The levels that theory predicts for the response F at collapse, exact in beta.

The paper gives the ends of the spectrum to first order in 1/beta (Theorem 4.2); all levels between,
their numbers, and their exact form are ours.

Source: Tirer, Huang, Niles-Weed 2022/23, Theorem 4.2.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from backend.collapse.unconstrained import check, decay

Direction = Literal[
    "within, inside the means' span", "within, outside the means' span",
    "mean, outside the span", "mean, towards another mean", "mean, along itself", "mean", "within",
]  # fmt: skip


@dataclass(frozen=True)
class Level:
    """A value that `count` singular values of each F_kk share."""

    direction: Direction  # of the change of features
    exact: float
    first_order: float  # in 1/beta
    count: int


def levels_within(
    K: int, d: int, n: int, *, lW: float, lH: float, beta: float
) -> tuple[Level, ...]:
    """Singular values of F_kk at the collapsed minimiser, falling; () for d < K, c < 1.

    With q = sqrt(lH/lW), c = sqrt(lH lW) < 1 and t = 2 lH (1 - c):
    1, (d - K) times; (beta + t)/(beta + 2t), K - 1; beta/(beta + 2t), once;
    beta/(beta + lH), (n - 1)(d - K); beta/(beta + q), (n - 1) K.
    For c >= 1, where W = H = 0: beta/(beta + lH - 1/lW), d; beta/(beta + lH), (n - 1) d.
    """
    check(K=K, d=d, n=n, lW=lW, lH=lH, beta=beta)
    if decay(lW, lH) >= 1:
        return _sorted(
            _level("mean", beta, lH - 1 / lW, d), _level("within", beta, lH, (n - 1) * d)
        )
    if d < K:
        return ()
    t = _crosstalk(lW, lH)
    towards = Level("mean, towards another mean", (beta + t) / (beta + 2 * t), 1 - t / beta, K - 1)
    return _sorted(
        _level("mean, outside the span", beta, 0.0, d - K),
        towards,
        _level("mean, along itself", beta, 2 * t, 1),
        _level("within, outside the means' span", beta, lH, (n - 1) * (d - K)),
        _level("within, inside the means' span", beta, sqrt(lH / lW), (n - 1) * K),
    )


def level_between(K: int, d: int, *, lW: float, lH: float, beta: float) -> tuple[float, float]:
    """The one singular value above 0 of F_kl, k != l: exact, and to first order in 1/beta.

    t/(beta + 2t) and t/beta, t = 2 lH (1 - sqrt(lH lW)); 0 for sqrt(lH lW) >= 1; NaN for d < K.
    """
    check(K=K, d=d, lW=lW, lH=lH, beta=beta)
    t = _crosstalk(lW, lH)
    if d < K and t > 0:
        return float("nan"), float("nan")
    return t / (beta + 2 * t), t / beta


def staircase(levels: tuple[Level, ...], *, exact: bool = True) -> np.ndarray:
    """The levels, each as often as it occurs, falling, (n d,)."""
    values = [level.exact if exact else level.first_order for level in levels]
    return np.sort(np.repeat(values, [level.count for level in levels]))[::-1]


def _crosstalk(lW: float, lH: float) -> float:
    return 2 * lH * max(0.0, 1 - decay(lW, lH))


def _level(direction: Direction, beta: float, rate: float, count: int) -> Level:
    return Level(direction, beta / (beta + rate), 1 - rate / beta, count)


def _sorted(*levels: Level) -> tuple[Level, ...]:
    return tuple(sorted((x for x in levels if x.count), key=lambda x: -x.exact))
