"""The tethered model's minimiser for a real layer: thousands of samples, hundreds of features.

The features are eliminated, h = A (W^T y + beta h0) with A = (W^T W + (lH + beta) I)^-1, which
leaves a smooth function of the head W alone. Classes may be of unequal size.

Source: the model is Tirer, Huang, Niles-Weed 2022/23, Eq 2; the reduction is ours.
"""

from dataclasses import dataclass

import numpy as np

from backend.collapse.class_scatter import Scatter, ratio, span
from backend.errors import AnalysisError

_SLOPE, _MOST_SLOPE = 1e-9, 1e-5


@dataclass(frozen=True)
class Moved:
    """The minimiser's head, and how collapsed its features are."""

    W: np.ndarray  # (K, r), in the scatter's axes
    nc1_ratio: float  # NC1~
    nc1: float


def move(
    layer: Scatter, *, lW: float, lH: float, beta: float, start: np.ndarray | None = None
) -> Moved:
    """Minimise Eq 2 over a layer's features, by L-BFGS from the head `start` or that layer's best.

    Raises
    ------
    AnalysisError : no convergence.
    """
    from scipy.optimize import minimize

    K, r = layer.means.shape
    # in these units the function is near a sphere for large beta
    unit = 1 / np.sqrt(layer.second + lW / K)

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _objective(x.reshape(K, r) * unit, layer, lW=lW, lH=lH, beta=beta)
        return K * value, K * (slope * unit).ravel()

    W = best_head(layer, lW=lW) if start is None else start
    options = {"maxiter": 5000, "maxfun": 10_000, "maxcor": 20, "ftol": 0.0, "gtol": _SLOPE}
    found = minimize(evaluate, (W / unit).ravel(), jac=True, method="L-BFGS-B", options=options)
    slope = float(np.abs(found.jac).max())
    if slope > _MOST_SLOPE:
        raise AnalysisError(
            f"The tethered model of beta {beta:.3g} was not minimised (slope {slope:.1e}).",
            "Give larger lW or lH.",
        )
    return _moved(found.x.reshape(K, r) * unit, layer, lH=lH, beta=beta)


def best_head(layer: Scatter, *, lW: float) -> np.ndarray:
    """W*(H) for the layer as it is, (K, r)."""
    K = len(layer.means)
    return layer.shares[:, None] * layer.means / (layer.second + lW / K)


def fall(layer: Scatter, *, lW: float, lH: float) -> float:
    """By how much the minimiser's NC1~ is below the layer's, times beta, for large beta.

    It is also how fast NC1~ falls at the start of the flow on the central path.
    """
    W = best_head(layer, lW=lW)
    means = layer.means - layer.means.mean(axis=0)
    pull = (layer.means @ W.T - np.eye(len(W))) @ W + lH * layer.means
    within = -2 * (float(layer.within_along(W).sum()) + lH * layer.within)
    between = -2 * float((means * pull).sum(axis=1).mean())
    spread = float((means**2).sum(axis=1).mean())
    return -(within - layer.within / spread * between) / spread


def _objective(
    W: np.ndarray, layer: Scatter, *, lW: float, lH: float, beta: float
) -> tuple[float, np.ndarray]:
    """Eq 2 minimised over the features, up to a constant, and its gradient (K, r)."""
    K, stiff = len(W), lH + beta
    a = beta / stiff
    C = layer.shares[:, None] * layer.means
    G = np.linalg.inv(np.eye(K) + W @ W.T / stiff)
    WS, WC = W * layer.second, W @ C.T
    # mean outer product of y - a W h0; the best features leave G times that
    E = np.diag(layer.shares) - a * (WC + WC.T) + a**2 * (WS @ W.T)
    slope = lW / K * W - G @ (a * (C - a * WS) + E @ (G @ W) / stiff)
    return float((G * E).sum() / 2 + lW / (2 * K) * (W**2).sum()), slope


def _moved(W: np.ndarray, layer: Scatter, *, lH: float, beta: float) -> Moved:
    """A deviation e0 becomes beta A e0, A = (I - W^T G W) / (lH + beta)."""
    K, stiff = len(W), lH + beta
    a = beta / stiff
    G = np.linalg.inv(stiff * np.eye(K) + W @ W.T)
    WM = W @ layer.means.T
    inner = (W * layer.second) @ W.T - (WM * layer.shares) @ WM.T  # W Sigma_W W^T
    within = layer.within - 2 * float((G * inner).sum())
    within = a**2 * (within + float(((G @ inner @ G) * (W @ W.T)).sum()))
    means = a * layer.means + (np.eye(K) - a * WM.T) @ G @ W
    axes, sizes = span(means)
    sources = a * (axes - axes @ W.T @ G @ W)
    nc1 = float((layer.within_along(sources) / sizes**2).sum())
    return Moved(W, ratio(within, means), nc1)
