"""Non-negative codes: known codes, the conditions of a minimum, and one method against another."""

import numpy as np
import pytest

from backend.complexity.codes import nonnegative_codes


def _made(n: int, k: int, d: int, seed: int = 0, *, signed: bool = False):
    rng = np.random.default_rng(seed)
    D = rng.normal(size=(k, d)) if signed else rng.gamma(0.3, size=(k, d))
    return D / np.linalg.norm(D, axis=1, keepdims=True), rng.gamma(0.5, size=(n, d))


@pytest.mark.parametrize("exact", [True, False])
def test_rows_that_are_the_directions_have_the_identity_as_codes(exact: bool):
    D = np.kron(np.eye(4), np.ones(3) / np.sqrt(3))  # disjoint supports
    assert nonnegative_codes(D, D, exact=exact) == pytest.approx(np.eye(4), abs=1e-9)
    assert nonnegative_codes(D, 5 * D, exact=exact) == pytest.approx(5 * np.eye(4), abs=1e-9)


@pytest.mark.parametrize(("k", "d", "signed"), [(8, 20, False), (30, 12, False), (30, 12, True)])
def test_both_methods_reach_the_same_error(k: int, d: int, signed: bool):
    D, X = _made(40, k, d, signed=signed)
    errors = []
    for exact in (True, False):
        Z = nonnegative_codes(D, X, exact=exact)
        assert (Z >= 0).all()
        errors.append(np.square(X - Z @ D).sum(axis=1))
    assert errors[1] == pytest.approx(errors[0], abs=1e-8)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_codes_meet_the_conditions_of_a_minimum(penalty: float):
    D, X = _made(50, 15, 20)
    Z = nonnegative_codes(D, X, penalty=penalty, exact=False)
    gradient = (Z @ D - X) @ D.T + penalty
    assert gradient[Z > 0] == pytest.approx(0, abs=1e-6)
    assert gradient.min() > -1e-6


def test_a_penalty_makes_codes_sparser_and_a_large_one_empty():
    D, X = _made(50, 15, 20)
    active = [(nonnegative_codes(D, X, penalty=p) > 0).mean() for p in (0.0, 0.3, 1.0, 100.0)]
    assert active == sorted(active, reverse=True)
    assert active[0] > active[2] > active[3] == 0


def test_the_order_of_directions_does_not_matter():
    D, X = _made(20, 8, 20)
    order = np.random.default_rng(1).permutation(8)
    Z = nonnegative_codes(D, X, exact=False)
    assert nonnegative_codes(D[order], X, exact=False) == pytest.approx(Z[:, order], abs=1e-6)
