"""The papers' findings, held against what was measured here (design: one table for all)."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backend.analyses import load_all
from backend.analyses.result import Result
from backend.analyses.spec import Spec
from backend.errors import UserError

if TYPE_CHECKING:
    from backend.workbench import Workbench

# What `penultimate replicate` runs: analysis, model, data, rows. Later analyses add their lines.
REPLICATIONS: tuple[tuple[str, str, str, int], ...] = (
    ("similarity", "demo:smollm2", "demo:facts", 512),
    ("profile", "demo:smollm2", "demo:facts", 512),
    ("lens", "demo:smollm2", "demo:facts", 512),
    ("similarity", "demo:minilm", "demo:news", 256),
    ("profile", "demo:minilm", "demo:news", 256),
    ("profile", "demo:efficientnet-lite0", "demo:mnist", 1024),
    ("depth", "demo:smollm2", "demo:problems", 24),
    ("hops", "demo:smollm2", "demo:hops", 339),
    ("quantization", "demo:smollm2", "demo:problems", 24),
)


def measure(spec: Spec, result: Result) -> list[dict]:
    """Each claim of an analysis with what this result says of it."""
    model = ", ".join(m["ref"] for m in result.provenance["models"])
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
    for analysis, model, data, n in REPLICATIONS:
        say(f"{analysis}: {model} on {data}, {n} rows")
        try:
            result = workbench.run(analysis, model=model, data=data, rows=n)
        except UserError as error:
            missed.append({"analysis": analysis, "model": model, "data": data, "why": str(error)})
            say(f"  left out: {error}")
            continue
        rows += measure(specs[analysis], result)
    out.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    record = out / "claims.json"
    record.write_text(json.dumps({"created": moment, "rows": rows, "left_out": missed}, indent=1))
    yield record
    page = out / "claims.md"
    page.write_text(as_markdown(rows, missed))
    yield page


def as_markdown(rows: list[dict], missed: Sequence[dict] = ()) -> str:
    """The claims table as Markdown, with what could not be measured below it."""
    names = ("paper", "finding", "measured", "verdict", "model", "data", "n", "date")
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += [
        "| " + " | ".join(str(row[n]).replace("|", "/") for n in names) + " |" for row in rows
    ]
    left = [f"- left out: {m['analysis']}, {m['model']} on {m['data']}. {m['why']}" for m in missed]
    return "\n".join([*lines, *([""] if left else []), *left]) + "\n"
