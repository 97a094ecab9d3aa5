"""Whose weight decay drives collapse, the head's or the body's?  Five variants of one training.

Tirer, Huang, Niles-Weed 2022/23, section 6 and figure 3.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import number, say
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel
    from backend.training.run import Run

_PAPER = "Tirer, Huang, Niles-Weed 2022/23"
_MEASURES = ("nc1", "nc1_ratio", "nc2", "nc3")
_FEW = 3  # seeds below which a spread says little
_T95 = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, model: "LoadedModel",
    seeds: int,
) -> Body:  # fmt: skip
    """Train the variants that are missing, and put their courses together.

    The model is a checkpoint of the training that is varied; the seeds are its own and the
    next ones, so this analysis' `seed` changes nothing.
    """
    from backend.training.run import read_run
    from backend.training.studies import weight_decay_study
    from backend.training.train import train

    base = read_run(Path(model.source.folder).parent)
    data = views[0].dataset
    if base is None or base.facts["data"] != data.hash:
        raise AnalysisError(f"{model.source.ref} was not trained here on {data.name!r}.",
                            "Give a net trained here, and the data it was trained on.")  # fmt: skip
    study = weight_decay_study(base.recipe, seeds=seeds)
    lines, done, whole = [], 0, seeds * len(study)
    for variant, recipes in study.items():
        for recipe in recipes:
            note = f"{variant}, seed {recipe.seed} ({done + 1} of {whole})"
            progress(done, whole, note)

            def report(part: int, total: int, what: str, *, at: int = done, n: str = note) -> None:
                share = part / total if total else 0.0
                progress(round(1000 * (at + share)), 1000 * whole, f"{n}: {what}")

            made = train(recipe, data, base.folder.parent, device=model.device.name,
                         progress=report)  # fmt: skip
            lines += _lines(variant, made)
            done += 1
    table = pa.Table.from_pylist(lines)
    ends = _ends(lines)
    scalars: dict[str, Scalar] = {"seeds": seeds, "variants": len(study),
                                  "epochs": base.recipe.total_epochs,
                                  "n": len(base.facts["train"]), "part": "train",
                                  "classes": len(base.facts["classes"])}  # fmt: skip
    scalars |= {f"{r['variant']}_{r['measure']}": r["mean"] for r in ends}
    few = "" if seeds >= _FEW else f"{seeds} seeds say little about the spread between trainings."
    scalars["note"] = few
    return Body(scalars, {"trajectory": table, "ends": pa.Table.from_pylist(ends)},
                _reading(ends, scalars))  # fmt: skip


def _lines(variant: str, made: "Run") -> list[dict]:
    """A line for each epoch, as `collapse` has them."""
    from backend.training.collapsing import LIVE

    recipe = made.recipe
    width = recipe.width if recipe.net == "mlp" else recipe.features or recipe.width
    same = {"run": f"{variant}, seed {recipe.seed}", "variant": variant, "seed": recipe.seed,
            "part": "train", "layer": "penultimate", "index": 0, "n": len(made.facts["train"]),
            "width": width}  # fmt: skip
    return [
        same | {name: h.get(name) for name in LIVE}
        | {"epoch": h["epoch"], "train_error": 1 - h["train_accuracy"],
           "test_error": 1 - h["test_accuracy"]}
        for h in made.facts["history"]
    ]  # fmt: skip


def _ends(lines: list[dict]) -> list[dict]:
    """Each measure at the last epoch: geometric mean over seeds with Student's interval."""
    last = max(line["epoch"] for line in lines)
    out = []
    for variant in dict.fromkeys(line["variant"] for line in lines):
        at_end = [r for r in lines if r["variant"] == variant and r["epoch"] == last]
        for name in _MEASURES:
            values = np.array([r[name] for r in at_end if r[name]], float)
            if not len(values):
                continue
            logs = np.log(values)
            spread = np.nan
            if (n := len(logs)) > 1:
                spread = _T95.get(n, 1.96) * logs.std(ddof=1) / np.sqrt(n)
            ends = np.exp(logs.mean() + spread * np.array([-1, 1]))
            low, high = (None, None) if n == 1 else map(float, ends)
            out.append({"variant": variant, "measure": name, "mean": float(np.exp(logs.mean())),
                        "mean_low": low, "mean_high": high, "seeds": n})  # fmt: skip
    return out


def _reading(ends: list[dict], s: dict) -> str:
    mine = {r["variant"]: r for r in ends if r["measure"] == "nc1"}
    told = ", ".join(f"{name} {_said(r)}" for name, r in mine.items())
    return (f"NC1 after {s['epochs']} epochs: {told} (geometric means over {s['seeds']} seeds, "
            f"{s['n']:,} training rows).")  # fmt: skip


def _said(end: dict) -> str:
    value, low, high = (end[name] for name in ("mean", "mean_low", "mean_high"))
    return number(value) if low is None else say(value, low, high)


def _body_over_head(result: Result) -> Measured:
    """Factors by which NC1 moves from the base, for body and head."""
    s = result.scalars
    names = ("base", "head x2", "body x2", "head 0", "body 0")
    values = [s.get(f"{name}_nc1") for name in names]
    if any(v is None for v in values):
        return Measured("a variant has no NC1", "not testable here")
    base, head2, body2, head0, body0 = (float(v) for v in values)  # type: ignore[arg-type]
    moved = {"x2": (body2 / base, head2 / base), "0": (body0 / base, head0 / base)}
    text = "; ".join(
        f"decay {name}: body {number(body)} times the base, head {number(head)}"
        for name, (body, head) in moved.items()
    )
    good = all(abs(np.log(body)) > abs(np.log(head)) for body, head in moved.values())
    return Measured(text, "agrees" if good and body2 < base < body0 else "differs")


SPEC = register(
    Spec(
        key="decay_study",
        title="Weight decay study",
        question="Whose weight decay drives collapse, the head's or the body's?",
        source=_PAPER,
        version=1,
        run=run,
        kinds=("image", "text", "audio"),
        captures=0,
        needs_model=True,
        parameters=(
            Parameter("seeds", int, 3, "Trainings of each variant.", minimum=1, maximum=10),
        ),
        claims=(
            Claim("body", _PAPER, "Weight decay of the body moves NC1 more than that of the head: "
                  "twice as much lowers it, none raises it.", _body_over_head),
        ),
    )
)  # fmt: skip
