"""The workbench: the one object that pages, notebooks and the command line talk to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa

from backend import work
from backend.analyses.result import Result
from backend.claims import measure
from backend.data.dataset import Dataset
from backend.errors import UserError
from backend.jobs import Job, JobContext
from backend.requests import CaptureAsk, RunRequest, first_request
from backend.running import Running
from backend.settings import load_settings
from backend.store import jobs
from backend.store.neighbours import nearest
from backend.store.slices import Filter, select, values_of


class Workbench(Running):
    """Models, data, captures, analyses and jobs over one store.

    All methods may be called from several threads. Equal questions are answered from the store.
    """

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

    def facets_file(self, result: Result) -> str:
        """The ratings behind a result of `raters` as a file that Facets (Linacre) reads."""
        from backend.rasch.facets_file import facets_text
        from backend.rasch.ratings import only_enough, without_raters
        from backend.rasch.reading import read_ratings

        asked, data = result.provenance["parameters"], self._known(result.provenance["data"])
        scale = asked["scale"]
        ratings = only_enough(
            read_ratings(
                data.table(), levels=asked["levels"], collapse=asked["collapse"],
                facet=asked["facet"], shared=scale == "rating_scale",
            ),
            asked["min_ratings"],
        )  # fmt: skip
        if "dropped" in result.tables:
            gone = result.tables["dropped"]["rater"].to_pylist()
            ratings = without_raters(ratings, np.isin(ratings.labels["rater"].astype(str), gone))
        return facets_text(ratings, scale=scale, title=data.name)

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
            "train": lambda r, i: self.submit_training(r["recipe"], job_id=i),
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
