"""Which layer of one model is a linear map of which layer of another?  Held-out ridge maps.

Csordás, Manning, Potts 2025 (mapping a shallow model to a deep one).
"""

import re

import numpy as np
import pyarrow as pa

from backend.analyses.inputs import Sample, notes, paired, sample, trunk
from backend.analyses.intervals import Z95, mean_error, number, say
from backend.analyses.matched_depth import Match, match, resampling_weights
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.analyses.state_maps import Found, Maps, Read, Split, map_layer, sizes, split_rows
from backend.analyses.threads import for_each_site
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

_LEAST_ROWS = 20  # 12 to fit, 4 to choose the strength, 4 held out
_HELD_BYTES = 1 << 30  # states of a model that stay in memory; the others are read again


def run(views: tuple[CaptureView, ...], *, seed: int, progress: Progress, at_most: int) -> Body:
    """Map every layer of the first capture to every layer of the second, or of itself."""
    if len(views) == 1:
        samples = (sample(views[0], rows=at_most, seed=seed),)
    else:
        samples = paired(*views, rows=at_most, seed=seed)
    sides = [_without_first_tokens(one) for one in samples]
    (sources, source), (targets, target) = (_states(sides[i]) for i in (0, -1))
    readers = [_reader(one) for one in sides]
    read_source, read_target = readers[0], readers[-1]
    split = _split(sides[0].rows, seed=seed)

    def work(site: str) -> Maps:
        rng = np.random.default_rng([seed, sources.index(site)])
        return map_layer(read_source(site), targets, read_target, split, rng=rng)

    maps = for_each_site(sources, work, progress=progress, doing="mapping from")
    progress(len(sources), len(sources), "comparing the maps")
    found = Found(
        np.array(source), np.array(target), np.stack([m.residual for m in maps], axis=1),
        *sizes(targets, read_target, split),
        np.stack([m.control for m in maps]), np.stack([m.strength for m in maps]),
    )  # fmt: skip
    scalars: dict[str, Scalar] = {
        "n": len(sides[0].rows),
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "n_test": len(split.test),
        "models": len(views),
        "source_layers": max(source),
        "target_layers": max(target),
        "source_width": max(read_source(site).shape[1] for site in sources),
        **_best(found, split.groups),
        **_depths(found, split.groups, seed=seed),
    }
    constant = [s for s, m in zip(sources, maps, strict=True) if m.constant]
    scalars["note"] = _note(constant, split, scalars)
    return Body(scalars, {"map": _table(found, split.groups)}, _reading(scalars))


def _without_first_tokens(one: Sample) -> Sample:
    """Leave out the first token of each text, whose state is of another size (as the paper)."""
    if one.view.pooling != "tokens" or one.view.dataset.kind != "text":
        return one
    ids = one.view.rows()
    pick = np.arange(len(one.rows)) if one.pick is None else one.pick
    keep = np.r_[False, ids[1:] == ids[:-1]][pick]
    return Sample(one.view, one.rows[keep], pick[keep])


def _split(rows: np.ndarray, *, seed: int) -> Split:
    found = len(np.unique(rows))
    if found < _LEAST_ROWS:
        raise AnalysisError(
            f"{found} rows are too few to map layers.",
            f"Give at least {_LEAST_ROWS}: 60 % fit the maps, 20 % choose their strength, 20 % "
            "are held out.",
        )
    return split_rows(rows, seed=seed)


def _reader(one: Sample) -> Read:
    """States by site, float32 (n, width); those that fit are kept, as each is read many times."""
    held: dict[str, np.ndarray] = {}

    def read(site: str) -> np.ndarray:
        if site in held:
            return held[site]
        X = one.vectors(site)
        if sum(v.nbytes for v in list(held.values())) + X.nbytes <= _HELD_BYTES:
            held[site] = X
        return X

    return read


def _states(one: Sample) -> tuple[tuple[str, ...], list[int]]:
    """Sites of the stream with how many blocks come before each."""
    found = {}
    for site in trunk(one.sites):
        block = re.fullmatch(r"(?:resid_post|block)\.(\d+)", site)
        if site == "embed" or block:
            found[site] = int(block[1]) + 1 if block else 0
    if not found or not max(found.values()):
        raise AnalysisError(
            f"{one.view.model} was captured at {', '.join(one.sites)}, after none of its blocks.",
            "Capture it at embed and resid_post.*.",
        )
    return tuple(found), list(found.values())


def _best(found: Found, groups: np.ndarray | None) -> dict[str, Scalar]:
    """Error of each source layer's best map, averaged over layers, without the embeddings; the
    choice is held fixed."""
    i, j = np.flatnonzero(found.source), np.flatnonzero(found.target)
    error = found.error[:, i][..., j]
    at = error.mean(axis=0).argmin(axis=1)
    rows = error[:, np.arange(len(i)), at].mean(axis=1)
    half = Z95 * float(mean_error(rows, groups=groups))
    value = float(rows.mean())
    return {
        "best": value,
        "best_low": max(0.0, value - half),
        "best_high": value + half,
        "best_control": float(found.control[i, j[at]].mean()),
    }


def _depths(found: Found, groups: np.ndarray | None, *, seed: int) -> dict[str, Scalar]:
    """Line and distances of the matched depths, without the embeddings (as the paper's figure)."""
    i, j = np.flatnonzero(found.source), np.flatnonzero(found.target)
    out: dict[str, Scalar] = {"matched_layers": len(i)}
    if len(i) < 2 or len(j) < 2:
        return out | {"slope": None, "mean_offset": None}
    groups = np.arange(len(found.length)) if groups is None else groups
    weights = resampling_weights(groups, seed=seed)
    around = found.around[:, j]
    by_measure = {
        "": (found.error[:, i][..., j], np.ones_like(around)),
        "_r2": (found.residual[:, i][..., j], around),
    }
    for ending, (errors, scale) in by_measure.items():
        if not scale.any():
            out |= {f"slope{ending}": None, f"mean_offset{ending}": None}
            continue
        said = match(
            errors, scale, weights, source=found.source[i], target=found.target[j],
            source_depth=int(found.source.max()), target_depth=int(found.target.max()), seed=seed,
        )  # fmt: skip
        out |= _named(said, ending)
    return out


