"""The passes over the features: class means first, then everything around them."""

from dataclasses import dataclass, field

import numpy as np

from backend.collapse.arrays import Array, Library
from backend.collapse.moments import Head, Moments
from backend.errors import AnalysisError

_LARGEST = 1e150  # a class mean that can be squared
_SAME = 1e-6  # squared, in units of a class's spread: how far a mean may move between passes
_ROUNDING = 1e-15  # the same in units of a class mean, measured from zero; also squared


@dataclass
class Means:
    """Sums of each class around an origin, so that a large common offset costs no digits."""

    library: Library
    origin: np.ndarray  # (d,)
    n_classes: int
    counts: np.ndarray = field(init=False)  # (K,) int64
    sums: Array = field(init=False)  # (K, d)

    def __post_init__(self):
        self.counts = np.zeros(self.n_classes, np.int64)
        self.sums = self.library.put(np.zeros((self.n_classes, len(self.origin))))
        self._origin, self._shifted = self.library.put(self.origin), bool(self.origin.any())

    def fresh(self) -> "Means":
        return Means(self.library, self.origin, self.n_classes)

    def add(self, block: Array, labels: np.ndarray) -> None:
        self.counts += np.bincount(labels, minlength=self.n_classes)
        X = self.library.wide(block)
        if self._shifted:
            X -= self._origin
        self.library.add_by(self.sums, self.library.put(labels), X)

    def merge(self, other: "Means") -> None:
        self.counts += other.counts
        self.sums += other.sums

    def around_origin(self) -> np.ndarray:
        """(K, d) class means minus the origin.

        Raises
        ------
        AnalysisError : a feature is not finite, or too large to square.
        """
        sums = self.library.get(self.sums)
        bad = np.flatnonzero(~np.isfinite(sums).all(axis=0))
        if len(bad):
            raise AnalysisError(
                f"Features are NaN or infinite in {len(bad)} of {sums.shape[1]} units, first in "
                f"unit {bad[0]}.",
                "Leave those rows out, or use a checkpoint from before training diverged.",
            )
        near = sums / self.counts[:, None]
        if np.abs(near + self.origin).max() > _LARGEST:
            raise _too_large()
        return near


@dataclass(frozen=True)
class Frame:
    """What the second pass measures against."""

    counts: np.ndarray  # (K,) of the first pass
    means: np.ndarray  # (K, d)
    basis: np.ndarray  # (r, d)
    inside: np.ndarray  # (K, r) centred class means in the basis
    still: np.ndarray  # (u,) units that may have one value: all class means are alike
    weight: np.ndarray | None  # (K, d)
    bias: np.ndarray | None  # (K,)


