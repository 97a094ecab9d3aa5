"""Features over training: when each becomes readable, and how complex those of an epoch are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.complexity.readability import ALPHAS, DRAWS, Readability, Split, readability
from backend.errors import AnalysisError

TOP = 0.1
_DRAWS = 1000


@dataclass(frozen=True)
class Course:
    """Mean of a measure at E epochs, over all features and the most important ones."""

    epochs: tuple[int, ...]
    mean: np.ndarray  # (E,)
    low: np.ndarray  # (E,) 95 % over resampled features
    high: np.ndarray  # (E,)
    n: np.ndarray  # (E,) features counted


def time_to_decode(
    checkpoints: Sequence[tuple[int, np.ndarray]],
    Z: np.ndarray,
    split: Split,
    *,
    alphas: np.ndarray = ALPHAS,
    draws: int = DRAWS,
    groups: np.ndarray | None = None,
    workers: int = 1,
    seed: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> Readability:
    """When the FINAL features Z (N, k) become readable from the penultimate layer in training.

    `checkpoints` are epochs and their (N, d) activations of the same rows. In what is returned
    layers are epochs, and `complexity` is the score A = 1 - mean over epochs of I_V: 0 readable
    from the first checkpoint, 1 never. It depends on which epochs were kept.

    Raises
    ------
    AnalysisError : epochs do not rise; see also `readability`.

    Source: Fel et al. 2024, as reported.
    """
    _rising([epoch for epoch, _ in checkpoints])
    named = [(str(epoch), F) for epoch, F in checkpoints]
    return readability(
        named, Z, split, alphas=alphas, draws=draws, groups=groups, workers=workers, seed=seed,
        progress=progress,
    )  # fmt: skip


def most_important(importance: np.ndarray, *, top: float = TOP) -> np.ndarray:
    """Features (int64, most important first) that make up the `top` share, at least one.

    Features whose importance (k,) is unknown (NaN) do not count.

    Raises
    ------
    AnalysisError : the share is not in (0, 1], or no importance is known.
    """
    if not 0 < top <= 1:
        raise AnalysisError(f"A share of {top} of the features is not in (0, 1].", "Give 0.1.")
    known = np.flatnonzero(np.isfinite(importance))
    if not len(known):
        raise AnalysisError("No feature has an importance.", "Use a model with a linear head.")
    order = known[np.argsort(-importance[known], kind="stable")]
    return order[: max(1, round(top * len(known)))]


def course(
    epochs: Sequence[int],
    values: Sequence[np.ndarray],
    *,
    importance: Sequence[np.ndarray] | None = None,
    top: float = TOP,
    seed: int = 0,
) -> Course:
    """Mean of a measure at each epoch, over all its features or the `top` share by importance.

    Parameters
    ----------
    values : one array (k_e,) an epoch, of the features learnt at that epoch; NaN does not count.
    importance : arrays (k_e,) beside them; None counts all features.

    Raises
    ------
    AnalysisError : lengths disagree, epochs do not rise, or an epoch has no value.

    Source: Fel et al. 2024 (mean complexity of all, and of the most important, over training).
    """
    _rising(epochs)
    if len(values) != len(epochs) or (importance is not None and len(importance) != len(epochs)):
        raise AnalysisError(f"{len(epochs)} epochs and {len(values)} arrays do not go together.",
                            "Give one array an epoch.")  # fmt: skip
    rng = np.random.default_rng(seed)
    rows = []
    for index, (epoch, all_values) in enumerate(zip(epochs, values, strict=True)):
        own = all_values
        if importance is not None:
            weight = np.where(np.isfinite(all_values), importance[index], np.nan)
            own = all_values[most_important(weight, top=top)]
        own = own[np.isfinite(own)]
        if not len(own):
            raise AnalysisError(f"Epoch {epoch} has no value.", "Leave that epoch out.")
        drawn = own[rng.integers(len(own), size=(_DRAWS, len(own)))].mean(axis=1)
        rows.append((own.mean(), *np.quantile(drawn, (0.025, 0.975)), len(own)))
    mean, low, high, n = (np.array(column) for column in zip(*rows, strict=True))
    return Course(tuple(epochs), mean, low, high, n)


def _rising(epochs: Sequence[int]) -> None:
    if not len(epochs) or any(b <= a for a, b in zip(epochs, epochs[1:], strict=False)):
        raise AnalysisError(f"Epochs {list(epochs)} do not rise.", "Give each once, in order.")
