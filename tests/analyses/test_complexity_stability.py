"""Stability over random starts: directions that the rows force return, others do not."""

import numpy as np
import pytest

from backend.analyses.complexity_features import find
from backend.analyses.complexity_inputs import Subject, split_rows
from backend.analyses.complexity_stability import steadiness

KINDS = ("nmf", "nmf-per-class", "kmeans")


def parts(n=240, seed=0) -> Subject:
    """Rows that are each one of four disjoint parts, so that any start finds the same four."""
    rng = np.random.default_rng(seed)
    member = np.arange(n) % 4
    X = np.zeros((n, 20), np.float32)
    for i, part in enumerate(member):
        X[i, 5 * part : 5 * part + 5] = rng.uniform(1, 1.2) * np.array([3, 1, 2, 1, 1])
    X += rng.uniform(0, 0.01, X.shape).astype(np.float32)
    return Subject(("last",), (X,), np.arange(n), last=X, labels=member // 2,
                   classes=("even", "odd"))  # fmt: skip


def steady(subject, kind, silent, atoms=4, starts=2):
    split = split_rows(len(subject.rows), seed=0)
    found = find(subject, split, kind=kind, atoms=atoms, seed=0)
    return steadiness(subject, found, split, atoms=atoms, starts=starts, seed=0, progress=silent)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_rows_force_returns_from_every_start(kind, silent):
    got, why = steady(parts(), kind, silent, atoms=2 if kind == "nmf-per-class" else 4)
    assert why == "" and got.seeds == 2
    assert got.cosine == pytest.approx(np.ones(4), abs=0.02)
    assert got.chance.mean() < 0.9
    table = got.table(np.array([0, 3]))
    assert table["feature"].to_pylist() == [0, 3]
    assert table.column_names == ["feature", "cosine", "chance"]


@pytest.mark.parametrize("kind", ["kmeans", "sparse"])
def test_of_noise_little_returns(kind, silent):
    noise = np.random.default_rng(1).normal(size=(240, 20)).astype(np.float32)
    got, _ = steady(Subject(("last",), (noise,), np.arange(240), last=noise), kind, silent)
    assert got.cosine.mean() < 0.9
    s = got.scalars(np.arange(4))
    assert s["stability_low"] < s["stability"] == pytest.approx(got.cosine.mean())
    assert s["stability_chance"] == pytest.approx(got.chance.mean())


@pytest.mark.parametrize("kind", ["pca", "neurons", "random"])
def test_directions_without_a_random_start_are_refused_in_words(kind, silent):
    got, why = steady(parts(), kind, silent)
    assert got is None and f"features of the kind {kind!r} are not learned" in why
