"""A person placed by a few answers, from a stored result alone: no model, no worker, milliseconds.

Needs a form in which a choice is linear in the weights (`live` in the result's scalars): then each
option has one reward under each taste, and those are in the table `options`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.errors import AnalysisError
from backend.preferences.form import Form
from backend.preferences.locating import Prior, locate, prior_of, weight_intervals
from backend.preferences.tastes import Tastes

Answer = tuple[str, str, str]  # option a, option b, "a" or "b"


@dataclass(frozen=True)
class Place:
    """A person's weights with their 95 % intervals, each (K,)."""

    weights: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int


@dataclass(frozen=True)
class Pair:
    """Two options as the tastes see them: logits of b over a."""

    by_taste: np.ndarray  # (K,) under each taste alone
    margin: float  # under the weights that were given
    probability: float  # that b is taken
    flips_at: float | None  # weight of the taste that is moved at which a and b are even


class Board:
    """The options and tastes of a result of `preferences`."""

    def __init__(self, options: pa.Table, persons: pa.Table):
        names = [c for c in options.column_names if c.startswith("reward_")]
        if not names:
            raise AnalysisError(
                "These tastes give no reward to an option alone.",
                "Compute with ideal Pw and squared distance.",
            )
        self.rewards = np.column_stack([options[n].to_numpy() for n in names])  # (M, K)
        self.names = option_names(options)
        self.number = {name: i for i, name in enumerate(self.names)}
        self.tastes = _as_tastes(self.rewards)
        W = np.column_stack([persons[f"weight_{k}"].to_numpy() for k in range(self.k)])
        self.prior: Prior = prior_of(np.log(np.maximum(W, 1e-6)))

    @property
    def k(self) -> int:
        return self.rewards.shape[1]

    def place(self, answers: Sequence[Answer]) -> Place:
        """Where someone with these answers belongs, and how surely; without any, the average."""
        left = np.array([self._index(a) for a, _, _ in answers], dtype=np.int64)
        right = np.array([self._index(b) for _, b, _ in answers], dtype=np.int64)
        y = np.array([1 if side == "b" else -1 for _, _, side in answers], dtype=np.int8)
        who = np.zeros(len(answers), np.int64)
        answered = (who, left, right, y)
        found = locate(self.tastes, *answered, people=1, prior=self.prior)
        low, high = weight_intervals(self.tastes, found, *answered, prior=self.prior)
        return Place(found.weights[0], low[0], high[0], len(answers))

    def pair(self, a: str, b: str, weights: Sequence[float], *, moved: int = 0) -> Pair:
        """What the tastes make of two options, and where the choice flips.

        Parameters
        ----------
        weights : (K,) on the simplex.
        moved : the taste whose weight is moved; the others keep their proportions.

        `flips_at` is the weight w of that taste at which w s_moved + (1 - w) s_rest = 0, from 0
        to 1, where s are the margins; None where no weight makes them even.
        """
        gap = self.rewards[self._index(b)] - self.rewards[self._index(a)]
        w = np.asarray(weights, dtype=np.float64)
        rest = np.delete(w, moved)
        share = rest / rest.sum() if rest.sum() > 0 else np.full(len(rest), 1 / max(len(rest), 1))
        others = float(np.delete(gap, moved) @ share) if len(share) else 0.0
        margin = float(gap @ w)
        flip = None
        if len(share) and gap[moved] != others:
            at = -others / (float(gap[moved]) - others)
            flip = at if 0 <= at <= 1 else None
        return Pair(gap, margin, float(1 / (1 + np.exp(-margin))), flip)

    def ask(
        self, answers: Sequence[Answer], *, seed: int = 0, tries: int = 2000
    ) -> tuple[str, str]:
        """The pair whose answer would tell most of the weights: tastes disagree, outcome open.

        Among random pairs, the largest variance of the margin over the person's remaining
        uncertainty, times p (1 - p).
        """
        rng = np.random.default_rng((seed, len(answers)))
        a, b = rng.integers(len(self.names), size=(2, tries))
        gap = self.rewards[b] - self.rewards[a]
        place = self.place(answers)
        p = 1 / (1 + np.exp(-np.clip(gap @ place.weights, -50, 50)))
        spread = np.square(
            (gap - gap.mean(axis=1, keepdims=True)) @ np.diag(place.high - place.low)
        )
        told = spread.sum(axis=1) * (p * (1 - p)) ** 2
        asked = {frozenset(x[:2]) for x in answers}
        for i in np.argsort(-told):
            one, two = self.names[a[i]], self.names[b[i]]
            if one != two and frozenset((one, two)) not in asked:
                return one, two
        raise AnalysisError("All pairs are answered.", "Start over.")

    def _index(self, name: str) -> int:
        if name not in self.number:
            raise AnalysisError(f"There is no option {name!r}.", "Pick one of the options.")
        return self.number[name]


def option_names(options: pa.Table) -> list[str]:
    """Options by name, each once: under prompts with the prompt, repeats with a number."""
    names = [str(v) for v in options["option"].to_pylist()]
    if "prompt" in options.column_names:
        asked = [str(v) for v in options["prompt"].to_pylist()]
        names = [f"{name} [{prompt}]" for name, prompt in zip(names, asked, strict=True)]
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return out


def _as_tastes(rewards: np.ndarray) -> Tastes:
    """Tastes whose rewards are these (M, K): one coordinate per taste, read by the unit vectors.

    With x = (r / 2, c) and p_k = e_k, 2 x . p_k - |x|^2 = r_k where c makes all lengths alike.
    """
    half = rewards / 2
    length = np.square(half).sum(axis=1)
    more = np.sqrt(length.max() - length)[:, None]
    corners = np.hstack([np.eye(rewards.shape[1]), np.zeros((rewards.shape[1], 1))])
    logits = np.zeros((1, rewards.shape[1]))
    return Tastes(Form(rewards.shape[1]), np.hstack([half, more]), corners, logits, 1.0)
