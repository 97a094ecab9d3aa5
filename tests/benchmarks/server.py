"""Servers for the browser benchmarks, and the browser that looks at them."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--enable-unsafe-swiftshader",
)
HELLO = "import streamlit as st\n\nst.title('Hello')\n"
WAIT_SECONDS = 120


@contextlib.contextmanager
def browser() -> Iterator:
    """A headless Chromium, started before anything is measured."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield opened
        opened.close()


def dashboard(port: int, home: Path) -> list[str]:
    """The command that starts our dashboard on a data folder."""
    return [
        *(sys.executable, "-m", "backend.cli", "--store", str(home), "--port", str(port)),
        "--no-browser",
    ]


def empty(port: int, script: Path, content: str = HELLO) -> list[str]:
    """The command that starts a Streamlit app of one script, by default of one title."""
    script.write_text(content)
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true",
               "server.fileWatcherType": "none", "browser.gatherUsageStats": "false"}  # fmt: skip
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(script), *flags]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(command: Sequence[str], port: int) -> Iterator[str]:
    """Run a server; its address is given as soon as it accepts a connection."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen, port: int) -> None:
    end = monotonic() + WAIT_SECONDS
    while monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with status {process.returncode}.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.01)
    raise RuntimeError(f"The server did not answer within {WAIT_SECONDS} seconds.")
