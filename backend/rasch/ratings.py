"""Ratings as codes: who rated what on which criterion, and with which category.

A criterion's categories count from 0 without gaps. Rows lie sorted by criterion, so that the
ratings of one criterion are one slice.
"""

from dataclasses import dataclass, replace

import numpy as np

from backend.errors import DataError

ITEM, RATER, CRITERION = "item", "rater", "criterion"
_SAID_MOST = 6  # criteria named in one note


@dataclass(frozen=True)
class Ratings:
    """n ratings in codes; facets are `item`, `rater`, perhaps one more, and `criterion`."""

    codes: dict[str, np.ndarray]  # facet -> (n,) intp
    labels: dict[str, np.ndarray]  # facet or further column -> its elements' names (objects)
    x: np.ndarray  # (n,) intp category, from 0
    starts: np.ndarray  # (criteria + 1,) where each criterion's rows begin
    categories: tuple[tuple[str, ...], ...]  # for each criterion its categories as they were given
    columns: dict[str, np.ndarray]  # further columns -> (n,) intp, for interactions only
    shared: bool = False  # one scale for all criteria, so categories are counted over all
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return len(self.x)

    @property
    def facets(self) -> tuple[str, ...]:
        """The facets of the model besides `criterion`: item, rater, and perhaps one more."""
        return tuple(name for name in self.codes if name != CRITERION)

    @property
    def most(self) -> np.ndarray:
        """Highest category m_i of each criterion, (criteria,)."""
        return np.array([len(names) - 1 for names in self.categories])

    def size(self, facet: str) -> int:
        """How many elements a facet has."""
        return len(self.labels[facet])

    def rows_of(self, criterion: int) -> slice:
        """The rows of one criterion."""
        return slice(int(self.starts[criterion]), int(self.starts[criterion + 1]))

    def codes_of(self, name: str) -> np.ndarray:
        """Codes (n,) of a facet or of a further column."""
        return self.codes[name] if name in self.codes else self.columns[name]

    def keep(self, rows: np.ndarray) -> "Ratings":
        """Some of the ratings, bool (n,); elements and categories stay as they are."""
        at = np.flatnonzero(rows)
        return replace(
            self,
            codes={name: codes[at] for name, codes in self.codes.items()},
            columns={name: codes[at] for name, codes in self.columns.items()},
            x=self.x[at],
            starts=np.searchsorted(at, self.starts),
        )

    def say(self, *notes: str) -> "Ratings":
        """The same ratings with more notes, each said once."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *filter(None, notes)))))


def tidy(ratings: Ratings) -> Ratings:
    """Without elements and categories that no rating has; criteria of one category are left out.

    Raises
    ------
    DataError : no criterion has two categories.
    """
    out = merge_unused(_squeeze(ratings))
    if (alone := out.most == 0).any():
        names = out.labels[CRITERION][alone]
        if alone.all():
            values = ", ".join(dict.fromkeys(c[0] for c in out.categories))
            raise DataError(
                f"All ratings of {', '.join(map(str, names[:_SAID_MOST]))} are alike ({values}).",
                "A scale needs ratings in at least two categories.",
            )
        out = out.keep(~alone[out.codes[CRITERION]])
        out = _squeeze(out).say(f"Left out, as all ratings are alike: {_list(names)}.")
        out = merge_unused(out)
    return out


def merge_unused(ratings: Ratings, *, counted: np.ndarray | None = None) -> Ratings:
    """Merge each category that no rating has with the one below it (the lowest: above it).

    Parameters
    ----------
    counted : bool (n,) ratings that count; the others are recoded alike.
    """
    x, categories, changed = ratings.x.copy(), list(ratings.categories), []
    own = ratings.x if counted is None else np.where(counted, ratings.x, -1)
    pooled = _used(own, max(map(len, categories))) if ratings.shared else None
    for i, names in enumerate(ratings.categories):
        rows = ratings.rows_of(i)
        used = _used(own[rows], len(names)) if pooled is None else pooled[: len(names)]
        if used.all() or not used.any():
            continue
        new = np.maximum(np.cumsum(used) - 1, 0)
        x[rows] = new[x[rows]]
        there = _used(ratings.x[rows], len(names))
        categories[i] = tuple(
            "+".join(n for n, j, t in zip(names, new, there | used, strict=True) if j == code and t)
            for code in range(int(used.sum()))
        )
        changed.append(ratings.labels[CRITERION][i])
    if not changed:
        return ratings
    note = f"Categories that nobody used were closed up in: {_list(changed)}."
    return replace(ratings, x=x, categories=tuple(categories)).say(note)


def only_enough(ratings: Ratings, least: int) -> Ratings:
    """Without raters who gave fewer than `least` ratings.

    Raises
    ------
    DataError : nobody gave as many.
    """
    counts = np.bincount(ratings.codes[RATER], minlength=ratings.size(RATER))
    few = counts < least
    if not few.any():
        return ratings
    if few.all():
        raise DataError(
            f"No rater gave {least} ratings; the most is {counts.max()}.", "Lower min_ratings."
        )
    kept = ratings.keep(~few[ratings.codes[RATER]])
    return tidy(kept.say(f"Left out: {few.sum()} raters with fewer than {least} ratings."))


def without_raters(ratings: Ratings, raters: np.ndarray) -> Ratings:
    """Without the raters where bool (raters,) is true; DataError when nobody is left."""
    if raters.all():
        raise DataError("No rater would be left.", "Drop fewer raters, or widen the bounds.")
    return tidy(ratings.keep(~raters[ratings.codes[RATER]]))


def is_nested(inner: np.ndarray, outer: np.ndarray) -> bool:
    """Whether each code of `inner` (n,) occurs with one code of `outer` (n,) only."""
    low = np.full(int(inner.max()) + 1, np.iinfo(np.int64).max)
    high = np.full(len(low), -1)
    np.minimum.at(low, inner, outer)
    np.maximum.at(high, inner, outer)
    seen = high >= 0
    return bool((low[seen] == high[seen]).all())


def _squeeze(ratings: Ratings) -> Ratings:
    """Renumber the elements that are there."""
    codes, columns, labels = dict(ratings.codes), dict(ratings.columns), dict(ratings.labels)
    there = np.diff(ratings.starts) > 0
    for group in (codes, columns):
        for name, values in group.items():
            used = _used(values, len(labels[name]))
            if not used.all():
                group[name] = (np.cumsum(used) - 1)[values]
                labels[name] = labels[name][used]
    starts = np.concatenate([[0], np.cumsum(np.diff(ratings.starts)[there])])
    kept = tuple(c for c, t in zip(ratings.categories, there, strict=True) if t)
    return replace(
        ratings, codes=codes, columns=columns, labels=labels, starts=starts, categories=kept
    )


def _used(codes: np.ndarray, size: int) -> np.ndarray:
    """Which of `size` codes occur; negative ones do not count."""
    out = np.zeros(size + 1, dtype=bool)
    out[np.minimum(codes, size)] = True  # -1 falls on the last place, which is cut off
    return out[:size]


def _list(names: "np.ndarray | list") -> str:
    said = ", ".join(str(name) for name in names[:_SAID_MOST])
    more = len(names) - _SAID_MOST
    return said if more <= 0 else f"{said} and {more} more"
