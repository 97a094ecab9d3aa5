"""From tables to codes: words, numbers, gaps, repeats, a fourth facet."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import DataError
from backend.rasch.hate_speech import CRITERIA
from backend.rasch.reading import read_ratings


def table(ratings: list | pa.Array, **more: list) -> pa.Table:
    n = len(ratings)
    own = {"item": [f"i{k // 2}" for k in range(n)], "rater": [f"r{k % 2}" for k in range(n)]}
    return pa.table(own | {"rating": ratings} | more)


def test_without_criteria_there_is_one():
    r = read_ratings(table([1, 2, 3, 1]))
    assert r.labels["criterion"].tolist() == ["rating"]
    assert r.facets == ("item", "rater")
    assert r.x.tolist() == [0, 1, 2, 0]


def test_words_need_their_order():
    words = table(["no", "Perhaps", "yes", " no "])
    with pytest.raises(DataError, match=r"'no' is a word.*levels=no,perhaps,yes"):
        read_ratings(words)
    r = read_ratings(words, levels="no, perhaps, yes")
    assert r.x.tolist() == [0, 1, 2, 0]
    assert r.categories == (("no", "perhaps", "yes"),)
    with pytest.raises(DataError, match="'Perhaps' is not among the levels"):
        read_ratings(words, levels="no,yes")
    with pytest.raises(DataError, match="two or more different"):
        read_ratings(words, levels="no,no")


def test_numbers_may_come_as_text_and_in_half_steps():
    assert read_ratings(table(["1", "2.0", "3", "1"])).x.tolist() == [0, 1, 2, 0]
    r = read_ratings(table([0.5, 1.0, 2.0, 1.5]))
    assert r.x.tolist() == [0, 1, 3, 2]
    assert "steps of 0.5" in " ".join(r.notes)


def test_missing_ratings_are_counted_and_left_out():
    r = read_ratings(table([1, None, 3, 2]))
    assert r.n == 3
    assert "a value is missing: 1." in " ".join(r.notes)
    with pytest.raises(DataError, match="No row"):
        read_ratings(table(pa.array([None, None], pa.float64())))
    with pytest.raises(DataError, match="infinite"):
        read_ratings(table([1.0, float("inf")]))


def test_repeats_are_kept_and_counted():
    twice = pa.concat_tables([table([1, 2, 3, 1])] * 2)
    r = read_ratings(twice)
    assert r.n == 8
    assert "all kept: 4." in " ".join(r.notes)


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="no column 'rater'"):
        read_ratings(pa.table({"item": ["a"], "rating": [1]}))
    with pytest.raises(DataError, match="no column 'group'"):
        read_ratings(table([1, 2]), facet="group")


def test_a_fourth_facet_that_varies_is_one_and_a_nested_one_is_set_aside():
    crossed = table([1, 2, 3, 1, 2, 2, 1, 3], group=list("uvvuvuuv"))
    assert read_ratings(crossed, facet="group").facets == ("item", "rater", "group")
    nested = table([1, 2, 3, 1], group=["u", "v", "u", "v"])  # r0 is u, r1 is v
    r = read_ratings(nested, facet="group")
    assert r.facets == ("item", "rater")
    assert r.columns["group"].tolist() == [0, 1, 0, 1]
    assert "Each rater has one group" in " ".join(r.notes)


def test_further_columns_are_kept_for_interactions():
    r = read_ratings(table([1, 2, 3, 1], colour=["red", None, "blue", "red"]), columns=["colour"])
    assert r.labels["colour"].tolist() == ["red", "blue", ""]
    assert r.columns["colour"].tolist() == [0, 2, 1, 0]


def test_the_hate_speech_table_is_melted_with_its_own_recoding():
    rng = np.random.default_rng(0)
    wide = {c.name: rng.integers(0, len(c.recode), 40).astype(float) for c in CRITERIA}
    wide |= {"comment_id": np.arange(40) // 4, "annotator_id": np.arange(40) % 5}
    wide["respect"][0] = np.nan
    r = read_ratings(pa.table(wide))
    assert r.n == 390
    assert r.size("criterion") == 10
    assert r.most.max() == 4
    assert "one of the ten answers is missing: 1." in " ".join(r.notes)
