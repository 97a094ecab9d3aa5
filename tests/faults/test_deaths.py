"""Processes that are killed in the middle of a capture: nothing is lost, nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend import CaptureAsk, Workbench, cli
from backend.settings import Settings
from tests import rigs

ROOT = Path(__file__).parents[2]
LLAMA = str(rigs.model_folder("llama"))
ROWS, SITES = 2000, "embed,final"


def shards(home: Path) -> dict[str, bytes]:
    """Every finished shard below a data folder."""
    found = (home / "vectors").glob("*/*.arrow")
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in found}


def wait_for_shards(home: Path, n: int, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while len(list((home / "vectors").glob("*/0*.arrow"))) < n:
        assert time.monotonic() < end, "no shard was written in time"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> str:
    return str(rigs.write_csv(tmp_path_factory.mktemp("data") / "texts.csv", ROWS, width=3))


@pytest.fixture(scope="module")
def undisturbed(texts, tmp_path_factory) -> dict[str, bytes]:
    """The shards of a capture that nothing happened to."""
    home = tmp_path_factory.mktemp("undisturbed")
    bench = Workbench(Settings(home=home, scheduler="inline"))
    try:
        bench.capture(CaptureAsk(LLAMA, texts, SITES))
    finally:
        bench.close()
    return shards(home)


def serve(home: Path, texts: str, scheduler: str = "local") -> subprocess.Popen:
    """A process that captures, in a session of its own."""
    words = ("capture", "--model", LLAMA, "--data", texts, "--sites", SITES)
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli", *words, "--scheduler", scheduler],
        cwd=ROOT, env=os.environ | {"PENULTIMATE_HOME": str(home)}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def none_left(processes: list[psutil.Process], seconds: float = 10) -> list[psutil.Process]:
    """Those of the processes that still run after a while (a zombie does not)."""
    end = time.monotonic() + seconds
    while True:
        alive = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not alive or time.monotonic() > end:
            return alive
        time.sleep(0.05)


def test_a_killed_worker_is_replaced_and_the_vectors_are_the_same(texts, undisturbed, tmp_path):
    bench = Workbench(Settings(home=tmp_path, scheduler="local"))
    try:
        job = bench.submit_capture(CaptureAsk(LLAMA, texts, SITES))
        wait_for_shards(tmp_path, 2)
        [worker] = bench.executor.client().run(os.getpid).values()
        os.kill(worker, signal.SIGKILL)
        assert bench.runner.wait(job).n == ROWS
        assert shards(tmp_path) == undisturbed
        assert not bench.store.verify()
        [again] = bench.executor.client().run(os.getpid).values()
        assert again != worker
        workers = [psutil.Process(again)]
    finally:
        bench.close()
    assert not none_left(workers)


def test_a_killed_server_resumes_from_its_last_shard(texts, undisturbed, tmp_path, monkeypatch):
    server = serve(tmp_path, texts)
    wait_for_shards(tmp_path, 6)
    below = family(server)
    assert below, "there is no worker"
    server.send_signal(signal.SIGKILL)
    server.wait(10)
    assert not none_left(below), "a worker outlived its server"
    (tmp_path / "vectors" / "half.tmp").write_bytes(b"what a dying worker leaves")
    from backend.capture import shard

    again, real = [], shard.capture_shard
    monkeypatch.setattr(
        shard, "capture_shard",
        lambda model, data, task, **kw: again.append(task.shard) or real(model, data, task, **kw),
    )  # fmt: skip
    bench = Workbench(Settings(home=tmp_path, scheduler="inline"))
    try:
        kept = shards(tmp_path)
        assert kept and kept.items() <= undisturbed.items()
        assert not (tmp_path / "vectors" / "half.tmp").exists()
        states = {j["kind"]: j["state"] for j in bench.jobs()}
        assert states["capture"] == "interrupted"
        [job] = bench.resume()
        assert bench.runner.wait(job).n == ROWS
        n_shards = -(-ROWS // 256)
        assert len(again) == n_shards - len(kept) // 2 and 0 not in again
        assert shards(tmp_path) == undisturbed
        assert not bench.store.verify()
        assert {j["state"] for j in bench.jobs()} == {"done"}
    finally:
        bench.close()


def test_a_server_that_is_told_to_end_leaves_no_process_and_resumes(texts, undisturbed, tmp_path):
    server = serve(tmp_path, texts)
    wait_for_shards(tmp_path, 2)
    below = family(server)
    server.send_signal(signal.SIGTERM)
    _, errors = server.communicate(timeout=30)
    assert server.returncode == 143
    assert not none_left(below)
    assert "Traceback" not in errors and "leaked" not in errors
    bench = Workbench(Settings(home=tmp_path, scheduler="inline"))
    try:
        [job] = bench.resume()
        bench.runner.wait(job)
        assert shards(tmp_path) == undisturbed
    finally:
        bench.close()


def test_an_interrupt_of_the_whole_terminal_ends_quietly(texts, tmp_path):
    """Ctrl-C reaches the workers too; nobody prints a traceback."""
    server = serve(tmp_path, texts)
    wait_for_shards(tmp_path, 2)
    below = family(server)
    os.killpg(server.pid, signal.SIGINT)
    _, errors = server.communicate(timeout=30)
    assert server.returncode == 130
    assert errors.splitlines()[-1] == "penultimate: cancelled; what was finished is kept."
    assert "Traceback" not in errors
    assert not none_left(below)


def test_a_mistake_in_a_worker_is_one_line_too(home, tmp_path, capfd):
    (tmp_path / "broken.npz").write_bytes(b"PK cut short")
    code = cli.main(["data", "show", str(tmp_path / "broken.npz"), "--scheduler", "local"])
    said = capfd.readouterr()
    assert (code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1 and "broken.npz" in said.err
