"""Measures of neural collapse, from class means and the spread around them; all fall to 0.

Every function takes leading axes, so that one call serves a bootstrap.

Source: Papyan, Han, Donoho 2020; Zhu et al. 2021; Galanti, Gyorgy, Hutter 2021; Tirer, Huang,
Niles-Weed 2022/23. Where code and papers differ, `FORMULAS` says which form is meant.
"""

import math
from dataclasses import dataclass

import numpy as np

from backend.collapse.moments import Centre, Moments

DROP = 1e-7  # singular values of the class means below this share of the largest are dropped
_ALIKE = 1e-13  # class means that differ by a smaller share of the spread are alike

FORMULAS = {
    "nc1": "tr(Σ_W Σ_B⁺) / K; with the 1/K, as Zhu et al. 2021 and Tirer et al. 2022",
    "nc1_ratio": "tr(Σ_W) / tr(Σ_B); Tirer et al. 2022",
    "cdnv": "mean over pairs of (v_k + v_k') / (2 |h_k − h_k'|²); Galanti et al. 2021",
    "nc2_equinorm": "std_k |m_k| / mean_k |m_k|, std with K − 1; Papyan et al. 2020",
    "nc2_equiangular": "mean over k ≠ k' of |cos(m_k, m_k') + 1/(K − 1)|; Papyan et al. 2020",
    "nc2": "| MᵀM / |MᵀM| − (I − 11ᵀ/K) / √(K − 1) |; Tirer et al. 2022",
    "nc2_weight_equinorm": "std_k |w_k| / mean_k |w_k|, std with K − 1; Papyan et al. 2020",
    "nc2_weight_equiangular": "mean over k ≠ k' of |cos(w_k, w_k') + 1/(K − 1)|; "
    "Papyan et al. 2020",
    "nc2_weight": "| WWᵀ / |WWᵀ| − (I − 11ᵀ/K) / √(K − 1) |; Zhu et al. 2021",
    "nc3": "| Wᵀ/|W| − M/|M| |²; Papyan et al. 2020",
    "nc3_zhu": "| WM / |WM| − (I − 11ᵀ/K) / √(K − 1) |; Zhu et al. 2021",
    "bias": "| W h_G + b |; Zhu et al. 2021",
    "nc4": "share of rows where argmax(W h + b) is not the nearest class mean; Papyan et al. 2020",
    "centre_error": "share of rows whose nearest class mean is not their own",
    "head_error": "share of rows whose argmax(W h + b) is not their class",
}
SYMBOLS = (
    "K classes; h_k class means; h_G global mean; m_k = h_k − h_G, the columns of M; w_k rows of "
    "W; v_k mean of |h − h_k|²; Σ_W mean of (h − h_k)(h − h_k)ᵀ over all rows; Σ_B = MMᵀ/K; "
    "|·| Euclidean or Frobenius norm."
)
CENTRES: dict[Centre, str] = {
    "classes": "h_G is the unweighted mean of the class means (Papyan et al. 2020).",
    "samples": "h_G is the mean of all rows (Zhu et al. 2021).",
}


@dataclass(frozen=True)
class Collapse:
    """The measures of `FORMULAS`; NaN without a head, or where one is not defined: see `notes`."""

    nc1: float
    nc1_ratio: float
    cdnv: float
    nc2_equinorm: float
    nc2_equiangular: float
    nc2: float
    nc2_weight_equinorm: float
    nc2_weight_equiangular: float
    nc2_weight: float
    nc3: float
    nc3_zhu: float
    bias: float
    nc4: float
    centre_error: float
    head_error: float
    n: int
    counts: tuple[int, ...]  # rows of each class
    width: int  # d
    dropped: int  # directions of the class means that NC1 leaves out, see `DROP`
    still_units: int  # units with one value on all rows
    centre: Centre
    notes: tuple[str, ...]

    @property
    def n_classes(self) -> int:
        return len(self.counts)


