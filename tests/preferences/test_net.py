"""PAL as a torch module: it equals the plain arrays; counts, scale, gradients."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, softplus

from backend.preferences.form import IDEALS, MAPS, Form
from backend.preferences.net import PalNet, build_map
from tests.preferences.worlds import crowd, random_net

CHOICES, X, C = crowd()
WIDE = torch.from_numpy(X)


def tensors():
    return (
        WIDE, torch.from_numpy(C), torch.from_numpy(CHOICES.u), torch.from_numpy(CHOICES.left),
        torch.from_numpy(CHOICES.right), torch.from_numpy(CHOICES.q),
    )  # fmt: skip


ALL = [
    Form(3, ideal, kind, distance, activation=act, residual=residual)
    for ideal, kind, distance, act, residual in product(
        IDEALS, MAPS, ("squared", "norm"), ("relu", "gelu"), (False, True)
    )
    if act == "relu" or kind.startswith("mlp")
]


@pytest.mark.parametrize("form", ALL, ids=lambda f: f"{f.ideal}-{f.map}-{f.distance}-{f.activation}"
                         + ("-residual" if f.residual else ""))  # fmt: skip
def test_the_net_and_the_plain_arrays_give_the_same_margins(form):
    net = random_net(form)
    with torch.no_grad():
        learned = net(*tensors()).numpy()
    plain = net.to_tastes(WIDE, torch.from_numpy(C))
    W = plain.weights[CHOICES.u]
    got = plain.margins(W, CHOICES.left, CHOICES.right, CHOICES.q)
    assert np.ptp(learned) > 1e-3
    np.testing.assert_allclose(got, learned, atol=1e-9)


@pytest.mark.parametrize(
    "form", [Form(2, map="linear"), Form(2, "f(P)w", "mlp1"), Form(2, "B", "mlp2")]
)
def test_a_narrower_mapped_space(form):
    net = random_net(form, narrow=2)
    plain = net.to_tastes(WIDE, torch.from_numpy(C))
    assert plain.mapped.shape == (30, 2)
    got = plain.margins(plain.weights[CHOICES.u], CHOICES.left, CHOICES.right, CHOICES.q)
    np.testing.assert_allclose(got, net(*tensors()).detach().numpy(), atol=1e-9)


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_numbers_of_parameters_are_those_of_the_paper():
    one = 787_968
    assert count(build_map(Form(2, map="mlp2"), 512, 512)) == one
    assert count(build_map(Form(2, map="identity"), 512, 512)) == 0
    assert count(build_map(Form(2, map="linear"), 512, 32)) == 512 * 32
    make = {"persons": 10, "wide": 512, "narrow": 512, "asked": 512}
    fixed = torch.Generator().manual_seed(0)
    b = PalNet(Form(2, "B", "mlp2"), **make, generator=fixed)
    assert count(b) == 3 * one + 1 + 10 * 2
    a = PalNet(Form(2, "f(Pw)", "mlp2"), **make, generator=fixed)
    assert count(a) == one + 2 * 512 + 10 * 2 + 1


def test_the_scale_starts_at_that_of_clip_and_stops_at_a_hundred():
    make = {"persons": 2, "wide": 4, "narrow": 4, "asked": 3}
    net = PalNet(Form(2, "B"), **make, generator=torch.Generator().manual_seed(0))
    assert net.scale.item() == pytest.approx(14.2857, abs=1e-4)
    with torch.no_grad():
        net.log_scale.fill_(9.0)
    assert net.scale.item() == pytest.approx(100.0, rel=1e-6)
    with torch.no_grad():
        net.log_scale.fill_(math.log(50))
    assert net.scale.item() == pytest.approx(50.0, rel=1e-6)


def test_a_hinge_has_a_margin_of_one_and_no_scale_unless_prompts_are_read():
    a, b = (random_net(Form(2, ideal, loss="hinge")) for ideal in ("Pw", "B"))
    assert a.scale.item() == 1.0
    assert b.scale.item() == pytest.approx(14.2857 * math.exp(0.3), rel=1e-5)


def loss_of(net, y, left, right):
    X, C, u, _, _, q = tensors()
    return softplus(-y * net(X, C, u, left, right, q)).mean()


@pytest.mark.parametrize("ideal", IDEALS)
def test_swapping_sides_and_answers_leaves_the_loss(ideal):
    net, y = random_net(Form(3, ideal, "mlp1")), torch.from_numpy(CHOICES.y.astype(float))
    left, right = torch.from_numpy(CHOICES.left), torch.from_numpy(CHOICES.right)
    there, back = loss_of(net, y, left, right), loss_of(net, -y, right, left)
    assert there.item() == pytest.approx(back.item(), abs=1e-12)


def test_the_logistic_loss_is_the_cross_entropy_of_two_rewards():
    margins = torch.linspace(-8, 8, 33, dtype=torch.float64)
    y = torch.where(torch.arange(33) % 2 > 0, 1.0, -1.0).double()
    rewards = torch.stack([3 - margins / 2, 3 + margins / 2], dim=1)
    direct = cross_entropy(rewards, ((y + 1) / 2).long())
    assert softplus(-y * margins).mean().item() == pytest.approx(direct.item(), abs=1e-12)


@pytest.mark.parametrize("ideal", IDEALS)
@pytest.mark.parametrize("distance", ["squared", "norm"])
def test_with_one_prototype_weights_have_no_gradient_and_people_are_alike(ideal, distance):
    net = random_net(Form(1, ideal, "mlp1", distance))
    y = torch.from_numpy(CHOICES.y.astype(float))
    loss_of(net, y, *(torch.from_numpy(s) for s in (CHOICES.left, CHOICES.right))).backward()
    assert net.omega.grad is not None and (net.omega.grad == 0).all()
    X, C, u, left, right, q = tensors()
    others = net(X, C, (u + 1) % 6, left, right, q)
    assert torch.equal(others, net(X, C, u, left, right, q))


def test_gradients_equal_the_closed_form():
    """Of the mean logistic loss of Pw with squared distance, by hand in plain arrays."""
    net = random_net(Form(3))
    y = torch.from_numpy(CHOICES.y.astype(float))
    left, right = torch.from_numpy(CHOICES.left), torch.from_numpy(CHOICES.right)
    loss_of(net, y, left, right).backward()
    plain, n, u = net.to_tastes(WIDE, None), CHOICES.n, CHOICES.u
    W, P = plain.weights, plain.prototypes
    s = plain.margins(W[u], CHOICES.left, CHOICES.right)
    slope = -CHOICES.y / (1 + np.exp(CHOICES.y * s)) / n * plain.scale
    dA = np.zeros((6, 4))
    np.add.at(dA, u, slope[:, None] * 2 * (X[CHOICES.right] - X[CHOICES.left]))
    dW = dA @ P.T
    np.testing.assert_allclose(net.P.grad.numpy(), W.T @ dA, atol=1e-12)
    dOmega = W * (dW - (W * dW).sum(1, keepdims=True))
    np.testing.assert_allclose(net.omega.grad.numpy(), dOmega, atol=1e-12)


def test_prototypes_start_at_length_one_and_the_seed_decides():
    a, b = random_net(Form(3, map="mlp1")), random_net(Form(3, map="mlp1"))
    np.testing.assert_allclose(a.P.detach().norm(dim=1).numpy(), 1, atol=1e-6)
    for one, other in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(one, other)
    before = torch.random.get_rng_state()
    c = PalNet(Form(3), persons=6, wide=4, narrow=4, asked=0,
               generator=torch.Generator().manual_seed(8))  # fmt: skip
    assert not torch.equal(c.omega.double(), a.omega)
    assert torch.equal(before, torch.random.get_rng_state())  # nobody else's dice are thrown


def test_pal_b_without_prompts_is_refused():
    X, _, u, left, right, _ = tensors()
    with pytest.raises(AssertionError):
        random_net(Form(2, "B"))(X, None, u, left, right, None)