def _named(said: Match, ending: str) -> dict[str, Scalar]:
    """A match as scalars; `ending` tells which error chose the best layers."""
    intervals = {"slope": said.slope, "mean_offset": said.offset}
    if not ending:
        intervals["absolute_minus_relative"] = said.absolute_minus_relative
    out: dict[str, Scalar] = {}
    for name, found in intervals.items():
        name = f"{name}{ending}"
        out |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    return out | {f"offset_permuted{ending}": said.permuted, f"offset_p{ending}": said.p}


def _table(found: Found, groups: np.ndarray | None) -> pa.Table:
    """One row per source and target, with 95 % intervals over the held-out data rows."""
    error = found.error
    mean, half = error.mean(axis=0), Z95 * mean_error(error, groups=groups)
    around = found.around.mean(axis=0)
    around = np.where(around > 0, around, np.nan)
    unexplained = found.residual.mean(axis=0) / around
    influence = (found.residual - unexplained * found.around[:, None, :]) / around
    half_r2 = Z95 * mean_error(influence, groups=groups)
    p, q = mean.shape
    columns = {
        "source": np.repeat(found.source, q).astype(np.int32),
        "target": np.tile(found.target, p).astype(np.int32),
        "error": mean.ravel(),
        "low": np.maximum(mean - half, 0).ravel(),
        "high": (mean + half).ravel(),
        "r2": (1 - unexplained).ravel(),
        "r2_low": (1 - unexplained - half_r2).ravel(),
        "r2_high": np.minimum(1 - unexplained + half_r2, 1).ravel(),
        "control": found.control.ravel(),
        "strength": found.strength.ravel(),
    }
    return pa.table(columns)


def _note(constant: list[str], split: Split, s: dict) -> str:
    said = [
        "The maps are ridge regressions in closed form on the captured states, one for each pair "
        "of layers; the paper trains one linear layer per source on hundreds of millions of "
        "tokens for all targets at once, which for squared error comes apart by target.",
        "Control: the target rows in another order, one shuffle for each source layer.",
        "A layer whose states share a large mean has a small relative error; r2 leaves that out.",
        "Intervals are over held-out rows, for the maps as they were fitted.",
    ]
    if s["n_train"] <= s["source_width"]:
        said.append(
            f"{s['n_train']} training rows are no more than the {s['source_width']} dimensions of "
            "the source: even a layer's map to itself is not exact, and the least error may show "
            "which target is the easiest rather than which matches."
        )
    said += [f"{s} does not vary over the training rows: its maps say the mean." for s in constant]
    if split.groups is not None:
        said.append(
            "Rows have several vectors: parts and intervals count data rows, shuffles move single "
            "vectors."
        )
    return notes(said)


def _reading(s: dict) -> str:
    best = say(s["best"], s["best_low"], s["best_high"])
    error = (
        f"the best map of a layer has a relative error of {best} on average over the layers, "
        f"{number(s['best_control'])} with shuffled rows ({s['n_test']} held-out rows of {s['n']})."
    )
    if s["slope"] is None:
        return f"There are too few layers for a line through depths; {error}"
    offset = say(s["mean_offset"], s["mean_offset_low"], s["mean_offset_high"])
    return (
        f"The layer that is mapped to best lies {offset} of the depth away from the same relative "
        f"depth, {number(s['offset_permuted'])} with the layers permuted, and the line through "
        f"these layers has a slope of {say(s['slope'], s['slope_low'], s['slope_high'])}; {error}"
    )


def _claim_relative_depth(result: Result) -> Measured:
    s: dict = result.scalars
    if s["models"] < 2 or s["source_layers"] >= s["target_layers"]:
        return Measured("needs a model and a deeper second one", "not testable here")
    if s["slope"] is None or s["matched_layers"] < 4:
        return Measured("needs four layers after the embedding", "not testable here")
    if s["n_train"] <= s["source_width"]:
        text = f"needs more training rows ({s['n_train']}) than dimensions ({s['source_width']})"
        return Measured(text, "not testable here")
    offset, slope, gain = (
        say(s[name], s[f"{name}_low"], s[f"{name}_high"])
        for name in ("mean_offset", "slope", "absolute_minus_relative")
    )
    text = (
        f"mean distance from equal relative depth {offset}, permuted {number(s['offset_permuted'])}"
        f" (p {number(s['offset_p'])}); from equal block number minus this {gain}; slope {slope}; "
        f"{s['n_test']} held-out rows"
    )
    good = s["offset_p"] <= 0.05 and s["absolute_minus_relative_low"] > 0
    return Measured(text, "agrees" if good else "differs")


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
            Parameter("at_most", int, 1024, "Rows to map, at the most.", minimum=20, maximum=16384),
        ),
        claims=(
            Claim(
                "relative_depth",
                "Csordás, Manning, Potts 2025",
                "The layers of a shallow model map best to the layers of a deeper one at the same "
                "relative depth (here: the mean distance from it is as small in at most 5 % of "
                "the permutations of the layers, and the distance from the layer after the same "
                "number of blocks is larger, the whole interval above 0).",
                _claim_relative_depth,
                unconfirmed=True,
            ),
        ),
    )
)
