"""Requests into captures, suites into parts, parts into one result."""

import platform
from dataclasses import replace
from importlib.metadata import version

from backend import __version__
from backend.analyses import load_all
from backend.analyses.result import Body, Result
from backend.analyses.spec import Spec
from backend.keys import digest
from backend.requests import CaptureAsk, RunRequest


def captures_of(spec: Spec, request: RunRequest, rows: str) -> list[CaptureAsk]:
    """The captures that an analysis reads: one for each model, on the data set `rows`."""
    sites = spec.sites if request.sites == "all" else request.sites
    if request.sites == "all" != spec.sites and (named := request.parameters.get("site")):
        sites = str(named)
    return [
        CaptureAsk(m, rows, sites, request.pooling if i == 0 else "",
                   request.rows if spec.reads == "rows" else 0, request.half,
                   "" if i else request.whatif)
        for i, m in enumerate((request.model, request.other)) if m
    ]  # fmt: skip


def parts_of(spec: Spec, request: RunRequest, model: dict) -> tuple[list[RunRequest], list[str]]:
    """A suite's parts that suit a described model, each with the parameters that it knows.

    Returns
    -------
    The requests, and a sentence for each part that is left out.
    """
    parts, left_out = [], []
    for name in spec.parts:
        part = load_all()[name]
        if model["modality"] not in part.kinds:
            left_out.append(
                f"{part.title} is left out: it does not read {model['modality']} models."
            )
        elif part.needs_model and not model["decoder"]:
            left_out.append(f"{part.title} is left out: the model does not predict next tokens.")
        else:
            known = {p.name for p in part.parameters}
            mine = {k: v for k, v in request.parameters.items() if k in known}
            parts.append(replace(request, analysis=name, parameters=mine))
    return parts, left_out


def merge(spec: Spec, found: list[Result], left_out: list[str]) -> Result:
    """One result that holds the tables of a suite's parts."""
    body = Body({}, {}, " ".join(f.reading for f in found))
    for part in found:
        body.tables.update(part.tables)
        body.scalars.update({f"{part.analysis}.{k}": v for k, v in part.scalars.items()})
    body.scalars["note"] = " ".join(left_out)
    key = suite_key(spec, [f.key for f in found])
    provenance = found[0].provenance | {
        "key": key, "analysis": spec.key, "parts": {f.analysis: f.provenance for f in found},
        "seconds": round(sum(f.provenance["seconds"] for f in found), 3),
        "parameters": {k: v for f in found for k, v in f.provenance["parameters"].items()},
    }  # fmt: skip
    return Result(key, spec.key, body.scalars, body.tables, body.reading, provenance)


def suite_key(spec: Spec, parts: list[str]) -> str:
    """Names a suite's answer by the keys of its parts' answers."""
    return digest({"suite": spec.key, "version": spec.version, "parts": parts})


def versions() -> dict[str, str]:
    """Of Python, this program, and the libraries that the numbers rest on."""
    names = ("torch", "transformers", "numpy", "duckdb", "scikit-learn", "umap-learn")
    found = {"python": platform.python_version(), "penultimate": __version__}
    for name in names:
        try:
            found[name] = version(name)
        except ImportError:
            found[name] = "not installed as a package"
    return found
