"""The workbench: the one object that pages, notebooks and the command line talk to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic

import numpy as np
import pyarrow as pa

from backend import work
from backend.analyses import load_all
from backend.analyses.result import Result
from backend.analyses.spec import Spec
from backend.answers import captures_of, merge, parts_of, suite_key, versions
from backend.assigning import Assigning
from backend.capturing import Resolved
from backend.claims import measure
from backend.data.dataset import Dataset
from backend.errors import AnalysisError, UserError
from backend.jobs import Job, JobContext
from backend.keys import digest
from backend.requests import CaptureAsk, RunRequest, first_request
from backend.settings import load_settings
from backend.store import jobs, results
from backend.store.neighbours import nearest
from backend.store.slices import Filter, select, values_of
from backend.whatif import WhatIf


class Workbench(Assigning):
    """Models, data, captures, analyses and jobs over one store.

    All methods may be called from several threads. Equal questions are answered from the store.
    """

    # Analyses

    def run(
        self, analysis: str, *, model: str, data: str, other: str = "", sites: str = "all",
        pooling: str = "", rows: int = 0, seed: int = 0, half: bool = False,
        whatif: WhatIf | str = "", **parameters: object,
    ) -> Result:  # fmt: skip
        """An analysis with everything it needs: fetches, captures and computes what is missing."""
        request = RunRequest(
            analysis, model, data, other, sites, pooling, rows, seed, half, parameters, str(whatif)
        )
        return self.stored(request) or self.runner.wait(self.submit_run(request))

    def submit_run(self, request: RunRequest, *, job_id: str = "") -> Job:
        """Start an analysis in the background; returns the job."""
        spec = self.spec(request.analysis)
        spec.parse(request.parameters)
        if request.other and spec.captures < 2:
            raise AnalysisError(f"{spec.title} takes one model.", f"Leave out {request.other!r}.")
        title = f"{spec.title}: {request.model} on {request.data}"
        return self.runner.start(
            "run", title, request.to_json(), lambda job: self._run(job, request), job_id=job_id
        )

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
        asks = [self.resolve(ask) for ask in captures_of(request)]
        if any(r is None for r in asks):
            return None
        if spec.parts:
            parts, left_out = parts_of(spec, request, asks[0].description)  # type: ignore[union-attr]
            found = [self.stored(part) for part in parts]
            return None if any(f is None for f in found) else merge(spec, found, left_out)  # type: ignore[arg-type]
        return self.result(self._result_key(spec, request, asks))  # type: ignore[arg-type]

    def key_of(self, request: RunRequest) -> str | None:
        """The key of a request's result; None before its model and data are known."""
        spec = self.spec(request.analysis)
        asks = [self.resolve(ask) for ask in captures_of(request)]
        if any(a is None for a in asks):
            return None
        if spec.parts:
            parts, _ = parts_of(spec, request, asks[0].description)  # type: ignore[union-attr]
            return suite_key(spec, [self.key_of(part) or "" for part in parts])
        return self._result_key(spec, request, asks)  # type: ignore[arg-type]

    def result(self, key: str) -> Result | None:
        """A stored result by its key."""
        found = results.get_result(self.store, key)
        if found is None:
            return None
        return Result(**{name: found[name] for name in Result.__dataclass_fields__})

    @staticmethod
    def _result_key(spec: Spec, request: RunRequest, asks: list[Resolved]) -> str:
        return digest({
            "analysis": spec.key, "version": spec.version, "seed": request.seed,
            "parameters": spec.parse(request.parameters),
            "captures": [[a.capture.model_id, sorted(a.keys.values()), a.capture.rows]
                         for a in asks],
        })  # fmt: skip

    def _run(self, job: JobContext, request: RunRequest) -> Result:
        spec = self.spec(request.analysis)
        asks = [self.resolve(ask, job) for ask in captures_of(request)]
        self._check_kind(spec, asks)
        if spec.parts:
            parts, left_out = parts_of(spec, request, asks[0].description)  # type: ignore[union-attr]
            return merge(spec, [self._run(job, part) for part in parts], left_out)
        key = self._result_key(spec, request, asks)  # type: ignore[arg-type]
        if known := self.result(key):
            return known
        started = monotonic()
        if spec.captures:
            for resolved in asks:
                self._fill(job, resolved)  # type: ignore[arg-type]
        views = tuple(self.view_of(r) for r in asks if r)
        job.report(0, 0, f"computing: {spec.title}")
        source = self.source(asks[0].description) if spec.needs_model else None  # type: ignore[union-attr]
        body = job.call(
            work.analyse, self.settings, spec.key, views, source, request.seed,
            spec.parse(request.parameters),
        )  # fmt: skip
        provenance = self._provenance(spec, request, asks, key, monotonic() - started)  # type: ignore[arg-type]
        result = Result(key, spec.key, body.scalars, body.tables, body.reading, provenance)
        return self._keep(result, spec)

    @staticmethod
    def _check_kind(spec: Spec, asks: list) -> None:
        for resolved in asks:
            modality = resolved.description["modality"]
            if modality not in spec.kinds:
                raise AnalysisError(
                    f"{spec.title} does not read {modality} models.",
                    f"It takes: {', '.join(spec.kinds)}.",
                )

    def _keep(self, result: Result, spec: Spec) -> Result:
        results.put_result(
            self.store, key=result.key, analysis=result.analysis, version=spec.version,
            provenance=result.provenance, scalars=result.scalars, reading=result.reading,
            tables=result.tables,
        )  # fmt: skip
        return result

    def _provenance(
        self, spec: Spec, request: RunRequest, asks: list[Resolved], key: str, seconds: float
    ) -> dict:
        first = asks[0].capture
        oracle = [self.oracle(a) for a in asks] if spec.captures else []
        return {
            "key": key, "analysis": spec.key, "version": spec.version,
            "models": [{"ref": a.description["ref"], "id": a.capture.model_id,
                        "dtype": a.description["dtype"], "device": a.description["device"],
                        "notes": a.description["notes"], "blocks": a.description["blocks"]}
                       for a in asks],
            "data": first.dataset, "data_name": asks[0].dataset.name, "data_ref": request.data,
            "pooling": first.pooling, "dtype": first.dtype, "sites": request.sites,
            "n": first.rows, "of": first.of, "max_tokens": first.max_tokens,
            "whatif": first.whatif,
            "seed": request.seed, "parameters": spec.parse(request.parameters),
            "oracle": [{k: o[k] for k in ("verdict", "largest", "top1", "rows")} if o else None
                       for o in oracle],
            "versions": versions(), "seconds": round(seconds, 3),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip

    # Rows and their neighbours

    def rows(self, data: str, ids: list[int]) -> pa.Table:
        """Metadata of some rows of a data set."""
        return self._known(data).take(np.asarray(ids, dtype=np.int64))

    def media(self, data: str, row: int) -> bytes:
        """The image or sound of one row."""
        return self._known(data).media(np.asarray([row]))[0]

    def select(self, data: str, filters: list[Filter]) -> np.ndarray:
        """Row ids, int64 ascending, of the rows that meet all filters."""
        return select(self.store, self._known(data).hash, filters)

    def values(self, data: str, column: str) -> list[tuple]:
        """The values of a metadata column with their counts, the commonest first."""
        return values_of(self.store, self._known(data).hash, column)

    def neighbours(
        self, ask: CaptureAsk, site: str, row: int, *, k: int = 10, metric: str = "cosine"
    ) -> pa.Table:
        """The nearest stored rows to one row at one site: columns row and score."""
        resolved = self.resolve(replace(ask, sites=site))
        if resolved is None:
            raise UserError(f"{ask.model} on {ask.data} is not captured.", "Capture it first.")
        return nearest(self.store, resolved.keys[site], row=row, k=k, metric=metric)

    def _known(self, data: str) -> Dataset:
        found = self.dataset(data)
        if found is None:
            raise UserError(f"The data set {data!r} is not in the store.", "Add it first.")
        return found

    # Jobs

    def begin(self) -> Job | None:
        """On an empty store: fetch the first demos and compute their first pictures, in turn."""
        before = next((j for j in self.runner.live.values() if j.kind == "first"), None)
        if before is not None or not self.settings.demo or self.results():
            return before
        pairs = (("demo:smollm2", "demo:facts"), ("demo:minilm", "demo:films"))
        asked = [first_request(a, m, d) for m, d in pairs for a in ("projection", "similarity")]

        def work(job: JobContext) -> None:
            for request in asked:
                self._run(job, request)

        title = "First pictures of the demo models"
        return self.runner.start("first", title, {}, work, priority=-10)

    def resume(self) -> list[Job]:
        """Start again what the last server left unfinished; stored shards are not run again."""
        makers = {
            "capture": lambda r, i: self.submit_capture(CaptureAsk(**r), job_id=i),
            "run": lambda r, i: self.submit_run(RunRequest(**r), job_id=i),
        }
        started = []
        jobs.interrupted(self.store)
        for record in reversed(jobs.list_jobs(self.store, states=("interrupted",))):
            if make := makers.get(record.kind):
                try:
                    started.append(make(record.request, record.id))
                except (UserError, TypeError) as error:  # asked for by another version of this
                    why = f"It cannot be started again: {error}"
                    jobs.update_job(self.store, record.id, state="failed", error=why)
        return started

    def warm_up(self) -> None:
        """Have the worker import its libraries while the reader reads."""
        self.runner.start("warm-up", "Warm up the worker", {}, lambda job: job.call(work.warm_up))

    def claims(self, shown: Sequence[Result]) -> list[dict]:
        """The papers' findings beside what these results say."""
        return [row for result in shown for row in measure(self.spec(result.analysis), result)]

    def close(self) -> None:
        """End the workers and release the store."""
        self.runner.shutdown()
        self.store.close()


_OPEN: dict[Path, Workbench] = {}
_GUARD = Lock()


def open_workbench(home: str | Path | None = None, *, scheduler: str = "inline") -> Workbench:
    """The workbench over a data folder; a second call in this process gives the same one.

    Parameters
    ----------
    home : the data folder; default as in the settings (PENULTIMATE_HOME).
    scheduler : `inline` computes in this process, `local` in one worker process per device,
        an address such as tls://host:8786 elsewhere.
    """
    settings = load_settings(home=home, scheduler=scheduler)
    with _GUARD:
        if settings.home not in _OPEN:
            _OPEN[settings.home] = Workbench(settings)
        return _OPEN[settings.home]


def shutdown() -> None:
    """Close every workbench of this process."""
    with _GUARD:
        for workbench in _OPEN.values():
            workbench.close()
        _OPEN.clear()
