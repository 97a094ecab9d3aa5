"""What features count for in a linear head: contributions to a class's logit, and ablation.

A head y = f W' + b on f = centre + z R (R the decoder, (k, d)) gives feature i the contribution
z_i (R_i . w_c) to class c: gradient times input, without autograd.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.errors import AnalysisError

Rule = Literal["predicted", "true", "origin", "max"]
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_CHUNK = 4096  # rows


@dataclass(frozen=True)
class Head:
    """A linear head on k features: logits (N, C) = Z S + b."""

    S: np.ndarray  # (k, C) R_i . w_c
    b: np.ndarray  # (C,) bias, with what the centre adds

    @classmethod
    def of(
        cls, decoder: np.ndarray, W: np.ndarray, b: np.ndarray, centre: np.ndarray | None = None
    ) -> "Head":
        """From a decoder (k, d), weights (C, d), bias (C,) and the centre (d,) of the codes."""
        W, b = np.asarray(W, dtype=np.float64), np.asarray(b, dtype=np.float64)
        return cls(np.asarray(decoder, dtype=np.float64) @ W.T, b if centre is None else
                   b + W @ centre)  # fmt: skip

    def logits(self, Z: np.ndarray) -> np.ndarray:
        """(N, C); those of the model itself where codes rebuild its rows exactly."""
        return Z @ self.S + self.b


@dataclass(frozen=True)
class Importance:
    """Mean contribution of k features to one class's logit, over rows."""

    absolute: np.ndarray  # (k,) mean |contribution|
    signed: np.ndarray  # (k,) mean contribution; below 0 for what speaks against the class
    rule: Rule


def importance(
    head: Head, Z: np.ndarray, *, rule: Rule = "predicted", classes: np.ndarray | None = None
) -> Importance:
    """Mean contributions of codes Z (N, k) by one of four rules.

    Parameters
    ----------
    rule : "predicted" or "true": to the logit of each row's class, `classes` (N,) of int;
        "origin": to the class each feature was learnt on, `classes` (k,) of int; "max": to the
        class where the feature's mean |contribution| is largest.

    Raises
    ------
    AnalysisError : `classes` are missing, have the wrong length, or name no class of the head.

    Source: Fel et al. 2024, as reported; which class it takes was not readable.
    """
    k, C = head.S.shape
    everyone = np.arange(k)
    if rule == "max":
        at = np.abs(head.S).argmax(axis=1)
    elif rule == "origin":
        at = _classes(classes, k, C, rule)
    else:
        at = _classes(classes, len(Z), C, rule)
        positive, negative = np.zeros((C, k)), np.zeros((C, k))
        for c in np.unique(at):
            own = Z[at == c].astype(np.float64)
            positive[c], negative[c] = np.abs(own).sum(axis=0), own.sum(axis=0)
        absolute = np.einsum("ck,kc->k", positive, np.abs(head.S)) / len(Z)
        return Importance(absolute, np.einsum("ck,kc->k", negative, head.S) / len(Z), rule)
    towards = head.S[everyone, at]
    size = np.abs(Z).mean(axis=0, dtype=np.float64)
    mean = np.mean(Z, axis=0, dtype=np.float64)
    return Importance(size * np.abs(towards), mean * towards, rule)


def top_classes(head: Head, Z: np.ndarray, *, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """The classes each feature moves most, by |R_i . w_c| times mean |z_i|.

    Returns classes and signed values (mean z_i times R_i . w_c), (k, count) each, largest first.
    """
    count = min(count, head.S.shape[1])
    size = np.abs(Z).mean(axis=0, dtype=np.float64)
    order = np.argsort(-np.abs(head.S), axis=1, kind="stable")[:, :count]
    mean = np.mean(Z, axis=0, dtype=np.float64)
    sign = np.where(mean < 0, -1.0, 1.0)
    return order, np.take_along_axis(head.S, order, axis=1) * (size * sign)[:, None]


def relative_accuracy(
    X: np.ndarray,
    rebuilt: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    *,
    labels: np.ndarray | None = None,
) -> float:
    """Accuracy on rebuilt rows (N, d) over that on the rows X (N, d) themselves.

    Without `labels` (N,) the model's own predictions are the truth, and this is agreement. NaN
    if the model is never right. Source: Fel et al. 2024, as reported.
    """
    own, other = _predicted(X, W, b), _predicted(rebuilt, W, b)
    labels = own if labels is None else labels
    right = float((own == labels).mean())
    return float((other == labels).mean()) / right if right > 0 else float("nan")


def orders(
    complexity: np.ndarray, importance: np.ndarray | None, *, seeds: Sequence[int] = range(5)
) -> dict[str, np.ndarray]:
    """In which order to keep k features: importance, simplest, most_complex and random-SEED.

    Each is a permutation (k,); features without a complexity (NaN) come last.
    """
    out = {} if importance is None else {"importance": np.argsort(-importance, kind="stable")}
    out["simplest"] = np.argsort(complexity, kind="stable")
    out["most_complex"] = np.argsort(-complexity, kind="stable")
    for seed in seeds:
        out[f"random-{seed}"] = np.random.default_rng(seed).permutation(len(complexity))
    return out


def ablation(
    head: Head,
    Z: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    *,
    whole: float,
    shares: Sequence[float] = SHARES,
) -> np.ndarray:
    """Accuracy with only the first features of `order` (k,) kept, over the model's own `whole`.

    Returns (shares,), one for each share of features kept, rounded to whole features. `labels`
    (N,) are the classes counted as right.

    Raises
    ------
    AnalysisError : `whole` is not above 0, or shares do not rise from 0 to 1.
    """
    if not whole > 0:
        raise AnalysisError(f"The model's accuracy is {whole}: nothing is relative to it.",
                            "Use rows that the model gets right.")  # fmt: skip
    if list(shares) != sorted(shares) or shares[0] < 0 or shares[-1] > 1:
        raise AnalysisError(f"Shares {list(shares)} do not rise from 0 to 1.", "Sort them.")
    ends = [round(share * len(order)) for share in shares]
    right = np.zeros(len(shares))
    for start in range(0, len(Z), _CHUNK):
        at = slice(start, start + _CHUNK)
        logits = np.tile(head.b, (len(Z[at]), 1))
        for index, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            fresh = order[begin:end]
            logits += Z[at][:, fresh] @ head.S[fresh]
            right[index] += (logits.argmax(axis=1) == labels[at]).sum()
    return right / len(Z) / whole


def _predicted(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    parts = (X[at : at + _CHUNK] for at in range(0, len(X), _CHUNK))
    return np.concatenate([(part @ W.T + b).argmax(axis=1) for part in parts])


def _classes(classes: np.ndarray | None, n: int, C: int, rule: Rule) -> np.ndarray:
    if classes is None or len(classes) != n:
        had = "none" if classes is None else str(len(classes))
        raise AnalysisError(f"The rule {rule!r} needs {n} classes and got {had}.",
                            "Choose the rule 'max', which needs none.")  # fmt: skip
    classes = np.asarray(classes)
    if len(classes) and (classes.min() < 0 or classes.max() >= C):
        wrong = int(classes[(classes < 0) | (classes >= C)][0])
        raise AnalysisError(f"Class {wrong} is not one of the head's {C}.",
                            "Choose another rule.")  # fmt: skip
    return classes
