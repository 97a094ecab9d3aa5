"""Elements at the end of the scale: found, kept apart, and placed by rule."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import DataError
from backend.rasch.extremes import set_aside, solve_extremes
from backend.rasch.partial_credit import moments
from backend.rasch.reading import read_ratings


def read(matrix: list[list[int]]):
    """Items by raters; -1 is not rated."""
    M = np.array(matrix)
    item, rater = np.nonzero(M >= 0)
    return read_ratings(pa.table({
        "item": [f"i{k}" for k in item], "rater": [f"r{k}" for k in rater],
        "rating": M[item, rater],
    }))  # fmt: skip


def test_an_extreme_item_makes_a_rater_extreme_in_turn():
    # i2 is all highest; without it r2 has the lowest rating only
    split = set_aside(read([[0, 1, 0], [1, 0, 0], [1, 1, 1]]))
    assert split.extreme["item"].tolist() == [False, False, True]
    assert split.extreme["rater"].tolist() == [False, False, True]
    assert split.used.sum() == 4


def test_what_only_extreme_items_use_is_merged():
    split = set_aside(read([[0, 1], [1, 0], [2, 2]]))
    assert split.ratings.most.tolist() == [1]
    assert split.extreme["item"].tolist() == [False, False, True]


def test_nothing_left_is_refused():
    with pytest.raises(DataError, match="only its lowest or only its highest"):
        set_aside(read([[0, 0], [1, 1]]))


def test_extreme_scores_move_inward_by_the_rule():
    ratings = read([[0, 1, 0], [1, 0, 1], [1, 1, 1], [0, 0, 0]])
    split = set_aside(ratings)
    measures = {"item": np.zeros(4), "rater": np.array([-0.5, 0.0, 0.5])}
    solve_extremes(split, measures, [np.array([0.2])], inward=0.3)
    for item, score in ((2, 2.7), (3, 0.3)):
        E = moments(measures["item"][item] - measures["rater"], np.array([0.2]))[0]
        assert E.sum() == pytest.approx(score, abs=1e-6)
    assert measures["item"][:2].tolist() == [0, 0]
