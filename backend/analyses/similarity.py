"""Which layers are alike?  Debiased CKA and mutual nearest neighbours of every pair of layers.

Kornblith, Norouzi, Lee, Hinton 2019; Nguyen, Raghu, Kornblith 2021; Huh, Cheung, Wang, Isola 2024.
"""

import math

import numpy as np
import pyarrow as pa

from backend.analyses.cka import Alignment, align, u_centred_gram
from backend.analyses.inputs import Sample, notes, paired, sample
from backend.analyses.intervals import (
    Z95,
    mean_error,
    number,
    say,
)
from backend.analyses.layer_pairs import Side, between, controls, within
from backend.analyses.neighbours import mutual_overlap, nearest, unit_rows
from backend.analyses.result import Body, Result
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.analyses.threads import for_each_site, one_thread
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

_FLOAT64_BYTES = 1 << 30  # above this the stored Gram matrices are float32; sums stay float64


def run(
    views: tuple[CaptureView, ...],
    *,
    seed: int,
    progress: Progress,
    at_most: int,
    batch: int,
    permutations: int,
    k: int,
) -> Body:
    """Compare all layers of one capture, or the layers of two captures on the same rows."""
    if len(views) == 1:
        samples = (sample(views[0], rows=at_most, seed=seed),)
    else:
        samples = paired(*views, rows=at_most, seed=seed)
    n, groups = len(samples[0].rows), samples[0].groups
    if n < 4:
        raise AnalysisError(f"{n} rows are too few to compare layers.", "Give at least 4 rows.")
    k = min(k, n - 1)
    sides = [_measure(one, batch, k, progress) for one in samples]
    a, b = sides[0], sides[-1]
    progress(len(a.sites), len(a.sites), "comparing all pairs")
    with one_thread():
        alignment = align(
            a.grams,
            None if a is b else b.grams,
            permutations=permutations,
            seed=seed,
            groups=groups,
        )
        overlap = mutual_overlap(a.neighbours, b.neighbours).astype(np.float64)
    table = _table(a, b, alignment, overlap, groups)
    scalars = {
        "n": n,
        "k": k,
        "chance": k / (n - 1),
        "permutations": permutations,
        "models": len(views),
        **controls(a, b, alignment, n=len(a.grams[0][0])),
        **(within(a, alignment, groups) if len(sides) == 1 else between(a, b, alignment)),
        "note": _notes(sides, groups),
    }
    return Body(scalars, {"similarity": table}, _reading(scalars))


def _measure(one: Sample, batch: int, k: int, progress: Progress) -> Side:
    """Gram matrices and neighbours of every site; each site's vectors are read once."""
    n, count = len(one.rows), len(one.sites)
    parts = np.array_split(np.arange(n), math.ceil(n / batch))
    values = count * sum(len(p) ** 2 for p in parts)
    dtype = np.float64 if values * 8 <= _FLOAT64_BYTES else np.float32
    grams = [np.empty((count, len(p), len(p)), dtype=dtype) for p in parts]
    neighbours = np.empty((count, n, k), dtype=np.int32)
    trace, square = np.zeros(count), np.zeros(count)

    def measure(site: str) -> bool:
        index, X = one.sites.index(site), one.vectors(site)
        for number_of, part in enumerate(parts):
            gram, tr, sq = u_centred_gram(X[part])
            grams[number_of][index] = gram
            if number_of == 0:
                trace[index], square[index] = tr, sq
        neighbours[index] = nearest(unit_rows(X), k)[0]
        return any(g[index].any() for g in grams)

    varies = for_each_site(one.sites, measure, progress=progress, doing="reading")
    constant = tuple(s for s, good in zip(one.sites, varies, strict=True) if not good)
    return Side(one.sites, grams, neighbours, trace, square, constant)


def _table(
    a: Side, b: Side, found: Alignment, overlap: np.ndarray, groups: np.ndarray | None
) -> pa.Table:
    """One row per pair of layers."""
    p, q = found.cka.shape
    mknn, error = overlap.mean(axis=0), mean_error(overlap, groups=groups)
    undefined = ~np.isfinite(found.cka)
    mknn, error = np.where(undefined, np.nan, mknn), np.where(undefined, np.nan, error)
    first, second = (x.ravel() for x in np.indices((p, q)))
    columns = {
        "layer_a": [a.sites[i] for i in first],
        "layer_b": [b.sites[j] for j in second],
        "index_a": first.astype(np.int32),
        "index_b": second.astype(np.int32),
        "cka": found.cka.ravel(),
        "low": found.low.ravel(),
        "high": found.high.ravel(),
        "null": _null_quantile(found, same=a is b).ravel(),
        "mknn": mknn.ravel(),
        "mknn_low": np.clip(mknn - Z95 * error, 0, 1).ravel(),
        "mknn_high": np.clip(mknn + Z95 * error, 0, 1).ravel(),
    }
    return pa.table(columns)


