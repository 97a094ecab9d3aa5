"""Every test: one thread, no network, and a data folder of its own.

The whole suite is shared out file by file among processes, each with its own copy of what is made
once a session; what is named on the command line runs in this process (`-n 2` shares that too).
Every process must collect the same names in the same order: no sets, addresses or folders in ids.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

# Before the first import of numpy or torch, which read the thread counts once.
_HOME = tempfile.mkdtemp(prefix="penultimate-tests-")
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
for _name in [name for name in os.environ if name.startswith("PENULTIMATE_")]:
    del os.environ[_name]
os.environ |= {f"{library}_NUM_THREADS": "1" for library in _THREADS} | {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "STREAMLIT_SERVER_HEADLESS": "true",
    "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
    "PENULTIMATE_HOME": _HOME,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that PENULTIMATE_HOME names during the test."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("PENULTIMATE_HOME", str(folder))
    return folder


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which analyses were computed, and shards run."""
    from backend import work

    seen: list[str] = []
    for name in ("analyse", "capture_shard"):
        real = getattr(work, name)

        def counted(settings, *args, name=name, real=real):
            seen.append(args[0] if name == "analyse" else "shard")
            return real(settings, *args)

        monkeypatch.setattr(work, name, counted)
    return seen


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture) -> Callable[..., tuple[int, str, list[str]]]:
    """Runs a command line; returns exit code, standard output and the lines of standard error."""
    from backend import cli

    def call(*words: object) -> tuple[int, str, list[str]]:
        capfd.readouterr()
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        said = capfd.readouterr()
        return code, said.out, said.err.splitlines()

    return call


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core, four at most; none beside this one when tests are named."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return 0 if named else min(4, os.cpu_count() or 1)


def pytest_runtest_setup() -> None:
    """Hold torch, once something has imported it, to one thread."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def pytest_unconfigure() -> None:
    """Remove the session's data folder."""
    shutil.rmtree(_HOME, ignore_errors=True)
