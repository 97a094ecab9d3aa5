"""What an analysis reads of a capture: sites in the order of depth, a sample of rows, vectors."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from backend.capture.view import CaptureView
from backend.errors import AnalysisError

_PLACE = {"resid_pre": 0, "attn_out": 1, "skip": 1, "mlp_out": 2, "main": 2}
_ENDS = {"embed": (-1, 0), "penultimate": (1 << 20, 0), "final": (1 << 20, 0), "head": (1 << 20, 1)}
_TRUNK = re.compile(r"^(embed|resid_post\.\d+|block\.\d+|final|penultimate)$")


def depth_order(sites: tuple[str, ...]) -> tuple[str, ...]:
    """Sites from the input to the output; unknown names keep their place after the blocks."""

    def place(site: str) -> tuple[int, int]:
        name, _, block = site.rpartition(".")
        if site in _ENDS:
            return _ENDS[site]
        return (int(block), _PLACE.get(name, 3)) if block.isdigit() else (1 << 19, 0)

    return tuple(sorted(sites, key=place))


def trunk(sites: tuple[str, ...]) -> tuple[str, ...]:
    """The sites of the main path, one per depth; all sites where there are fewer than three."""
    main = tuple(s for s in depth_order(sites) if _TRUNK.match(s))
    return main if len(main) >= 3 else depth_order(sites)


@dataclass(frozen=True)
class Sample:
    """Some vectors of a capture: the same rows, in the same order, at every site."""

    view: CaptureView
    rows: np.ndarray  # int64 (n,) data set row ids
    pick: np.ndarray | None  # which of the view's vectors, None for all

    @property
    def sites(self) -> tuple[str, ...]:
        return depth_order(self.view.sites)

    @property
    def groups(self) -> np.ndarray | None:
        """Labels (n,) of vectors from one data row; None where each row has one vector."""
        ids, labels = np.unique(self.rows, return_inverse=True)
        return None if len(ids) == len(self.rows) else labels

    def vectors(self, site: str) -> np.ndarray:
        """Vectors at one site, float32 (n, width); AnalysisError when some are not finite."""
        X = self.view.vectors(site)
        X = X if self.pick is None else X[self.pick]
        bad = int(np.count_nonzero(~np.isfinite(X)))
        if bad:
            raise AnalysisError(
                f"{self.view.model} has {bad} values at {site!r} that are not finite.",
                "Capture it again with dtype float32, or leave this site out.",
            )
        return X

    def table(self) -> pa.Table:
        """Metadata aligned with `rows`."""
        return self.view.dataset.take(self.rows)


def sample(view: CaptureView, *, rows: int, seed: int) -> Sample:
    """At most `rows` vectors of a capture, a uniform sample.

    The stored order is a random one, so the first rows are taken; where a data row has several
    vectors (tokens), they are drawn among those of the first rows.
    """
    narrow = replace(view, n=min(view.n, rows))
    ids = narrow.rows()
    if len(ids) <= rows:
        return Sample(narrow, ids, None)
    pick = np.sort(np.random.default_rng(seed).choice(len(ids), rows, replace=False))
    return Sample(narrow, ids[pick], pick)


def paired(a: CaptureView, b: CaptureView, *, rows: int, seed: int) -> tuple[Sample, Sample]:
    """Samples of two captures on the same data rows, in the same order."""
    if a.dataset.hash != b.dataset.hash:
        raise AnalysisError(
            f"{a.model} and {b.model} were captured on different data "
            f"({a.dataset.name!r} and {b.dataset.name!r}).",
            "Capture both on the same data set.",
        )
    n = min(a.n, b.n)
    first, second = (sample(replace(v, n=n), rows=rows, seed=seed) for v in (a, b))
    if np.array_equal(first.rows, second.rows):
        return first, second
    ids_a, ids_b = a.rows(), b.rows()
    if len(np.unique(ids_a)) < len(ids_a) or len(np.unique(ids_b)) < len(ids_b):
        raise AnalysisError(
            f"{a.model} and {b.model} cut the data into different pieces with {a.pooling!r} and "
            f"{b.pooling!r} pooling, so their vectors cannot be paired.",
            "Capture both with one vector per row, for example pooling last or mean.",
        )
    both, at_a, at_b = np.intersect1d(ids_a, ids_b, return_indices=True)
    order = np.argsort(at_a)[:rows]
    return Sample(a, both[order], at_a[order]), Sample(b, both[order], at_b[order])


def notes(parts: list[str]) -> str:
    """Notes as one text, each said once."""
    return " ".join(dict.fromkeys(filter(None, parts)))
