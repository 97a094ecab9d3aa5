"""The Measuring Hate Speech table: told by its columns, recoded by the card, melted."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import DataError
from backend.rasch.hate_speech import CRITERIA, incomplete, is_hate_speech, melt

NAMES = [c.name for c in CRITERIA]


def wide(**changes) -> pa.Table:
    """Five rows; row k has raw code k in each question (hatespeech: at most 2)."""
    columns: dict = {
        "comment_id": [47777, 47777, 12, 13, 13],
        "annotator_id": [1, 2, 1, 2, 3],
        "platform": [3, 3, 0, 2, 2],
        "text": ["a b", "a b", "c", "d", "d"],
        "annotator_educ": ["college", "school", "college", "school", None],
        "annotator_race_white": [True, False, True, False, True],
        "hate_speech_score": [0.1, 0.1, 0.3, 2.0, 2.0],
    }
    columns |= {name: [0.0, 1.0, 2.0, 3.0, 4.0] for name in NAMES}
    columns["hatespeech"] = [0.0, 1.0, 2.0, 2.0, 0.0]
    return pa.table(columns | changes)


def test_every_raw_code_becomes_the_card_s():
    long = melt(wide())
    assert long.num_rows == 50
    found = {
        name: [x for c, x in zip(long["criterion"].to_pylist(), long["rating"].to_pylist(),
                                 strict=True) if c == name]
        for name in NAMES
    }  # fmt: skip
    assert found == {
        "sentiment": [0, 1, 2, 3, 4],
        "respect": [0, 1, 2, 3, 4],
        "insult": [0, 0, 1, 2, 3],
        "humiliate": [0, 0, 0, 1, 2],
        "status": [0, 0, 0, 1, 1],
        "dehumanize": [0, 0, 0, 1, 1],
        "violence": [0, 0, 0, 1, 1],
        "genocide": [0, 0, 0, 1, 1],
        "attack_defend": [0, 0, 1, 2, 3],
        "hatespeech": [0, 0, 1, 1, 0],
    }


def test_the_published_table_has_21_points_and_is_centred():
    assert [c.categories for c in CRITERIA] == [5, 5, 4, 3, 2, 2, 2, 2, 4, 2]
    assert sum(c.categories - 1 for c in CRITERIA) == 21
    assert sum(c.difficulty for c in CRITERIA) == pytest.approx(0)


def test_a_row_stays_together_and_what_groups_it_travels_along():
    long = melt(wide())
    assert long.column_names == [
        *("item", "rater", "criterion", "rating", "text", "platform", "annotator_educ"),
    ]  # fmt: skip
    first = long.slice(0, 10)
    assert set(first["item"].to_pylist()) == {"47777"} and first["criterion"].to_pylist() == NAMES
    assert long["rater"].to_pylist()[10:20] == ["2"] * 10
    assert long["text"].to_pylist()[20:21] == ["c"] and long["platform"].to_pylist()[49] == 2
    assert long["annotator_educ"].to_pylist()[49] is None


def test_rows_without_an_answer_are_left_out_and_counted():
    table = wide(violence=[0.0, None, 2.0, float("nan"), 4.0], annotator_id=[1, 2, None, 2, 3])
    assert incomplete(table).tolist() == [False, True, True, True, False]
    assert melt(table)["item"].to_pylist() == ["47777"] * 10 + ["13"] * 10


def test_it_is_told_by_its_columns_in_any_case():
    table = wide()
    assert is_hate_speech(table)
    shouted = table.rename_columns([name.upper() for name in table.column_names])
    assert is_hate_speech(shouted) and melt(shouted).equals(melt(table))
    assert not is_hate_speech(table.drop_columns("genocide"))
    with pytest.raises(DataError, match="lacks the column 'genocide'"):
        melt(table.drop_columns("genocide"))


def test_order_of_rows_changes_nothing_but_the_order():
    turn = np.array([4, 2, 0, 1, 3])
    straight, turned = melt(wide()), melt(wide().take(pa.array(turn)))
    for i, k in enumerate(turn):
        mine, theirs = turned.slice(10 * i, 10), straight.slice(10 * int(k), 10)
        assert mine.to_pylist() == theirs.to_pylist()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hatespeech": [3.0, 0, 0, 0, 0]}, "hatespeech has the value 3"),
        ({"insult": [1.5, 0, 0, 0, 0]}, "insult has the value 1.5"),
        ({"respect": ["low"] * 5}, "respect holds string, not numbers"),
        ({"status": [None] * 5}, "status holds null, not numbers"),
        ({"status": pa.array([None] * 5, pa.float64())}, "No row .* all ten"),
    ],
)
def test_other_codes_are_refused(changes, said):
    with pytest.raises(DataError, match=said):
        melt(wide(**changes))
