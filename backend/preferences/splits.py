"""What is held out: pairs of known people, all pairs of new people, and whole options."""

from dataclasses import dataclass

import numpy as np

from backend.errors import AnalysisError
from backend.preferences.choices import Choices


@dataclass(frozen=True)
class Split:
    """Rows of the choices, int64 each; people in `new` have no row in `train` or `test`."""

    train: np.ndarray
    test: np.ndarray
    new: np.ndarray

    def checked(self) -> "Split":
        """The same; AnalysisError where nothing could be held out."""
        if not len(self.test):
            raise AnalysisError(
                "No choice can be held out: nobody judged two different pairs often enough.",
                "Give more choices per person, at least three.",
            )
        return self


def split(choices: Choices, *, seed: int, test_share: float = 0.2, new_share: float = 0.2) -> Split:
    """Hold out a share of the people, and of each other person's pairs.

    A pair that a person judged twice is wholly in train or wholly in test. With fewer than ten
    people nobody is kept as new.
    """
    rng = np.random.default_rng(seed)
    persons = len(choices.persons)
    is_new = np.zeros(persons, bool)
    if persons >= 10:
        is_new[rng.permutation(persons)[: round(new_share * persons)]] = True
    pair = _pair_of_person(choices)
    first = np.unique(pair, return_index=True)[1]
    owner = choices.u[first]  # of each pair
    held = hold_out(owner, test_share, rng)
    fresh, tested = is_new[choices.u], held[pair]
    return Split(
        np.flatnonzero(~fresh & ~tested), np.flatnonzero(~fresh & tested), np.flatnonzero(fresh)
    )


def place_within(groups: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Each row's place among the rows of its group, from 0, (n,): at random, or as they come."""
    key = np.arange(len(groups)) if rng is None else rng.random(len(groups))
    order, counts = np.lexsort((key, groups)), np.bincount(groups)
    place = np.empty(len(groups), np.int64)
    place[order] = np.arange(len(groups)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place


def hold_out(groups: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of each group's rows, drawn at random, bool (n,)."""
    return place_within(groups, rng) < np.round(share * np.bincount(groups))[groups]


def split_items(
    choices: Choices, *, seed: int, share: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Rows without any held-out item to learn from, and rows with one or two to be tested on."""
    rng = np.random.default_rng(seed)
    items = len(choices.items)
    out = np.zeros(items, bool)
    out[rng.permutation(items)[: max(1, round(share * items))]] = True
    touched = out[choices.left] | out[choices.right]
    return np.flatnonzero(~touched), np.flatnonzero(touched)


def _pair_of_person(choices: Choices) -> np.ndarray:
    """A number for each (person, unordered pair of items), int64 (n,)."""
    low = np.minimum(choices.left, choices.right)
    high = np.maximum(choices.left, choices.right)
    items = np.int64(len(choices.items))
    return np.unique((choices.u * items + low) * items + high, return_inverse=True)[1].ravel()
