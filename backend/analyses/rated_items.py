"""Items with vectors, their debiased measures, and folds in which some of them are held out."""

from dataclasses import dataclass

import numpy as np

from backend.analyses.probe import stratified_folds
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError
from backend.rasch.component_score import measure_of_total
from backend.rasch.extremes import EXTREME
from backend.rasch.held_out import recalibrate

LEAST = 30  # items; fewer say nothing about items to come


@dataclass(frozen=True)
class Ruler:
    """A calibration of all ratings, and the ratings in its codes."""

    item: np.ndarray  # (N,) codes
    rater: np.ndarray
    criterion: np.ndarray
    x: np.ndarray  # category, from 0
    names: tuple[str, ...]  # of items
    criteria: tuple[str, ...]
    measures: np.ndarray  # (n_items,) logits
    errors: np.ndarray
    extreme: np.ndarray  # bool
    severities: np.ndarray  # (n_raters,)
    difficulties: np.ndarray  # (L,)
    thresholds: list[np.ndarray]
    notes: tuple[str, ...]

    @property
    def categories(self) -> tuple[int, ...]:
        return tuple(len(t) + 1 for t in self.thresholds)

    @property
    def points(self) -> int:
        """The highest total of a rater who answers all criteria."""
        return sum(len(t) for t in self.thresholds)

    @property
    def inward(self) -> float:
        """Points from an end that predicted totals keep, as the rule makes measured ones do.

        A lowest item of R raters is measured at 0.3 points in all, so at 0.3 / R for a rater.
        """
        pairs = np.unique(self.item * np.int64(len(self.severities)) + self.rater)
        return EXTREME * len(self.names) / len(pairs)

    def measure_of_share(self, share: np.ndarray) -> np.ndarray:
        """A share of the points as the measure that is expected to earn it, at severity 0."""
        total = np.clip(share, 0, 1) * self.points
        found = measure_of_total(total, self.difficulties, self.thresholds, inward=self.inward)
        return found[0]


@dataclass(frozen=True)
class Fold:
    """What may be known when the items of one fold are held out."""

    held: np.ndarray  # bool (n,) items
    measures: np.ndarray  # (n,) of the other items, NaN for those held out
    severities: np.ndarray  # (n_raters,), NaN for raters of held-out items only


@dataclass(frozen=True)
class Items:
    """n items that have both a vector and ratings, in the order of the capture."""

    ruler: Ruler
    pick: np.ndarray  # (n,) which of the view's vectors
    place: np.ndarray  # (n,) which of the ruler's items
    groups: np.ndarray  # (n,) labels; items with one text share a fold
    raw: np.ndarray  # (n,) mean share of the points
    folds: tuple[Fold, ...]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.place)

    @property
    def fold(self) -> np.ndarray:
        """Number (n,) of the fold that holds each item out."""
        return np.stack([f.held for f in self.folds]).argmax(axis=0)

    @property
    def measures(self) -> np.ndarray:
        """Debiased measures (n,) in the calibration of all ratings."""
        return self.ruler.measures[self.place]

    def ratings(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the ruler's ratings that are of these items, and the item (0..n-1) of each."""
        index = np.full(len(self.ruler.names), -1)
        index[self.place] = np.arange(self.n)
        found = index[self.ruler.item]
        rows = np.flatnonzero(found >= 0)
        return rows, found[rows]


def calibrate(data: Dataset, *, levels: str, collapse: str) -> Ruler:
    """Read ratings and put items, raters and criteria on one ruler (joint maximum likelihood)."""
    from backend.rasch.jmle import fit_jmle
    from backend.rasch.ratings import CRITERION, ITEM, RATER
    from backend.rasch.reading import read_ratings

    fit = fit_jmle(read_ratings(data.table(), levels=levels, collapse=collapse))
    found = fit.ratings
    return Ruler(
        found.codes[ITEM], found.codes[RATER], found.codes[CRITERION], found.x,
        tuple(map(str, found.labels[ITEM])), tuple(map(str, found.labels[CRITERION])),
        fit.measures[ITEM], fit.errors[ITEM], fit.extreme[ITEM], fit.measures[RATER],
        fit.measures[CRITERION], fit.thresholds, fit.notes,
    )  # fmt: skip


def rated_items(view: CaptureView, ruler: Ruler, *, at_most: int, folds: int, seed: int) -> Items:
    """Pair vectors and ratings by the items' names, and hold each item out once.

    Raises
    ------
    AnalysisError : no column `item`, several vectors for one item, or fewer than 30 items.
    """
    pick, place, groups, notes = _paired(view, ruler, at_most)
    if len(np.unique(groups)) < LEAST:
        raise AnalysisError(
            f"{len(np.unique(groups))} items with a vector and ratings are too few items.",
            f"Predicting scores of new items needs at least {LEAST}.",
        )
    rng = np.random.default_rng(seed)
    fold = stratified_folds(None, n=len(place), k=folds, rng=rng, groups=groups)
    parts = tuple(_without(ruler, place, fold == k) for k in range(folds))
    return Items(ruler, pick, place, groups, _shares(ruler)[place], parts, tuple(notes))


def _paired(
    view: CaptureView, ruler: Ruler, at_most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    table = view.table()
    if "item" not in table.column_names:
        raise AnalysisError(
            f"{view.dataset.name!r} does not say which item each row is.",
            "Give it a column 'item' with the names that the ratings use.",
        )
    names = table["item"].to_pylist()
    if len(set(names)) < len(names):
        raise AnalysisError(
            f"The capture of {view.model} has several vectors for one item.",
            "Capture one vector per item, for example with pooling last or mean.",
        )
    known = {name: i for i, name in enumerate(ruler.names)}
    found = np.array([known.get(str(name), -1) for name in names])
    pick = np.flatnonzero(found >= 0)
    notes, taken = [], pick[:at_most]
    if missing := len(names) - len(pick):
        notes.append(f"Items without usable ratings, left out: {missing}.")
    if len(taken) < len(ruler.names) - missing:
        notes.append(
            f"A sample of {len(taken)} of {len(ruler.names)} rated items is predicted; the ruler "
            "is calibrated on all."
        )
    texts = table["text"].to_pylist() if "text" in table.column_names else names
    groups = np.unique([str(texts[i]) for i in taken], return_inverse=True)[1]
    if (twice := len(taken) - len(np.unique(groups))) > 0:
        notes.append(f"Items whose text repeats another's, held out together: {twice}.")
    return taken, found[taken], groups, notes


def _without(ruler: Ruler, place: np.ndarray, held: np.ndarray) -> Fold:
    """Measures and severities from the ratings of all items but those held out."""
    out = np.zeros(len(ruler.names), dtype=bool)
    out[place[held]] = True
    seen = ~out[ruler.item]
    codes = (ruler.item, ruler.rater, ruler.criterion, ruler.x)
    measures, severities = recalibrate(
        *(c[seen] for c in codes), difficulties=ruler.difficulties, thresholds=ruler.thresholds,
        measures=ruler.measures, severities=ruler.severities,
    )  # fmt: skip
    return Fold(held, measures[place], severities)


def _shares(ruler: Ruler) -> np.ndarray:
    """Mean of rating / highest rating over all ratings of each item, (n_items,)."""
    most = np.array([len(t) for t in ruler.thresholds])[ruler.criterion]
    n = np.bincount(ruler.item, minlength=len(ruler.names))
    return np.bincount(ruler.item, ruler.x / most, minlength=len(ruler.names)) / np.maximum(n, 1)
