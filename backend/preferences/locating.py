"""Where a new person belongs: weights from a few answers, tastes held fixed.

Chen et al. 2024 learn a new person's logits alone by AdamW from random starts. Here the mode is
found by Newton steps under a Gaussian prior, and the curvature there says how sure it is.
"""

from dataclasses import dataclass

import numpy as np

from backend.preferences.tastes import Tastes, softmax

_STEP = 1e-4  # of the numerical derivatives, in logits
_DRAWS = 400


@dataclass(frozen=True)
class Prior:
    """A Gaussian over people's logits: mean (K,), and standard deviation of each part."""

    mean: np.ndarray
    spread: float


@dataclass(frozen=True)
class Located:
    """People's logits at the mode (m, K), and the covariance there (m, K, K)."""

    logits: np.ndarray
    covariance: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Weights at the mode, (m, K) on the simplex."""
        return softmax(self.logits)

    def interval(self, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """95 % of the weights, each (m, K), by draws of the Laplace approximation."""
        rng = np.random.default_rng(seed)
        root = np.linalg.cholesky(self.covariance + 1e-9 * np.eye(self.logits.shape[1]))
        noise = rng.standard_normal((_DRAWS, *self.logits.shape))
        draws = softmax(self.logits + np.einsum("mij,smj->smi", root, noise))
        low, high = np.quantile(draws, (0.025, 0.975), axis=0)
        return low, high


def prior_of(logits: np.ndarray) -> Prior:
    """The prior that known people's logits (N, K) suggest; softmax ignores each row's mean."""
    centred = logits - logits.mean(axis=1, keepdims=True)
    spread = float(np.sqrt(np.square(centred - centred.mean(axis=0)).mean()))
    return Prior(centred.mean(axis=0), max(spread, 0.5))


def locate(
    tastes: Tastes, u: np.ndarray, left: np.ndarray, right: np.ndarray, y: np.ndarray, *,
    people: int, prior: Prior, q: np.ndarray | None = None, start: np.ndarray | None = None,
    steps: int = 30,
) -> Located:  # fmt: skip
    """Weights of `people` new people from their choices; without choices, the prior's.

    Parameters
    ----------
    u, left, right, y : (n,) person from 0, options, -1 for left or +1 for right; q : prompts.
    start : logits to begin at (people, K), instead of the prior's mean.
    steps : at most so many Newton steps, all people at once; derivatives are numerical, so any
        form of model will do.
    """

    def energy(omega: np.ndarray) -> np.ndarray:
        """-log posterior of each person, (people,)."""
        margins = tastes.margins(softmax(omega)[u], left, right, q) if len(u) else np.zeros(0)
        data = np.bincount(u, np.logaddexp(0, -y * margins), minlength=people)
        return data + np.square(omega - prior.mean).sum(axis=1) / (2 * prior.spread**2)

    omega = np.tile(prior.mean, (people, 1)) if start is None else start
    now = energy(omega)
    for _ in range(steps):
        gradient, hessian = _derivatives(energy, omega, now)
        step = -np.linalg.solve(_positive(hessian), gradient[..., None])[..., 0]
        step *= np.minimum(1, 4 / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-12))
        omega, after = _line_search(energy, omega, now, step)
        done = np.abs(after - now).max(initial=0) < 1e-9
        now = after
        if done:
            break
    _, hessian = _derivatives(energy, omega, now)
    return Located(omega, np.linalg.inv(_positive(hessian)))


def _derivatives(energy, omega: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient (m, K) and Hessian (m, K, K) by central differences, all people at once."""
    people, K = omega.shape
    h = _STEP * np.eye(K)
    up = [energy(omega + h[i]) for i in range(K)]
    down = [energy(omega - h[i]) for i in range(K)]
    gradient = np.stack([(a - b) / (2 * _STEP) for a, b in zip(up, down, strict=True)], axis=1)
    hessian = np.empty((people, K, K))
    for i in range(K):
        hessian[:, i, i] = (up[i] - 2 * now + down[i]) / _STEP**2
        for j in range(i):
            both = energy(omega + h[i] + h[j]) - up[i] - up[j] + now
            back = energy(omega - h[i] - h[j]) - down[i] - down[j] + now
            hessian[:, i, j] = hessian[:, j, i] = (both + back) / (2 * _STEP**2)
    return gradient, hessian


def _positive(hessian: np.ndarray) -> np.ndarray:
    """Hessians with eigenvalues of at least 1e-3, so that every step goes downhill."""
    values, vectors = np.linalg.eigh(hessian)
    return np.einsum("mik,mk,mjk->mij", vectors, np.maximum(np.abs(values), 1e-3), vectors)


def _line_search(energy, omega, now, step) -> tuple[np.ndarray, np.ndarray]:
    """Each person's step, halved until it does not climb."""
    size = np.ones((len(omega), 1))
    best, value = omega, now
    for _ in range(12):
        trial = omega + size * step
        tried = energy(trial)
        better = tried <= now
        best = np.where(better[:, None], trial, omega)
        value = np.where(better, tried, now)
        if better.all():
            break
        size = np.where(better[:, None], size, size / 2)
    return best, value
