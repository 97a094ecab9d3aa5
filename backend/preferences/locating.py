"""Where a new person belongs: weights from a few answers, tastes held fixed.

Chen et al. 2024 learn a new person's logits alone by AdamW from random starts. Here the mode is
found by Newton steps under a Gaussian prior, and the curvature there says how sure it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.preferences.tastes import Tastes, softmax

_STEP = 1e-4  # of the numerical derivatives, in logits
_DRAWS, _FREEDOM = 400, 4  # draws of the posterior, and the degrees of freedom of their tails


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


def prior_of(logits: np.ndarray) -> Prior:
    """The prior that known people's logits (N, K) suggest; softmax ignores each row's mean.

    Taking that mean out leaves (K - 1) / K of the variance, which is made up for.
    """
    K = logits.shape[1]
    centred = logits - logits.mean(axis=1, keepdims=True)
    left = np.square(centred - centred.mean(axis=0)).mean()
    spread = float(np.sqrt(left * K / max(K - 1, 1)))
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

    energy = _energy(tastes, u, left, right, y, people=people, prior=prior, q=q)
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


def weight_intervals(
    tastes: Tastes, found: Located, u: np.ndarray, left: np.ndarray, right: np.ndarray,
    y: np.ndarray, *, prior: Prior, q: np.ndarray | None = None, seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """95 % of everyone's weights, each (people, K), by importance sampling of the posterior.

    Half of the draws come from the prior, half from a t distribution around the mode: the plain
    Gaussian there (Laplace) covers 82 to 92 %, as weights near a corner are skewed.
    """
    people, K = found.logits.shape
    rng = np.random.default_rng(seed)
    count = int(np.clip(8_000_000 // (people * K), 60, _DRAWS)) // 2 * 2
    energy = _energy(tastes, u, left, right, y, people=people, prior=prior, q=q)
    root = np.linalg.cholesky(found.covariance + 1e-9 * np.eye(K))
    size = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    inverse = np.linalg.inv(root)
    stretch = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, (count // 2, people, 1)))
    noise = rng.standard_normal((count // 2, people, K)) * stretch
    near = found.logits + np.einsum("mij,smj->smi", root, noise)
    wide = prior.mean + prior.spread * rng.standard_normal((count // 2, people, K))
    weights, logs = [], []
    for omega in (*near, *wide):
        apart = np.square(np.einsum("mij,mj->mi", inverse, omega - found.logits)).sum(axis=1)
        tail = -(_FREEDOM + K) / 2 * np.log1p(apart / _FREEDOM) - size + _t_constant(K)
        plain = -np.square(omega - prior.mean).sum(axis=1) / (2 * prior.spread**2)
        plain -= K * np.log(prior.spread) + K / 2 * np.log(2 * np.pi)
        weights.append(softmax(omega))
        logs.append(-energy(omega) - np.logaddexp(tail, plain))
    return _weighted_ends(np.stack(weights), np.stack(logs))


def _t_constant(K: int) -> float:
    from math import lgamma, log, pi

    return lgamma((_FREEDOM + K) / 2) - lgamma(_FREEDOM / 2) - K / 2 * log(_FREEDOM * pi)


def _weighted_ends(draws: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2.5 and 97.5 % of draws (s, m, K) whose log weights are (s, m), each (m, K)."""
    share = np.exp(logs - logs.max(axis=0))
    share /= share.sum(axis=0)
    order = np.argsort(draws, axis=0)
    rising = np.cumsum(np.take_along_axis(share[..., None] + 0 * draws, order, axis=0), axis=0)
    ordered = np.take_along_axis(draws, order, axis=0)
    ends = []
    for level in (0.025, 0.975):
        place = (rising < level).sum(axis=0, keepdims=True).clip(max=len(draws) - 1)
        ends.append(np.take_along_axis(ordered, place, axis=0)[0])
    return ends[0], ends[1]


def _energy(
    tastes: Tastes, u: np.ndarray, left: np.ndarray, right: np.ndarray, y: np.ndarray, *,
    people: int, prior: Prior, q: np.ndarray | None,
) -> Callable[[np.ndarray], np.ndarray]:  # fmt: skip
    """-log posterior of each person's logits (people, K), up to a constant."""

    def energy(omega: np.ndarray) -> np.ndarray:
        margins = tastes.margins(softmax(omega)[u], left, right, q) if len(u) else np.zeros(0)
        data = np.bincount(u, np.logaddexp(0, -y * margins), minlength=people)
        return data + np.square(omega - prior.mean).sum(axis=1) / (2 * prior.spread**2)

    return energy


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
