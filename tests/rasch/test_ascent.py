"""Climbing a concave function."""

import numpy as np
import pytest

from backend.rasch.ascent import State, climb


def quadratic(A: np.ndarray, top: np.ndarray):
    """Highest, 0, at `top`; blocks are the diagonal."""

    def evaluate(point: np.ndarray) -> State:
        away = point - top
        return State(point, -0.5 * away @ A @ away, -A @ away, lambda g: g / np.diag(A))

    return evaluate


def test_it_finds_the_top_of_a_badly_coupled_hill():
    rng = np.random.default_rng(0)
    B = rng.normal(size=(30, 30))
    A = B @ B.T + 0.05 * np.eye(30)
    top = rng.normal(size=30)
    end = climb(quadratic(A, top), np.zeros(30), tolerance=1e-9, max_iterations=2000)
    assert end.converged
    assert end.state.point == pytest.approx(top, abs=1e-5)


def test_the_memory_is_faster_than_block_steps_alone():
    n, weak = 60, 0.05
    A = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1) + weak * np.eye(n)
    top = np.random.default_rng(1).normal(size=n)
    end = climb(quadratic(A, top), np.zeros(n), tolerance=1e-6, max_iterations=1000)
    point, blocks = np.zeros(n), 0
    while np.abs(step := A @ (top - point) / np.diag(A)).max() > 1e-6:
        point, blocks = point + step, blocks + 1
    assert end.iterations < blocks / 3


def test_running_out_of_iterations_is_said():
    A = np.array([[1.0, 0.99], [0.99, 1.0]])
    end = climb(quadratic(A, np.ones(2)), np.zeros(2), tolerance=1e-12, max_iterations=1)
    assert not end.converged
    assert end.iterations == 1
    assert end.largest_step > 1e-12
