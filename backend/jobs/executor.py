"""Where work runs: in this process, on a local cluster, or on a scheduler elsewhere.

Dask's `distributed` does the work; this module only starts it, lazily, and ends it.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Protocol

from backend.errors import UserError

# Ctrl-C reaches a whole terminal: the server decides, and ends its workers itself.
_DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


class Executor(Protocol):
    """Runs functions somewhere; the futures are those of concurrent.futures."""

    n_workers: int

    def submit(self, function: Callable, *args: Any, priority: int = 0) -> Future: ...

    def close(self) -> None: ...


class InlineExecutor:
    """Runs each function at once in the calling thread: notebooks, scripts and tests."""

    n_workers = 1

    def submit(self, function: Callable, *args: Any, priority: int = 0) -> Future:
        del priority  # nothing waits here
        future: Future = Future()
        try:
            future.set_result(function(*args))
        except BaseException as error:  # handed on through the future, as a worker would
            if isinstance(error, KeyboardInterrupt):
                raise
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing to end."""


def count_gpus() -> int:
    """NVIDIA devices on this machine, without importing torch."""
    if not shutil.which("nvidia-smi"):
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class DaskExecutor:
    """One warm worker process per device (TLS on loopback), or workers behind an address.

    The nanny restarts a worker that dies; workers end with the process that started them.
    """

    def __init__(self, address: str = "local"):
        self.address, self._lock = address, Lock()
        self._client: Any = None
        self._cluster: Any = None
        self.n_workers = max(1, count_gpus()) if address == "local" else 4

    def client(self) -> Any:
        """The Dask client; the cluster is started by the first call."""
        with self._lock:
            if self._client is None:
                self._start()
            return self._client

    def _start(self) -> None:
        import logging

        import dask
        from distributed import Client, LocalCluster

        dask.config.set({"distributed.scheduler.allowed-failures": 2})
        if self.address == "local":
            # Dask holds a worker's maths to one thread, which is right for one worker per core;
            # here one worker has the machine. What the environment says wins.
            threads = os.environ.get("OMP_NUM_THREADS") or max(1, count_cores() // self.n_workers)
            environ = "distributed.nanny.pre-spawn-environ"
            only_health = ["distributed.http.health"]  # no page of Dask's own is served
            dask.config.set(
                {f"{environ}.{name}_NUM_THREADS": threads for name in ("OMP", "MKL", "OPENBLAS")}
                | {
                    f"distributed.{part}.http.routes": only_health
                    for part in ("scheduler", "worker")
                }
            )
            self._cluster = LocalCluster(
                n_workers=self.n_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                security=True,
                preload=[_DEAF],
                silence_logs=logging.CRITICAL,  # why a call failed is the job's to say
            )
            self._client = Client(self._cluster, set_as_default=False)
            return
        try:
            self._client = Client(self.address, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"No scheduler answers at {self.address} ({error}).",
                "Start `dask scheduler` there, or leave --scheduler out.",
            ) from None
        self.n_workers = max(1, len(self._client.scheduler_info()["workers"]))

    def submit(self, function: Callable, *args: Any, priority: int = 0) -> Future:
        """Queue a call; those of higher priority go first."""
        return self.client().submit(function, *args, pure=False, priority=priority)

    def close(self) -> None:
        with self._lock:
            for part in (self._client, self._cluster):
                if part is not None:
                    part.close(timeout=5)
            self._client = self._cluster = None


def open_executor(scheduler: str) -> Executor:
    """`inline`, `local`, or a Dask address such as tls://host:8786."""
    if scheduler == "inline":
        return InlineExecutor()
    if scheduler == "local" or "://" in scheduler:
        return DaskExecutor(scheduler)
    raise UserError(
        f"--scheduler {scheduler!r} is not known.", "Give inline, local, or tls://HOST:PORT."
    )
