"""Choices whose truth is known, and models made of plain numbers."""

from functools import cache

import numpy as np
import pyarrow as pa
import torch

from backend.preferences.choices import Choices
from backend.preferences.form import Form
from backend.preferences.net import PalNet
from backend.preferences.simulate import Simulated, simulate
from backend.preferences.tastes import Tastes

SEEDS = (0, 1, 2)


@cache
def world(n_tastes: int = 2, seed: int = 0, population: str = "partition") -> Simulated:
    """60 people, 100 pairs each, 1000 options in 8 dimensions; not to be changed."""
    return simulate(n_tastes=n_tastes, seed=seed, population=population)  # type: ignore[arg-type]


def choices_of(made: Simulated) -> Choices:
    """A simulation as choices."""
    return Choices(
        np.array([f"p{i}" for i in range(len(made.W))], dtype=object),
        np.array([f"o{i}" for i in range(len(made.X))], dtype=object),
        made.u, made.left, made.right, made.y, probability=made.probability,
    )  # fmt: skip


def coded(u, left, right, y, *, persons: int = 0, items: int = 0, q=None) -> Choices:
    """Choices by their codes."""
    u, left, right = (np.asarray(v, np.int64) for v in (u, left, right))
    persons = persons or int(u.max()) + 1
    items = items or int(max(left.max(), right.max())) + 1
    return Choices(
        np.array([f"p{i}" for i in range(persons)], dtype=object),
        np.array([f"o{i}" for i in range(items)], dtype=object),
        u, left, right, np.asarray(y, np.int8),
        None if q is None else np.array([f"q{i}" for i in range(max(q) + 1)], dtype=object),
        None if q is None else np.asarray(q, np.int64),
    )  # fmt: skip


def crowd(n: int = 400, *, persons: int = 6, items: int = 30, d: int = 4, seed: int = 0):
    """Choices at random among random options: (choices with prompts, X (M, d), C (5, 3))."""
    rng = np.random.default_rng(seed)
    left = rng.integers(items, size=n)
    right = (left + rng.integers(1, items, size=n)) % items
    q = np.r_[np.arange(5), rng.integers(5, size=n - 5)]
    u = np.r_[np.arange(persons), rng.integers(persons, size=n - persons)]
    choices = coded(u, left, right, rng.choice([-1, 1], n), persons=persons, items=items, q=q)
    return choices, rng.standard_normal((items, d)), rng.standard_normal((5, 3))


def random_net(form: Form, *, persons: int = 6, wide: int = 4, narrow: int = 4, asked: int = 3):
    """A net as it starts, float64, with a scale that is not 1."""
    net = PalNet(
        form, persons=persons, wide=wide, narrow=narrow, asked=asked,
        generator=torch.Generator().manual_seed(7),
    ).double()  # fmt: skip
    with torch.no_grad():
        net.log_scale += 0.3
    return net


def plain_tastes(form: Form, F, P, W, *, scale: float = 1.0, asked=None) -> Tastes:
    """Tastes with these weights (N, K)."""
    with np.errstate(divide="ignore"):
        logits = np.log(np.asarray(W, float))
    return Tastes(form, np.asarray(F, float), np.asarray(P, float), logits, scale, asked=asked)


def table(rows: list[tuple], *more: str) -> pa.Table:
    """A table of choices: person, option_a, option_b, choice, and more columns."""
    names = ("person", "option_a", "option_b", "choice", *more)
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


@cache
def fitted(n_tastes: int, k: int, seed: int, population: str = "partition"):
    """(choices, split, K tastes fitted to it) of the world with so many tastes; two starts."""
    from backend.preferences.fitting import Training, fit
    from backend.preferences.splits import split

    made = world(n_tastes, seed, population)
    choices = choices_of(made)
    part = split(choices, seed=seed, new_share=0.0)
    training = Training(restarts=2, spread=3.0)
    tastes = fit(choices, part.train, made.X, Form(k), training=training, seed=seed)
    return choices, part, tastes
