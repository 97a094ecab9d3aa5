"""Which layer of another model holds the same?  Linear maps between layers, held out.

Csordás, Manning, Potts 2025: each layer of a shallow model predicts all layers of a deeper one.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.analyses.inputs import Sample, paired, sample, trunk
from backend.analyses.intervals import Z95, mean_error, number, say
from backend.analyses.matched_depth import Match, match, resampling_weights
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.ridge import Factors, best_strength, factorise, predict, solve
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.analyses.threads import one_thread
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

_FEWEST = 40  # rows: with fewer, eight or less would be held out
_NOTE = (
    "Closed-form ridge on one pooled state of each row, its strength chosen on rows of their own; "
    "the paper trains one linear layer on hundreds of millions of tokens. The control maps the "
    "same states to targets of shuffled rows, one shuffle for each source layer."
)


@dataclass(frozen=True)
class Split:
    """Which rows teach, choose the strength, and are held out."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @classmethod
    def of(cls, n: int, *, seed: int) -> "Split":
        """60, 20 and 20 % of n rows, drawn by the seed."""
        order = np.random.default_rng(seed).permutation(n)
        first, second = round(0.6 * n), round(0.8 * n)
        return cls(order[:first], order[first:second], order[second:])


def run(views: tuple[CaptureView, ...], *, seed: int, progress: Progress, at_most: int) -> Body:
    """Map every layer of the first capture onto every layer of the second (or of the first)."""
    if len(views) == 1:
        one = other = sample(views[0], rows=at_most, seed=seed)
    else:
        one, other = paired(views[0], views[1], rows=at_most, seed=seed)
    n = len(one.rows)
    if n < _FEWEST:
        raise AnalysisError(f"{n} rows are too few to map.", f"Give at least {_FEWEST} rows.")
    split, rng = Split.of(n, seed=seed), np.random.default_rng([seed, 1])
    sources, targets = _layers(one), _layers(other)
    wanted = [other.vectors(site).astype(np.float64) for site in targets]
    found = []
    with one_thread():
        for index, site in enumerate(sources):
            progress(index, len(sources), f"mapping {site}")
            X = one.vectors(site).astype(np.float64)
            shuffled = rng.permutation(len(split.train))
            found.append([_pair(_Source.of(X, split), Y, split, shuffled) for Y in wanted])
    progress(len(sources), len(sources), "done")
    errors = np.stack([[pair[0] for pair in row] for row in found])  # (p, q, held out)
    r2, control = (np.array([[pair[i] for pair in row] for row in found]) for i in (1, 2))
    table = _table(errors, r2, control)
    scalars = _scalars(errors, control, split, seed=seed)
    scalars |= {"models": len(views), "n": n, "note": _NOTE}
    return Body(scalars, {"map": table}, _reading(scalars))


def _layers(one: Sample) -> list[str]:
    """The stream's sites, the embedding first; what follows the last block is left out."""
    return [s for s in trunk(one.sites) if s not in ("final", "penultimate", "head")]


@dataclass(frozen=True)
class _Source:
    """One source layer, factorised once for all targets."""

    factors: Factors
    validation: np.ndarray  # (m, r) scores
    gram: np.ndarray  # (r, r)
    test: np.ndarray  # (k, r) scores

    @classmethod
    def of(cls, X: np.ndarray, split: Split) -> "_Source":
        factors = factorise(X[split.train])
        chosen = factors.scores(X[split.validation])
        return cls(factors, chosen, chosen.T @ chosen, factors.scores(X[split.test]))


