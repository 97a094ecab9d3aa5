"""What a workbench remembers: jobs, results, captures, snapshots, and the views of figures."""

from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from backend.capturing import Capturing
from backend.errors import UserError
from backend.jobs import ACTIVE, Job, JobContext
from backend.store import catalogue, jobs, results
from backend.store.pack import pack
from backend.store.sizes import Sizes, sizes
from backend.store.sql import query
from backend.store.views import list_views, put_view


class Remembered(Capturing):
    """Lists of what is there, and how to remove it."""

    # Jobs

    def cancel(self, job: str) -> None:
        """Ask a job to stop."""
        self.runner.cancel(job)

    def jobs(self) -> list[dict]:
        """Every job that is remembered, the newest first; live ones with their progress."""
        records = [asdict(row) for row in jobs.list_jobs(self.store)]
        for record in records:
            if live := self.runner.live.get(record["id"]):
                record |= {
                    "state": live.state, "done": live.done, "total": live.total,
                    "message": live.message, "seconds_left": live.seconds_left,
                }  # fmt: skip
            elif record["state"] in ACTIVE:  # of a server that is gone: the store admits one
                record["state"] = "interrupted"
        return records

    def live_job(self, job: str) -> Job | None:
        """A job of this server, with its live progress."""
        return self.runner.live.get(job)

    def live_jobs(self) -> list[Job]:
        """The jobs that are under way."""
        return [job for job in self.runner.live.values() if job.state in ("submitted", "running")]

    def forget_job(self, job: str) -> None:
        """Remove a job that has ended from the list."""
        jobs.delete_job(self.store, job)

    # Results, captures, snapshots, views

    def results(self) -> list[dict]:
        """Stored results without their tables, the newest first."""
        return results.list_results(self.store)

    def remove_result(self, key: str) -> None:
        """Forget a result; it can be computed again."""
        results.delete_result(self.store, key)

    def sizes(self) -> Sizes:
        """Bytes on disk: models, data, captures, results."""
        return sizes(self.store)

    def submit_snapshot(self) -> Job:
        """Pack rows, results and vectors into one portable file that SQL can be asked of."""

        def work(job: JobContext) -> Path:
            job.report(0, 0, "packing")
            target = self.settings.home / "snapshots" / f"{uuid4().hex[:8]}.duckdb"
            target.parent.mkdir(exist_ok=True)
            pack(self.store, target)
            for old in target.parent.glob("*.duckdb"):
                if old != target:
                    old.unlink()
            return target

        return self.runner.start("snapshot", "Make a snapshot", {}, work)

    def snapshot(self) -> Path | None:
        """The newest snapshot, if there is one."""
        return next((self.settings.home / "snapshots").glob("*.duckdb"), None)

    def query(self, text: str) -> pa.Table:
        """Ask the snapshot in SQL; read-only, limited in time and rows."""
        snapshot = self.snapshot()
        if snapshot is None:
            raise UserError("There is no snapshot to query.", "Make one first.")
        return query(snapshot, text)

    def captures(self) -> tuple[catalogue.CaptureRow, ...]:
        """What is captured, one entry per site, the newest first."""
        return catalogue.list_captures(self.store)

    def capture_groups(self) -> list[dict]:
        """Captures as the storage page lists them: one line per model, data, pooling and dtype."""
        names = {d.hash: d.name for d in self.datasets()}
        groups: dict[tuple, dict] = {}
        for row in self.captures():
            name = (row.model_id, row.whatif, row.dataset, row.pooling, row.dtype)
            group = groups.setdefault(name, {
                "model": row.ref, "what-if": row.whatif,
                "data": names.get(row.dataset, row.dataset[:12]), "pooling": row.pooling,
                "dtype": row.dtype, "sites": 0, "vectors": 0, "MB": 0.0, "keys": [],
            })  # fmt: skip
            group["sites"] += 1
            group["vectors"] += row.n_vectors
            group["MB"] = round(group["MB"] + row.bytes / 1e6, 2)
            group["keys"].append(row.key)
        return list(groups.values())

    def remove_captures(self, keys: list[str]) -> None:
        """Delete captured vectors; they can be captured again."""
        catalogue.delete_captures(self.store, keys)

    def remember_view(self, key: str, page: str) -> None:
        """Keep the address of the view that showed a result, to reopen it from its figure."""
        put_view(self.store, key=key, page=page.partition("?")[0], query=page.partition("?")[2])

    def view_of_key(self, key: str) -> str | None:
        """The address of the view that showed a result; `key` may be its first 12 digits."""
        found = next((v for v in list_views(self.store) if v.key.startswith(key)), None)
        return f"{found.page}?{found.query}" if found else None
