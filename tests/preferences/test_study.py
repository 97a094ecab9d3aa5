"""The study: what is scored, how many tastes, few answers, unseen options, the dealt control."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from backend.errors import AnalysisError, Cancelled
from backend.preferences.fitting import Training
from backend.preferences.form import Form
from backend.preferences.simulate import simulate
from backend.preferences.splits import Split, place_within, split_items
from backend.preferences.study import (
    FEW,
    Study,
    Subject,
    few_shot,
    margins_of,
    new_options,
    place_people,
    shuffled_gain,
    study,
)
from tests.preferences.worlds import choices_of, coded, fitted, world

QUICK = Training(restarts=1, steps=150, spread=3.0)


@cache
def small(n_tastes: int = 2):
    return simulate(n_tastes=n_tastes, seed=5, n_persons=30, n_pairs=50, n_items=200, d=4)


@cache
def studied(n_tastes: int = 2) -> Study:
    made = small(n_tastes)
    subject = Subject(choices_of(made), made.X)
    return study(subject, Form(1), [1, 2, 3], seeds=[0, 1], training=QUICK, say=lambda what: None)


def test_every_number_of_tastes_is_scored_on_every_part():
    found = studied()
    mine = [(s.k, s.seed, s.split) for s in found.scores if s.name == "PAL"]
    assert sorted(mine) == sorted(
        (k, seed, part) for k in (1, 2, 3) for seed in (0, 1) for part in ("train", "test", "new")
    )
    names = {"majority", "Bradley-Terry on options", "Bradley-Terry on vectors",
             "what made the choices"}  # fmt: skip
    rest = [(s.name, s.seed, s.split) for s in found.scores if s.name != "PAL"]
    assert sorted(rest) == sorted(
        (name, seed, part) for name in names for seed in (0, 1) for part in ("test", "new")
    )
    assert set(found.tastes) == set(found.hit) == {(s, k) for s in (0, 1) for k in (1, 2, 3)}


def test_scores_are_those_of_the_kept_models_on_the_kept_split():
    found, choices = studied(), choices_of(small())
    for score in found.scores:
        if score.name == "PAL" and score.split == "test":
            rows = found.splits[score.seed].test
            margins = margins_of(found.tastes[score.seed, score.k], choices, rows)
            right = np.sign(margins) == choices.y[rows]
            assert score.accuracy.micro == right.mean() and score.accuracy.n == len(rows)
            assert (found.hit[score.seed, score.k] == right).all()
            p = 1 / (1 + np.exp(-choices.y[rows] * margins))
            assert score.loss == pytest.approx(-np.log(p).mean())


def test_the_truth_is_an_upper_bound_within_noise():
    found = studied()
    by = {(s.name, s.k): s.accuracy.micro for s in found.scores
          if s.split == "test" and s.seed == 0}  # fmt: skip
    oracle = by["what made the choices", 0]
    assert by["PAL", 2] == pytest.approx(oracle, abs=0.06)
    assert max(by["Bradley-Terry on vectors", 0], by["PAL", 1]) < oracle - 0.1


@pytest.mark.parametrize("n_tastes", [1, 2, 3])
def test_the_knee_is_the_number_of_tastes_there_are(n_tastes):
    found = studied(n_tastes)
    assert found.knee(choices_of(small(n_tastes)).u, [1, 2, 3]) == n_tastes


def test_the_gain_is_of_the_same_held_out_pairs():
    found, u = studied(), choices_of(small()).u
    gain = found.gain(u, 2, 1)
    means = [np.mean(np.concatenate([found.hit[s, k] for s in (0, 1)])) for k in (2, 1)]
    assert gain.value == pytest.approx(means[0] - means[1])
    assert 0 < gain.low < gain.value < gain.high
    assert found.gain(u, 2, 2).value == 0


def test_new_people_of_known_tastes_are_predicted_nearly_as_well():
    found = studied()
    by = {(s.split, s.k): s.accuracy.micro for s in found.scores
          if s.name == "PAL" and s.seed == 0}  # fmt: skip
    assert by["new", 2] > by["test", 2] - 0.08 and by["new", 2] > by["new", 1] + 0.1


def test_the_same_study_twice_gives_the_same_scores():
    made = small()
    subject = Subject(choices_of(made), made.X)
    runs = [study(subject, Form(1), [2], seeds=[1], training=QUICK, say=lambda what: None)
            for _ in range(2)]  # fmt: skip
    for a, b in zip(*(r.scores for r in runs), strict=True):
        assert a.accuracy == b.accuracy
    assert (runs[0].hit[1, 2] == studied().hit[1, 2]).all()


def test_people_are_placed_without_touching_tastes_or_the_others():
    choices, part, tastes = fitted(2, 2, 0)
    before = tastes.logits.tobytes(), tastes.prototypes.tobytes(), tastes.mapped.tobytes()
    rows = part.test[choices.u[part.test] < 5]
    found = place_people(tastes, choices, rows, known=part.train)
    assert (tastes.logits.tobytes(), tastes.prototypes.tobytes(), tastes.mapped.tobytes()) == before
    np.testing.assert_allclose(found.logits[5:], found.logits[5:6].repeat(55, axis=0), atol=1e-9)
    assert (np.ptp(found.logits[:5], axis=0) > 0.1).all()


def test_answers_have_a_random_order_within_each_person():
    u = np.array([3, 1, 3, 3, 1, 0])
    place = place_within(u, np.random.default_rng(0))
    for person, n in ((3, 3), (1, 2), (0, 1)):
        assert sorted(place[u == person]) == list(range(n))
    big = np.repeat(np.arange(50), 20)
    assert (
        place_within(big, np.random.default_rng(0)) == place_within(big, np.random.default_rng(0))
    ).all()
    assert not (
        place_within(big, np.random.default_rng(0)) == place_within(big, np.random.default_rng(1))
    ).all()


def test_few_answers_are_asked_on_one_test_set():
    found, choices = studied(), choices_of(small())
    curve = few_shot(found.tastes[0, 2], choices, found.splits[0], seed=0)
    assert [n for n, _ in curve] == [0, *(n for n in FEW if n <= 25)]
    assert {a.n for _, a in curve} == {6 * 30}  # six new people, 50 answers less the largest 20
    right = np.array([a.micro for _, a in curve])
    assert right[-1] > right[0] + 0.1 and (np.diff(right) > -0.06).all()
    plain = few_shot(found.tastes[0, 1], choices, found.splits[0], seed=0)
    assert len({a.micro for _, a in plain}) == 1  # one taste learns nothing from answers


def test_without_new_people_there_is_no_curve():
    choices, part, tastes = fitted(2, 2, 0)
    assert few_shot(tastes, choices, part, seed=0) == []


def test_new_people_of_very_few_answers():
    choices = coded(np.repeat(np.arange(3), 2), [0, 1, 0, 1, 0, 1], [1, 2, 1, 2, 1, 2],
                    [1, -1, 1, 1, -1, 1])  # fmt: skip
    tastes = replace(fitted(2, 2, 0)[2], logits=np.zeros((3, 2)))
    curve = few_shot(tastes, choices, Split(np.arange(2), np.arange(0), np.arange(2, 6)), seed=0)
    assert [(n, a.n) for n, a in curve] == [(0, 2), (1, 2)]


def test_unseen_options_are_scored_where_vectors_describe_them():
    made = small()
    subject = Subject(choices_of(made), made.X)
    one, two = new_options(subject, Form(1), [1, 2], seed=0, training=QUICK)
    assert (one.split, one.k, two.k) == ("option", 1, 2)
    assert one.accuracy.n == two.accuracy.n == len(split_items(subject.choices, seed=0)[1])
    assert two.accuracy.micro > one.accuracy.micro + 0.1


def test_choices_dealt_to_people_at_random_gain_nothing():
    made = small()
    gain = shuffled_gain(Subject(choices_of(made), made.X), Form(1), 2, seed=0, training=QUICK)
    assert gain.low <= 0.02 and abs(gain.value) < 0.06


def test_a_study_without_truth_prompts_or_new_people():
    made = small()
    subject = Subject(replace(choices_of(made), probability=None), made.X)
    found = study(subject, Form(1, map="linear"), [1], seeds=[0], training=replace(QUICK, width=3),
                  say=lambda what: None, new_share=0.0)  # fmt: skip
    assert {s.split for s in found.scores} == {"train", "test"}
    assert "what made the choices" not in {s.name for s in found.scores}


def test_a_study_can_be_stopped_and_says_what_it_does():
    made, said = small(), []

    def say(what):
        said.append(what)
        if what.startswith("2 tastes"):
            raise Cancelled

    with pytest.raises(Cancelled):
        study(
            Subject(choices_of(made), made.X), Form(1), [1, 2], seeds=[4], training=QUICK, say=say
        )
    assert said[0] == "1 tastes, seed 4" and said[-1] == "2 tastes, seed 4"


def test_pal_b_needs_prompts():
    made = world()
    with pytest.raises(AnalysisError, match="PAL-B needs prompts"):
        study(Subject(choices_of(made), made.X), Form(1, "B"), [1], seeds=[0], training=QUICK,
              say=lambda what: None)  # fmt: skip
