"""Which layer knows what people like?  Held-out choices predicted from every layer's vectors."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.inputs import trunk
from backend.analyses.intervals import number, say
from backend.analyses.options import option_vectors
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.preferences.choices import Choices, read_choices

if TYPE_CHECKING:
    from backend.preferences.fitting import Training
    from backend.preferences.splits import Split


def run(
    views: tuple[CaptureView, ...], *, data: Dataset, also: Dataset | None, seed: int,
    progress: Progress, k: int, dimensions: int, restarts: int, balanced: bool,
) -> Body:  # fmt: skip
    """Accuracy of one taste and of `k` tastes at every captured layer of the main path."""
    from backend.preferences.fitting import Training
    from backend.preferences.splits import split

    choices = read_choices(data.table())
    part = split(choices, seed=seed, new_share=0.0).checked()
    training = Training(restarts=restarts, balanced=balanced)
    sites = trunk(views[0].sites)
    ks = sorted({1, k})
    rows, rng = [], np.random.default_rng(seed)
    for index, site in enumerate(sites):
        progress(index, len(sites), f"tastes at {site}")
        found = option_vectors(
            choices, views, also, inputs="layer", site=site, dimensions=dimensions
        )
        fitted = [_score(choices, found.X, part, kk, training, seed) for kk in ks]
        dealt = found.X[rng.permutation(len(found.X))]
        control = _score(choices, dealt, part, k, training, seed)
        rows += [{"site": site, "index": index, "k": kk, **row, "control": control["accuracy"]}
                 for kk, row in zip(ks, fitted, strict=True)]  # fmt: skip
    progress(len(sites), len(sites), "done")
    table = pa.Table.from_pylist(rows)
    for name in ("index", "k"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.int32()))
    scalars = _scalars(rows, choices, k, dimensions)
    return Body(scalars, {"layers": table}, _reading(scalars))


def _score(
    choices: Choices, X: np.ndarray, part: "Split", k: int, training: "Training", seed: int
) -> dict[str, float]:
    from backend.preferences.accuracy import accuracy, hits
    from backend.preferences.fitting import fit
    from backend.preferences.form import Form
    from backend.preferences.study import margins_of

    tastes = fit(choices, part.train, X, Form(k), training=training, seed=seed)
    hit = hits(margins_of(tastes, choices, part.test), choices.y[part.test])
    found = accuracy(hit, choices.u[part.test])
    return {"accuracy": found.micro, "low": found.low, "high": found.high, "n": found.n}


def _scalars(rows: list[dict], choices: Choices, k: int, dimensions: int) -> dict[str, Scalar]:
    mine = [r for r in rows if r["k"] == k]
    best, last = max(mine, key=lambda r: r["accuracy"]), mine[-1]
    return {
        "n": choices.n, "persons": len(choices.persons), "options": len(choices.items), "k": k,
        "dimensions": dimensions, "tested": best["n"],
        "best_site": best["site"], "best": best["accuracy"], "best_low": best["low"],
        "best_high": best["high"], "control": best["control"], "last_site": last["site"],
        "last": last["accuracy"], "last_low": last["low"], "last_high": last["high"],
        "note": " ".join(choices.notes),
    }  # fmt: skip


def _reading(s: dict) -> str:
    tastes = "one taste" if s["k"] == 1 else f"{s['k']} tastes"
    best = say(100 * s["best"], 100 * s["best_low"], 100 * s["best_high"])
    last = say(100 * s["last"], 100 * s["last_low"], 100 * s["last_high"])
    end = "" if s["best_site"] == s["last_site"] else f"; {s['last_site']}, the last, {last} %"
    return (
        f"Of {s['tested']:,} held-out choices {tastes} predict most at {s['best_site']}: {best} %"
        f"{end}; {number(100 * s['control'])} % with the options' vectors dealt at random."
    )


def _claim_last(result: Result) -> Measured:
    s = result.scalars
    text = (
        f"last layer {say(s['last'], s['last_low'], s['last_high'])}, best layer "  # type: ignore[arg-type]
        f"{s['best_site']} {say(s['best'], s['best_low'], s['best_high'])}, dealt at random "  # type: ignore[arg-type]
        f"{number(s['control'])}"  # type: ignore[arg-type]
    )
    return Measured(text, "agrees" if s["last_low"] > s["control"] else "differs")  # type: ignore[operator]


SPEC = register(
    Spec(
        key="preference_layers",
        title="Preferences by layer",
        question="Which layer knows what people like?",
        source="Chen, Chen, Rege, Vinayak 2024 (PAL), read from every layer",
        version=1,
        run=run,
        reads="choices",
        parameters=(
            Parameter("k", int, 2, "Tastes.", minimum=1, maximum=12),
            Parameter("dimensions", int, 32, "Principal components to keep; 0 = all.", minimum=0,
                      maximum=4096),
            Parameter("restarts", int, 2, "Starts of each fit.", minimum=1, maximum=50),
            Parameter("balanced", bool, False, "Every person counts alike."),
        ),
        claims=(
            Claim("penultimate", "Chen, Chen, Rege, Vinayak 2024",
                  "The representation before the head, taken frozen, carries what people prefer.",
                  _claim_last),
        ),
    )
)  # fmt: skip
