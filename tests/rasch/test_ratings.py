"""Ratings in codes: what is left out, closed up and renumbered."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import DataError
from backend.rasch.ratings import is_nested, merge_unused, only_enough, without_raters
from backend.rasch.reading import read_ratings


def read(rows: list[tuple], **settings):
    names = ("item", "rater", "criterion", "rating")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return read_ratings(pa.table(columns), **settings)


ROWS = [
    ("a", "x", "p", 0), ("a", "y", "p", 2), ("b", "x", "p", 3), ("b", "y", "p", 0),
    ("a", "x", "q", 1), ("b", "y", "q", 1), ("b", "x", "s", 5), ("a", "y", "s", 4),
]  # fmt: skip


def test_unused_categories_are_closed_up_and_criteria_of_one_category_left_out():
    r = read(ROWS)
    assert r.labels["criterion"].tolist() == ["p", "s"]
    assert r.categories == (("0", "2", "3"), ("4", "5"))
    assert r.most.tolist() == [2, 1]
    assert r.x.tolist() == [0, 1, 2, 0, 1, 0]
    assert "closed up in: p." in " ".join(r.notes)
    assert "all ratings are alike: q." in " ".join(r.notes)


def test_ratings_that_are_all_alike_are_refused():
    with pytest.raises(DataError, match="alike"):
        read([("a", "x", "p", 1), ("b", "y", "p", 1)])


def test_rows_lie_by_criterion_and_keep_leaves_slices_right():
    r = read(ROWS[::-1])
    assert r.starts.tolist() == [0, 2, 6]
    part = r.keep(r.codes["rater"] == r.labels["rater"].tolist().index("x"))
    assert part.starts.tolist() == [0, 1, 3]
    assert all((part.codes["criterion"][part.rows_of(i)] == i).all() for i in range(2))


def test_a_category_that_only_uncounted_ratings_have_merges_downwards():
    r = read([("a", "x", "p", k) for k in (0, 1, 2, 2)])
    merged = merge_unused(r, counted=np.array([True, True, False, False]))
    assert merged.categories == (("0", "1+2"),)
    assert merged.x.tolist() == [0, 1, 1, 1]


def test_raters_with_few_ratings_are_left_out():
    rows = [("a", "x", "p", 0), ("b", "x", "p", 1), ("a", "y", "p", 1)]
    r = only_enough(read(rows), 2)
    assert r.labels["rater"].tolist() == ["x"]
    assert r.n == 2
    assert "1 raters with fewer than 2" in " ".join(r.notes)
    with pytest.raises(DataError, match="No rater gave 5 ratings; the most is 2"):
        only_enough(read(rows), 5)


def test_without_raters_drops_items_that_only_they_rated():
    r = read([("a", "x", "p", 0), ("b", "x", "p", 1), ("c", "y", "p", 1)])
    left = without_raters(r, np.array([False, True]))
    assert left.labels["item"].tolist() == ["a", "b"]
    with pytest.raises(DataError, match="No rater would be left"):
        without_raters(r, np.array([True, True]))


def test_nesting():
    assert is_nested(np.array([0, 0, 1, 2]), np.array([1, 1, 0, 1]))
    assert not is_nested(np.array([0, 0, 1]), np.array([1, 0, 0]))
