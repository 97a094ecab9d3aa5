"""Running jobs: one thread each in the server, work in workers, state in the store."""

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any, Protocol
from uuid import uuid4

from backend.errors import Cancelled, UserError
from backend.jobs.executor import Executor
from backend.jobs.ticks import Ticker, ask_to_cancel, clear_all, clear_ticks, read_tick

ACTIVE = ("submitted", "running")
_KEPT = 20  # ended jobs whose results stay in memory for whoever still asks


class JobRecords(Protocol):
    """What the runner needs of the store."""

    def put_job(self, **fields: Any) -> None: ...

    def update_job(self, job: str, **fields: Any) -> None: ...


@dataclass
class Job:
    """A job in this process: its live progress, and how it can be stopped or waited for."""

    id: str
    kind: str
    title: str
    request: dict
    priority: int = 0
    state: str = "submitted"
    done: int = 0
    total: int = 0
    message: str = ""
    error: str = ""
    result: Any = None
    began: float = field(default_factory=monotonic)  # when what `total` counts was begun
    cancelled: Event = field(default_factory=Event, repr=False)
    ended: Event = field(default_factory=Event, repr=False)
    exception: BaseException | None = field(default=None, repr=False)

    @property
    def seconds_left(self) -> float | None:
        """Time left at the pace so far; None until a first part is done."""
        if not 0 < self.done < self.total:
            return None
        return (monotonic() - self.began) / self.done * (self.total - self.done)

    def move(self, done: int, total: int, message: str = "") -> None:
        """Set the progress; another total starts the clock of the time left again."""
        if total != self.total:
            self.began = monotonic()
        self.done, self.total, self.message = done, total, message or self.message


class JobContext:
    """What a running job may do: call workers, report, and notice that it was stopped."""

    def __init__(self, job: Job, executor: Executor, folder: Path):
        self.job, self.executor, self.folder = job, executor, folder
        self.ticker = Ticker(folder, job.id)

    def report(self, done: int, total: int, message: str = "") -> None:
        """Set the job's progress; raises Cancelled when the user has stopped it."""
        self.check()
        self.job.move(done, total, message)

    def check(self) -> None:
        if self.job.cancelled.is_set():
            raise Cancelled

    def call(self, function: Callable, *args: Any) -> Any:
        """Run `function(*args, ticker)` in a worker and wait, passing its progress on."""
        return next(iter(self.map(function, [args])))

    def map(self, function: Callable, calls: Iterable[tuple]) -> Iterator[Any]:
        """Run calls in workers, a few ahead, and yield their results in order."""
        waiting: deque = deque()
        calls = iter(calls)
        (self.folder / f"{self.job.id}.tick").unlink(missing_ok=True)
        exhausted = False
        try:
            while True:
                while not exhausted and len(waiting) < self.executor.n_workers + 1:
                    call = next(calls, None)
                    if call is None:
                        exhausted = True
                        break
                    self.check()
                    future = self.executor.submit(
                        function, *call, self.ticker, priority=self.job.priority
                    )
                    waiting.append(future)
                    if len(waiting) and waiting[0].done():
                        break
                if not waiting:
                    return
                yield self._wait(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _wait(self, future: Any) -> Any:
        """A future's result; polls for progress and for the user's stop meanwhile."""
        while not future.done():
            self.check()
            self._pass_on()
            sleep(0.05)
        self._pass_on()
        return future.result()

    def _pass_on(self) -> None:
        """Show what the worker last reported."""
        if tick := read_tick(self.folder, self.job.id):
            done, total, message = tick
            if total == self.job.total:  # workers side by side: what was reached stays reached
                done = max(done, self.job.done)
            if total:
                self.job.move(done, total, message)
            else:
                self.job.message = message or self.job.message


class JobRunner:
    """Starts jobs, keeps their records, and ends them with the server."""

    def __init__(self, records: JobRecords, executor: Executor, folder: Path):
        self.records, self.executor, self.folder = records, executor, folder
        self.live: dict[str, Job] = {}
        self._lock, self._closing = Lock(), Event()
        folder.mkdir(parents=True, exist_ok=True)
        clear_all(folder)

    def start(
        self, kind: str, title: str, request: dict, work: Callable[[JobContext], Any],
        *, job_id: str = "", priority: int = 0,
    ) -> Job:  # fmt: skip
        """Start work in a thread; an equal job that is still running is returned instead.

        Parts of jobs of higher `priority` run first; what nobody waits for takes a negative one.
        """
        with self._lock:
            for job in self.live.values():
                if job.kind == kind and job.request == request and job.state in ACTIVE:
                    return job
            job = Job(job_id or uuid4().hex[:12], kind, title, request, priority=priority)
            self.live[job.id] = job
            ended = [old.id for old in self.live.values() if old.ended.is_set()]
            for old in ended[:-_KEPT]:
                del self.live[old]
        clear_ticks(self.folder, job.id)
        self.records.put_job(id=job.id, kind=kind, title=title, request=request)
        Thread(target=self._run, args=(job, work), name=f"job-{job.id}", daemon=True).start()
        return job

    def _run(self, job: Job, work: Callable[[JobContext], Any]) -> None:
        job.began = monotonic()
        try:
            self.records.update_job(job.id, state="running")
            job.state = "running"
            job.result = work(JobContext(job, self.executor, self.folder))
            state = "done"
        except Cancelled as stop:
            state, job.exception = "cancelled", stop
            job.message = "stopped; what was finished is kept"
        except BaseException as error:  # whoever waits is told; nothing stands above this thread
            state, job.exception = "failed", error
            job.error = explain(error)
        try:
            self._record_end(job, state)
        finally:
            job.state = state
            job.ended.set()

    def _record_end(self, job: Job, state: str) -> None:
        """Write how a job ended; one that the end of the server cut off stays unfinished."""
        if self._closing.is_set() and state != "done":
            return
        clear_ticks(self.folder, job.id, cancel=state != "cancelled")
        self.records.update_job(
            job.id, state=state, done=job.done, total=job.total, message=job.message,
            error=job.error or None,
        )  # fmt: skip

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; its current shard is given up, finished shards are kept."""
        if job := self.live.get(job_id):
            job.cancelled.set()
            ask_to_cancel(self.folder, job_id)

    def wait(self, job: Job) -> Any:
        """The job's result; raises what ended it otherwise."""
        try:
            while not job.ended.wait(0.2):
                pass
        except KeyboardInterrupt:
            self.cancel(job.id)
            job.ended.wait(30)
            raise
        if job.exception is not None:
            raise job.exception
        return job.result

    def shutdown(self) -> None:
        """End the workers; running jobs stay marked as running, and resume at the next start."""
        self._closing.set()
        unfinished = [job for job in list(self.live.values()) if not job.ended.is_set()]
        for job in unfinished:
            self.cancel(job.id)
        for job in unfinished:  # they let go of their calls while there is somebody to tell
            job.ended.wait(2)
        self.executor.close()
        for job in unfinished:  # so that none of them writes into a store that is closed
            job.ended.wait(10)


def explain(error: BaseException) -> str:
    """Why a job failed, for the person who started it."""
    if isinstance(error, UserError):
        return str(error)
    if type(error).__name__ == "KilledWorker":
        return (
            "The worker process died three times on the same part, most likely out of memory. "
            "Ask for fewer rows or sites, or a smaller model, and start it again: "
            "what was finished is kept."
        )
    last = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(last[-1].filename).name}:{last[-1].lineno})" if last else ""
    return f"{type(error).__name__}: {error}{where}"
