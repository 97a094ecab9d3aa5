"""Predict the next layer: which beta of the tethered model turns one real layer into the next?

The model takes layer l as H0; beta is such that its minimiser has the NC1~ of layer l + 1. So
1/beta says how flexible the step between the layers is. This estimate is ours, not the paper's.

Source of the model: Tirer, Huang, Niles-Weed 2022/23, Eq 2.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, log, sqrt

import numpy as np

from backend.collapse.class_scatter import Scatter, scatter_of
from backend.collapse.tethered import is_large
from backend.collapse.tethered_layer import Moved, best_head, fall, move
from backend.collapse.unconstrained import check, decay, squared_norm
from backend.errors import AnalysisError

_FACTOR, _MOST_FACTORS, _CLOSE = 4.0, 25, 1e-5  # of the search for log beta
_LEAST, _MOST, _CLOSE_LH = 1e-3, 0.9, 1e-2  # lH times lW, and of the search for log lH


@dataclass(frozen=True)
class NextLayer:
    """The step from one layer to the next, as the tethered model sees it."""

    nc1_ratio: tuple[float, float]  # NC1~ of the layer, and of the next one
    nc1: tuple[float, float]
    lW: float
    lH: float
    n: int  # samples
    beta: float | None = None  # None: out of reach
    reason: str | None = None  # why it is out of reach
    large: bool | None = None  # whether the theory's condition on beta holds, where lW = lH
    modelled_nc1_ratio: float | None = None  # of the model's minimiser
    modelled_nc1: float | None = None
    low: float | None = None  # of beta: 95 % over resampled rows
    high: float | None = None
    draws: int = 0  # resamples that have a beta

    @property
    def stiffness(self) -> float | None:
        """beta / sqrt(lH/lW), beta over the pull at collapse; it is beta where lW = lH.

        It depends on lW and lH through their product only, as the features are scaled to the
        model's norm: (lW, lH, beta) and (a lW, lH/a, beta/a) are one model.
        """
        return None if self.beta is None else self.beta / sqrt(self.lH / self.lW)


def next_layer(
    H0: np.ndarray, H1: np.ndarray, labels: np.ndarray, *, lW: float, lH: float,
    fit_lH: bool = False, draws: int = 0, seed: int = 0,
) -> NextLayer:  # fmt: skip
    """`predict` from features H0 (N, d0) and H1 (N, d1) of the same N samples, with an interval.

    Parameters
    ----------
    labels : (N,); classes may be of unequal size.
    draws : resamples of rows within classes for the interval of beta, lH being held; 0: none.

    Raises
    ------
    AnalysisError : as `predict`; or features that do not go with the labels.
    """
    labels = np.asarray(labels)
    before, after = scatter_of(H0, labels), scatter_of(H1, labels)
    step = predict(before, after, lW=lW, lH=lH, fit_lH=fit_lH)
    if step.beta is None or not draws:
        return step
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == name) for name in np.unique(labels)]
    betas = []
    for _ in range(draws):
        rows = np.concatenate([rng.choice(own, len(own)) for own in members])
        pair = [scatter_of(H[rows], labels[rows]) for H in (H0, H1)]
        betas.append(predict(*pair, lW=lW, lH=step.lH).beta)
    reached = [beta for beta in betas if beta is not None]
    if not reached:
        return step
    low, high = np.quantile(reached, [0.025, 0.975])
    return replace(step, low=float(low), high=float(high), draws=len(reached))


def predict(
    before: Scatter, after: Scatter, *, lW: float, lH: float, fit_lH: bool = False
) -> NextLayer:
    """Fit beta so that the tethered minimiser from the layer `before` has the NC1~ of `after`.

    The model is not indifferent to scale, many networks are: the layer is scaled to the mean
    squared norm rho of the plain model's minimiser, so that a collapsed one would stay as it is. It
    is not centred, as the model has no bias.

    Parameters
    ----------
    lW, lH : decay of the head and of the features, lW lH < 1.
    fit_lH : find lH too, so that the minimiser also has the NC1 of `after`; from 0.001/lW to
        0.9/lW, the end that comes nearest where none has it. NC1~ counts deviations in all
        directions, NC1 only where the class means differ; near collapse these shrink at the rates
        lH (outside) and sqrt(lH/lW) (inside).

    Raises
    ------
    AnalysisError : lW or lH is not positive; lW lH >= 1, where features collapse to zero; or the
        minimiser's NC1~ does not cross that of `after`, which classes of very unequal size can do.
    """
    check(lW=lW, lH=lH)
    if decay(lW, lH) >= 1:
        raise AnalysisError(f"With lW lH = {lW * lH:.3g} all features collapse to zero.",
                            "Give lW and lH whose product is below 1.")  # fmt: skip
    step = NextLayer((before.nc1_ratio, after.nc1_ratio), (before.nc1, after.nc1), lW, lH, before.n)
    if not after.nc1_ratio < before.nc1_ratio:
        return replace(step, reason="NC1~ does not fall, and in the model it always does.")
    if fit_lH:
        lH = _lH_of(before, after, lW=lW)
    beta, moved = beta_of(before, after.nc1_ratio, lW=lW, lH=lH)
    c = decay(lW, lH)
    return replace(
        step, beta=beta, lH=lH, large=is_large(beta / sqrt(lH / lW), lW=c, lH=c),
        modelled_nc1_ratio=moved.nc1_ratio, modelled_nc1=moved.nc1,
    )  # fmt: skip


def beta_of(layer: Scatter, target: float, *, lW: float, lH: float) -> tuple[float, Moved]:
    """The beta whose minimiser has NC1~ `target`, and that minimiser.

    The search starts from first order in 1/beta and walks to where NC1~ crosses the target.

    Raises
    ------
    AnalysisError : it does not cross it.
    """
    from scipy.optimize import brentq

    layer = layer.scaled(squared_norm(lW, lH))
    head: list[np.ndarray] = [best_head(layer, lW=lW)]

    def at(log_beta: float) -> Moved:
        moved = move(layer, lW=lW, lH=lH, beta=exp(log_beta), start=head[0])
        head[0] = moved.W
        return moved

    def excess(log_beta: float) -> float:
        return at(log_beta).nc1_ratio - target

    rate = fall(layer, lW=lW, lH=lH) / (layer.nc1_ratio - target)
    low, high = _bracket(excess, log(rate) if rate > 0 else 0.0)
    root = brentq(excess, low, high, xtol=_CLOSE)
    return exp(root), at(root)


def _bracket(excess: Callable[[float], float], x: float) -> tuple[float, float]:
    high = excess(x) > 0
    step = -log(_FACTOR) if high else log(_FACTOR)
    for _ in range(_MOST_FACTORS):
        if (excess(x + step) > 0) != high:
            return x, x + step
        x += step
    raise AnalysisError(f"No beta down or up to {exp(x):.1e} gives the next layer's NC1~.",
                        "Balance the classes, or try another lW and lH.")  # fmt: skip


def _lH_of(before: Scatter, after: Scatter, *, lW: float) -> float:
    from scipy.optimize import brentq

    def excess(log_lH: float) -> float:
        moved = beta_of(before, after.nc1_ratio, lW=lW, lH=exp(log_lH))[1]
        return moved.nc1 / after.nc1 - 1

    low, high = log(_LEAST / lW), log(_MOST / lW)
    at_low, at_high = excess(low), excess(high)
    if at_low * at_high < 0:
        return exp(brentq(excess, low, high, xtol=_CLOSE_LH))
    return exp(low if abs(at_low) < abs(at_high) else high)