class Within:
    """Spread around the class means, and what each row is nearest to; x = h - class mean."""

    def __init__(self, library: Library, frame: Frame, *, keep: bool):
        self.library, self.frame, self.keep = library, frame, keep
        (K, r), d, put = frame.inside.shape, frame.means.shape[1], library.put
        self._means, self._inside = put(frame.means), put(frame.inside)
        self._lengths = put(np.square(frame.inside).sum(axis=1))
        head = np.zeros((0, d)) if frame.weight is None else frame.weight
        # One product with both gives coordinates and logits of a block.
        self._directions = put(np.concatenate([frame.basis, head]).T.copy())
        if frame.weight is not None:
            self._logits = put(frame.means @ frame.weight.T + frame.bias)
        self._still = put(frame.still)
        self.counts = np.zeros(K, np.int64)
        n_sums = r + (2 if frame.weight is None else 4)
        self.sums = put(np.zeros((K, n_sums)))  # coordinates, |x|^2, counts of rows
        self.within = put(np.zeros((r, r)))
        self.across = put(np.zeros((r, d if keep else 0)))
        self.moved = put(np.zeros(len(frame.still)))
        self.rows: list[tuple[np.ndarray, ...]] = []

    def fresh(self) -> "Within":
        return Within(self.library, self.frame, keep=self.keep)

    def add(self, block: Array, labels: np.ndarray) -> None:
        self.counts += np.bincount(labels, minlength=len(self.counts))
        y, r = self.library.put(labels), self._inside.shape[1]
        X = self.library.wide(block)
        X -= self._means[y]
        squares, seen = self.library.squares(X), self.library.times(X, self._directions)
        P = seen[:, :r]
        nearest = (self._lengths - 2 * (P + self._inside[y]) @ self._inside.T).argmin(1)
        found = [P, squares, nearest != y]
        if self.frame.weight is not None:
            said = (seen[:, r:] + self._logits[y]).argmax(1)
            found += [said != y, said != nearest]
        self.library.add_by(self.sums, y, self.library.beside(found))
        self.within += P.T @ P
        if len(self.frame.still):
            self.moved += (X[:, self._still] ** 2).sum(0)
        if self.keep:
            self.across += P.T @ X
            self.rows.append((labels, self.library.get(seen), self.library.get(squares)))

    def merge(self, other: "Within") -> None:
        self.counts += other.counts
        self.sums += other.sums
        self.within += other.within
        self.across += other.across
        self.moved += other.moved
        self.rows += other.rows

    def moments(self, centred: np.ndarray) -> Moments:
        """All statistics, from the sums and the centred class means (K, d).

        Raises
        ------
        AnalysisError : this pass saw other features than the first, or squares overflow.
        """
        frame, counts, r = self.frame, self.counts, self.frame.inside.shape[1]
        sums = self.library.get(self.sums)
        if not np.isfinite(sums).all():
            raise _too_large()
        spread = sums[:, r] / frame.counts
        _check_same(counts, frame, sums[:, :r] / frame.counts[:, None], spread)
        rows = np.rint(sums[:, r + 1 :]).astype(np.int64)
        head = None
        if frame.weight is not None and frame.bias is not None:
            head = Head(frame.weight, frame.bias, rows[:, 1], rows[:, 2])
        still = int((self.library.get(self.moved) == 0).sum())  # sums of one value are exact
        within = self.library.get(self.within) / counts.sum()
        return Moments(
            counts, frame.means, centred, frame.basis, spread, within, rows[:, 0], still, head
        )


class Tilt:
    """x' (I - P) Sigma_W basis' of every row, for resampling."""

    def __init__(self, library: Library, means: np.ndarray, directions: np.ndarray):
        self.library, self.means, self.directions = library, means, directions  # (K, d), (r, d)
        self._means, self._directions = library.put(means), library.put(directions.T.copy())
        self.rows: list[tuple[np.ndarray, ...]] = []

    def fresh(self) -> "Tilt":
        return Tilt(self.library, self.means, self.directions)

    def add(self, block: Array, labels: np.ndarray) -> None:
        X = self.library.wide(block)
        X -= self._means[self.library.put(labels)]
        tilt = self.library.times(X, self._directions)
        self.rows.append((labels, *map(self.library.get, (tilt, self.library.squares(X)))))

    def merge(self, other: "Tilt") -> None:
        self.rows += other.rows


def _too_large() -> AnalysisError:
    return AnalysisError("Squares of the features are too large for float64.",
                         "Use a checkpoint from before training diverged.")  # fmt: skip


def _check_same(counts: np.ndarray, frame: Frame, moved: np.ndarray, spread: np.ndarray) -> None:
    """Hold the second pass against the first: counts, and class means (K, r) that should be 0."""
    remedy = "Give the same rows in both passes, in eval mode, without dropout or augmentation."
    other = np.flatnonzero(counts != frame.counts)
    if len(other):
        k = other[0]
        raise AnalysisError(
            f"Class {k} had {frame.counts[k]} rows in the first pass, {counts[k]} now.", remedy
        )
    noise = _ROUNDING**2 * len(frame.means[0]) * np.square(frame.means).sum(axis=1)
    far = np.flatnonzero(np.square(moved).sum(axis=1) > _SAME * spread + noise)
    if len(far):
        raise AnalysisError(
            f"The mean of class {far[0]} is not what it was in the first pass.", remedy
        )
