"""One dashboard for all browser tests, one Chromium, and a page whose console must stay clean."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.pages.material import World, fill, write_images, write_world

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]
# Streamlit looks for its own address below each page's first, and finds it one level up.
HARMLESS = ("_stcore/health", "_stcore/host-config")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Dashboard:
    """A running server over a filled data folder; `epochs` are those that its training kept."""

    def __init__(self, port: int, world: World, home: Path, epochs: list[int]):
        self.address, self.world, self.home = f"http://127.0.0.1:{port}", world, home
        self.epochs = epochs

    def url(self, page: str = "", **query: object) -> str:
        """The address of a page."""
        return f"{self.address}/{page}" + (f"?{urlencode(query, doseq=True)}" if query else "")

    def compare(self, **query: object) -> str:
        """The language model on the texts."""
        return self.url("compare", model=self.world.llama, data=self.world.texts, **query)


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("dashboard")
    world, home = write_world(folder / "world"), folder / "home"
    epochs = _train(home, write_images(folder / "collapse.zip", 60))
    fill(home, world)  # last, so that these results are the newest
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = folder / "server.log"
    command = [sys.executable, "-m", "backend.cli", "--port", str(port), "--no-browser"]
    environment = os.environ | {
        "PENULTIMATE_HOME": str(home),
        "PENULTIMATE_DEMO": "0",
        "PENULTIMATE_DEVICE": "cpu",
    }
    with said.open("w") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"http://127.0.0.1:{port}/healthz", server, said)
            yield Dashboard(port, world, home, epochs)
        finally:
            server.terminate()
            server.wait(20)


def _train(home: Path, data: Path) -> list[int]:
    """A small training in a data folder that no server holds yet, looked at; the epochs kept."""
    from backend import open_workbench
    from backend.workbench import shutdown

    found = open_workbench(home)
    run = found.runner.wait(found.submit_training(
        f"data={data}&label=label&net=mlp&blocks=2&width=8&batch=16&epochs=6&checkpoints=4"
    ))  # fmt: skip
    found.run("collapse", model=run["checkpoints"][-1]["folder"], data=run["data"])
    shutdown()
    return [checkpoint["epoch"] for checkpoint in run["checkpoints"]]


def _wait(address: str, server: subprocess.Popen, said: Path) -> None:
    for _ in range(150):
        assert server.poll() is None, said.read_text()
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the dashboard did not answer: {said.read_text()}")


def find_browser() -> str | None:
    """Chromium or Chrome, where the figures' export finds it too."""
    named = os.environ.get("BROWSER_PATH")
    if named or Path(MAC).exists():
        return named or MAC
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    path = find_browser()
    if path is None:
        message = "no Chromium or Chrome: install one (apt install chromium) or set BROWSER_PATH"
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def contexts(chromium) -> Iterator[dict]:
    """Browser profiles by window and colour scheme: what one page loaded, the next one has."""
    made: dict = {}
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def open_page(chromium, contexts) -> Iterator:
    """Open an address in a page of its own; at the end nothing may stand in its console."""
    pages, wrong = [], []

    def note(message) -> None:
        where = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not any(part in where for part in HARMLESS):
            wrong.append(where)

    def opened(address: str, *, width: int = 1280, height: int = 1400, scheme: str = "light"):
        window = width, height, scheme
        if window not in contexts:
            contexts[window] = chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            contexts[window].set_default_timeout(20_000)
        page = contexts[window].new_page()
        pages.append(page)
        page.on("console", note)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.close()
    assert not wrong, "\n".join(wrong)
