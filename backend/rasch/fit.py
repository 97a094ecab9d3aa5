"""A fitted many-facet model: where everything lies, and what it expects of each rating."""

from dataclasses import dataclass

import numpy as np

from backend.rasch.connected import Subsets
from backend.rasch.partial_credit import moments, sum_steps
from backend.rasch.ratings import CRITERION, ITEM, Ratings


@dataclass(frozen=True)
class Fit:
    """Measures in logits. Items point up; raters (severity), criteria (difficulty) point down.

    A rating's place is eta = item - rater - further facets; criterion i has steps
    difficulty_i + threshold_ik, and the thresholds of a criterion sum to 0.
    """

    ratings: Ratings  # with categories as they were estimated
    measures: dict[str, np.ndarray]  # facet (criterion included) -> (elements,)
    errors: dict[str, np.ndarray]  # model standard errors, 1 / sqrt(information)
    thresholds: list[np.ndarray]  # (m_i,) for each criterion
    threshold_errors: list[np.ndarray]
    extreme: dict[str, np.ndarray]  # facet -> bool (elements,)
    used: np.ndarray  # bool (n,) ratings that the estimation rests on
    subsets: Subsets
    method: str
    scale: str
    iterations: int
    converged: bool
    largest_step: float  # logits, in the last iteration
    log_likelihood: float
    notes: tuple[str, ...] = ()
    spread: tuple[float, float] | None = None  # mean and sd of items' distribution (MML)
    factor: float = 1.0  # what a bias correction multiplied steps and severities by

    @property
    def steps(self) -> list[np.ndarray]:
        """Step difficulties (m_i,) of each criterion."""
        both = zip(self.measures[CRITERION], self.thresholds, strict=True)
        return [d + tau for d, tau in both]

    def eta(self) -> np.ndarray:
        """The place of each rating, without its criterion, (n,)."""
        return place(self.ratings, self.measures)


@dataclass(frozen=True)
class Expected:
    """What a fit expects of each rating, arrays (n,)."""

    mean: np.ndarray
    variance: np.ndarray
    kurtosis: np.ndarray  # fourth central moment

    def residual(self, x: np.ndarray) -> np.ndarray:
        """x - E."""
        return x - self.mean

    def z(self, x: np.ndarray) -> np.ndarray:
        """Standardised residuals."""
        return (x - self.mean) / np.sqrt(self.variance)


def expect(fit: Fit) -> Expected:
    """Expected category, variance and fourth moment of each rating."""
    return expect_at(fit.ratings, fit.eta(), fit.steps)


def expect_at(ratings: Ratings, eta: np.ndarray, steps: list[np.ndarray]) -> Expected:
    """As `expect`, for places eta (n,) and step difficulties of one's own."""
    E, V, K4 = (np.empty(ratings.n) for _ in range(3))
    for i, own in enumerate(steps):
        rows = ratings.rows_of(i)
        E[rows], V[rows], K4[rows] = moments(eta[rows], own)
    return Expected(E, V, K4)


def place(ratings: Ratings, measures: dict[str, np.ndarray]) -> np.ndarray:
    """eta (n,): the item less the rater and further facets."""
    eta = measures[ITEM][ratings.codes[ITEM]]
    for facet in ratings.facets:
        if facet != ITEM:
            eta -= measures[facet][ratings.codes[facet]]
    return eta


def sum_by_criterion(
    ratings: Ratings, measures: dict[str, np.ndarray], steps: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, float, list[np.ndarray], list[np.ndarray]]:
    """Residual and variance of each rating, log-likelihood, steps' gradients and informations."""
    eta = place(ratings, measures)
    residual, variance = np.empty(ratings.n), np.empty(ratings.n)
    value, gradients, informations = 0.0, [], []
    for i, own in enumerate(steps):
        rows = ratings.rows_of(i)
        sums = sum_steps(
            eta[rows], ratings.x[rows], own, residual=residual[rows], variance=variance[rows]
        )
        value += sums.log_likelihood
        gradients.append(sums.gradient)
        informations.append(sums.hessian)
    return residual, variance, value, gradients, informations
