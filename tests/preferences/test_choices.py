"""Choices read from a table: codes, sides, ties, prompts, attributes, covariates, refusals."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import DataError
from backend.preferences.choices import read_choices
from tests.preferences.worlds import table


def test_codes_give_the_table_back():
    rows = [("ann", "x", "y", "a"), ("bob", "z", "x", "b"), ("ann", "y", "z", "b")]
    choices = read_choices(table(rows))
    assert choices.persons.tolist() == ["ann", "bob"] and choices.n == 3
    back = [
        (choices.persons[u], choices.items[a], choices.items[b], "b" if y > 0 else "a")
        for u, a, b, y in zip(choices.u, choices.left, choices.right, choices.y, strict=True)
    ]
    assert back == rows
    assert sorted(choices.items) == ["x", "y", "z"]
    assert choices.prompts is choices.q is choices.attributes is choices.probability is None


@pytest.mark.parametrize(
    ("word", "side"),
    [("a", -1), ("B", 1), (" left ", -1), ("Right", 1), ("option_a", -1), ("OPTION_B", 1)],
)
def test_every_word_for_a_side(word, side):
    assert read_choices(table([("p", "x", "y", word)])).y.tolist() == [side]


def test_ties_and_an_option_against_itself_are_left_out_and_said():
    rows = [("p", "x", "y", "tie"), ("p", "x", "x", "a"), ("p", "y", "y", "Equal"),
            ("p", "x", "y", "both"), ("p", "x", "y", "a"), ("p", "y", "x", "b")]  # fmt: skip
    choices = read_choices(table(rows))
    assert choices.n == 2 and choices.y.tolist() == [-1, 1]
    assert choices.notes == (
        "3 ties were left out: they say nothing about the order.",
        "1 choices of an option against itself left out.",
    )


def test_numbers_name_persons_and_options_as_well():
    choices = read_choices(table([(7, 1, 2, "a"), (8, 2, 3, "b")]))
    assert choices.persons.tolist() == ["7", "8"]
    assert choices.items[choices.left].tolist() == ["1", "2"]


def test_an_option_below_another_prompt_is_another_item():
    rows = [("p", "x", "y", "a", "one"), ("p", "x", "y", "b", "two"), ("q", "y", "x", "a", "one")]
    choices = read_choices(table(rows, "prompt"))
    assert len(choices.items) == 4 and choices.prompts.tolist() == ["one", "two"]
    assert choices.q.tolist() == [0, 1, 0]
    assert choices.left[0] == choices.right[2] != choices.left[1]
    for side in (choices.left, choices.right):
        assert choices.item_prompt[side].tolist() == choices.q.tolist()


def test_a_missing_prompt_is_the_empty_one():
    choices = read_choices(table([("p", "x", "y", "a", None), ("p", "x", "y", "b", "")], "prompt"))
    assert choices.prompts.tolist() == [""] and len(choices.items) == 2


def test_attributes_belong_to_the_offer_not_to_the_name():
    rows = [("p", "tea", "tea", "b", 2.0, 3.0, 0, 0), ("p", "tea", "mug", "a", 2, 9.5, 0, 1)]
    choices = read_choices(table(rows, "a_price", "b_price", "a_hot", "b_hot"))
    assert choices.attribute_names == ("price", "hot") and choices.n == 2
    assert len(choices.items) == 3
    assert choices.attributes[choices.left].tolist() == [[2, 0], [2, 0]]
    assert choices.attributes[choices.right].tolist() == [[3, 0], [9.5, 1]]
    assert choices.left[0] == choices.left[1] != choices.right[0]


def test_one_offer_against_itself_is_left_out():
    rows = [("p", "tea", "tea", "b", 2.0, 2.0), ("p", "tea", "tea", "b", 2.0, 3.0)]
    choices = read_choices(table(rows, "a_price", "b_price"))
    assert choices.n == 1 and "1 choices of an option against itself left out." in choices.notes


def test_only_pairs_of_number_columns_are_attributes():
    rows = [("p", "x", "y", "a", 1, "blue", "red", 1.5, 2.5)]
    choices = read_choices(table(rows, "a_alone", "a_colour", "b_colour", "a_size", "b_size"))
    assert choices.attribute_names == ("size",)


def test_columns_that_do_not_vary_within_a_person_are_covariates():
    rows = [("p", "x", "y", "a", 31, 1, "en"), ("q", "x", "y", "b", 40, 1, "en"),
            ("p", "y", "x", "a", 31, 2, "en")]  # fmt: skip
    choices = read_choices(table(rows, "age", "round", "language"))
    assert {k: v.tolist() for k, v in choices.covariates.items()} == {"age": [31, 40]}


def test_a_covariate_is_that_of_its_person_when_the_first_row_is_left_out():
    rows = [("q", "x", "y", "tie", 40), ("p", "x", "y", "a", 31), ("q", "x", "y", "b", 40)]
    choices = read_choices(table(rows, "age"))
    assert choices.persons.tolist() == ["p", "q"]
    assert choices.covariates["age"].tolist() == [31, 40]


def test_a_probability_is_kept_where_it_is_one():
    rows = [("p", "x", "y", "a", 0.1), ("p", "x", "y", "tie", 0.5), ("p", "x", "y", "b", 1.0)]
    assert read_choices(table(rows, "probability")).probability.tolist() == [0.1, 1.0]
    assert read_choices(table([("p", "x", "y", "a", 1.2)], "probability")).probability is None


def test_people_with_one_answer_are_said():
    rows = [("p", "x", "y", "a"), ("q", "x", "y", "b"), ("p", "x", "z", "b")]
    assert read_choices(table(rows)).notes == (
        "1 of 2 persons made one choice: they say little of taste.",
    )


def test_taking_rows_keeps_the_numbers_of_persons_and_items():
    rows = [("p", "x", "y", "a", "k", 0.2), ("q", "z", "y", "b", "l", 0.9)]
    choices = read_choices(table(rows, "prompt", "probability"))
    one = choices.take(np.array([1]))
    assert one.n == 1 and one.u.tolist() == [1] and one.q.tolist() == [1]
    assert one.probability.tolist() == [0.9] and one.y.tolist() == [1]
    assert one.persons is choices.persons and one.items is choices.items


def test_a_table_in_several_pieces_reads_like_one():
    rows = [("p", "x", "y", "a"), ("q", "z", "x", "b"), ("p", "y", "z", "left")]
    whole = table(rows)
    pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 2)])
    a, b = read_choices(whole), read_choices(pieces)
    for name in ("persons", "items", "u", "left", "right", "y"):
        assert getattr(a, name).tolist() == getattr(b, name).tolist()


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([("p", "x", "y", "a"), ("p", "x", "y", "up")], (), "choice 'up' names no side"),
        ([("p", "x", "y", "tie"), ("q", "x", "y", "same")], (), "No choice is left: all are ties"),
        ([("p", "x", "y", "a", 1.0, None)], ("a_w", "b_w"), "attribute is missing in row 0"),
    ],
)
def test_refusals(rows, more, said):
    made = table(rows, *more)
    if more:  # all null would be no number column
        made = made.set_column(5, "b_w", pa.array([None] * len(rows), pa.float64()))
    with pytest.raises(DataError, match=said):
        read_choices(made)


def test_only_options_against_themselves_leave_nothing():
    with pytest.raises(DataError, match="No choice is left"):
        read_choices(table([("p", "x", "x", "a")]))
