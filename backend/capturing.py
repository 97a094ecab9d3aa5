"""Filling in what is missing of a capture: plan, shards, record, check."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from time import monotonic

from backend import work
from backend.capture import CaptureRequest, CaptureView, Plan, make_plan
from backend.capture.plan import USUAL_RATE
from backend.capture.request import check_pooling, rows_of_shard
from backend.capture.shard_task import ShardDone, ShardTask
from backend.data.dataset import Dataset
from backend.errors import CaptureError
from backend.jobs import Job, JobContext
from backend.keys import digest
from backend.library import Library
from backend.models.sites import choose_sites
from backend.requests import CaptureAsk
from backend.store import catalogue
from backend.store.vectors import shard_path
from backend.whatif import WhatIf

CHECKED_ROWS = 8  # rows of each capture that are held against the plain forward pass
_LOCKS: dict[str, Lock] = {}
_HOLDERS: dict[str, Job] = {}
_GUARD = Lock()


@dataclass(frozen=True)
class Resolved:
    """A request whose model and data are known: what it reads, by what names."""

    description: dict
    dataset: Dataset
    capture: CaptureRequest

    @property
    def keys(self) -> dict[str, str]:
        return {site: self.capture.key(site) for site in self.capture.sites}


class Capturing(Library):
    """Captures over a library: what is asked for is planned, run shard by shard, and recorded."""

    def resolve(self, ask: CaptureAsk, job: JobContext | None = None) -> Resolved | None:
        """Model, data and sites of a request; None when something is unknown and no job fetches."""
        if job is None:
            description, dataset = self.model(ask.model), self.dataset(ask.data)
            if description is None or dataset is None:
                return None
        else:
            description = self._resolve_model(job, ask.model)
            dataset = self._resolve_data(job, ask.data)
            _check_fit(description, dataset)
        if ask.rows < 0:
            raise CaptureError(f"{ask.rows} rows cannot be captured.", "Give 0 for all rows.")
        pooling = ask.pooling or description["pooling"]
        check_pooling(pooling, description["modality"])
        sites = choose_sites(ask.sites, tuple(description["sites"]))
        whatif = WhatIf.parse(ask.whatif).check(description["blocks"])
        rows = min(ask.rows or dataset.n_rows, dataset.n_rows)
        return Resolved(description, dataset, CaptureRequest(
            description["model_id"], dataset.hash, sites, pooling, rows, dataset.n_rows,
            self.settings.max_tokens, ask.half, str(whatif),
        ))  # fmt: skip

    def plan(self, ask: CaptureAsk) -> Plan | None:
        """What a capture would cost now; None before its model and data are known."""
        resolved = self.resolve(ask)
        return None if resolved is None else self._plan(resolved)

    def _plan(self, resolved: Resolved) -> Plan:
        facts = resolved.description
        return make_plan(
            resolved.capture,
            catalogue.present(self.store, resolved.keys.values()),
            width=facts["width"] or 256,
            parameters=facts["parameters"],
            tokens_per_row=work.estimate_tokens(resolved.dataset),
            device=facts["device"],
            rate=self._rates().get(facts["device"]),
        )

    def capture(self, ask: CaptureAsk) -> CaptureView:
        """The vectors asked for; runs the model on what is missing."""
        return self.runner.wait(self.submit_capture(ask))

    def submit_capture(self, ask: CaptureAsk, *, job_id: str = "") -> Job:
        """Start a capture in the background; returns the job."""
        change = f" with {ask.whatif}" if ask.whatif else ""
        title = f"Capture {ask.model} on {ask.data}{change}"
        return self.runner.start(
            "capture", title, ask.to_json(), lambda job: self._capture(job, ask), job_id=job_id
        )

    def _capture(self, job: JobContext, ask: CaptureAsk) -> CaptureView:
        resolved = self.resolve(ask, job)
        assert resolved is not None
        self._fill(job, resolved)
        return self.view_of(resolved)

    def view(self, ask: CaptureAsk) -> CaptureView | None:
        """What is stored of a request if all of it is; None otherwise."""
        resolved = self.resolve(ask)
        if resolved is None or not self._plan(resolved).complete:
            return None
        return self.view_of(resolved)

    def view_of(self, resolved: Resolved) -> CaptureView:
        """The stored shards of a resolved request."""
        capture = resolved.capture
        n_shards = len(capture.shards())
        shards = {
            site: catalogue.shards_of(self.store, key)[:n_shards]
            for site, key in resolved.keys.items()
        }
        return CaptureView(
            resolved.description["ref"], capture.model_id, resolved.dataset,
            capture.pooling, capture.dtype, capture.rows, shards, capture.whatif,
        )  # fmt: skip

    def _fill(self, job: JobContext, resolved: Resolved) -> None:
        """Run the missing shards one after the other, each recorded as soon as it is written."""
        capture, source = resolved.capture, self.source(resolved.description)
        with _alone(job, digest({"m": capture.model_id, "d": capture.dataset})):
            plan = self._plan(resolved)
            started, rows, operations, cut = monotonic(), 0, 0.0, 0
            budget: list[int | None] = [None]

            def calls() -> Iterator[tuple]:
                before = 0
                for task in self._tasks(resolved, plan):
                    place = (before, plan.rows)
                    yield self.settings, source, resolved.dataset.folder, task, budget[0], place
                    before += len(task.rows)

            title = f"capturing {resolved.description['title']}"
            job.report(0, plan.rows, title)
            for done in job.map(work.capture_shard, calls()):
                budget[0] = done.batch_tokens
                self._record(resolved, done)
                rows += len(rows_of_shard(capture.of, done.shard))
                operations += 2.0 * resolved.description["parameters"] * done.tokens
                cut += done.truncated
                job.report(rows, plan.rows, f"{title}, {cut:,} rows cut short" if cut else title)
            if operations:
                self._keep_rate(resolved.description["device"], operations, monotonic() - started)
            self._check(job, resolved)

    def _tasks(self, resolved: Resolved, plan: Plan) -> Iterator[ShardTask]:
        for shard, sites in plan.missing:
            keys = tuple(resolved.keys[s] for s in sites)
            yield ShardTask(
                shard, rows_of_shard(resolved.capture.of, shard), sites,
                tuple(shard_path(self.store.home, key, shard) for key in keys), keys,
                resolved.capture.pooling, resolved.capture.half, resolved.capture.whatif,
            )  # fmt: skip

    def _record(self, resolved: Resolved, done: ShardDone) -> None:
        capture = resolved.capture
        entries = []
        for key, site, info in zip(done.keys, done.sites, done.files, strict=True):
            catalogue.put_capture(
                self.store, key=key, model_id=capture.model_id, ref=resolved.description["ref"],
                dataset=capture.dataset, site=site, pooling=capture.pooling,
                dtype=capture.dtype, width=info.width, max_tokens=capture.max_tokens,
                whatif=capture.whatif,
            )  # fmt: skip
            entries.append(catalogue.ShardEntry(key, done.shard, info))
        catalogue.put_shards(self.store, entries)

    def _check(self, job: JobContext, resolved: Resolved) -> None:
        """Hold a few rows against the plain forward pass, once for every site.

        Sites that came later are checked together with those before, so one report covers all.
        """
        if resolved.capture.pooling in ("tokens", "spatial"):
            return
        before = (self.oracle(resolved) or {}).get("sites_checked", ())
        if set(resolved.capture.sites) <= set(before):
            return
        job.report(job.job.done, job.job.total, "checking against the plain forward pass")
        source, view = self.source(resolved.description), self._view_with(resolved, before)
        report = job.call(work.verify_capture, self.settings, source, view, CHECKED_ROWS)
        catalogue.put_check(self.store, report, **self._check_key(resolved))

    def _view_with(self, resolved: Resolved, others: Sequence[str]) -> CaptureView:
        """A view of the request's sites and of others that are still stored, in order of depth."""
        wanted = {*resolved.capture.sites, *others}
        capture = replace(
            resolved.capture, sites=tuple(s for s in resolved.description["sites"] if s in wanted)
        )
        view = self.view_of(Resolved(resolved.description, resolved.dataset, capture))
        first = {site: paths for site, paths in view.shards.items() if paths}
        return replace(view, shards=first)

    @staticmethod
    def _check_key(resolved: Resolved) -> dict:
        capture = resolved.capture
        return {
            "model_id": capture.model_id, "dataset": capture.dataset, "dtype": capture.dtype,
            "pooling": capture.pooling, "whatif": capture.whatif,
        }  # fmt: skip

    def oracle(self, resolved: Resolved) -> dict | None:
        """How a capture compared with the library's plain forward pass."""
        return catalogue.get_check(self.store, **self._check_key(resolved))

    # How fast this machine is

    def _rates(self) -> dict[str, float]:
        path = self.settings.home / "rates.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def seconds_for(self, model: str, tokens: float) -> float:
        """About how long so many tokens take through a model; 0 before either is known."""
        facts = self.model(model)
        if facts is None:
            return 0.0
        rate = self._rates().get(facts["device"]) or USUAL_RATE.get(facts["device"], 0.0)
        return 2.0 * facts["parameters"] * tokens / rate if rate else 0.0

    def _keep_rate(self, device: str, operations: float, seconds: float) -> None:
        """Remember operations per second; the next quote uses it."""
        rates = self._rates() | {device: operations / max(seconds, 1e-6)}
        path = self.settings.home / "rates.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(rates))
        os.replace(temporary, path)


@contextmanager
def _alone(job: JobContext, name: str) -> Iterator[None]:
    """One job at a time per model and data set: two never run the same shard.

    A job that waits shows the progress of the one that it waits for.
    """
    with _GUARD:
        lock = _LOCKS.setdefault(name, Lock())
    while not lock.acquire(timeout=0.2):
        if (other := _HOLDERS.get(name)) is not None:
            job.report(other.done, other.total, other.message)
        job.check()
    _HOLDERS[name] = job.job
    try:
        yield
    finally:
        _HOLDERS.pop(name, None)
        lock.release()


def _check_fit(description: dict, dataset: Dataset) -> None:
    """CaptureError when the model cannot read the rows; captions of media are texts too."""
    kind = description["modality"]
    if dataset.kind != kind and not (kind == "text" and dataset.text_column):
        raise CaptureError(
            f"{description['ref']} reads {kind}, and {dataset.name} holds {dataset.kind} rows.",
            f"Pick a data set of {kind}{'' if kind == 'audio' else 's'}, or another model.",
        )
