"""Subsets of items and raters that nothing links."""

import numpy as np
import pyarrow as pa

from backend.rasch.connected import APART, find_subsets
from backend.rasch.reading import read_ratings


def read(pairs: list[tuple], **more: list):
    item, rater = zip(*pairs, strict=True)
    rating = [k % 2 for k in range(len(pairs))]
    return read_ratings(pa.table({"item": item, "rater": rater, "rating": rating, **more}))


def test_a_chain_is_one_subset():
    found = find_subsets(read([("a", "x"), ("a", "y"), ("b", "y"), ("b", "z")]))
    assert found.number == 1
    assert found.notes == ()


def test_two_halves_are_two_and_the_larger_comes_first():
    r = read([("a", "x"), ("b", "y"), ("b", "z"), ("c", "y")])
    found = find_subsets(r)
    assert found.number == 2
    assert found.sizes.tolist() == [3, 1]
    assert dict(zip(r.labels["item"], found.of["item"].tolist(), strict=True)) == {
        "a": 1, "b": 0, "c": 0,
    }  # fmt: skip
    assert found.of["criterion"].tolist() == [APART]
    assert "2 subsets" in found.notes[0]


def test_criteria_do_not_link_raters():
    r = read([("a", "x"), ("b", "y"), ("a", "x"), ("b", "y")], criterion=["p", "p", "q", "q"])
    assert find_subsets(r).number == 2


def test_raters_of_one_criterion_each_are_said():
    pairs = [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")]
    r = read_ratings(pa.table({
        "item": [i for i, _ in pairs], "rater": [r for _, r in pairs],
        "rating": [0, 1, 1, 0], "criterion": ["p", "p", "q", "q"],
    }))  # fmt: skip
    assert any("judged one criterion only" in note for note in find_subsets(r).notes)


def test_labels_follow_the_elements():
    r = read([("a", "x"), ("b", "y"), ("b", "z")])
    found = find_subsets(r)
    own = found.of["item"][r.codes["item"]]
    assert np.array_equal(own, found.of["rater"][r.codes["rater"]])
