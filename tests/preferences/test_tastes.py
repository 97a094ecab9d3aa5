"""PAL in plain arrays: formula, hull, invariances, PAL-B's special cases, drawn-in prototypes."""

import numpy as np
import pytest
from scipy.optimize import linprog

from backend.preferences.form import Form
from backend.preferences.tastes import apply_map, softmax, unit
from tests.preferences.worlds import crowd, fitted, plain_tastes, random_net

RNG = np.random.default_rng(5)
F, P = RNG.standard_normal((30, 4)), RNG.standard_normal((3, 4))
W = RNG.dirichlet(np.ones(3), 6)
U, LEFT, RIGHT = RNG.integers(6, size=80), RNG.integers(30, size=80), RNG.integers(30, size=80)
FORMS = (Form(3), Form(3, distance="norm"))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_squared_margins_are_differences_of_distances():
    a = (W @ P)[U]
    direct = np.square(F[LEFT] - a).sum(1) - np.square(F[RIGHT] - a).sum(1)
    got = plain_tastes(Form(3), F, P, W, scale=2.5).margins(W[U], LEFT, RIGHT)
    np.testing.assert_allclose(got, 2.5 * direct, atol=1e-10)
    inner = 2 * (a * (F[RIGHT] - F[LEFT])).sum(1)
    lengths = np.square(F[LEFT]).sum(1) - np.square(F[RIGHT]).sum(1)
    np.testing.assert_allclose(direct, inner + lengths, atol=1e-10)


def test_on_vectors_of_length_one_each_person_has_a_linear_reward():
    on_sphere = unit(F)
    got = plain_tastes(Form(3), on_sphere, P, W).margins(W[U], LEFT, RIGHT)
    linear = ((W @ P)[U] * (on_sphere[RIGHT] - on_sphere[LEFT])).sum(1)
    np.testing.assert_allclose(got, 2 * linear, atol=1e-12)


def test_the_norm_is_not_squared_and_agrees_on_the_winner():
    a = (W @ P)[U]
    direct = np.linalg.norm(F[LEFT] - a, axis=1) - np.linalg.norm(F[RIGHT] - a, axis=1)
    norm = plain_tastes(Form(3, distance="norm"), F, P, W).margins(W[U], LEFT, RIGHT)
    np.testing.assert_allclose(norm, direct, atol=1e-12)
    squared = plain_tastes(Form(3), F, P, W).margins(W[U], LEFT, RIGHT)
    clear = np.abs(norm) > 1e-9
    assert (np.sign(norm) == np.sign(squared))[clear].all()


def test_the_chance_of_b_is_the_softmax_of_the_two_rewards():
    tastes = plain_tastes(Form(3), F, P, W)
    a = (W @ P)[U]
    rewards = np.stack([-np.square(F[side] - a).sum(1) for side in (LEFT, RIGHT)], axis=1)
    margins = tastes.margins(W[U], LEFT, RIGHT)
    np.testing.assert_allclose(sigmoid(margins), softmax(rewards)[:, 1], atol=1e-12)
    assert softmax(np.array([[1e4, 0.0]])).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("form", FORMS)
def test_swapping_the_sides_turns_the_sign(form):
    tastes = plain_tastes(form, F, P, W)
    there, back = (tastes.margins(W[U], *sides) for sides in ((LEFT, RIGHT), (RIGHT, LEFT)))
    np.testing.assert_allclose(there, -back, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_prototypes_changes_nothing(form):
    order = [2, 0, 1]
    one = plain_tastes(form, F, P, W).margins(W[U], LEFT, RIGHT)
    other = plain_tastes(form, F, P[order], W[:, order]).margins(W[U][:, order], LEFT, RIGHT)
    np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_turning_and_moving_the_space_changes_nothing(form):
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))
    one = plain_tastes(form, F, P, W).margins(W[U], LEFT, RIGHT)
    other = plain_tastes(form, F @ turn + 3, P @ turn + 3, W).margins(W[U], LEFT, RIGHT)
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_weights_of_one_taste_alone_are_a_clustering():
    one_hot = np.eye(3)[[0, 2, 1, 1, 0, 2]]
    tastes = plain_tastes(Form(3), F, P, one_hot)
    np.testing.assert_array_equal(tastes.weights, one_hot)
    np.testing.assert_array_equal(tastes.points(tastes.weights), P[[0, 2, 1, 1, 0, 2]])


def test_every_point_is_in_the_hull_of_the_prototypes():
    _, _, tastes = fitted(3, 3, 0)
    np.testing.assert_allclose(tastes.weights.sum(1), 1, atol=1e-6)
    for point in tastes.points(tastes.weights)[:20]:
        equal = np.vstack([tastes.prototypes.T, np.ones(3)])
        found = linprog(np.zeros(3), A_eq=equal, b_eq=np.r_[point, 1.0], bounds=(0, None))
        assert found.status == 0
    outside = tastes.prototypes.mean(0) + 1.2 * (tastes.prototypes[0] - tastes.prototypes.mean(0))
    assert linprog(np.zeros(3), A_eq=equal, b_eq=np.r_[outside, 1.0], bounds=(0, None)).status == 2


