"""How important a layer is: LIM, ZD, and the orders they give (maths only).

Dumitru, Yadav, Maheshwary, Clotan, Madhusudhan, Surdeanu 2025, "Variable Layerwise Quantization".
Arrays may be numpy's or torch's; sums are in float64.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from backend.errors import AnalysisError

_PIECE = 1 << 20  # weights that are held in float64 at a time


def lim_token_mean(X: Any, Y: Any, mask: Any) -> np.ndarray:
    """Layer Input Modification of each text: minus the cosine of input and output, per token.

    Parameters
    ----------
    X, Y : (n, length, d) states before and after a layer; mask : (n, length) tokens that count.

    Returns
    -------
    (n,) -mean over tokens of cos(x, y), from -1 (unchanged) to 1 (turned round); higher is more
    important. The layer's score is the mean over texts. A zero vector has no direction: its
    cosine is 1 when the other one is zero too, else 0.

    Raises
    ------
    AnalysisError : a text has no token that counts.

    Source: Dumitru et al. 2025; how tokens are averaged is our reading.
    """
    return np.array([-_cosine(xy, xx, yy).mean() for xy, xx, yy in _products(X, Y, mask)])


def lim_flattened(X: Any, Y: Any, mask: Any) -> np.ndarray:
    """As `lim_token_mean`, with one cosine of each text's states as one vector of length * d.

    Tokens count by their norms, so one huge token, such as the first of a text, decides alone.
    """
    sums = [[part.sum() for part in parts] for parts in _products(X, Y, mask)]
    return np.array([-_cosine(*map(np.asarray, parts)).item() for parts in sums])


def _products(X: Any, Y: Any, mask: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """<x, y>, <x, x> and <y, y> of the tokens that count, text by text, each (tokens,)."""
    for i in range(len(X)):
        keep = _array(mask[i]).astype(bool)
        if not keep.any():
            raise AnalysisError(f"Text {i} has no token to measure.", "Give longer texts.")
        x, y = _float64(X[i])[keep], _float64(Y[i])[keep]
        yield tuple(np.einsum("td,td->t", a, b) for a, b in ((x, y), (x, x), (y, y)))  # type: ignore[misc]


def _cosine(xy: np.ndarray, xx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    norms = np.sqrt(xx) * np.sqrt(yy)
    both = (xx == 0) & (yy == 0)
    found = np.divide(xy, norms, out=np.zeros_like(norms), where=norms > 0)
    return np.clip(np.where(both, 1.0, found), -1.0, 1.0)


def zd(weights: Iterable[Any]) -> tuple[float, float]:
    """Z-score distribution: the share of a layer's weights far above (and from) their mean.

    Parameters
    ----------
    weights : arrays of any shapes, taken as one long vector.

    Returns
    -------
    The share with z > 1 and that with |z| > 1, z by the population's standard deviation; lower is
    more important. A normal distribution has 0.1587 and 0.3173; equal weights have 0 and 0.

    Raises
    ------
    AnalysisError : there are no weights, or some are not finite.

    Source: Dumitru et al. 2025 ("much larger than average": z > 1); the two-sided share is what
    later implementations count.
    """
    arrays = list(weights)
    count, mean, deviation = _moments(arrays)
    if deviation == 0:
        return 0.0, 0.0
    above = sum(int((p > mean + deviation).sum()) for p in _pieces(arrays))
    below = sum(int((p < mean - deviation).sum()) for p in _pieces(arrays))
    return above / count, (above + below) / count


def _moments(arrays: Sequence[Any]) -> tuple[int, float, float]:
    """Count, mean and the population's standard deviation, exactly 0 for equal values.

    Source: Chan, Golub, LeVeque 1983, for pooling pieces.
    """
    count, mean, squares = 0, 0.0, 0.0
    smallest, largest = np.inf, -np.inf
    for piece in _pieces(arrays):
        low, high = float(piece.min()), float(piece.max())
        if not math.isfinite(high - low):
            raise AnalysisError("A weight is not finite.", "Pick another model.")
        smallest, largest = min(smallest, low), max(largest, high)
        n, own = len(piece), float(piece.mean())
        gap, count = own - mean, count + n
        squares += float(np.square(piece - own).sum()) + gap * gap * n * (count - n) / count
        mean += gap * n / count
    if not count:
        raise AnalysisError("The layer has no weights to count.", "Pick another model.")
    return count, mean, 0.0 if smallest == largest else math.sqrt(squares / count)


def _pieces(arrays: Sequence[Any]) -> Iterator[np.ndarray]:
    """All values in float64, so many at a time."""
    for array in arrays:
        flat = array.reshape(-1)
        for start in range(0, len(flat), _PIECE):
            yield _float64(flat[start : start + _PIECE])


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def _float64(values: Any) -> np.ndarray:
    """As numpy's float64; torch casts first, since numpy has no bfloat16."""
    if hasattr(values, "detach"):
        return values.detach().double().cpu().numpy()
    return np.asarray(values, dtype=np.float64)


def order_by(scores: np.ndarray, *, high_is_important: bool) -> np.ndarray:
    """Layers (n,) from the most to the least important; of equals the earlier layer comes first.

    LIM and sensitivity are important when high, ZD when low.

    Raises
    ------
    AnalysisError : a score is not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(scores).all():
        layer = int(np.argmin(np.isfinite(scores)))
        raise AnalysisError(
            f"Layer {layer} has the score {scores[layer]}, which has no place in an order.",
            "Check the weights and the texts.",
        )
    return np.argsort(-scores if high_is_important else scores, kind="stable")


def ranks(scores: np.ndarray, *, high_is_important: bool) -> np.ndarray:
    """The place (n,) of each layer in `order_by`, 1 for the most important."""
    order = order_by(scores, high_is_important=high_is_important)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(1, len(order) + 1)
    return places


def low_layers(order: np.ndarray, k: int) -> np.ndarray:
    """The k least important layers of an order: those that get the fewer bits.

    Raises
    ------
    AnalysisError : k is below 0 or above the number of layers.
    """
    order = np.asarray(order)
    if not 0 <= k <= len(order):
        raise AnalysisError(
            f"{k} layers cannot be low in a model of {len(order)}.", f"Give 0 to {len(order)}."
        )
    return order[len(order) - k :]