def _pair(
    source: _Source, Y: np.ndarray, split: Split, shuffled: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Relative error of each held-out row, R2, and the mean error with shuffled training rows."""
    truth = Y[split.test]
    size = np.maximum(np.linalg.norm(truth, axis=1), 1e-12)

    def residual(taught: np.ndarray) -> np.ndarray:
        solution = solve(source.factors, taught)
        chosen = best_strength(
            source.factors, solution, source.validation, source.gram, Y[split.validation]
        )
        strength = source.factors.strengths[chosen]
        return predict(source.factors, solution, source.test, strength) - truth

    taught = Y[split.train]
    rest, chance = residual(taught), residual(taught[shuffled])
    spread = np.square(truth - taught.mean(axis=0)).sum()
    r2 = 1 - np.square(rest).sum() / spread if spread > 0 else np.nan
    return np.linalg.norm(rest, axis=1) / size, r2, (np.linalg.norm(chance, axis=1) / size).mean()


def _table(errors: np.ndarray, r2: np.ndarray, control: np.ndarray) -> pa.Table:
    """One row for each pair; the interval is over held-out rows."""
    p, q, _ = errors.shape
    mean, error = errors.mean(axis=2), mean_error(errors.transpose(2, 0, 1))
    first, second = (x.ravel() for x in np.indices((p, q)))
    return pa.table({
        "source": first.astype(np.int32), "target": second.astype(np.int32),
        "error": mean.ravel(), "low": np.maximum(mean - Z95 * error, 0).ravel(),
        "high": (mean + Z95 * error).ravel(), "r2": r2.ravel(), "control": control.ravel(),
    })  # fmt: skip


def _scalars(
    errors: np.ndarray, control: np.ndarray, split: Split, *, seed: int
) -> dict[str, Scalar]:
    """How the best targets follow relative depth; the embeddings' row and column are left out."""
    p, q, held_out = errors.shape
    best = errors.mean(axis=2).min(axis=1)
    out: dict[str, Scalar] = {
        "n_train": len(split.train), "n_validation": len(split.validation), "n_test": held_out,
        "source_layers": p, "target_layers": q,
        "best_error": float(np.median(best[1:])),
        "control_error": float(np.median(control[1:, 1:])),
    }  # fmt: skip
    if p < 4 or q < 4:
        return out
    found: Match = match(
        errors[1:, 1:].transpose(2, 0, 1), np.ones((held_out, q - 1)),
        resampling_weights(np.arange(held_out), seed=seed),
        source=np.arange(1, p), target=np.arange(1, q), source_depth=p - 1, target_depth=q - 1,
        seed=seed,
    )  # fmt: skip
    for name in ("slope", "offset"):
        one = getattr(found, name)
        out |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return out | {"permuted_offset": found.permuted, "p": found.p}


def _reading(s: dict) -> str:
    text = (
        f"The best target of a layer (median) is predicted with a relative error of "
        f"{number(s['best_error'])}, {number(s['control_error'])} with shuffled rows"
    )
    if "slope" in s:
        text += (
            f"; it lies {say(s['offset'], s['offset_low'], s['offset_high'])} of the depth from "
            f"the same relative depth ({number(s['permuted_offset'])} if layers were permuted), "
            f"slope {say(s['slope'], s['slope_low'], s['slope_high'])}"
        )
    return f"{text} ({s['n_test']} held-out rows of {s['n']})."


def _claim_relative(result: Result) -> Measured:
    s: dict = result.scalars
    if "slope" not in s:
        return Measured("needs four layers in both models", "not testable here")
    text = (
        f"slope {say(s['slope'], s['slope_low'], s['slope_high'])}, distance "
        f"{say(s['offset'], s['offset_low'], s['offset_high'])} of the depth, "
        f"{number(s['permuted_offset'])} permuted (p {number(s['p'])})"
    )
    if s["models"] == 1:
        return Measured(f"{text}: a model mapped to itself is a check", "not testable here")
    return Measured(text, "agrees" if s["p"] <= 0.05 and s["slope_low"] > 0.5 else "differs")


SPEC = register(
    Spec(
        key="layer_map",
        title="Map between models",
        question="Which layer of another model holds the same?",
        source="Csordás, Manning, Potts 2025",
        version=1,
        run=run,
        captures=2,
        parameters=(
            Parameter("at_most", int, 2000, "Rows to map, at the most.", minimum=_FEWEST,
                      maximum=20000),
        ),
        claims=(
            Claim(
                "relative", "Csordás, Manning, Potts 2025",
                "A layer maps best to the layer of a deeper model at the same relative depth "
                "(here: closer to it than 95 % of permutations of the layers, and a slope whose "
                "interval lies above one half).",
                _claim_relative,
            ),
        ),
    )
)  # fmt: skip
