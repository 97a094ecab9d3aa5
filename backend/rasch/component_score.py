"""From criteria to one score: a total or an expected total becomes a measure on the Rasch ruler.

Everything is in logits, at rater severity 0. `difficulties` is (L,), `thresholds` a list of L
arrays (m_i,) that each sum to 0; criterion i has categories 0..m_i.

Source: Kennedy et al. 2020 (an IRT activation over predicted components); the estimator is ours,
as the paper's is not known to us: the exact score equation, by Newton inside bisection.
"""

import numpy as np

from backend.errors import DataError
from backend.rasch.extremes import EXTREME
from backend.rasch.partial_credit import moments

SOFT_INWARD = 0.01  # an expected total is never at the end; this only keeps measures finite
_LIMIT, _ROUNDS, _TOLERANCE = 40.0, 200, 1e-10


def expected(
    theta: np.ndarray, difficulties: np.ndarray, thresholds: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Expected categories and variances, each (n, L), at measures theta (n,) and severity 0."""
    both = [moments(theta, d + t)[:2] for d, t in zip(difficulties, thresholds, strict=True)]
    return np.stack([e for e, _ in both], axis=1), np.stack([v for _, v in both], axis=1)


def measure_of_total(
    total: np.ndarray,
    difficulties: np.ndarray,
    thresholds: list[np.ndarray],
    *,
    inward: float = SOFT_INWARD,
) -> tuple[np.ndarray, np.ndarray]:
    """Measures theta with sum_i E_i(theta) = total, and their standard errors 1 / sqrt(sum V).

    Parameters
    ----------
    total : (n,) points from 0 to sum m_i; not whole where they are expected.
    inward : totals nearer than this to an end are moved to that distance from it.

    Returns
    -------
    theta and se, each (n,), in logits.

    Raises
    ------
    DataError : a total outside the scale.
    """
    total = np.asarray(total, dtype=np.float64)
    most = float(sum(len(t) for t in thresholds))
    wrong = ~((total >= -1e-9) & (total <= most + 1e-9))
    if wrong.any():
        raise DataError(
            f"A total of {total[wrong][0]:g} points is outside the scale.",
            f"Totals go from 0 to {most:g}.",
        )
    total = np.clip(total, inward, most - inward)
    low, high = np.full(total.shape, -_LIMIT), np.full(total.shape, _LIMIT)
    theta = np.full(total.shape, float(np.mean(difficulties)))
    for _ in range(_ROUNDS):
        E, V = (x.sum(axis=1) for x in expected(theta, difficulties, thresholds))
        if np.abs(total - E).max(initial=0) < _TOLERANCE:
            break
        low, high = np.where(total >= E, theta, low), np.where(total <= E, theta, high)
        step = theta + (total - E) / np.maximum(V, 1e-12)
        # both ends count as inside: a solved element stays while others are still on their way
        theta = np.where((step >= low) & (step <= high), step, (low + high) / 2)
    information = expected(theta, difficulties, thresholds)[1].sum(axis=1)
    return theta, 1 / np.sqrt(information)


def soft_score(
    probabilities: list[np.ndarray],
    difficulties: np.ndarray,
    thresholds: list[np.ndarray],
    *,
    inward: float = SOFT_INWARD,
) -> np.ndarray:
    """Measures (n,) from predicted probabilities, for each criterion (n, m_i + 1).

    The expected points of all criteria are added up, and the measure is solved for.
    """
    total = points(probabilities).sum(axis=1)
    return measure_of_total(total, difficulties, thresholds, inward=inward)[0]


def hard_score(
    labels: np.ndarray, difficulties: np.ndarray, thresholds: list[np.ndarray]
) -> np.ndarray:
    """Measures (n,) from predicted labels (n, L): with complete labels the total is sufficient.

    A lowest or highest total is moved 0.3 points inward.
    """
    total = np.asarray(labels).sum(axis=1)
    return measure_of_total(total, difficulties, thresholds, inward=EXTREME)[0]


def points(probabilities: list[np.ndarray]) -> np.ndarray:
    """Expected category of each criterion, (n, L)."""
    return np.stack([P @ np.arange(P.shape[1]) for P in probabilities], axis=1)


def score_contributions(
    predicted: np.ndarray,
    difficulties: np.ndarray,
    thresholds: list[np.ndarray],
    *,
    reference: float,
) -> np.ndarray:
    """How much each criterion moves a score away from a reference, to first order.

    Parameters
    ----------
    predicted : (n, L) expected categories; reference : a measure in logits.

    Returns
    -------
    (n, L) logits, (E_i - E_i(reference)) / sum V(reference). Their sum is the first Newton step
    from the reference to the score, so it falls short of far scores, or overshoots them.
    """
    E, V = expected(np.array([reference]), difficulties, thresholds)
    return (predicted - E) / V.sum()
