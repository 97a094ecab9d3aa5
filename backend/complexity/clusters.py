"""Groups of features by direction, and a map of them."""

from dataclasses import dataclass

import numpy as np

from backend.errors import AnalysisError

MOST = 150
LEAVES_MOST = 2000  # directions, above which the tree joins their groups


@dataclass(frozen=True)
class Clusters:
    """Groups of k directions, numbered by falling size."""

    member: np.ndarray  # (k,) group of each
    sizes: np.ndarray  # (groups,)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Mean of values (k,) in each group, NaN left out; NaN where a group has none."""
        there = np.isfinite(values)
        n = np.bincount(self.member[there], minlength=len(self.sizes))
        sums = np.bincount(self.member[there], values[there], minlength=len(self.sizes))
        return np.where(n > 0, sums / np.maximum(n, 1), np.nan)


def cluster(D: np.ndarray, *, groups: int | None = None, seed: int = 0) -> Clusters:
    """k-means of the directions D (k, d), at unit length; default min(150, k / 4) groups.

    Raises
    ------
    AnalysisError : more groups than different directions are asked for, or fewer than one.

    Source: Fel et al. 2024 (150 groups of 10,000 directions).
    """
    from sklearn.cluster import KMeans

    D = np.asarray(D, dtype=np.float64)
    most = len(np.unique(D, axis=0))
    groups = max(1, min(MOST, len(D) // 4, most)) if groups is None else groups
    if not 1 <= groups <= most:
        raise AnalysisError(f"{groups} groups of {most} different directions cannot be made.",
                            f"Ask for 1 to {most}.")  # fmt: skip
    found = KMeans(groups, n_init=4, random_state=seed).fit_predict(D)
    sizes = np.bincount(found, minlength=groups)
    order = np.argsort(-sizes, kind="stable")
    return Clusters(np.argsort(order)[found], sizes[order])


def pca_map(D: np.ndarray) -> np.ndarray:
    """Directions D (k, d) in the plane of their two principal components, (k, 2).

    Each axis points to where its largest entry is positive. An axis without spread is 0.
    """
    A = np.asarray(D, dtype=np.float64)
    A = A - A.mean(axis=0)
    U, s, _ = np.linalg.svd(A, full_matrices=False)
    out = np.zeros((len(A), 2))
    found = U[:, :2] * s[:2]
    out[:, : found.shape[1]] = found
    largest = out[np.abs(out).argmax(axis=0), [0, 1]]
    return out * np.where(largest < 0, -1.0, 1.0)


def branches(D: np.ndarray, *, levels: int = 4, groups: Clusters | None = None) -> np.ndarray:
    """A tree of directions D (k, d) cut at each level into at most 2^level groups: (levels, k).

    Groups are numbered from 0 within a level; each lies within one group of the level before. Of
    more than 2,000 directions the centres of their `groups`, where given, are the tree's leaves.

    Source: Ward 1963; Fel et al. 2024 (a tree of four levels).
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    k = len(D)
    if k < 2:
        return np.zeros((levels, k), np.int64)
    D = np.asarray(D, dtype=np.float64)
    if k > LEAVES_MOST and groups is not None:
        centres = np.zeros((len(groups.sizes), D.shape[1]))
        np.add.at(centres, groups.member, D)
        return branches(centres / groups.sizes[:, None], levels=levels)[:, groups.member]
    tree = linkage(D, method="ward")
    cuts = [fcluster(tree, 2**level, "maxclust") for level in range(1, levels + 1)]
    return np.array(cuts, dtype=np.int64) - 1


def between(
    member: np.ndarray, values: np.ndarray, *, shuffles: int = 500, seed: int = 0
) -> tuple[float, float, float]:
    """Share of the variance of values (k,) that lies between the groups `member` (k,), 0..1.

    Also what values dealt out at random give over so many shuffles: mean, and the point that 95 %
    stay below. NaN where values do not vary.
    """
    _, member = np.unique(member, return_inverse=True)
    sizes = np.bincount(member)
    z = values - values.mean()
    total = float(z @ z)
    if not total > 0:
        return (float("nan"),) * 3
    rng = np.random.default_rng(seed)
    shares = np.array([
        (np.bincount(member, drawn) ** 2 / sizes).sum() / total
        for drawn in (z, *(rng.permutation(z) for _ in range(shuffles)))
    ])  # fmt: skip
    return float(shares[0]), float(shares[1:].mean()), float(np.quantile(shares[1:], 0.95))
