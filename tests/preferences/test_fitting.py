"""Fitting: known tastes are found again, one taste falls short, and what a fit must not do."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from backend.errors import AnalysisError, Cancelled
from backend.preferences.accuracy import hits, log_loss
from backend.preferences.fitting import Training, fit
from backend.preferences.form import PAPER_A, PAPER_B, Form
from backend.preferences.simulate import simulate
from backend.preferences.study import margins_of
from tests.preferences.worlds import SEEDS, choices_of, coded, crowd, fitted, world

QUICK = Training(restarts=1, steps=60, epochs=3, width=4, spread=3.0)


def held_out(n_tastes: int, k: int, seed: int, population: str = "partition"):
    """Accuracy of K fitted tastes on held-out pairs, and that of the truth."""
    choices, part, tastes = fitted(n_tastes, k, seed, population)
    y, p = choices.y[part.test], choices.probability[part.test]
    right = hits(margins_of(tastes, choices, part.test), y).mean()
    return right, np.mean((p > 0.5) == (y > 0))


@pytest.mark.parametrize("seed", SEEDS)
def test_two_tastes_are_found_again(seed):
    right, oracle = held_out(2, 2, seed)
    assert right >= oracle - 0.02
    alone, _ = held_out(2, 1, seed)
    assert 0.55 < alone <= oracle - 0.15
    _, _, tastes = fitted(2, 2, seed)
    made = world(2, seed)
    mine, true = tastes.weights.argmax(1), made.W.argmax(1)
    assert max(np.mean(np.array(p)[mine] == true) for p in permutations(range(2))) >= 0.98
    A = tastes.points(tastes.weights)
    assert np.linalg.norm(A - made.A) / np.linalg.norm(made.A) < 0.2
    assert tastes.scale == pytest.approx(5, rel=0.2)


def test_more_tastes_than_there_are_add_nothing():
    two, _ = held_out(2, 2, 0)
    for k in (3, 4):
        assert held_out(2, k, 0)[0] == pytest.approx(two, abs=0.015)


@pytest.mark.parametrize("seed", SEEDS)
def test_of_three_tastes_the_curve_bends_at_three(seed):
    (one, oracle), (two, _), (three, _) = (held_out(3, k, seed) for k in (1, 2, 3))
    assert one + 0.05 < two < oracle - 0.08
    assert three >= oracle - 0.03
    if seed == 0:
        assert held_out(3, 4, 0)[0] == pytest.approx(three, abs=0.015)


def test_people_who_are_mixtures_are_placed_between_the_tastes():
    right, oracle = held_out(2, 2, 0, "mixture")
    alone, _ = held_out(2, 1, 0, "mixture")
    assert right >= oracle - 0.03 and alone <= oracle - 0.05
    _, _, tastes = fitted(2, 2, 0, "mixture")
    made = world(2, 0, "mixture")
    order = np.corrcoef(tastes.weights[:, 0], made.W[:, 0])[0, 1]
    assert abs(order) > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_one_taste_cannot_beat_the_majority_of_opposite_groups(seed):
    """Seven people take the longer, three the shorter: at most 0.7 with one taste, 1 with two."""
    rng = np.random.default_rng(seed)
    length = rng.permutation(200)[:, None] / 100.0
    u = np.repeat(np.arange(10), 120)
    left = rng.integers(200, size=1200)
    right = (left + rng.integers(1, 200, size=1200)) % 200
    longer = np.where(length[right, 0] > length[left, 0], 1, -1)
    choices = coded(u, left, right, np.where(u < 7, longer, -longer), items=200)
    rows = np.arange(1200)
    training = Training(restarts=3, spread=3.0)
    found = {k: fit(choices, rows, length, Form(k), training=training, seed=seed)
             for k in (1, 2)}  # fmt: skip
    one, two = (hits(margins_of(found[k], choices, rows), choices.y).mean() for k in (1, 2))
    assert 0.65 < one <= 0.70
    assert two > 0.97


def test_with_one_prototype_everyone_is_predicted_alike():
    choices, part, tastes = fitted(2, 1, 0)
    np.testing.assert_array_equal(tastes.weights, 1)
    other = replace(choices, u=(choices.u + 7) % 60)
    a, b = (margins_of(tastes, c, part.test) for c in (choices, other))
    np.testing.assert_array_equal(a, b)


def test_swapping_sides_and_answers_gives_the_same_fit():
    choices, X, _ = crowd()
    swapped = replace(choices, left=choices.right, right=choices.left, y=-choices.y)
    rows = np.arange(choices.n)
    a, b = (fit(c, rows, X, Form(2), training=QUICK) for c in (choices, swapped))
    assert a.loss == pytest.approx(b.loss, abs=1e-9)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-6)


@pytest.mark.parametrize("form", [Form(2), Form(2, map="mlp1"), Form(2, "B", "linear")])
def test_equal_seeds_give_equal_bits(form):
    choices, X, C = crowd()
    rows = np.arange(choices.n)
    a, b, c = (fit(choices, rows, X, form, C=C, training=QUICK, seed=s) for s in (3, 3, 4))
    assert a.loss == b.loss and (a.logits == b.logits).all() and (a.mapped == b.mapped).all()
    assert (a.prototypes == b.prototypes).all() and not (a.logits == c.logits).all()


def test_more_starts_never_fit_worse():
    choices, X, _ = crowd()
    few, many = (
        fit(choices, np.arange(choices.n), X, Form(3), training=replace(QUICK, restarts=r))
        for r in (1, 4)
    )
    assert many.loss <= few.loss


@pytest.mark.parametrize(
    "form",
    [Form(2, map="linear"), Form(2, "f(P)w", "mlp1"), Form(2, "f(Pw)", "mlp2", "norm", "hinge"),
     Form(2, "B", "mlp1"), PAPER_A, PAPER_B],
    ids=lambda f: f"{f.ideal}-{f.map}-{f.loss}",
)  # fmt: skip
def test_every_form_learns_a_taste_that_all_share(form):
    """Everyone takes the option that is further along the first direction."""
    rng = np.random.default_rng(0)
    _, X, C = crowd()
    u, q = rng.integers(6, size=1500), np.r_[np.arange(5), rng.integers(5, size=1495)]
    left = rng.integers(30, size=1500)
    right = (left + rng.integers(1, 30, size=1500)) % 30
    y = np.where(X[right, 0] > X[left, 0], 1, -1)
    choices = coded(u, left, right, y, persons=6, items=30, q=q)
    training = replace(QUICK, epochs=25, batch=128, rate_f=5e-3)
    tastes = fit(choices, np.arange(1200), X, form, C=C, training=training)
    rest = np.arange(1200, 1500)
    assert hits(margins_of(tastes, choices, rest), choices.y[rest]).mean() > 0.9
    assert np.isfinite(tastes.loss) and tastes.steps > 0


def test_balanced_people_count_alike():
    """One person of 900 choices and nine of 20 who want the opposite: one taste for all."""
    rng = np.random.default_rng(0)
    u = np.r_[np.zeros(900, int), np.repeat(np.arange(1, 10), 20)]
    X = rng.standard_normal((50, 2))
    left = rng.integers(50, size=1080)
    right = (left + rng.integers(1, 50, size=1080)) % 50
    y = np.where((X[right, 0] > X[left, 0]) == (u == 0), 1, -1)
    choices = coded(u, left, right, y, items=50)
    rows = np.arange(1080)
    plain, fair = (
        hits(margins_of(fit(choices, rows, X, Form(1), training=replace(QUICK, balanced=b)),
                        choices, rows), choices.y)
        for b in (False, True)
    )  # fmt: skip
    assert plain[:900].mean() > 0.9 > 0.1 > plain[900:].mean()
    assert fair[:900].mean() < 0.1 < 0.9 < fair[900:].mean()


def test_people_without_choices_keep_even_weights():
    choices, X, _ = crowd(persons=6)
    rows = np.flatnonzero(choices.u < 5)
    tastes = fit(choices, rows, X, Form(2, distance="norm"), training=QUICK)
    np.testing.assert_allclose(tastes.weights[5], 0.5, atol=0.02)


def test_a_fit_can_be_stopped():
    choices, X, _ = crowd()

    def stop():
        raise Cancelled

    for form in (Form(2), Form(2, map="mlp1")):
        with pytest.raises(Cancelled):
            fit(choices, np.arange(400), X, form, training=QUICK, check=stop)


@pytest.mark.parametrize(
    ("form", "rows", "change", "said"),
    [
        (Form(2), [], {}, "no choices to learn from"),
        (Form(2, "B"), [0], {"C": None}, "PAL-B needs prompts"),
        (Form(2, map="mlp1", residual=True), [0], {"width": 9}, "equal widths, not 4 and 9"),
        (Form(2), [0, 1], {"X": np.full((30, 4), np.nan)}, "loss is not finite"),
        (Form(2, map="mlp1"), [0, 1], {"X": np.full((30, 4), np.nan)}, "loss is not finite"),
    ],
)
def test_refusals(form, rows, change, said):
    choices, X, C = crowd()
    training = replace(QUICK, width=change.get("width", 4))
    with pytest.raises(AnalysisError, match=said):
        fit(choices, np.array(rows, int), change.get("X", X), form, C=change.get("C", C),
            training=training)  # fmt: skip


def test_choices_without_prompts_have_no_pal_b():
    made = world()
    with pytest.raises(AnalysisError, match="PAL-B needs prompts"):
        fit(choices_of(made), np.arange(9), made.X, Form(2, "B"), C=np.ones((1, 3)))


def test_without_a_width_the_prior_suits_people_of_few_answers():
    """Eight answers each: a wide prior is surer than it is right, the one that is tried is not."""
    made = simulate(seed=2, n_persons=150, n_pairs=14, n_items=150, d=6, population="mixture")
    choices = choices_of(made)
    place = np.tile(np.arange(14), 150)
    train, test = np.flatnonzero(place < 8), np.flatnonzero(place >= 8)
    losses = {}
    for spread in (0.0, 3.0):
        tastes = fit(choices, train, made.X, Form(3), training=replace(QUICK, spread=spread))
        losses[spread] = log_loss(margins_of(tastes, choices, test), choices.y[test])
    assert losses[0.0] < losses[3.0] - 0.02


@pytest.mark.parametrize(
    "form", [Form(2, loss="hinge"), Form(2, map="mlp1"), Form(2, "f(Pw)", "mlp2", "norm", "hinge")]
)
def test_few_choices_are_learned_in_small_batches(form):
    # A batch of 8192 would make an epoch of these 6000 choices one step.
    choices, part, _ = fitted(2, 2, 0)
    tastes = fit(choices, part.train, world(2, 0).X, form, training=Training(restarts=2), seed=0)
    right = hits(margins_of(tastes, choices, part.test), choices.y[part.test]).mean()
    assert right > 0.88
