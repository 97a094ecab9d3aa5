"""Statistics of features that come in batches: means first, then the spread around them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from backend.collapse.arrays import Array, Library, as_numpy, library_of
from backend.collapse.metrics import Collapse, measure
from backend.collapse.moments import Centre, Moments, Rows, as_head, as_labels, check_counts
from backend.collapse.passes import Frame, Means, Tilt, Within
from backend.errors import AnalysisError


class ClassStatistics:
    """Moments of features of which no more than a batch is in memory.

    The same rows are given once for each pass, in any batches, as numpy arrays or torch tensors
    on any device; each is worked on where it lies, in blocks of float64. Two passes, or three
    with `keep`, which holds what the bootstrap needs: 2 r + K + 2 numbers a row, r = min(K-1, d).
    The order of rows may differ between passes, except between the last two with `keep`.

        statistics = ClassStatistics(10, weight=W, bias=b)
        for _ in statistics.passes():
            for H, y in batches():
                statistics.add(H, y)
        measure(statistics.moments)

    Parameters
    ----------
    n_classes : K; labels are 0..K-1.
    weight, bias : (K, d) and (K,) of the head, for what compares features with it.
    keep : whether `rows` is wanted, for intervals.
    workers : threads that share a batch; each holds a block or two and its own sums.
    """

    def __init__(
        self,
        n_classes: int,
        *,
        weight: Array | None = None,
        bias: Array | None = None,
        keep: bool = False,
        workers: int = 1,
    ):
        head = as_head(
            None if weight is None else as_numpy(weight),
            None if bias is None else as_numpy(bias),
            n_classes,
        )
        self.n_classes, self.keep, self.workers = n_classes, keep, workers
        self._weight, self._bias = head or (None, None)
        self._library: Library | None = None
        self._width = 0 if head is None else head[0].shape[1]
        self._open = False
        self._current: Means | Within | Tilt | None = None
        self._moments: Moments | None = None
        self._rows: Rows | None = None

    @property
    def moments(self) -> Moments:
        """What was found, after the last pass."""
        if self._moments is None:
            raise AnalysisError("The passes over the features are not finished.",
                                "Give every batch in each of `passes()`.")  # fmt: skip
        return self._moments

    @property
    def rows(self) -> Rows:
        """What resampling needs, after the last pass."""
        if self._rows is None:
            raise AnalysisError("No rows were kept.", "Ask with keep=True and finish the passes.")
        return self._rows

    def passes(self) -> Iterator[int]:
        """Yield the number of each pass; give every batch to `add` in each.

        Raises
        ------
        AnalysisError : nothing was given, a class has fewer than two rows, a feature is not
            finite, or a later pass saw other features.
        """
        self._open, self._library, self._current = True, None, None
        yield 0
        means = self._current
        if not isinstance(means, Means):
            raise AnalysisError("No features were given.", "Give batches to `add` in each pass.")
        with _one_thread():
            frame, centred = self._framed(means)
        self._current = within = Within(means.library, frame, keep=self.keep)
        yield 1
        moments = within.moments(centred)
        if self.keep:
            across = within.library.get(within.across) / moments.n
            outside = across - (across @ frame.basis.T) @ frame.basis
            self._current = tilt = Tilt(within.library, frame.means, outside)
            yield 2
            self._rows = _joined(within, tilt)
        self._moments, self._current, self._open = moments, None, False

    def _framed(self, means: Means) -> tuple[Frame, np.ndarray]:
        """What the second pass measures against, and the centred class means (K, d)."""
        check_counts(means.counts)
        near = means.around_origin()
        centred = near - near.mean(axis=0)
        rank = min(self.n_classes - 1, self._width)
        basis = np.linalg.svd(centred, full_matrices=False)[2][:rank]
        still = np.flatnonzero((near == near[0]).all(axis=0))
        frame = Frame(
            means.counts, means.origin + near, basis, centred @ basis.T, still,
            self._weight, self._bias,
        )  # fmt: skip
        return frame, centred

    def add(self, features: Array, labels: Array) -> None:
        """A batch of features (n, d) with labels (n,) to the current pass.

        Raises
        ------
        AnalysisError : shapes or labels are not right, or no pass is open.
        """
        library = library_of(features)
        y = as_labels(as_numpy(labels), len(features), self.n_classes)
        if not self._open:
            raise AnalysisError("No pass over the features is open.", "Loop over `passes()`.")
        if not len(y):
            return
        if self._width not in (0, features.shape[1]):
            raise AnalysisError(
                f"Features of {features.shape[1]} columns do not fit {self._width} before them "
                "or in the head.",
                "Give batches of one layer, and the head that reads it.",
            )
        if self._library is None:
            self._library, self._width = library, features.shape[1]
            self._current = Means(library, _origin(library, features), self.n_classes)
        if type(library) is not type(self._library) or self._current is None:
            raise AnalysisError("Some batches are numpy arrays and some torch tensors.",
                                "Give one kind.")  # fmt: skip
        _fill(self._current, features, y, self.workers)


def summarise(
    features: Array,
    labels: Array,
    *,
    weight: Array | None = None,
    bias: Array | None = None,
    n_classes: int | None = None,
    keep: bool = False,
    workers: int = 1,
) -> ClassStatistics:
    """The finished statistics of features (N, d), in memory or mapped from a file.

    The features are read in blocks and never copied whole. K is `n_classes`, else the rows of
    the head, else the largest label + 1. Other parameters and errors as of `ClassStatistics`.
    """
    found = as_numpy(labels)
    if n_classes is None and weight is not None:
        n_classes = len(weight)
    if n_classes is None:
        n_classes = int(found.max()) + 1 if found.size and found.dtype.kind in "iu" else 1
    statistics = ClassStatistics(n_classes, weight=weight, bias=bias, keep=keep, workers=workers)
    for _ in statistics.passes():
        statistics.add(features, found)
    return statistics


def collapse(
    features: Array,
    labels: Array,
    *,
    weight: Array | None = None,
    bias: Array | None = None,
    n_classes: int | None = None,
    centre: Centre = "classes",
    workers: int = 1,
) -> Collapse:
    """How far features (N, d) of a layer have collapsed, and the head (K, d) with them.

    Parameters are those of `summarise` and `measure`.
    """
    found = summarise(
        features, labels, weight=weight, bias=bias, n_classes=n_classes, workers=workers
    )
    return measure(found.moments, centre=centre)


def _fill(
    current: Means | Within | Tilt, features: Array, labels: np.ndarray, workers: int
) -> None:
    """Feed a batch block by block; each worker takes a run of rows, so the order is kept."""
    n, d = features.shape
    size = max(1, current.library.values // d)
    part = size * -(-n // (size * workers))  # whole blocks for each worker

    def feed(into: Means | Within | Tilt, first: int) -> None:
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused later
            for start in range(first, min(first + part, n), size):
                at = slice(start, min(start + size, first + part))
                into.add(features[at], labels[at])

    with _one_thread():
        starts = list(range(0, n, part))
        others = [current.fresh() for _ in starts[1:]]
        if not others:
            feed(current, 0)
            return
        with ThreadPoolExecutor(len(starts)) as pool:
            list(pool.map(feed, [current, *others], starts))
    for other in others:
        current.merge(other)


def _origin(library: Library, features: Array) -> np.ndarray:
    """(d,) what class sums are taken around: the first row of float64 features.

    Other types have too few digits to hold an offset that sums in float64 would suffer from.
    """
    first = library.get(library.wide(features[:1]))[0]
    if not str(features.dtype).endswith("float64"):
        return np.zeros_like(first)
    return np.where(np.isfinite(first), first, 0.0)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread():
    """One thread for the products of a block: more would wait for one another."""
    return _libraries().limit(limits=1, user_api="blas")


def _joined(within: Within, tilt: Tilt) -> Rows:
    r, has_head = within.frame.inside.shape[1], within.frame.weight is not None
    labels, seen, squares = (np.concatenate(part) for part in zip(*within.rows, strict=True))
    again, turned, lengths = (np.concatenate(part) for part in zip(*tilt.rows, strict=True))
    if not (np.array_equal(labels, again) and np.allclose(squares, lengths, rtol=1e-3)):
        raise AnalysisError(
            "The rows of the last two passes differ, or come in another order.",
            "For intervals give the same batches in the same order, in eval mode.",
        )
    return Rows(labels, seen[:, :r], squares, turned, seen[:, r:] if has_head else None)
