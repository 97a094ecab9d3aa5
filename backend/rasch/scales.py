"""From rating values to categories: steps, maps that merge categories, one scale or several."""

from collections.abc import Iterable

import numpy as np

from backend.errors import DataError

MOST_CATEGORIES = 60
_REMEDY = "Write, for example, collapse='respect:0,1,1,2,3; *:0,0,1,2'."


def parse_collapse(text: str, criteria: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """New categories by criterion, of text such as "respect:0,1,1,2,3; *:0,0,1,2".

    Raises
    ------
    DataError : an unknown criterion, or categories that are no whole numbers from 0.
    """
    found: dict[str, tuple[int, ...]] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, numbers = part.rpartition(":")
        try:
            new = tuple(int(x) for x in numbers.split(","))
        except ValueError:
            raise DataError(f"collapse: {part!r} is not understood.", _REMEDY) from None
        if min(new) < 0:
            raise DataError(f"collapse: {part!r} has a category below 0.", _REMEDY)
        found[name.strip()] = new
    names = list(criteria)
    if unknown := [name for name in found if name != "*" and name not in names]:
        raise DataError(
            f"collapse: there is no criterion {unknown[0]!r}.", f"Criteria: {', '.join(names)}."
        )
    rest = found.pop("*", None)
    return found if rest is None else {name: found.get(name, rest) for name in names}


def code_values(
    values: np.ndarray,
    starts: np.ndarray,
    criteria: np.ndarray,
    *,
    maps: dict[str, tuple[int, ...]],
    words: tuple[str, ...] = (),
    shared: bool = False,
) -> tuple[np.ndarray, tuple[tuple[str, ...], ...], list[str]]:
    """Categories of rating values that lie sorted by criterion.

    Parameters
    ----------
    values : float64 (n,) without gaps; starts : (criteria + 1,) where each criterion begins.
    words : names of the levels, where the values are their places.
    shared : all criteria use one scale.

    Returns
    -------
    x intp (n,) from 0, the categories' names for each criterion, and notes.
    """
    x = np.empty(len(values), dtype=np.intp)
    whole = _distinct(values, "The ratings") if shared else None
    if shared and not maps:
        _check_one_scale(values, starts, criteria)
    categories, uneven, stepped = [], [], set()
    for i, name in enumerate(criteria):
        rows = slice(int(starts[i]), int(starts[i + 1]))
        own = _distinct(values[rows], f"Criterion {name}") if whole is None else whole
        levels, even = _levels(own)
        if not even:
            uneven.append(name)
        elif len(levels) > 1 and abs(levels[1] - levels[0] - 1) > 1e-9:
            stepped.add(f"{levels[1] - levels[0]:g}")
        code = np.searchsorted((levels[1:] + levels[:-1]) / 2, values[rows])
        names = [words[int(v)] if words else f"{v:g}" for v in levels]
        if name in maps:
            code, names = _mapped(code, names, maps[name], name)
        x[rows] = code
        categories.append(tuple(names))
    notes = [f"Ratings in steps of {', '.join(sorted(stepped))}, coded 0, 1, 2, ..."] * bool(
        stepped
    )
    if uneven:
        notes.append(f"Unequal steps between ratings, coded in order: {', '.join(uneven[:6])}.")
    return x, tuple(categories), notes


def _distinct(values: np.ndarray, what: str) -> np.ndarray:
    found = np.unique(values)
    if len(found) > MOST_CATEGORIES:
        raise DataError(
            f"{what} takes {len(found)} different values.",
            f"Round them to at most {MOST_CATEGORIES} categories.",
        )
    return found


def _levels(found: np.ndarray) -> tuple[np.ndarray, bool]:
    """Levels from low to high, with unused ones between them where steps are even; and if so."""
    if len(found) < 2:
        return found, True
    step = np.diff(found).min()
    place = (found - found[0]) / step
    if np.abs(place - place.round()).max() > 1e-6 or place[-1] >= MOST_CATEGORIES:
        return found, False
    return found[0] + step * np.arange(round(place[-1]) + 1), True


def _mapped(
    code: np.ndarray, names: list[str], new: tuple[int, ...], criterion: str
) -> tuple[np.ndarray, list[str]]:
    if len(new) != len(names):
        raise DataError(
            f"collapse gives {len(new)} categories for {criterion}, which has {len(names)}: "
            f"{', '.join(names)}.",
            "Give one new category for each, low to high.",
        )
    merged = ["+".join(n for n, j in zip(names, new, strict=True) if j == k)
              for k in range(max(new) + 1)]  # fmt: skip
    return np.array(new, dtype=np.intp)[code], merged


def _check_one_scale(values: np.ndarray, starts: np.ndarray, criteria: np.ndarray) -> None:
    low = np.minimum.reduceat(values, starts[:-1])
    high = np.maximum.reduceat(values, starts[:-1])
    other = np.flatnonzero((low != low[0]) | (high != high[0]))
    if len(other):
        i = int(other[0])
        raise DataError(
            f"A rating scale needs equal categories: {criteria[0]} runs from {low[0]:g} to "
            f"{high[0]:g}, {criteria[i]} from {low[i]:g} to {high[i]:g}.",
            "Use scale=partial_credit, or collapse the categories first.",
        )
