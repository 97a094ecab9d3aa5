"""Jobs in threads: states, progress and time left, stopping, failing, being asked twice."""

import threading
from time import monotonic, sleep

import pytest

from backend.errors import Cancelled, UserError
from backend.jobs import JobRunner
from backend.jobs.executor import InlineExecutor
from backend.jobs.runner import Job, explain
from backend.jobs.ticks import Ticker


class Records:
    """Keeps what the runner writes: (id, fields) in order."""

    def __init__(self):
        self.written = []

    def put_job(self, **fields):
        self.written.append((fields.pop("id"), {"state": "submitted"} | fields))

    def update_job(self, job, **fields):
        self.written.append((job, fields))

    def states(self, job):
        return [fields["state"] for name, fields in self.written if name == job.id]

    def last(self, job):
        return [fields for name, fields in self.written if name == job.id][-1]


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def runner(tmp_path, records):
    return JobRunner(records, InlineExecutor(), tmp_path / "jobs")


def wait_for(condition, seconds=5.0):
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it did not happen in time"
        sleep(0.01)


def test_a_job_is_submitted_runs_and_is_done(runner, records):
    def work(job):
        job.report(1, 2, "half")
        return 42

    job = runner.start("kind", "Title", {"x": 1}, work)
    assert runner.wait(job) == 42
    assert records.states(job) == ["submitted", "running", "done"]
    assert records.written[0][1] == {
        "state": "submitted", "kind": "kind", "title": "Title", "request": {"x": 1}
    }  # fmt: skip
    last = records.last(job)
    assert (last["done"], last["total"], last["message"], last["error"]) == (1, 2, "half", None)


def test_a_failure_is_raised_and_explained(runner, records):
    def bad(job):
        raise UserError("The file is empty.", "Give another.")

    job = runner.start("a", "t", {}, bad)
    with pytest.raises(UserError, match="empty"):
        runner.wait(job)
    assert records.last(job)["state"] == job.state == "failed"
    assert records.last(job)["error"] == job.error == "The file is empty. Give another."

    def bug(job):
        return 1 / 0

    job = runner.start("b", "t", {}, bug)
    with pytest.raises(ZeroDivisionError):
        runner.wait(job)
    assert job.error.startswith("ZeroDivisionError: division by zero (test_runner.py:")


def test_whoever_waits_is_told_even_of_an_exit(runner, records):
    def leave(job):
        raise SystemExit(3)

    job = runner.start("a", "t", {}, leave)
    assert job.ended.wait(5) and records.last(job)["state"] == "failed"


def test_a_death_of_the_worker_is_explained():
    class KilledWorker(Exception):
        """As Dask's is called."""

    said = explain(KilledWorker("capture_shard-123", None))
    assert "died three times" in said and "out of memory" in said and "kept" in said


def test_an_equal_job_that_runs_is_returned_instead(runner):
    go, runs = threading.Event(), []

    def work(job):
        runs.append(1)
        go.wait(5)
        return len(runs)

    first = runner.start("a", "t", {"x": 1}, work)
    assert runner.start("a", "t", {"x": 1}, work) is first
    assert runner.start("a", "t", {"x": 2}, work) is not first
    assert runner.start("b", "t", {"x": 1}, work) is not first
    go.set()
    runner.wait(first)
    again = runner.start("a", "t", {"x": 1}, work)
    assert again is not first
    runner.wait(again)
    assert len(runs) == 4


def test_a_stop_ends_the_job_and_keeps_what_was_finished(runner, records):
    kept = []

    def part(i, ticker: Ticker):
        ticker.check()
        return i

    def work(job):
        for i in job.map(part, ((i,) for i in range(1000))):
            kept.append(i)
            job.report(i, 1000)
            if i == 3:
                runner.cancel(job.job.id)

    job = runner.start("a", "t", {}, work)
    with pytest.raises(Cancelled):
        runner.wait(job)
    assert kept == [0, 1, 2, 3]
    assert records.last(job)["state"] == "cancelled" and "kept" in records.last(job)["message"]
    runner.cancel("unknown")  # nothing to stop is no mistake


def test_the_workers_stop_stays_until_the_job_starts_again(runner, tmp_path):
    """A worker in another process may see the mark only after the job has ended here."""
    job = runner.start("a", "t", {}, lambda job: runner.cancel(job.job.id) or job.check())
    job.ended.wait(5)
    with pytest.raises(Cancelled):
        Ticker(tmp_path / "jobs", job.id).check()
    again = runner.start("a", "t", {}, lambda job: job.ticker.check() or "ran", job_id=job.id)
    assert runner.wait(again) == "ran"


def test_workers_report_through_files(runner):
    def slow(ticker: Ticker):
        ticker.progress(2, 8, "reading")
        return "x"

    job = runner.start("a", "t", {}, lambda job: job.call(slow))
    assert runner.wait(job) == "x"
    assert (job.done, job.total, job.message) == (2, 8, "reading")


def test_calls_are_made_a_few_ahead_and_come_back_in_order(runner):
    asked = []

    def calls():
        for i in range(5):
            asked.append(i)
            yield (i,)

    def work(job):
        out = []
        for value in job.map(lambda i, ticker: i * i, calls()):
            out.append((value, len(asked)))
        return out

    found = runner.wait(runner.start("a", "t", {}, work))
    assert [value for value, _ in found] == [0, 1, 4, 9, 16]
    assert all(n <= i + 2 for i, (_, n) in enumerate(found))


def test_the_time_left_follows_the_pace():
    job = Job("i", "k", "t", {})
    assert job.seconds_left is None
    job.move(0, 100)
    job.began = monotonic() - 10.0
    assert job.seconds_left is None
    job.move(20, 100)
    assert job.seconds_left == pytest.approx(40.0, abs=0.5)
    job.move(100, 100)
    assert job.seconds_left is None
    job.move(1, 50, "another part")  # another total: the clock starts again
    assert job.seconds_left < 5


def test_ended_jobs_are_let_go_in_time(runner):
    first = runner.start("a", "t", {"i": -1}, lambda job: "big result")
    runner.wait(first)
    for i in range(25):
        runner.wait(runner.start("a", "t", {"i": i}, lambda job: None))
    assert first.id not in runner.live and len(runner.live) <= 22


def test_the_end_of_the_server_leaves_jobs_unfinished_in_the_records(runner, records):
    begun = threading.Event()

    def work(job):
        begun.set()
        while True:
            job.check()
            sleep(0.01)

    job = runner.start("a", "t", {}, work)
    begun.wait(5)
    runner.shutdown()
    assert job.ended.is_set() and records.states(job) == ["submitted", "running"]


def test_a_record_that_cannot_be_written_does_not_hang_the_waiter(runner, records, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def full(job, **fields):
        raise OSError("disk full")

    monkeypatch.setattr(records, "update_job", full)
    job = runner.start("a", "t", {}, lambda job: 1)
    assert job.ended.wait(5)
    with pytest.raises(OSError, match="disk full"):
        runner.wait(job)
