"""Requests into captures, suites into parts, parts into one result."""

import platform
from dataclasses import replace
from importlib.metadata import version

from backend.analyses import load_all
from backend.analyses.result import Body, Result
from backend.analyses.spec import Spec
from backend.keys import digest
from backend.requests import CaptureAsk, RunRequest


def captures_of(request: RunRequest) -> list[CaptureAsk]:
    """The captures that an analysis reads: one for each model."""
    models = [request.model, request.other] if request.other else [request.model]
    return [
        CaptureAsk(m, request.data, request.sites, request.pooling if i == 0 else "",
                   request.rows, request.half)
        for i, m in enumerate(models)
    ]  # fmt: skip


def parts_of(spec: Spec, request: RunRequest) -> list[RunRequest]:
    """A suite's parts, each with the parameters that it knows."""
    parts = []
    for name in spec.parts:
        known = {p.name for p in load_all()[name].parameters}
        mine = {k: v for k, v in request.parameters.items() if k in known}
        parts.append(replace(request, analysis=name, parameters=mine))
    return parts


def merge(spec: Spec, found: list[Result]) -> Result:
    """One result that holds the tables of a suite's parts."""
    body = Body({}, {}, " ".join(f.reading for f in found))
    for part in found:
        body.tables.update(part.tables)
        body.scalars.update({f"{part.analysis}.{k}": v for k, v in part.scalars.items()})
    key = digest({"suite": spec.key, "parts": [f.key for f in found]})
    provenance = found[0].provenance | {
        "key": key, "analysis": spec.key, "parts": {f.analysis: f.provenance for f in found},
        "seconds": sum(f.provenance["seconds"] for f in found),
        "parameters": {k: v for f in found for k, v in f.provenance["parameters"].items()},
    }  # fmt: skip
    return Result(key, spec.key, body.scalars, body.tables, body.reading, provenance)


def versions() -> dict[str, str]:
    names = ("penultimate", "torch", "transformers", "numpy", "duckdb", "scikit-learn")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except ImportError:
            found[name] = "not installed as a package"
    return found