def _null_quantile(found: Alignment, *, same: bool) -> np.ndarray:
    """95 % point (p, q) of the shuffled values; within a model both directions of a pair count."""
    null = found.null
    if same:
        null = np.concatenate([null, null.transpose(0, 2, 1)])
    return np.quantile(null, 0.95, axis=0)


def _notes(sides: list[Side], groups: np.ndarray | None) -> str:
    said = [
        f"{site} does not vary over these rows: its similarity is not defined."
        for side in sides
        for site in side.constant
    ]
    if groups is not None:
        said.append(
            "Rows have several vectors: intervals count data rows, shuffles move single vectors."
        )
    return notes(said)


def _reading(s: dict) -> str:
    if s["models"] == 2:
        if s["best_pair"] is None:
            return "No two layers can be compared: none varies over these rows."
        return (
            f"The most alike pair is {s['best_pair']}: debiased CKA "
            f"{say(s['best'], s['best_low'], s['best_high'])} on {s['n']} rows, "
            f"{number(s['null_mean'])} when rows are shuffled; depth of a layer against depth of "
            f"its best partner: rho {say(s['depth_rho'], s['depth_rho_low'], s['depth_rho_high'])}."
        )
    if s["adjacent"] is None:
        return f"Fewer than three layers vary over these {s['n']} rows: there is no path to follow."
    return (
        f"Neighbouring layers have a debiased CKA of "
        f"{say(s['adjacent'], s['adjacent_low'], s['adjacent_high'])} on average, {s['first']} "
        f"and {s['last']} of {say(s['ends'], s['ends_low'], s['ends_high'])}; the largest step is "
        f"between {s['lowest_pair']} at {say(s['lowest'], s['lowest_low'], s['lowest_high'])} "
        f"({s['n']} rows; shuffled {number(s['null_mean'])})."
    )


def _claim_neighbours(result: Result) -> Measured:
    s: dict = result.scalars
    if s.get("adjacent_minus_distant") is None:
        return Measured("needs one model with three layers that vary", "not testable here")
    low, high = s["adjacent_minus_distant_low"], s["adjacent_minus_distant_high"]
    text = f"difference in mean CKA {say(s['adjacent_minus_distant'], low, high)}"
    return Measured(text, "agrees" if low > 0 else "differs")


def _claim_bias(result: Result) -> Measured:
    s: dict = result.scalars
    biased = s.get("biased_null_mean")
    if biased is None or not math.isfinite(biased):
        return Measured("needs one model with layers that vary", "not testable here")
    text = f"shuffled rows: biased CKA {number(biased)}, debiased {number(s['null_mean'])}"
    good = biased > 0 and abs(s["null_mean"]) < 0.1 * biased
    return Measured(text + f" ({s['permutations']} shuffles)", "agrees" if good else "differs")


def _claim_block(result: Result) -> Measured:
    s: dict = result.scalars
    block = s.get("block")
    if block is None:
        return Measured("needs one model with three layers that vary", "not testable here")
    text = f"largest run of layers with all CKA >= 0.9: {100 * block:.0f} % of the layers"
    return Measured(text, "agrees" if block >= 1 / 3 else "differs")


def _claim_depth(result: Result) -> Measured:
    s: dict = result.scalars
    rho = s.get("depth_rho")
    if rho is None or not math.isfinite(rho):
        return Measured("needs two models", "not testable here")
    low, high = s["depth_rho_low"], s["depth_rho_high"]
    return Measured(f"rho {say(rho, low, high)}", "agrees" if low > 0 else "differs")


SPEC = register(
    Spec(
        key="similarity",
        title="Similarity of layers",
        question="Which layers hold the same information?",
        source="Kornblith et al. 2019; Nguyen, Raghu, Kornblith 2021; Huh et al. 2024",
        version=1,
        run=run,
        captures=2,
        parameters=(
            Parameter(
                "at_most", int, 1024, "Rows to compare, at the most.", minimum=4, maximum=16384
            ),
            Parameter("batch", int, 1024, "Rows per Gram matrix.", minimum=8, maximum=1024),
            Parameter("permutations", int, 20, "Shuffles for the null.", minimum=20, maximum=1000),
            Parameter("k", int, 10, "Nearest neighbours to compare.", minimum=1, maximum=100),
        ),
        claims=(
            Claim(
                "neighbours",
                "Kornblith et al. 2019",
                "Neighbouring layers are more alike than layers half the depth or more apart.",
                _claim_neighbours,
                unconfirmed=True,
            ),
            Claim(
                "block",
                "Nguyen, Raghu, Kornblith 2021",
                "Large models have a block: a long run of layers that are all much alike "
                "(here: a third of the layers or more, every CKA at least 0.9; our thresholds).",
                _claim_block,
            ),
            Claim(
                "bias",
                "Murphy, Zylberberg, Fyshe 2024",
                "Plain CKA is well above 0 for unrelated vectors when rows are few for the "
                "width; the debiased form is not (here: under a tenth of it).",
                _claim_bias,
            ),
            Claim(
                "depth",
                "Kornblith et al. 2019",
                "Between two models, a layer is most like a layer at a similar depth.",
                _claim_depth,
            ),
        ),
    )
)