def measure(moments: Moments, *, centre: Centre = "classes") -> Collapse:
    """All measures of a layer.

    Parameters
    ----------
    centre : which global mean; they differ only where class counts do.

    NC2 of class means is NaN for two classes (their two centred means are opposite whatever the
    network does), and NC2 and NC3 (Zhu) for d < K - 1 (no simplex of K corners fits into d).
    """
    M, v = moments.coordinates(centre), moments.spread
    counts, width = moments.counts, moments.means.shape[1]
    K, corners_fit = len(counts), moments.means.shape[1] >= len(counts) - 1
    kept = directions(M, v)
    values = dict.fromkeys(FORMULAS, math.nan)
    values["centre_error"] = moments.off_centre.sum() / moments.n
    if kept:
        values["nc1"] = nc1(moments.within, M, kept)
        values["nc1_ratio"] = float(ratio(v, counts, M))
        values["cdnv"] = float(cdnv(v, squared_distances(M)))
    if kept and K > 2 and corners_fit:
        values |= {f"nc2{name}": float(value) for name, value in simplex(M @ M.T).items()}
    if moments.head is not None:
        values |= _of_head(moments, centre, bool(kept), corners_fit)
    return Collapse(
        **{name: float(value) for name, value in values.items()},
        n=moments.n, counts=tuple(counts.tolist()), width=width,
        dropped=min(K - 1, width) - kept if kept else 0, still_units=moments.still_units,
        centre=centre, notes=_notes(moments, M, kept, math.isnan(values["cdnv"])),
    )  # fmt: skip


def directions(M: np.ndarray, v: np.ndarray) -> int:
    """How many directions of class means M (K, r) NC1 uses; 0 if all class means are alike.

    Alike means apart by no more than rounding of the spread v (K,) around them.
    """
    sizes = np.linalg.svd(M, compute_uv=False)
    if sizes[0] <= _ALIKE * np.sqrt(v.mean()):
        return 0
    return int((sizes > DROP * sizes[0]).sum())


def nc1(within: np.ndarray, M: np.ndarray, kept: int) -> float:
    """NC1 from S_W (r, r) and class means M (K, r), both in a basis of the span of the means.

    With M = A diag(S) Q' it is the sum over j of (Q' S_W Q)_jj / S_j^2.
    """
    _, sizes, Q = np.linalg.svd(M, full_matrices=False)
    Q, sizes = Q[:kept], sizes[:kept]
    return float((((Q @ within) * Q).sum(axis=1) / sizes**2).sum())


def ratio(v: np.ndarray, counts: np.ndarray, M: np.ndarray) -> np.ndarray:
    """tr(S_W) / tr(S_B) from spreads v (..., K) and class means M (..., K, r)."""
    return v @ (counts / counts.sum()) / (np.square(M).sum(axis=(-2, -1)) / len(counts))


def squared_distances(M: np.ndarray) -> np.ndarray:
    """(K, K) between rows of M (K, r), by differences: near rows keep their digits."""
    return np.stack([np.square(M - row).sum(axis=1) for row in M])


def pair_variability(v: np.ndarray, D: np.ndarray) -> np.ndarray:
    """(v_k + v_k') / (2 D_kk') from v (..., K) and D (..., K, K); NaN for two means alike."""
    both = (v[..., :, None] + v[..., None, :]) / 2
    there = _ALIKE**2 * both < D
    return np.where(there, both / np.where(there, D, 1.0), np.nan)


def cdnv(v: np.ndarray, D: np.ndarray) -> np.ndarray:
    """Mean of `pair_variability` over the pairs of classes."""
    k, other = np.triu_indices(v.shape[-1], 1)
    return pair_variability(v, D)[..., k, other].mean(axis=-1)


