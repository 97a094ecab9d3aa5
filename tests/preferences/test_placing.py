"""A person placed from a stored result: as by the model itself; where a choice flips."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.preferences_tables import options_table, place_everyone
from backend.errors import AnalysisError
from backend.preferences.locating import locate, weight_intervals
from backend.preferences.placing import Board
from backend.preferences.splits import Split
from tests.preferences.worlds import fitted


def board_of(R: list[list[float]]) -> Board:
    """Options with these rewards, and four people around the middle."""
    R = np.array(R)
    K = R.shape[1]
    W = np.full((4, K), 0.5 / K) + 0.5 * np.random.default_rng(0).dirichlet(np.ones(K), 4)
    options = {"option": [f"o{i}" for i in range(len(R))]}
    return Board(
        pa.table(options | {f"reward_{k}": R[:, k] for k in range(K)}),
        pa.table({f"weight_{k}": W[:, k] for k in range(K)}),
    )


def test_a_place_is_that_of_the_model_itself():
    choices, part, tastes = fitted(2, 2, 0)
    placed = place_everyone(tastes, choices, Split(part.train, part.test, np.zeros(0, int)))
    persons = pa.table({f"weight_{k}": placed.weights[:, k] for k in range(2)})
    board = Board(options_table(tastes, choices, placed), persons)
    rows = np.flatnonzero(choices.u == 7)[:12]
    sides = choices.left[rows], choices.right[rows]
    given = (np.zeros(12, int), *sides, choices.y[rows])
    direct = locate(tastes, *given, people=1, prior=board.prior)
    answers = [(choices.items[a], choices.items[b], "b" if y > 0 else "a")
               for a, b, y in zip(*sides, choices.y[rows], strict=True)]  # fmt: skip
    place = board.place(answers)
    np.testing.assert_allclose(place.weights, direct.weights[0], atol=1e-5)
    low, high = weight_intervals(tastes, direct, *given, prior=board.prior)
    np.testing.assert_allclose([place.low, place.high], [low[0], high[0]], atol=1e-4)
    pair = board.pair("o3", "o5", direct.weights[0])
    margin = tastes.margins(direct.weights, np.array([3]), np.array([5]))[0]
    assert pair.margin == pytest.approx(margin, abs=1e-9)
    assert pair.probability == pytest.approx(1 / (1 + np.exp(-margin)))


def test_answers_move_a_person_and_none_leave_the_average():
    board = board_of([[2.0, -2.0], [-2.0, 2.0], [0.0, 0.0]])
    start = board.place([])
    assert start.n == 0 and (start.low < start.weights).all() and (start.weights < start.high).all()
    one = board.place([("o0", "o1", "a")] * 5)
    other = board.place([("o0", "o1", "b")] * 5)
    assert one.weights[0] > start.weights[0] > other.weights[0]
    swapped = board.place([("o1", "o0", "b")] * 5)
    np.testing.assert_allclose(swapped.weights, one.weights, atol=1e-6)


def test_a_choice_flips_where_the_margin_is_nothing():
    board = board_of([[3.0, -1.0, 1.0], [0.0, 0.0, 0.0], [5.0, 6.0, 7.0]])
    pair = board.pair("o1", "o0", [0.2, 0.5, 0.3])
    assert pair.by_taste.tolist() == [3, -1, 1] and pair.margin == pytest.approx(0.4)
    rest = (-1 * 0.5 + 1 * 0.3) / 0.8
    assert pair.flips_at == pytest.approx(-rest / (3 - rest))
    w = pair.flips_at
    at = board.pair("o1", "o0", [w, (1 - w) * 0.625, (1 - w) * 0.375])
    assert at.margin == pytest.approx(0, abs=1e-12) and at.probability == pytest.approx(0.5)
    assert board.pair("o1", "o2", [0.2, 0.5, 0.3]).flips_at is None  # all prefer o2
    moved = board.pair("o1", "o0", [0.2, 0.5, 0.3], moved=1)
    assert moved.flips_at == pytest.approx(1.8 / 2.8)


def test_with_one_taste_nothing_flips():
    pair = board_of([[1.0], [2.0]]).pair("o0", "o1", [1.0])
    assert pair.flips_at is None and pair.margin == 1


def test_the_question_is_one_on_which_tastes_disagree():
    board = board_of([[0, 0], [4, -4], [4, 4], [-4, -4], [0.1, 0]])
    a, b = board.ask([])
    gap = board.pair(a, b, [0.5, 0.5]).by_taste
    assert gap[0] * gap[1] < 0
    assert board.ask([]) == (a, b)
    assert set(board.ask([(a, b, "a")])) != {a, b}


def test_refusals():
    board = board_of([[0.0, 0.0], [1.0, -1.0]])
    with pytest.raises(AnalysisError, match="There is no option 'tea'"):
        board.place([("tea", "o1", "a")])
    with pytest.raises(AnalysisError, match="All pairs are answered"):
        board.ask([("o0", "o1", "a")])
    with pytest.raises(AnalysisError, match="Compute with ideal Pw and squared distance"):
        Board(pa.table({"option": ["x"]}), SimpleNamespace())
