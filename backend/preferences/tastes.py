"""A fitted PAL model in plain arrays: what each taste makes of each option, and who has which."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from backend.preferences.form import Form

_LEAST = 0.05  # of a taste's mean weight, that everyone keeps
Layers = tuple[tuple[np.ndarray, np.ndarray], ...]  # (weight (out, in), bias (out,)) each


@dataclass(frozen=True)
class Tastes:
    """M options, K prototypes, N people.

    Prototypes are not identified beyond the people's points: softmax weights never reach a
    corner, so prototypes drift outward. Compare points or rewards, not prototypes.
    """

    form: Form
    mapped: np.ndarray  # F (M, d): f of every option
    prototypes: np.ndarray  # P (K, d); with ideal f(Pw) before the map
    logits: np.ndarray  # omega (N, K)
    scale: float  # margins times this are logits of P(b)
    layers: Layers = ()  # the map f, empty for the identity
    asked: np.ndarray | None = None  # G (Q, K, d): g_k of every prompt, PAL-B only
    loss: float = np.nan  # of the training choices, nats (or hinge units)
    steps: int = 0

    @property
    def weights(self) -> np.ndarray:
        """W (N, K): each row is on the simplex."""
        return softmax(self.logits)

    def points(self, W: np.ndarray) -> np.ndarray:
        """The ideal point of each row of weights (m, K), in the mapped space: (m, d); PAL-A."""
        mixed = W @ self.prototypes
        return apply_map(mixed, self.layers, self.form) if self.form.ideal == "f(Pw)" else mixed

    @cached_property
    def rewards(self) -> np.ndarray:
        """What each prototype alone makes of each option, (M, K), in logits; PAL-A.

        -|f(x) - a|^2 is given without the prototype's own length, which no choice depends on.
        """
        points = self.points(np.eye(self.form.k))
        if self.form.distance == "squared":
            inner = 2 * self.mapped @ points.T
            return self.scale * (inner - np.square(self.mapped).sum(axis=1, keepdims=True))
        gap = self.mapped[:, None] - points[None]
        return -self.scale * np.linalg.norm(gap, axis=2)

    def margins(
        self, W: np.ndarray, left: np.ndarray, right: np.ndarray, q: np.ndarray | None = None
    ) -> np.ndarray:
        """Logits of P(right is taken), (n,), where row i has the weights W[i] (n, K)."""
        F = self.mapped
        if self.form.ideal == "B":
            assert self.asked is not None and q is not None
            mix = unit(np.einsum("nk,nkd->nd", W, self.asked[q]))
            gap = unit(F[right]) - unit(F[left])
            return self.scale * np.einsum("nd,nd->n", gap, mix)
        if self.form.is_linear_in_weights:
            R = self.rewards
            return np.einsum("nk,nk->n", W, R[right] - R[left])
        points = self.points(W)
        if self.form.distance == "squared":
            gap = F[right] - F[left]
            inner = 2 * np.einsum("nd,nd->n", gap, points)
            square = np.square(F).sum(axis=1)
            return self.scale * (inner + square[left] - square[right])
        near = (np.linalg.norm(F[side] - points, axis=1) for side in (left, right))
        return self.scale * (next(near) - next(near))

    def tightened(self, people: np.ndarray) -> "Tastes":
        """The same points and choices with prototypes drawn in until people fill their hull.

        P' = c + alpha (P - c) about the people's mean point c, with the least alpha at which each
        weight of these people (numbers, int) stays above a twentieth of its mean. Softmax weights
        never reach a corner, so without this prototypes drift outward and all look mixed.
        """
        if not self.form.is_linear_in_weights or self.form.k == 1:
            return self
        W = self.weights
        mean = W[people].mean(axis=0)
        alpha = float(((mean - W[people]) / mean).max() / (1 - _LEAST))
        if not 0 < alpha < 1:
            return self
        drawn = mean @ self.prototypes * (1 - alpha) + alpha * self.prototypes
        tight = np.maximum(mean + (W - mean) / alpha, 1e-6)
        return replace(self, prototypes=drawn, logits=np.log(tight))

    def with_people(self, logits: np.ndarray) -> "Tastes":
        """The same tastes for other people, omega (m, K)."""
        return replace(self, logits=logits)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of logits (n, K) on the simplex."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def unit(X: np.ndarray) -> np.ndarray:
    """Vectors along the last axis at length 1."""
    return X / np.maximum(np.linalg.norm(X, axis=-1, keepdims=True), 1e-12)


def apply_map(X: np.ndarray, layers: Layers, form: Form) -> np.ndarray:
    """f of rows (m, d): the net's layers with the form's activation between them."""
    out = X
    for number, (weight, bias) in enumerate(layers):
        out = out @ weight.T + bias
        if number < len(layers) - 1:
            out = np.maximum(out, 0) if form.activation == "relu" else _gelu(out)
    return X + out if form.residual and layers else out


def _gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return 0.5 * x * (1 + erf(x / np.sqrt(2)))