def test_rewards_of_prototypes_are_margins_of_corners():
    for form in FORMS:
        tastes = plain_tastes(form, F, P, W, scale=1.7)
        for k, corner in enumerate(np.eye(3)):
            direct = tastes.margins(np.tile(corner, (80, 1)), LEFT, RIGHT)
            got = tastes.rewards[RIGHT, k] - tastes.rewards[LEFT, k]
            np.testing.assert_allclose(got, direct, atol=1e-10)


def test_a_mixed_point_leaves_the_hull_where_the_map_is_not_linear():
    choices, X, _ = crowd()
    net = random_net(Form(3, "f(Pw)", "mlp1"))
    import torch

    tastes = net.to_tastes(torch.from_numpy(X), None)
    mixed = tastes.points(W)
    corners = tastes.points(np.eye(3))
    assert np.abs(mixed - W @ corners).max() > 1e-3
    np.testing.assert_allclose(mixed, apply_map(W @ tastes.prototypes, tastes.layers, tastes.form))


# PAL-B: prototypes are functions of the prompt


def test_pal_b_with_equal_prompts_is_the_cosine_with_the_mixed_prototype():
    asked = np.tile(P, (5, 1, 1))
    q = RNG.integers(5, size=80)
    tastes = plain_tastes(Form(3, "B"), F, np.zeros((3, 4)), W, scale=14.2857, asked=asked)
    got = tastes.margins(W[U], LEFT, RIGHT, q)
    a = (W @ P)[U]

    def cosine(x):
        return (x * a).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(a, axis=1)

    np.testing.assert_allclose(got, 14.2857 * (cosine(F[RIGHT]) - cosine(F[LEFT])), atol=1e-6)


def test_pal_b_with_one_prototype_is_one_reward_for_all():
    asked, q = RNG.standard_normal((5, 1, 4)), RNG.integers(5, size=80)
    tastes = plain_tastes(Form(1, "B"), F, np.zeros((1, 4)), np.ones((6, 1)), asked=asked)
    got = tastes.margins(np.ones((80, 1)), LEFT, RIGHT, q)
    wish = unit(asked[q, 0])
    np.testing.assert_allclose(got, ((unit(F)[RIGHT] - unit(F)[LEFT]) * wish).sum(1), atol=1e-12)


def test_pal_b_mixes_before_it_normalises():
    asked = np.array([[[4.0, 0.0], [0.0, 1.0]]])
    tastes = plain_tastes(
        Form(2, "B"), [[1, 0], [0, 1]], np.zeros((2, 2)), [[0.2, 0.8]], asked=asked
    )
    one = np.zeros(1, int)
    got = tastes.margins(np.array([[0.2, 0.8]]), one, one + 1, one)
    np.testing.assert_allclose(got, 0.0, atol=1e-12)  # 0.2 * 4 = 0.8 * 1: neither


def test_pal_b_needs_prompts():
    tastes = plain_tastes(Form(3, "B"), F, np.zeros((3, 4)), W, asked=np.ones((5, 3, 4)))
    with pytest.raises(AssertionError):
        tastes.margins(W[U], LEFT, RIGHT)


# Prototypes drawn in


@pytest.mark.parametrize("ideal", ["Pw", "f(P)w", "f(Pw)"])
def test_drawing_prototypes_in_changes_no_point_and_no_margin(ideal):
    near = 0.7 / 3 + 0.3 * W  # a population far from the corners
    tastes = plain_tastes(Form(3, ideal), F, P, near)
    tight = tastes.tightened(np.arange(6))
    np.testing.assert_allclose(
        tight.margins(tight.weights[U], LEFT, RIGHT), tastes.margins(near[U], LEFT, RIGHT),
        atol=1e-9,
    )  # fmt: skip
    np.testing.assert_allclose(tight.points(tight.weights), tastes.points(near), atol=1e-9)
    np.testing.assert_allclose(tight.weights.sum(1), 1, atol=1e-12)
    assert tight.weights.min() >= 0.05 * near.mean(0).min() - 1e-9
    spread = [np.ptp(t.prototypes, axis=0).sum() for t in (tight, tastes)]
    assert spread[0] < 0.9 * spread[1]
    again = tight.tightened(np.arange(6))
    np.testing.assert_allclose(again.prototypes, tight.prototypes, atol=1e-9)


def test_prototypes_stay_where_people_fill_the_hull_or_the_form_is_not_linear():
    corners = plain_tastes(Form(3), F, P, np.eye(3)[[0, 1, 2, 0, 1, 2]])
    assert corners.tightened(np.arange(6)) is corners
    norm = plain_tastes(Form(3, distance="norm"), F, P, 0.7 / 3 + 0.3 * W)
    assert norm.tightened(np.arange(6)) is norm
    one = plain_tastes(Form(1), F, P[:1], np.ones((6, 1)))
    assert one.tightened(np.arange(6)) is one


def test_other_people_have_the_same_tastes():
    tastes = plain_tastes(Form(3), F, P, W)
    more = tastes.with_people(np.zeros((2, 3)))
    assert more.prototypes is tastes.prototypes and more.mapped is tastes.mapped
    np.testing.assert_allclose(more.weights, 1 / 3)
