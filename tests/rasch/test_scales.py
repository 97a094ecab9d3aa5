"""Scales: levels, maps that merge categories, one scale for all."""

import numpy as np
import pytest

from backend.errors import DataError
from backend.rasch.scales import MOST_CATEGORIES, code_values, parse_collapse


def coded(values, starts=(0, None), names=("p",), maps=None, **more):
    values = np.array(values, dtype=float)
    ends = np.array([len(values) if s is None else s for s in starts])
    return code_values(values, ends, np.array(names, dtype=object), maps=maps or {}, **more)


def test_collapse_is_read_by_criterion_with_a_rest():
    assert parse_collapse("p:0,1,1; *:0,0,1", ["p", "q"]) == {"p": (0, 1, 1), "q": (0, 0, 1)}
    assert parse_collapse("", ["p"]) == {}
    assert parse_collapse("a:b:0,1", ["a:b"]) == {"a:b": (0, 1)}


@pytest.mark.parametrize(
    ("text", "said"),
    [("p:0,x", "not understood"), ("p:-1,0", "below 0"), ("z:0,1", "no criterion 'z'")],
)
def test_collapse_that_is_wrong_is_named(text: str, said: str):
    with pytest.raises(DataError, match=said):
        parse_collapse(text, ["p"])


def test_maps_count_from_the_lowest_rating_and_merge_names():
    x, names, _ = coded([1, 2, 3, 4, 5], maps={"p": (0, 1, 1, 2, 3)})
    assert x.tolist() == [0, 1, 1, 2, 3]
    assert names == (("1", "2+3", "4", "5"),)
    with pytest.raises(DataError, match="gives 2 categories for p, which has 5"):
        coded([1, 2, 3, 4, 5], maps={"p": (0, 1)})


def test_a_falling_map_turns_the_criterion_round():
    x, _, _ = coded([0, 1, 2], maps={"p": (2, 1, 0)})
    assert x.tolist() == [2, 1, 0]


def test_uneven_steps_are_coded_in_order_and_said():
    x, names, notes = coded([1, 2, 10, 2.7])
    assert x.tolist() == [0, 1, 3, 2]
    assert names == (("1", "2", "2.7", "10"),)
    assert "Unequal steps" in notes[0]


def test_too_many_values_are_refused():
    with pytest.raises(DataError, match="different values"):
        coded(np.linspace(0, 1, MOST_CATEGORIES + 1))


def test_one_scale_needs_the_same_ends():
    x, names, _ = coded([0, 2, 0, 1, 2], (0, 2, 5), ("p", "q"), shared=True)
    assert x.tolist() == [0, 2, 0, 1, 2]
    assert names == (("0", "1", "2"),) * 2
    with pytest.raises(DataError, match="p runs from 0 to 2, q from 0 to 1"):
        coded([0, 2, 0, 1], (0, 2, 4), ("p", "q"), shared=True)
