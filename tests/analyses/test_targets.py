import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.targets import choose_target
from backend.errors import AnalysisError


def table(**columns) -> pa.Table:
    return pa.table({"row": list(range(40)), **columns})


LABELS = ["a", "b", "c", "b"] * 10


def test_the_most_even_column_is_chosen_and_text_and_row_are_not():
    data = table(
        text=["x", "y"] * 20, rare=["u"] * 35 + ["v"] * 5, even=LABELS, many=list(range(40))
    )
    target = choose_target(data, "", text_column="text")
    assert target.name == "even"
    assert target.classes == ("a", "b", "c")
    assert [target.classes[i] for i in target.values] == LABELS
    assert target.measure == "accuracy"


def test_nothing_to_choose_gives_none():
    assert choose_target(table(one=["same"] * 40, score=np.linspace(0, 1, 40)), "") is None


def test_numbers_truth_values_and_missing_values():
    data = table(
        score=[None, *np.linspace(0, 1, 39)],
        stars=[1, 2, 3, 4] * 10,
        year=list(range(1960, 2000)),
        good=[True, False] * 20,
        holes=[None, "a", "b", "b"] * 10,
    )
    score = choose_target(data, "score")
    assert (score.measure, score.known.sum()) == ("R2", 39)
    assert choose_target(data, "stars").classes == ("1", "2", "3", "4")
    assert choose_target(data, "year").measure == "R2"
    assert choose_target(data, "good").classes == ("false", "true")
    holes = choose_target(data, "holes")
    assert holes.known.sum() == 30
    assert holes.classes == ("a", "b")


def test_what_cannot_be_probed_is_refused_by_name():
    data = table(label=LABELS, same=["x"] * 40, few=[*["a"] * 3, *["b"] * 3, *[None] * 34])
    with pytest.raises(AnalysisError, match="no column 'labels'.*label, same, few"):
        choose_target(data, "labels")
    with pytest.raises(AnalysisError, match="'same' has 1 distinct"):
        choose_target(data, "same")
    with pytest.raises(AnalysisError, match="'few' has 6 values"):
        choose_target(data, "few")
