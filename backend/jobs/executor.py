"""Where work runs: in this process, on a local cluster, or on a scheduler elsewhere.

Dask's `distributed` does the work; this module only starts it, lazily, and ends it.
"""

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Protocol

from backend.errors import UserError


class Executor(Protocol):
    """Runs functions somewhere; the futures are those of concurrent.futures."""

    n_workers: int

    def submit(self, function: Callable, *args: Any) -> Future: ...

    def close(self) -> None: ...


class InlineExecutor:
    """Runs each function at once in the calling thread: notebooks, scripts and tests."""

    n_workers = 1

    def submit(self, function: Callable, *args: Any) -> Future:
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
            self._cluster = LocalCluster(
                n_workers=self.n_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                security=True,
                silence_logs=logging.ERROR,
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

    def submit(self, function: Callable, *args: Any) -> Future:
        return self.client().submit(function, *args, pure=False)

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
