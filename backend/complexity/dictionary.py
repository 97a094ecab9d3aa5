"""Features as directions of one layer: dictionaries, learnt or given.

A dictionary has k directions D (k, d) of unit length; a row x is about centre + sum_i z_i D_i.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from backend.complexity.codes import nonnegative_codes
from backend.errors import AnalysisError

Kind = Literal["nmf_classes", "nmf", "kmeans", "sparse", "pca", "neurons", "random"]
PROJECTED = ("pca", "neurons", "random")  # codes are inner products
_SCALE_ROWS = 20_000  # rows that decide a penalty's scale
_ROUNDING = 1e-12  # smaller eigenvalues, relative to the largest, are rounding


@dataclass(frozen=True)
class Dictionary:
    """k unit directions and how rows are coded in them."""

    D: np.ndarray  # (k, d)
    origin: tuple[str, ...]  # (k,) class that a direction was learnt on, or ""
    kind: Kind
    signed: bool  # whether directions have negative entries
    centre: np.ndarray  # (d,) taken off before coding; 0 for NMF
    penalty: float = 0.0  # L1 weight of the codes
    dead: int = 0  # directions dropped, for they coded no row
    said: str = ""  # how it was found

    @property
    def decoder(self) -> np.ndarray:
        """(k, d): what a unit of each code adds to a row.

        D itself, but for projections the dual frame (D D')^+ D, so that oblique directions count
        what they share once. For orthonormal directions the two are the same.
        """
        return np.linalg.pinv(self.D).T if self.kind in PROJECTED else self.D

    def decode(self, Z: np.ndarray) -> np.ndarray:
        """Rows (N, d) from codes (N, k)."""
        return Z @ self.decoder + self.centre


def encode(dictionary: Dictionary, X: np.ndarray, *, exact: bool | None = None) -> np.ndarray:
    """Codes (N, k) of rows X (N, d), the dictionary being fixed.

    Projections for PCA, neurons and random directions: linear in x, of either sign. For the
    others z >= 0 minimises |x - centre - z D|^2 / 2 + penalty * sum(z): a non-linear function of
    x, so that even the last layer does not read it wholly. `exact`: see `nonnegative_codes`.

    Source: Fel et al. 2024, as reported (NNLS codes).
    """
    X = np.asarray(X, dtype=np.float64) - dictionary.centre
    if dictionary.kind in PROJECTED:
        return X @ dictionary.D.T
    return nonnegative_codes(dictionary.D, X, penalty=dictionary.penalty, exact=exact)


def reconstruction_r2(X: np.ndarray, rebuilt: np.ndarray) -> float:
    """1 - |X - rebuilt|^2 / |X - column means|^2, both (N, d); NaN if X does not vary."""
    X = np.asarray(X, dtype=np.float64)
    total = float(np.square(X - X.mean(axis=0)).sum())
    return 1 - float(np.square(X - rebuilt).sum()) / total if total > 0 else float("nan")


def without_dead(dictionary: Dictionary, Z: np.ndarray) -> tuple[Dictionary, np.ndarray]:
    """Dictionary and codes Z (N, k) less the directions that are the same on every row, counted.

    Raises
    ------
    AnalysisError : all are.
    """
    live = np.ptp(Z, axis=0) > 0
    if not live.any():
        raise AnalysisError(f"All {len(live)} features are constant.", "Give more varied rows.")
    origin = tuple(o for o, keep in zip(dictionary.origin, live, strict=True) if keep)
    dead = dictionary.dead + int((~live).sum())
    return replace(dictionary, D=dictionary.D[live], origin=origin, dead=dead), Z[:, live]


def learn_nmf(
    X: np.ndarray, k: int, *, seed: int, iterations: int = 500, init: str | None = None
) -> Dictionary:
    """Non-negative matrix factorisation of rows X (N, d) >= 0 into k directions.

    `init` is NNDSVDA where k is at most the rank of X, else random; for stability over seeds give
    "random".

    Source: Lee and Seung 1999; Boutsidis and Gallopoulos 2008 (start); Cichocki and Phan 2009.
    """
    _check_nonnegative(X)
    _check_count(k)
    D, started, stopped = _nmf(X, k, seed, iterations, init)
    said = f"NMF of {len(X)} rows, started by {started}"
    said += f", stopped at {iterations} iterations" if stopped else ""
    return _finished(D, ("",) * k, "nmf", said)


def learn_nmf_classes(
    X: np.ndarray, labels: Sequence[str], k: int, *, seed: int, iterations: int = 500,
    init: str | None = None,
) -> Dictionary:  # fmt: skip
    """NMF into k directions of the rows of each class, one class after the other, stacked.

    `labels` (N,) name the class of each row. A class with fewer than k rows gives as many
    directions as it has rows. Source: the recipe of the method card; see `learn_nmf`.
    """
    _check_nonnegative(X)
    _check_count(k)
    names = np.asarray(labels, dtype=str)
    parts, origin, early = [], [], 0
    for name in np.unique(names):
        own = X[names == name]
        if own.any():
            D, _, stopped = _nmf(own, min(k, len(own)), seed, iterations, init)
            parts.append(D)
            early += stopped
            origin += [str(name)] * len(parts[-1])
    if not parts:
        raise AnalysisError("All values are 0.", "Choose another layer.")
    said = f"NMF of at most {k} directions in each of {len(parts)} classes"
    said += f", {early} of them stopped at {iterations} iterations" if early else ""
    return _finished(np.concatenate(parts), tuple(origin), "nmf_classes", said)


def learn_kmeans(X: np.ndarray, k: int, *, seed: int, rounds: int = 50) -> Dictionary:
    """Directions of k groups of centred rows X (N, d) by cosine; codes are non-negative.

    Source: Dhillon and Modha 2001 (spherical k-means); Coates and Ng 2012 (as a dictionary).
    """
    _check_count(k, at_most=len(X))
    rng = np.random.default_rng(seed)
    centre = np.asarray(X, dtype=np.float64).mean(axis=0)
    A = X - centre
    length = np.linalg.norm(A, axis=1)
    A = A[length > 0] / length[length > 0, None]
    _check_count(k, at_most=len(A))
    D, before = A[_spread(A, k, rng)], None
    for _ in range(rounds):
        nearest = _nearest(A, D)
        if before is not None and (nearest == before).all():
            break
        before = nearest
        sums = np.zeros_like(D)
        np.add.at(sums, nearest, A)
        size = np.linalg.norm(sums, axis=1)
        empty = size < 1e-9
        D = np.where(empty[:, None], D, sums / np.where(empty, 1.0, size)[:, None])
    return _finished(D, ("",) * k, "kmeans", f"spherical k-means of {len(A)} centred rows", centre)


def learn_sparse(
    X: np.ndarray, k: int, *, seed: int, strength: float = 0.1, steps: int = 200,
    init: str | None = None,
) -> Dictionary:  # fmt: skip
    """Sparse dictionary of centred rows X (N, d) with non-negative codes under an L1 penalty.

    `strength` is the penalty in units of a row's root mean square length. `init` is by singular
    vectors, or "random" for rows drawn at random, as stability over seeds needs.

    Source: Mairal, Bach, Ponce, Sapiro 2009 (online dictionary learning).
    """
    from sklearn.decomposition import MiniBatchDictionaryLearning

    _check_count(k)
    X = np.asarray(X, dtype=np.float64)
    centre = X.mean(axis=0)
    length = float(np.sqrt(np.square(X[:_SCALE_ROWS] - centre).sum(axis=1).mean()))
    if not length > 0:
        raise AnalysisError("All rows are the same.", "Give rows that differ.")
    size, start = min(256, len(X)), None
    if init == "random":
        drawn = np.random.default_rng(seed).choice(len(X), k, replace=k > len(X))
        start = unit(X[drawn] - centre)
    learner = MiniBatchDictionaryLearning(
        n_components=k, alpha=strength, fit_algorithm="cd", positive_code=True, batch_size=size,
        max_iter=max(1, steps * size // len(X)), random_state=seed, transform_algorithm="lasso_cd",
        transform_max_iter=10_000, dict_init=start,
    )  # fmt: skip
    D = learner.fit((X - centre) / length).components_
    said = f"sparse dictionary of {len(X)} centred rows, penalty {strength:g}"
    return _finished(D, ("",) * k, "sparse", said, centre, penalty=strength * length)


def learn_pca(X: np.ndarray, k: int, *, seed: int = 0) -> Dictionary:
    """The k principal directions of rows X (N, d), by falling variance; codes are projections."""
    from sklearn.decomposition import PCA

    _check_count(k, at_most=min(X.shape))
    fitted = PCA(k, random_state=seed).fit(np.asarray(X, dtype=np.float64))
    return _finished(fitted.components_, ("",) * k, "pca", "principal directions", fitted.mean_)


def neurons(d: int) -> Dictionary:
    """Each of d coordinates as a feature: codes are the activations themselves."""
    return _finished(np.eye(d), ("",) * d, "neurons", "single neurons")


def random_directions(d: int, k: int, *, seed: int) -> Dictionary:
    """k directions of d coordinates drawn evenly from the sphere; codes are projections."""
    _check_count(k)
    D = np.random.default_rng(seed).normal(size=(k, d))
    return _finished(D, ("",) * k, "random", f"random directions, seed {seed}")


def match(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of directions A (k, d) and B (m, d), one to one, with the largest sum of cosines.

    Returns indices into A, indices into B and cosines, (min(k, m),) each.

    Source: Kuhn 1955 (assignment).
    """
    from scipy.optimize import linear_sum_assignment

    cosines = unit(A) @ unit(B).T
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return rows, columns, cosines[rows, columns]


def stability(main: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Mean cosine (k,) of each direction of `main` (k, d) with its partner in each of the others.

    Partners are one to one, see `match`. Another dictionary of fewer directions leaves some
    without one, and does not count for those; NaN for a direction that never has one.

    Raises
    ------
    AnalysisError : there are no others.
    """
    if not len(others):
        raise AnalysisError("One dictionary has no stability.", "Learn two or more.")
    sums, times = np.zeros(len(main)), np.zeros(len(main))
    for other in others:
        own, _, cosines = match(main, other)
        sums[own] += cosines
        times[own] += 1
    return np.where(times > 0, sums / np.maximum(times, 1), np.nan)


def dealt_out(D: np.ndarray, *, seed: int) -> np.ndarray:
    """Directions D (k, d) with each coordinate's entries dealt out anew over the directions.

    What chance would match: coordinates keep their values and zeros, but none go together.
    """
    return np.random.default_rng(seed).permuted(np.asarray(D, dtype=np.float64), axis=0)


def unit(D: np.ndarray) -> np.ndarray:
    """Rows of D (k, d) at length 1; rows of length 0 stay."""
    length = np.linalg.norm(D, axis=1, keepdims=True)
    return D / np.where(length > 0, length, 1.0)


def _nmf(
    X: np.ndarray, k: int, seed: int, iterations: int, init: str | None
) -> tuple[np.ndarray, str, bool]:
    """Directions (k, d) of NMF, how it was started, and whether it ran out of iterations."""
    import warnings

    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    started = init or ("nndsvda" if k <= _rank(X) else "random")
    learner = NMF(k, init=started, random_state=seed, max_iter=iterations)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", ConvergenceWarning)
        learner.fit(np.ascontiguousarray(X, dtype=np.float64))
    stopped = any(issubclass(one.category, ConvergenceWarning) for one in heard)
    return learner.components_, started, stopped


def _rank(X: np.ndarray) -> int:
    """Directions in which rows X (N, d) have a length; beyond, singular vectors are rounding noise
    and a start from them is another each time."""
    X = np.asarray(X, dtype=np.float64)
    values = np.linalg.eigvalsh(X.T @ X if X.shape[1] <= len(X) else X @ X.T)
    return int((values > _ROUNDING * values[-1]).sum())


def _finished(
    D: np.ndarray, origin: tuple[str, ...], kind: Kind, said: str,
    centre: np.ndarray | None = None, penalty: float = 0.0,
) -> Dictionary:  # fmt: skip
    """Directions at unit length, those of length 0 dropped and counted."""
    D = np.asarray(D, dtype=np.float64)
    live = np.linalg.norm(D, axis=1) > 0
    if not live.any():
        raise AnalysisError("All directions have length 0.", "Choose another layer.")
    origin = tuple(o for o, keep in zip(origin, live, strict=True) if keep)
    D = unit(D[live])
    zero = np.zeros(D.shape[1])
    centre = zero if centre is None else centre
    return Dictionary(
        D, origin, kind, bool((D < 0).any()), centre, penalty, int((~live).sum()), said
    )


def _spread(A: np.ndarray, k: int, rng: np.random.Generator) -> list[int]:
    """k rows of A (N, d), of unit length, far from one another (k-means++)."""
    out = [int(rng.integers(len(A)))]
    far = np.maximum(1 - A @ A[out[0]], 0)
    for _ in range(k - 1):
        total = far.sum()
        chances = far / total if total > 1e-9 else None
        out.append(int(rng.choice(len(A), p=chances)))
        far = np.minimum(far, np.maximum(1 - A @ A[out[-1]], 0))
    return out


def _nearest(A: np.ndarray, D: np.ndarray) -> np.ndarray:
    return np.concatenate([(A[at : at + 4096] @ D.T).argmax(1) for at in range(0, len(A), 4096)])


def _check_nonnegative(X: np.ndarray) -> None:
    least = float(np.min(X))
    if not least >= 0:
        raise AnalysisError(
            f"NMF needs values of 0 or more, and this layer has {least:.3g}.",
            "Use the k-means, sparse, PCA or neuron directions.",
        )


def _check_count(k: int, *, at_most: int | None = None) -> None:
    if k < 1 or (at_most is not None and k > at_most):
        most = "" if at_most is None else f" to {at_most}"
        raise AnalysisError(f"{k} directions cannot be learnt here.", f"Ask for 1{most}.")
