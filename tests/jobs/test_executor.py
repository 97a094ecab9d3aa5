"""Executors: in this process, and on a local Dask cluster whose workers can die."""

import os
import signal
import socket
from contextlib import closing

import pytest

from backend.errors import Cancelled, UserError
from backend.jobs import JobRunner, Ticker, open_executor
from backend.jobs.executor import DaskExecutor, InlineExecutor, count_cores
from tests.jobs.test_runner import Records, wait_for


def test_inline_runs_at_once_and_hands_errors_on():
    executor = InlineExecutor()
    assert executor.submit(divmod, 7, 3).result() == (2, 1)
    future = executor.submit(divmod, 7, 0)
    assert future.done()
    with pytest.raises(ZeroDivisionError):
        future.result()
    executor.close()


def test_a_key_of_the_keyboard_is_not_swallowed():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InlineExecutor().submit(interrupt)


def test_names_of_schedulers():
    assert isinstance(open_executor("inline"), InlineExecutor)
    local = open_executor("local")
    assert isinstance(local, DaskExecutor) and local.n_workers >= 1
    local.close()  # nothing was started, nothing is ended
    with pytest.raises(UserError, match="'cloud' is not known.*inline, local"):
        open_executor("cloud")


def test_a_scheduler_that_does_not_answer_is_said(monkeypatch):
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    executor = open_executor(address)
    monkeypatch.setattr("distributed.Client", _refuse)
    with pytest.raises(UserError, match=f"No scheduler answers at {address}"):
        executor.submit(os.getpid)


def _refuse(address, **_):
    raise OSError(f"timed out trying to connect to {address}")


# On a cluster: one for all of the tests below, as starting it takes seconds.


def die(ticker: Ticker) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(marker: str, ticker: Ticker) -> str:
    if not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return "finished"


def loop(ticker: Ticker) -> None:
    for i in range(10_000):
        ticker.progress(i + 1, 10_000, "turning")
        _pause()


def _pause() -> None:
    from time import sleep

    sleep(0.02)


def stopped_after(folder: str, ticker: Ticker) -> str:
    """What another call of the same worker finds: it was given free by the stop."""
    return "free"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    executor = DaskExecutor("local")
    executor.n_workers = 1
    yield JobRunner(Records(), executor, tmp_path_factory.mktemp("jobs"))
    executor.close()


def start(runner, function, *args, kind="a"):
    return runner.start(kind, "t", {"f": function.__name__}, lambda job: job.call(function, *args))


def facts(ticker: Ticker) -> tuple[int, str, int]:
    return os.getpid(), os.environ["OMP_NUM_THREADS"], os.getppid()


def test_work_is_done_in_a_process_below_this_one(cluster):
    pid, threads, parent = cluster.wait(start(cluster, facts))
    assert pid != os.getpid() and parent == os.getpid()
    assert threads == os.environ.get("OMP_NUM_THREADS", str(count_cores()))


def test_the_cluster_listens_on_this_machine_only(cluster):
    import psutil

    listening = [
        c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"
    ]
    assert listening and set(listening) <= {"127.0.0.1", "::1"}
    assert cluster.executor.client().scheduler.address.startswith("tls://")


def test_progress_and_stop_reach_across_processes(cluster):
    job = start(cluster, loop)
    wait_for(lambda: job.done > 2)
    assert job.total == 10_000 and job.message == "turning" and job.seconds_left > 1
    cluster.cancel(job.id)
    with pytest.raises(Cancelled):
        cluster.wait(job)
    # The worker saw it too: its only thread is free long before the 200 seconds are over.
    assert cluster.wait(start(cluster, stopped_after, "x")) == "free"


def test_a_worker_that_dies_is_replaced_and_the_call_repeated(cluster, tmp_path):
    assert cluster.wait(start(cluster, die_once, str(tmp_path / "marker"))) == "finished"


def test_a_call_that_kills_every_worker_fails_with_the_reason(cluster):
    job = start(cluster, die)
    with pytest.raises(Exception):  # noqa: B017  Dask's own KilledWorker
        cluster.wait(job)
    assert "died three times" in job.error and "out of memory" in job.error
    assert cluster.wait(start(cluster, facts, kind="after"))[0] != os.getpid()
