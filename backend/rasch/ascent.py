"""Climbing a concave log-likelihood: limited-memory quasi-Newton steps over block Newton steps."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_MEMORY, _HALVINGS = 8, 30
MOST_STEP = 2.0  # logits in one step


@dataclass(frozen=True)
class State:
    """A point, the log-likelihood and its gradient there, and the block Newton step's operator."""

    point: np.ndarray
    value: float
    gradient: np.ndarray
    precondition: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Climb:
    """Where the climb ended."""

    state: State
    iterations: int
    converged: bool
    largest_step: float  # of the block Newton step at the end


def climb(
    evaluate: Callable[[np.ndarray], State],
    point: np.ndarray,
    *,
    tolerance: float,
    max_iterations: int,
    limit: Callable[[np.ndarray], np.ndarray] = lambda direction: direction,
    progress: Callable[[int, int], None] | None = None,
) -> Climb:
    """Climb until the largest block Newton step is below `tolerance` logits.

    Each step is that of limited-memory BFGS whose starting matrix is the current block Newton
    step; it is halved until the log-likelihood grows. Blocks alone converge as slowly as the
    raters are weakly linked; the memory takes the square root of that.

    Parameters
    ----------
    limit : shortens a step that is too long, without leaving what is held fixed.

    Source: Nocedal and Wright 2006, chapters 3 and 7.
    """
    state, pairs = evaluate(point), deque(maxlen=_MEMORY)
    for done in range(max_iterations):
        block = state.precondition(state.gradient)
        largest = float(np.abs(block).max())
        if largest < tolerance:
            return Climb(state, done, True, largest)
        if progress is not None:
            progress(done, max_iterations)
        direction = limit(_direction(state, pairs))
        if direction @ state.gradient <= 0:
            pairs.clear()
            direction = limit(block)
        found = _search(evaluate, state, direction)
        if found is None:
            return Climb(state, done, False, largest)
        moved, turned = found.point - state.point, state.gradient - found.gradient
        if moved @ turned > 0:
            pairs.append((moved, turned, 1.0 / float(moved @ turned)))
        state = found
    largest = float(np.abs(state.precondition(state.gradient)).max())
    return Climb(state, max_iterations, largest < tolerance, largest)


def _direction(state: State, pairs: deque) -> np.ndarray:
    q, weights = state.gradient.copy(), []
    for moved, turned, rho in reversed(pairs):
        weight = rho * float(moved @ q)
        q -= weight * turned
        weights.append(weight)
    out = state.precondition(q)
    for (moved, turned, rho), weight in zip(pairs, reversed(weights), strict=True):
        out += (weight - rho * float(turned @ out)) * moved
    return out


def _search(
    evaluate: Callable[[np.ndarray], State], state: State, direction: np.ndarray
) -> State | None:
    """The first of the step and its halves that climbs enough; None where rounding stops it."""
    slope, length = float(direction @ state.gradient), 1.0
    room = 1e-12 * abs(state.value)
    for _ in range(_HALVINGS):
        found = evaluate(state.point + length * direction)
        if found.value >= state.value + 1e-4 * length * slope - room:
            return found
        length /= 2
    return None