def simplex(G: np.ndarray) -> dict[str, np.ndarray]:
    """NC2 of vectors with Gram matrix G (..., K, K): equal lengths, equal angles, and both."""
    K = G.shape[-1]
    lengths = np.sqrt(np.diagonal(G, axis1=-2, axis2=-1))
    excess = np.abs(cosine_excess(G))
    return {
        "_equinorm": lengths.std(axis=-1, ddof=1) / lengths.mean(axis=-1),
        "_equiangular": excess.sum(axis=(-2, -1)) / (K * (K - 1)),
        "": from_simplex(G),
    }


def cosine_excess(G: np.ndarray) -> np.ndarray:
    """cos + 1/(K - 1) of vectors with Gram matrix G (..., K, K); 0 on the diagonal.

    NaN beside a vector of length 0.
    """
    K = G.shape[-1]
    lengths = np.sqrt(np.diagonal(G, axis1=-2, axis2=-1))
    lengths = np.where(lengths > 0, lengths, np.nan)
    out = G / lengths[..., :, None] / lengths[..., None, :] + 1 / (K - 1)
    out[..., np.arange(K), np.arange(K)] = 0.0
    return out


def from_simplex(A: np.ndarray) -> np.ndarray:
    """| A/|A| - (I - 11'/K)/sqrt(K - 1) | of A (..., K, K), in 0..2; NaN for zeros."""
    K = A.shape[-1]
    size = np.sqrt(np.square(A).sum(axis=(-2, -1), keepdims=True))
    ideal = (np.eye(K) - 1 / K) / math.sqrt(K - 1)
    return np.linalg.norm(A / np.where(size > 0, size, np.nan) - ideal, axis=(-2, -1))


def _of_head(
    moments: Moments, centre: Centre, apart: bool, corners_fit: bool
) -> dict[str, np.ndarray | float]:
    head = moments.head
    assert head is not None
    W, size = head.weight, np.linalg.norm(head.weight)
    out: dict[str, np.ndarray | float] = {
        "bias": np.linalg.norm(W @ moments.global_mean(centre) + head.bias),
        "nc4": head.disagree.sum() / moments.n,
        "head_error": head.wrong.sum() / moments.n,
    }
    if size > 0 and corners_fit:
        out |= {f"nc2_weight{name}": value for name, value in simplex(W @ W.T).items()}
    if size > 0 and apart:
        M = moments.around(centre)
        out["nc3"] = np.square(W / size - M / np.linalg.norm(M)).sum()
        if corners_fit:
            out["nc3_zhu"] = from_simplex(W @ M.T)
    return out


def _notes(moments: Moments, M: np.ndarray, kept: int, pair: bool) -> tuple[str, ...]:
    """What the numbers cannot say, in order of weight."""
    counts, width, notes = moments.counts, moments.means.shape[1], []
    K = len(counts)
    if not kept:
        notes.append("All class means are alike: NC1, CDNV, NC2 and NC3 are not defined.")
    elif pair:
        notes.append("Two class means are alike: CDNV is not defined.")
    if kept and not np.square(M).sum(axis=1).all():
        notes.append("A class mean is the global mean: its angles are not defined.")
    if K == 2:
        notes.append("Two centred class means are always opposite: NC2 of them says nothing.")
    if width < K - 1:
        notes.append(f"No simplex of {K} corners fits into {width} units: NC2 and NC3 (Zhu) "
                     f"need {K - 1} or more.")  # fmt: skip
    lost = min(K - 1, width) - kept
    if kept and lost:
        notes.append(f"NC1 leaves out {lost} direction(s) in which the class means hardly differ.")
    if moments.head is not None and not moments.head.weight.any(axis=1).all():
        notes.append("A head row is zero: its angles are not defined.")
    if counts.min() < counts.max():
        notes.append(f"Classes have {counts.min()} to {counts.max()} rows: Σ_W weighs rows, "
                     "Σ_B classes.")  # fmt: skip
    if moments.still_units:
        notes.append(f"{moments.still_units} of {width} units have one value on all rows.")
    return tuple(notes)
