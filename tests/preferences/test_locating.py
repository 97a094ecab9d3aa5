"""A new person: the mode equals a plain optimiser's, tastes stay, intervals hold the truth."""

import numpy as np
import pytest
from scipy.optimize import minimize

from backend.preferences.accuracy import hits
from backend.preferences.form import IDEALS, Form
from backend.preferences.locating import Located, Prior, locate, prior_of, weight_intervals
from backend.preferences.simulate import simulate
from backend.preferences.study import margins_of
from backend.preferences.tastes import Tastes, softmax
from tests.preferences.worlds import SEEDS, crowd, fitted, plain_tastes, random_net, world

EVEN = Prior(np.zeros(3), 1.5)


def some_tastes(ideal: str = "Pw", distance: str = "squared") -> Tastes:
    import torch

    _, X, C = crowd()
    form = Form(3, ideal, "identity" if ideal == "Pw" else "mlp1", distance)
    return random_net(form).to_tastes(torch.from_numpy(X), torch.from_numpy(C))


def energy(omega, tastes, y, left, right, q, prior):
    """-log posterior of one person, in plain words."""
    margins = tastes.margins(np.tile(softmax(omega[None]), (len(y), 1)), left, right, q)
    data = np.log1p(np.exp(-y * margins)).sum()
    return data + ((omega - prior.mean) ** 2).sum() / (2 * prior.spread**2)


@pytest.mark.parametrize("ideal", IDEALS)
@pytest.mark.parametrize("distance", ["squared", "norm"])
def test_the_mode_is_that_of_a_plain_optimiser(ideal, distance):
    tastes, prior = some_tastes(ideal, distance), Prior(np.array([0.3, -0.2, -0.1]), 1.2)
    choices, _, _ = crowd(60, persons=1)
    sides = choices.left, choices.right
    found = locate(tastes, choices.u, *sides, choices.y, people=1, prior=prior, q=choices.q)
    args = (tastes, choices.y, *sides, choices.q, prior)
    best = min((minimize(energy, start, args, tol=1e-12)
                for start in (prior.mean, *3 * np.eye(3))), key=lambda r: r.fun)  # fmt: skip
    assert energy(found.logits[0], *args) == pytest.approx(best.fun, abs=1e-6)
    np.testing.assert_allclose(found.weights[0], softmax(best.x[None])[0], atol=1e-3)


def test_the_covariance_is_the_inverse_curvature():
    tastes, prior = some_tastes(), EVEN
    choices, _, _ = crowd(60, persons=1)
    args = (tastes, choices.y, choices.left, choices.right, None, prior)
    found = locate(tastes, choices.u, choices.left, choices.right, choices.y, people=1,
                   prior=prior)  # fmt: skip
    h, step = 1e-3, np.eye(3) * 1e-3
    at = found.logits[0]
    curvature = [[(energy(at + step[i] + step[j], *args) - energy(at + step[i] - step[j], *args)
                   - energy(at - step[i] + step[j], *args) + energy(at - step[i] - step[j], *args))
                  / (4 * h * h) for j in range(3)] for i in range(3)]  # fmt: skip
    np.testing.assert_allclose(found.covariance[0], np.linalg.inv(curvature), atol=1e-3)


def test_people_are_placed_as_if_each_were_alone():
    tastes = some_tastes()
    choices, _, _ = crowd(90, persons=5)
    together = locate(tastes, choices.u, choices.left, choices.right, choices.y, people=5,
                      prior=EVEN)  # fmt: skip
    for person in range(5):
        mine = np.flatnonzero(choices.u == person)
        alone = locate(tastes, np.zeros(len(mine), int), choices.left[mine], choices.right[mine],
                       choices.y[mine], people=1, prior=EVEN)  # fmt: skip
        np.testing.assert_allclose(alone.weights[0], together.weights[person], atol=1e-5)


def test_without_answers_the_prior_is_all_there_is():
    none = np.zeros(0, int)
    prior = Prior(np.array([1.0, 0.0, -1.0]), 0.8)
    found = locate(some_tastes(), none, none, none, none, people=2, prior=prior)
    np.testing.assert_allclose(found.logits, [prior.mean] * 2, atol=1e-6)
    np.testing.assert_allclose(found.covariance, [0.64 * np.eye(3)] * 2, atol=1e-5)


def test_with_one_taste_answers_say_nothing_of_weights():
    tastes = plain_tastes(Form(1), np.eye(4), np.ones((1, 4)), np.ones((1, 1)))
    one = np.zeros(1, int)
    given, prior = (one, one, one + 1, one + 1), Prior(np.zeros(1), 1.0)
    found = locate(tastes, *given, people=1, prior=prior)
    assert found.weights.tolist() == [[1.0]]
    low, high = weight_intervals(tastes, found, *given, prior=prior)
    assert low.tolist() == high.tolist() == [[1.0]]


def test_swapping_sides_and_answers_places_alike():
    tastes = some_tastes()
    choices, _, _ = crowd(40, persons=3)
    a = locate(tastes, choices.u, choices.left, choices.right, choices.y, people=3, prior=EVEN)
    b = locate(tastes, choices.u, choices.right, choices.left, -choices.y, people=3, prior=EVEN)
    np.testing.assert_allclose(a.logits, b.logits, atol=1e-6)


