"""Linear maps from each layer of one model to all layers of another, and what they leave over."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.analyses.ridge import GRID, best_strength, factorise, predict, solve

SHARES = (0.6, 0.2, 0.2)  # of the data rows: fit the maps, choose their strength, held out
_TINY = 1e-6  # least length that an error is divided by
_CONSTANT = 1e-13  # a smaller share of the squared length around the mean is float32 rounding

Read = Callable[[str], np.ndarray]  # states (n, width) by site


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts; a data row with several vectors is never cut."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    groups: np.ndarray | None  # (n_test,) labels of the test rows, 0..; None: one vector each


@dataclass(frozen=True)
class Maps:
    """What the maps from one source layer to all q targets leave on the held-out rows."""

    residual: np.ndarray  # (n_test, q) squared length of prediction - state
    control: np.ndarray  # (q,) mean relative error with shuffled rows
    strength: np.ndarray  # (q,) chosen, times the mean eigenvalue
    constant: bool  # the source does not vary over the training rows


@dataclass(frozen=True)
class Found:
    """The maps of p source layers, and the sizes that they are held against."""

    source: np.ndarray  # (p,) blocks before each source state
    target: np.ndarray  # (q,)
    residual: np.ndarray  # (n_test, p, q)
    length: np.ndarray  # (n_test, q) of the true states
    around: np.ndarray  # (n_test, q) squared distance of the true states from the training mean
    control: np.ndarray  # (p, q)
    strength: np.ndarray  # (p, q)

    @property
    def error(self) -> np.ndarray:
        """Relative error |prediction - state| / |state| (n_test, p, q) of each held-out row."""
        return np.sqrt(self.residual) / self.length[:, None, :]


def split_rows(rows: np.ndarray, *, seed: int) -> Split:
    """`SHARES` of the data rows, drawn by a seeded permutation; rows (n,) are their ids."""
    ids, labels = np.unique(rows, return_inverse=True)
    m = len(ids)
    place = np.empty(m, dtype=np.int64)
    place[np.random.default_rng(seed).permutation(m)] = np.arange(m)
    part = np.digitize(place[labels], np.rint(np.cumsum(SHARES[:2]) * m))
    train, validation, test = (np.flatnonzero(part == i) for i in range(3))
    groups = None if m == len(rows) else np.unique(rows[test], return_inverse=True)[1]
    return Split(train, validation, test, groups)


def map_layer(
    X: np.ndarray, targets: tuple[str, ...], read: Read, split: Split, *, rng: np.random.Generator
) -> Maps:
    """Maps from one source layer X (n, d), all from one factorisation, and the same shuffled.

    The strength of each map is the one of least squared error on the validation rows. The shuffle
    moves the target rows within each part; all targets share it.

    Source: Csordás, Manning, Potts 2025 (relative error; they train by gradient descent).
    """
    factors = factorise(X[split.train])
    Z, Z_test = (factors.scores(X[rows]) for rows in (split.validation, split.test))
    gram = Z.T @ Z
    parts = (split.train, split.validation, split.test)
    shuffled = tuple(rng.permutation(rows) for rows in parts)
    residual, control, strength = [], [], []
    for site in targets:
        Y = read(site).astype(np.float64)
        for train, validation, test in (parts, shuffled):
            solution = solve(factors, Y[train])
            best = best_strength(factors, solution, Z, gram, Y[validation])
            rest = predict(factors, solution, Z_test, factors.strengths[best]) - Y[test]
            squared = np.einsum("nc,nc->n", rest, rest)
            if test is split.test:
                residual.append(squared)
                strength.append(GRID[best])
            else:
                control.append((np.sqrt(squared) / _lengths(Y[test])).mean())
    chosen = np.array(strength)
    return Maps(np.stack(residual, axis=1), np.array(control), chosen, not len(factors.s))


def sizes(targets: tuple[str, ...], read: Read, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Lengths (n_test, q) of the held-out states and their squared distances from the mean of the
    training rows, 0 where a layer does not vary."""
    length, around = [], []
    for site in targets:
        Y = read(site).astype(np.float64)
        centre, Y = Y[split.train].mean(axis=0), Y[split.test]
        away = np.square(Y - centre).sum(axis=1)
        varies = away.sum() > _CONSTANT * np.square(Y).sum()
        length.append(_lengths(Y))
        around.append(away if varies else np.zeros(len(Y)))
    return np.stack(length, axis=1), np.stack(around, axis=1)


def _lengths(Y: np.ndarray) -> np.ndarray:
    return np.maximum(np.linalg.norm(Y, axis=1), _TINY)
