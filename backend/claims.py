"""The papers' findings, held against what was measured here (design: one table for all)."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backend.analyses import load_all
from backend.analyses.result import Result
from backend.analyses.spec import Spec
from backend.errors import UserError

if TYPE_CHECKING:
    from backend.workbench import Workbench

_MLP = (
    "data=demo:digits&label=digit&net=mlp&blocks=5&width=64&epochs=150&weight_decay=0.002"
    "&drop=1/3,2/3&checkpoints=20"
)


@dataclass(frozen=True)
class Replication:
    """One run whose result is held against the claims of its analysis."""

    analysis: str
    model: str  # empty: none
    data: str
    rows: int = 0  # all
    other: str = ""  # a second model
    parameters: dict = field(default_factory=dict)
    recipe: str = ""  # a training whose last checkpoint is the model


# What `penultimate replicate` runs. Later analyses add their lines.
REPLICATIONS: tuple[Replication, ...] = (
    Replication("similarity", "demo:smollm2", "demo:facts", 512),
    Replication("profile", "demo:smollm2", "demo:facts", 512),
    Replication("lens", "demo:smollm2", "demo:facts", 512),
    Replication("similarity", "demo:minilm", "demo:news", 256),
    Replication("profile", "demo:minilm", "demo:news", 256),
    Replication("profile", "demo:efficientnet-lite0", "demo:mnist", 1024),
    Replication("depth", "demo:smollm2", "demo:problems", 24),
    Replication("layer_map", "demo:minilm", "demo:facts", 1024, "demo:smollm2"),
    Replication("hops", "demo:smollm2", "demo:hops", 339),
    Replication("quantization", "demo:smollm2", "demo:problems", 24),
    Replication("maps", "demo:smollm2", "demo:sums", 180, parameters={"row": 4}),
    Replication("preferences", "", "demo:trains"),
    Replication("preferences", "", "demo:two-tastes"),
    Replication("preferences", "demo:minilm", "demo:film-choices"),
    Replication("preference_layers", "demo:minilm", "demo:film-choices", parameters={"k": 4}),
    Replication("raters", "", "demo:verbal-aggression", parameters={"refit": True}),
    Replication("raters", "", "demo:lectures", parameters={"refit": True}),
    Replication("raters", "", "demo:simulated-raters", parameters={"refit": True}),
    Replication("harshness", "", "demo:verbal-aggression"),
    Replication(
        "complexity", "demo:efficientnet-lite0", "demo:crops", 2048, parameters={"draws": 10}
    ),
    Replication(
        "feature_learning",
        "",
        "demo:digits",
        1797,
        parameters={"atoms": 60},
        recipe="data=demo:digits&label=digit&epochs=30",
    ),  # fmt: skip
    Replication("collapse", "", "demo:digits", 1797, recipe=_MLP),
    Replication("decay_study", "", "demo:digits", 1797, recipe=_MLP),
    Replication("rated_texts", "demo:minilm", "demo:film-ratings"),
)


def measure(spec: Spec, result: Result) -> list[dict]:
    """Each claim of an analysis with what this result says of it."""
    model = ", ".join(m["ref"] for m in result.provenance["models"]) or "no model"
    if whatif := result.provenance.get("whatif"):
        model += f" with {whatif}"
    rows = []
    for claim in spec.claims:
        found = claim.measure(result)
        rows.append(
            {
                "paper": claim.paper + (" (wording unconfirmed)" if claim.unconfirmed else ""),
                "finding": claim.finding,
                "measured": found.value,
                "verdict": found.verdict,
                "model": model,
                "data": result.provenance["data_name"],
                "n": result.scalars.get("n", result.provenance["n"]),
                "date": result.provenance["created"][:10],
                "key": result.key[:12],
            }
        )
    return rows


def replicate(workbench: "Workbench", out: Path, *, say: Callable[[str], None]) -> Iterator[Path]:
    """Measure every claim on the models at hand and write claims.json and claims.md.

    A replication whose model or data cannot be had is named, and the others go on.
    """
    specs, rows, missed = load_all(), [], []
    for one in REPLICATIONS:
        say(f"{one.analysis}: {one.model or 'no model'} on {one.data}, {one.rows or 'all'} rows")
        try:
            result = workbench.run(
                one.analysis, model=_model_of(workbench, one), data=one.data, rows=one.rows,
                other=one.other, **one.parameters,
            )  # fmt: skip
        except UserError as error:
            left = {"analysis": one.analysis, "model": one.model, "data": one.data}
            missed.append(left | {"why": str(error)})
            say(f"  left out: {error}")
            continue
        rows += measure(specs[one.analysis], result)
    out.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    record = out / "claims.json"
    record.write_text(json.dumps({"created": moment, "rows": rows, "left_out": missed}, indent=1))
    yield record
    page = out / "claims.md"
    page.write_text(as_markdown(rows, missed))
    yield page


def _model_of(workbench: "Workbench", one: Replication) -> str:
    """The model of a replication; a recipe is trained first, once."""
    if not one.recipe:
        return one.model
    run = workbench.runner.wait(workbench.submit_training(one.recipe))
    return run["checkpoints"][-1]["folder"]


def as_markdown(rows: list[dict], missed: Sequence[dict] = ()) -> str:
    """The claims table as Markdown, with what could not be measured below it."""
    names = ("paper", "finding", "measured", "verdict", "model", "data", "n", "date")
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += [
        "| " + " | ".join(str(row[n]).replace("|", "/") for n in names) + " |" for row in rows
    ]
    left = [f"- left out: {m['analysis']}, {m['model']} on {m['data']}. {m['why']}" for m in missed]
    return "\n".join([*lines, *([""] if left else []), *left]) + "\n"
