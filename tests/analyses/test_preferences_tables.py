"""Tables of the preferences analysis: they agree with one another and with what was computed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backend.analyses.preferences_tables import asked_table, persons_table, place_everyone
from backend.preferences.form import Form
from backend.preferences.splits import Split
from tests.analyses.studied import PAIRS, PEOPLE, body, columns, made
from tests.preferences.worlds import coded, fitted, plain_tastes


@pytest.fixture
def two():
    return body(2)[0]


def test_scores_of_every_part(two):
    rows = two.tables["accuracy"].to_pylist()
    parts = {(r["k"], r["seed"], r["split"]) for r in rows}
    assert parts == {
        (k, seed, part) for k in (1, 2) for seed in (0, 1) for part in ("train", "test", "new")
    } | {(1, 0, "option"), (2, 0, "option")}
    for r in rows:
        assert 0 <= r["low"] <= r["accuracy"] <= r["high"] <= 1 and r["n"] > 0
        assert 0 < r["log_loss"] < 2
    held = [r["accuracy"] for r in rows if (r["k"], r["split"]) == (2, "test")]
    assert np.mean(held) == pytest.approx(two.scalars["accuracy"])
    names = set(two.tables["baselines"]["name"].to_pylist())
    assert {"majority", "Bradley-Terry on options", "what made the choices"} <= names


def test_people_have_weights_with_intervals_and_accuracies(two):
    persons = columns(two, "persons")
    W = np.stack([persons[f"weight_{k}"] for k in range(2)], axis=1)
    low, high = (np.stack([persons[f"weight_{k}_{e}"] for k in range(2)], axis=1)
                 for e in ("low", "high"))  # fmt: skip
    np.testing.assert_allclose(W.sum(axis=1), 1, atol=1e-9)
    assert (low >= 0).all() and (low < high).all() and (high <= 1).all()
    assert ((low <= W) & (high >= W)).mean() > 0.9
    np.testing.assert_allclose(persons["entropy"], -(W * np.log2(W)).sum(axis=1), atol=1e-9)
    assert (persons["taste"] == W.argmax(axis=1)).all()
    assert persons["new"].sum() == 6 and (persons["n"] == PAIRS).all()
    assert set(persons["tested"][persons["new"]]) == {PAIRS - 20}
    assert set(persons["tested"][~persons["new"]]) <= {8, 9, 10, 11, 12}
    np.testing.assert_allclose(
        persons["gain"].astype(float),
        (persons["accuracy"] - persons["accuracy_universal"]).astype(float), atol=1e-12,
    )  # fmt: skip
    known = ~persons["new"]
    right = (persons["accuracy"] * persons["tested"])[known].sum() / persons["tested"][known].sum()
    rows = two.tables["accuracy"].to_pylist()
    same = next(r for r in rows if (r["k"], r["seed"], r["split"]) == (2, 0, "test"))
    assert right == pytest.approx(same["accuracy"], abs=1e-9)


def test_options_say_how_often_they_were_taken_and_how_disputed_they_are(two):
    options, persons = columns(two, "options"), columns(two, "persons")
    world = made(2)
    at = np.array([int(name[1:]) for name in options["option"]])
    shown = np.bincount(np.r_[world.left, world.right], minlength=200)
    taken = np.bincount(np.where(world.y > 0, world.right, world.left), minlength=200)
    assert (options["shown"] == shown[at]).all()
    np.testing.assert_allclose(options["taken"], (taken / shown)[at])
    R = np.stack([options[f"reward_{k}"] for k in range(2)], axis=1)
    np.testing.assert_allclose(R.mean(axis=0), 0, atol=1e-9)
    W = np.stack([persons[f"weight_{k}"] for k in range(2)], axis=1)
    np.testing.assert_allclose(options["dispute"], (R @ W.T).std(axis=1), atol=1e-9)


def test_rewards_rank_options_by_the_distance_to_the_true_tastes(two):
    options, world = columns(two, "options"), made(2)
    X = world.X[[int(name[1:]) for name in options["option"]]]
    true = -np.square(X[:, None] - world.P[None]).sum(axis=2)
    R = np.stack([options[f"reward_{k}"] for k in range(2)], axis=1)
    C = np.corrcoef(R.T, true.T)[:2, 2:]
    assert max(C[0, 0] + C[1, 1], C[0, 1] + C[1, 0]) > 1.9


def test_rewards_come_back_from_the_vectors_that_are_kept(two):
    rows, options = columns(two, "vectors"), columns(two, "options")
    V = np.stack([rows[f"v{i}"] for i in range(4)], axis=1)
    F, P = (V[rows["kind"] == kind] for kind in ("option", "prototype"))
    assert (rows["name"][rows["kind"] == "option"] == options["option"]).all()
    R = two.scalars["scale"] * (2 * F @ P.T - np.square(F).sum(axis=1, keepdims=True))
    for k in range(2):
        got = options[f"reward_{k}"]
        np.testing.assert_allclose(got - got[0], R[:, k] - R[0, k], atol=1e-8)


def test_prototypes_have_shares_places_and_what_they_like(two):
    found, options = columns(two, "prototypes"), columns(two, "options")
    persons = columns(two, "persons")
    assert found["share"].sum() == pytest.approx(1) and found["persons"].sum() == PEOPLE
    for k in range(2):
        reward = options[f"reward_{k}"]
        assert found["likes"][k] == options["option"][reward.argmax()]
        assert found["dislikes"][k] == options["option"][reward.argmin()]
        assert found["share"][k] == pytest.approx(persons[f"weight_{k}"].mean())


def test_people_lie_between_the_prototypes_on_the_map(two):
    corners, persons = columns(two, "prototypes"), columns(two, "persons")
    for axis in ("x", "y"):
        mixed = sum(persons[f"weight_{k}"] * corners[axis][k] for k in range(2))
        np.testing.assert_allclose(persons[axis], mixed, atol=1e-9)
    rows = columns(two, "vectors")
    P = np.stack([rows[f"v{i}"] for i in range(4)], axis=1)[rows["kind"] == "prototype"]
    drawn = np.hypot(*(np.subtract(*corners[axis]) for axis in ("x", "y")))
    assert drawn == pytest.approx(np.linalg.norm(P[0] - P[1]))


def test_calibration_counts_every_held_out_pair_of_both_models(two):
    rows = two.tables["calibration"].to_pylist()
    tested = next(r["n"] for r in two.tables["accuracy"].to_pylist()
                  if (r["k"], r["seed"], r["split"]) == (2, 0, "test"))  # fmt: skip
    for k in (1, 2):
        mine = [r for r in rows if r["k"] == k]
        assert sum(r["n"] for r in mine) == tested
        assert all(r["low"] <= r["predicted"] <= r["high"] for r in mine)


def test_few_answers_stand_beside_one_taste(two):
    rows = two.tables["fewshot"].to_pylist()
    assert [r["pairs"] for r in rows] == [0, 1, 2, 5, 10, 20]
    assert len({r["accuracy_universal"] for r in rows}) == 1 and len({r["n"] for r in rows}) == 1
    assert rows[-1]["accuracy"] > rows[0]["accuracy"] + 0.1


def test_new_people_are_placed_by_their_first_answers_alone():
    choices, _, tastes = fitted(2, 2, 0)
    new = np.flatnonzero(choices.u >= 50)
    known = np.flatnonzero(choices.u < 50)
    part = Split(known[::2], known[1::2], new)
    later = new[np.tile(np.arange(100), 10) >= 20]
    y = choices.y.copy()
    y[later] *= -1
    a, b = (place_everyone(tastes, c, part) for c in (choices, replace(choices, y=y)))
    np.testing.assert_array_equal(a.weights, b.weights)
    np.testing.assert_allclose(a.weights[:50], tastes.weights[:50], atol=1e-12)
    assert (a.low <= a.weights).all() and (a.weights <= a.high).all()
    assert np.mean((a.low < a.weights) & (a.weights < a.high)) > 0.95
    tables = [persons_table(tastes, fitted(2, 1, 0)[2], a, c, part).to_pydict()
              for c in (choices, replace(choices, y=y))]  # fmt: skip
    right = [np.array(t["accuracy"])[50:] for t in tables]
    np.testing.assert_allclose(right[0], 1 - right[1], atol=1e-12)


def test_someone_without_a_held_out_pair_has_no_accuracy():
    choices = coded([0, 0, 0, 1], [0, 1, 2, 0], [1, 2, 3, 2], [1, -1, 1, 1])
    tastes = replace(fitted(2, 2, 0)[2], logits=np.zeros((2, 2)))
    plain = replace(fitted(2, 1, 0)[2], logits=np.zeros((2, 1)))
    part = Split(np.array([0, 1, 3]), np.array([2]), np.zeros(0, int))
    got = persons_table(tastes, plain, place_everyone(tastes, choices, part), choices, part)
    assert got["tested"].to_pylist() == [1, 0]
    assert got["accuracy"].to_pylist()[1] is None and got["gain"].to_pylist()[1] is None


def test_how_alike_the_wishes_for_a_prompt_are():
    G = np.array([[[1, 0], [2, 0], [0, 3]], [[1, 1], [-1, -1], [1, 1]]], float)
    tastes = plain_tastes(Form(3, "B"), np.eye(2), np.zeros((3, 2)), np.ones((1, 3)) / 3, asked=G)
    got = asked_table(tastes, SimpleNamespace(prompts=np.array(["one", "two"]))).to_pylist()
    assert [(r["prompt"], r["prototype_a"], r["prototype_b"]) for r in got] == [
        (p, j, k) for p in ("one", "two") for j, k in ((0, 1), (0, 2), (1, 2))
    ]
    np.testing.assert_allclose([r["cosine"] for r in got], [1, 0, 0, -1, 1, -1], atol=1e-12)


def test_a_table_of_wishes_needs_prompts():
    tastes = plain_tastes(Form(2), np.eye(2), np.eye(2), np.ones((1, 2)) / 2)
    with pytest.raises(AssertionError):
        asked_table(tastes, SimpleNamespace(prompts=None))