def test_no_steps_give_the_curvature_at_the_start():
    tastes, start = some_tastes(), np.array([[0.5, -1.0, 0.5]])
    choices, _, _ = crowd(40, persons=1)
    args = (tastes, choices.u, choices.left, choices.right, choices.y)
    found = locate(*args, people=1, prior=EVEN, start=start, steps=0)
    assert found.logits.tolist() == start.tolist()
    mode = locate(*args, people=1, prior=EVEN)
    assert not np.allclose(found.covariance, mode.covariance)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tastes_are_the_same_bits_after_new_people_were_placed(seed):
    choices, part, tastes = fitted(2, 2, seed)
    names = ("mapped", "prototypes", "logits")
    before = {name: getattr(tastes, name).tobytes() for name in names}
    known = margins_of(tastes, choices, part.test).tobytes()
    new = simulate(seed=seed + 100, world=world(2, seed), n_persons=5, n_pairs=20)
    found = locate(tastes, new.u, new.left, new.right, new.y, people=5,
                   prior=prior_of(tastes.logits))  # fmt: skip
    more = tastes.with_people(found.logits)
    assert {name: getattr(tastes, name).tobytes() for name in names} == before
    assert margins_of(tastes, choices, part.test).tobytes() == known
    assert more.mapped.tobytes() == before["mapped"] and more.scale == tastes.scale
    assert more.prototypes.tobytes() == before["prototypes"]


@pytest.mark.parametrize("seed", SEEDS)
def test_new_people_are_predicted_better_the_more_they_answer(seed):
    """30 new people, the tastes known from others, 200 further answers of each to predict."""
    _, _, tastes = fitted(2, 2, seed)
    new = simulate(seed=seed + 50, world=world(2, seed), n_persons=30, n_pairs=250)
    place = np.tile(np.arange(250), 30)
    rest = place >= 50
    oracle = np.mean((new.probability > 0.5)[rest] == (new.y > 0)[rest])
    right = {}
    for n in (0, 2, 5, 10, 20, 50):
        given = place < n
        found = locate(tastes, new.u[given], new.left[given], new.right[given], new.y[given],
                       people=30, prior=prior_of(tastes.logits))  # fmt: skip
        margins = tastes.margins(found.weights[new.u[rest]], new.left[rest], new.right[rest])
        right[n] = hits(margins, new.y[rest]).mean()
    curve = np.array(list(right.values()))
    assert (np.diff(curve) > -0.03).all()
    assert right[0] < oracle - 0.1
    assert right[2] < right[20] and right[20] >= oracle - 0.03


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Weights drawn from the prior itself, tastes known exactly, 30 answers each."""
    made = simulate(n_tastes=2, seed=4, n_persons=1, n_pairs=1)
    rng = np.random.default_rng(4)
    logits = rng.standard_normal((400, 2))
    truth = softmax(logits)
    tastes = plain_tastes(Form(2), made.X, made.P, truth, scale=5.0)
    u = np.repeat(np.arange(400), 30)
    left, right = rng.integers(1000, size=(2, len(u)))
    p = 1 / (1 + np.exp(-tastes.margins(truth[u], left, right)))
    y = np.where(rng.random(len(u)) < p, 1, -1)
    prior, given = Prior(np.zeros(2), 1.0), (u, left, right, y)
    found = locate(tastes, *given, people=400, prior=prior)
    low, high = weight_intervals(tastes, found, *given, prior=prior)
    held = ((low <= truth) & (truth <= high)).mean()
    assert 0.92 <= held <= 0.985
    none = tuple(v[:0] for v in given)
    few = locate(tastes, *none, people=400, prior=prior)
    wide = np.subtract(*weight_intervals(tastes, few, *none, prior=prior)[::-1])
    assert np.median(high - low) < 0.5 * np.median(wide)


def test_intervals_are_on_the_simplex_and_the_seed_decides():
    found = Located(np.array([[0.0, 1.0, 2.0]]), np.eye(3)[None] * 0.3)
    none = (np.zeros(0, int),) * 4
    prior = Prior(np.array([0.0, 1.0, 2.0]), 0.55)
    low, high = weight_intervals(some_tastes(), found, *none, prior=prior, seed=1)
    assert (low >= 0).all() and (high <= 1).all()
    assert (low < found.weights).all() and (found.weights < high).all()
    again = weight_intervals(some_tastes(), found, *none, prior=prior, seed=1)[0]
    other = weight_intervals(some_tastes(), found, *none, prior=prior, seed=2)[0]
    assert (again == low).all() and not (other == low).all()


def test_the_prior_is_that_of_known_people_without_what_softmax_ignores():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((500, 3)) * 2 + [1, 0, -1]
    one, other = prior_of(logits), prior_of(logits + rng.standard_normal((500, 1)) * 9)
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-12)
    assert one.spread == pytest.approx(other.spread, abs=1e-9)
    np.testing.assert_allclose(one.mean, [1, 0, -1], atol=0.3)
    assert one.spread == pytest.approx(2, rel=0.1)
    assert prior_of(np.zeros((4, 2))).spread == 0.5


def test_answers_about_an_unknown_option_are_refused():
    one = np.zeros(1, int)
    with pytest.raises(IndexError):
        locate(some_tastes(), one, one, one + 99, one + 1, people=1, prior=EVEN)
