"""Analyses: what they need is resolved, captured, computed in a worker, and kept under one key."""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from backend import work
from backend.analyses import load_all
from backend.analyses.result import Result
from backend.analyses.spec import Spec
from backend.answers import captures_of, merge, parts_of, suite_key, versions
from backend.capture import Plan
from backend.capturing import Resolved
from backend.data.dataset import Dataset
from backend.errors import AnalysisError
from backend.jobs import Job, JobContext
from backend.keys import digest
from backend.requests import RunRequest, data_of
from backend.store import results
from backend.trained import Trained
from backend.whatif import WhatIf


@dataclass(frozen=True)
class Inputs:
    """What a request reads, once all of it is known."""

    asks: tuple[Resolved, ...]  # a capture for each model
    data: Dataset  # the rows, the choices or the ratings
    also: Dataset | None = None  # a second data set

    @property
    def tables(self) -> tuple[Dataset, Dataset | None]:
        return self.data, self.also


class Running(Trained):
    """Analyses over captures and tables. Equal questions are answered from the store."""

    def run(
        self, analysis: str, *, data: str = "", model: str = "", other: str = "",
        sites: str = "all", pooling: str = "", rows: int = 0, seed: int = 0, half: bool = False,
        whatif: WhatIf | str = "", also: str = "", **parameters: object,
    ) -> Result:  # fmt: skip
        """An analysis with everything it needs: fetches, captures and computes what is missing.

        The model `train:RECIPE` is trained first where it is not there; without `data` it is looked
        at on what it was trained on.
        """
        request = RunRequest(
            analysis, model, data or data_of(model), other, sites, pooling, rows, seed, half,
            parameters, str(whatif), also,
        )  # fmt: skip
        return self.stored(request) or self.runner.wait(self.submit_run(request))

    def submit_run(self, request: RunRequest, *, job_id: str = "") -> Job:
        """Start an analysis in the background; returns the job."""
        spec = self.spec(request.analysis)
        spec.parse(request.parameters)
        _check_asked(spec, request)
        model = f"{request.model} on " if request.model else ""
        return self.runner.start(
            "run", f"{spec.title}: {model}{request.data}", request.to_json(),
            lambda job: self._run(job, request), job_id=job_id,
        )  # fmt: skip

    @staticmethod
    def spec(analysis: str) -> Spec:
        """A registered analysis; AnalysisError names those there are."""
        known = load_all()
        if analysis not in known:
            raise AnalysisError(
                f"There is no analysis {analysis!r}.", f"Choose from: {', '.join(known)}."
            )
        return known[analysis]

    def stored(self, request: RunRequest) -> Result | None:
        """The answer if it was computed before."""
        spec = self.spec(request.analysis)
        spec.parse(request.parameters)
        inputs = self._inputs(spec, request)
        if inputs is None:
            return None
        if spec.parts:
            parts, left_out = parts_of(spec, request, inputs.asks[0].description)
            found = [self.stored(part) for part in parts]
            return None if any(f is None for f in found) else merge(spec, found, left_out)  # type: ignore[arg-type]
        return self.result(_result_key(spec, request, inputs))

    def key_of(self, request: RunRequest) -> str | None:
        """The key of a request's result; None before its model and data are known."""
        spec = self.spec(request.analysis)
        inputs = self._inputs(spec, request)
        if inputs is None:
            return None
        if spec.parts:
            parts, _ = parts_of(spec, request, inputs.asks[0].description)
            return suite_key(spec, [self.key_of(part) or "" for part in parts])
        return _result_key(spec, request, inputs)

    def plan_of(self, request: RunRequest) -> Plan | None:
        """What a request's first capture would cost now; None before model and data are known."""
        inputs = self._inputs(self.spec(request.analysis), request)
        return self._plan(inputs.asks[0]) if inputs and inputs.asks else None

    def result(self, key: str) -> Result | None:
        """A stored result by its key."""
        found = results.get_result(self.store, key)
        if found is None:
            return None
        return Result(**{name: found[name] for name in Result.__dataclass_fields__})

    def _inputs(
        self, spec: Spec, request: RunRequest, job: JobContext | None = None
    ) -> Inputs | None:
        """What a request reads; None when something is unknown and no job fetches it."""
        known, also = self._table(request.data, job), None
        if request.also:
            also = self._table(request.also, job)
        if known is None or (request.also and also is None):
            return None
        rows: Dataset | None = known
        if spec.reads != "rows":
            _check_kinds(spec, known, also, request.model)
            if request.model:
                holds_rows = also is not None and also.kind != "vectors"
                rows = also if holds_rows else self._texts_of(known, job)
        if rows is None:
            return None
        if spec.arrays and not request.model:
            _check_arrays(spec, known)
        ref = request.data if rows is known else rows.hash
        asks = [self.resolve(ask, job) for ask in captures_of(spec, request, ref)]
        if any(ask is None for ask in asks):
            return None
        return Inputs(tuple(asks), known, also)  # type: ignore[arg-type]

    def _table(self, ref: str, job: JobContext | None) -> Dataset | None:
        return self.dataset(ref) if job is None else self._resolve_data(job, ref)

    def _texts_of(self, judged: Dataset, job: JobContext | None) -> Dataset | None:
        """The texts of the options or items of a table, as a data set that models read."""
        ref = f"texts of {judged.hash}"
        if (known := self.dataset(ref)) or job is None:
            return known
        job.report(0, 0, f"texts of {judged.name}")
        made = job.call(work.texts_of, self.settings, judged)
        return self._remember_data(made, ref)

    def _run(self, job: JobContext, request: RunRequest) -> Result:
        spec = self.spec(request.analysis)
        inputs = self._inputs(spec, request, job)
        assert inputs is not None
        asks = inputs.asks
        _check_modality(spec, asks)
        if spec.parts:
            parts, left_out = parts_of(spec, request, asks[0].description)
            return merge(spec, [self._run(job, part) for part in parts], left_out)
        key = _result_key(spec, request, inputs)
        if known := self.result(key):
            return known
        started = monotonic()
        if spec.captures:
            for resolved in asks:
                self._fill(job, resolved)
        views = tuple(self.view_of(r) for r in asks)
        job.report(0, 0, f"computing: {spec.title}")
        sources = tuple(self.source(a.description) for a in asks) if spec.needs_model else ()
        body = job.call(
            work.analyse, self.settings, spec.key, views, sources, request.seed,
            spec.parse(request.parameters),
            inputs.tables if spec.arrays or spec.reads != "rows" else None,
        )  # fmt: skip
        provenance = self._provenance(spec, request, inputs, key, monotonic() - started)
        result = Result(key, spec.key, body.scalars, body.tables, body.reading, provenance)
        results.put_result(
            self.store, key=key, analysis=spec.key, version=spec.version,
            provenance=provenance, scalars=body.scalars, reading=body.reading,
            tables=body.tables,
        )  # fmt: skip
        return result

    def _provenance(
        self, spec: Spec, request: RunRequest, inputs: Inputs, key: str, seconds: float
    ) -> dict:
        asks, data, also = inputs.asks, inputs.data, inputs.also
        oracle = [self.oracle(a) for a in asks] if spec.captures else []
        facts: dict = {
            "key": key, "analysis": spec.key, "version": spec.version,
            "models": [{"ref": a.description["ref"], "id": a.capture.model_id,
                        "title": a.description["title"],
                        "dtype": a.description["dtype"], "device": a.description["device"],
                        "notes": a.description["notes"], "blocks": a.description["blocks"]}
                       for a in asks],
            "data": data.hash, "data_name": data.name, "data_ref": request.data,
            "n": data.n_rows, "of": data.n_rows, "dtype": "float64", "whatif": "",
        }  # fmt: skip
        if also is not None:
            facts |= {"also": also.hash, "also_name": also.name, "also_ref": request.also}
        if asks:
            first = asks[0].capture
            facts |= {
                "pooling": first.pooling, "dtype": first.dtype, "sites": ",".join(first.sites)
                if spec.sites != "all" else request.sites,
                "max_tokens": first.max_tokens, "whatif": first.whatif,
            }  # fmt: skip
            if spec.reads == "rows":
                facts |= {"n": first.rows, "of": first.of}
        return facts | {
            "seed": request.seed, "parameters": spec.parse(request.parameters),
            "oracle": [{k: o[k] for k in ("verdict", "largest", "top1", "rows")} if o else None
                       for o in oracle],
            "versions": versions(), "seconds": round(seconds, 3),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip


def _check_asked(spec: Spec, request: RunRequest) -> None:
    """AnalysisError where a model or a second data set is too many, or a model is missing."""
    if request.other and spec.captures < 2:
        raise AnalysisError(f"{spec.title} takes one model.", f"Leave out {request.other!r}.")
    if spec.model == "required" and not request.model:
        raise AnalysisError(f"{spec.title} needs a model.", "Name one, such as demo:smollm2.")
    if spec.model == "none" and request.model:
        raise AnalysisError(f"{spec.title} takes no model.", f"Leave out {request.model!r}.")
    if spec.model != "required" and not request.model and (request.whatif or request.rows):
        what = "A what-if" if request.whatif else "A number of rows"
        raise AnalysisError(f"{what} is for a model, and none is named.", "Name one, or leave it.")
    if request.also and spec.reads == "rows":
        raise AnalysisError(f"{spec.title} takes one data set.", f"Leave out {request.also!r}.")


def _check_kinds(spec: Spec, data: Dataset, also: Dataset | None, model: str) -> None:
    """AnalysisError where the data are of another kind than the analysis reads."""
    from backend.data.judgements import COLUMNS

    if data.kind != spec.reads:
        raise AnalysisError(
            f"{spec.title} reads {spec.reads}; {data.name!r} holds {data.kind}.",
            f"Give a table with the columns {', '.join(COLUMNS[spec.reads])}.",  # type: ignore[index]
        )
    if also is not None and also.kind in ("choices", "ratings"):
        raise AnalysisError(
            f"{also.name!r} holds {also.kind}.",
            "The second data set gives the options' vectors (item, x0, x1, ...), texts or images.",
        )
    if also is not None and also.kind != "vectors" and not model:
        raise AnalysisError(
            f"{also.name!r} holds {also.kind}, which only a model can read.", "Name a model."
        )


def _check_arrays(spec: Spec, data: Dataset) -> None:
    """AnalysisError where neither a model nor arrays are given."""
    if data.kind != "arrays":
        raise AnalysisError(
            f"{spec.title} needs a model to read {data.kind} data.",
            "Name one, or give an npz file of arrays.",
        )


def _check_modality(spec: Spec, asks: tuple[Resolved, ...]) -> None:
    for resolved in asks:
        modality = resolved.description["modality"]
        if modality not in spec.kinds:
            raise AnalysisError(
                f"{spec.title} does not read {modality} models.",
                f"It takes: {', '.join(spec.kinds)}.",
            )


def _result_key(spec: Spec, request: RunRequest, inputs: Inputs) -> str:
    """Names a result: the analysis, its parameters and seed, and the contents that it read."""
    facts: dict = {
        "analysis": spec.key, "version": spec.version, "seed": request.seed,
        "parameters": spec.parse(request.parameters),
        "captures": [[a.capture.model_id, sorted(a.keys.values()), a.capture.rows]
                     for a in inputs.asks],
    }  # fmt: skip
    if spec.reads != "rows" or not inputs.asks:
        facts["tables"] = [t.hash if t else None for t in inputs.tables]
    return digest(facts)
