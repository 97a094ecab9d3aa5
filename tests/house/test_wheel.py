"""What `pip install penultimate` brings: the wheel alone, away from the checkout, serves."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS = 60


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout with what is installed."""
    out = tmp_path_factory.mktemp("dist")
    _checked(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)], cwd=root
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Python finds the unpacked wheel and never the checkout.

    `-S` in PYTHON keeps the checkout's own .pth file out; the libraries come by their folder.
    """
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    _checked([*pip, "--target", str(target), str(wheel)], cwd=target)
    path = os.pathsep.join([str(target), sysconfig.get_path("purelib")])
    return os.environ | {"PYTHONPATH": path, "SITE": str(target)}


def test_the_wheel_holds_the_backend_and_the_dashboard(wheel: Path, root: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    dashboard = "backend/_dashboard"
    expected = {f"{dashboard}/app.py", f"{dashboard}/.streamlit/config.toml"}
    expected |= {f"{dashboard}/pages/{p.name}" for p in (root / "pages").glob("*.py")}
    expected |= {
        p.relative_to(root).as_posix()
        for p in (root / "backend").rglob("*.py")
        if "__pycache__" not in p.parts
    }
    assert expected <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"backend"}
    assert not [name for name in names if "__pycache__" in name or "secrets" in name]


def test_the_wheel_says_what_it_is(wheel: Path, root: Path):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    text = archive.read(metadata).decode()
    assert f"Name: penultimate\nVersion: {project['version']}\n" in text
    assert "License-Expression: Apache-2.0" in text
    assert "Requires-Python: >=3.11" in text


def test_the_command_says_its_version(installed: dict[str, str], root: Path, tmp_path: Path):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    where = "import backend; print(backend.__file__)"
    found = _checked([sys.executable, "-S", "-c", where], cwd=tmp_path, env=installed)
    assert Path(found.strip()).is_relative_to(installed["SITE"])
    said = _checked([*_command(installed), "--version"], cwd=tmp_path, env=installed)
    assert project["version"] in said


@pytest.fixture
def server(installed: dict[str, str], tmp_path: Path, home: Path) -> Iterator[str]:
    """The dashboard of the wheel, started from an empty folder; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = installed | {"PENULTIMATE_HOME": str(home)}
    command = [*_command(installed), "--port", str(port), "--no-browser"]
    with open(tmp_path / "server.log", "w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/healthz", process, tmp_path / "server.log")
        yield address
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()


def test_the_dashboard_answers(server: str):
    assert _get(f"{server}/healthz") == "ok"
    assert "<title>" in _get(server)


@pytest.mark.browser
def test_a_cold_deep_link_shows_the_whole_dashboard(server: str, root: Path):
    # The first visit of all goes to a page that is not the first one.
    slugs = sorted(p.stem for p in (root / "pages").glob("*.py") if p.stem not in ("main", "ui"))
    slug = next(s for s in slugs if s not in ("home", "index"))
    # In a thread of its own: the browser tests' Playwright may already run in this one.
    with ThreadPoolExecutor(1) as pool:
        offered, shown = pool.submit(_visit, f"{server}/{slug}").result()
    assert slug in offered
    assert not offered & {"main", "ui", "app"}, "Streamlit lists the folder, not pages/main.py"
    assert not re.search("Page not found|Traceback", shown)


def _visit(address: str) -> tuple[set[str], str]:
    """The pages that the navigation offers at an address, and the text of the page itself."""
    from playwright.sync_api import sync_playwright

    chrome = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chrome,
            channel=None if chrome else "chrome",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("[data-testid=stSidebarNav]", timeout=45_000)
        links = page.locator("[data-testid=stSidebarNavLink]")
        offered = {str(link.get_attribute("href")).rpartition("/")[2] for link in links.all()}
        shown = page.locator("[data-testid=stMain]").inner_text()
        browser.close()
    return offered, shown


def _command(installed: dict[str, str]) -> list[str]:
    return [sys.executable, "-S", str(Path(installed["SITE"]) / "bin" / "penultimate")]


def _checked(command: list[str], *, cwd: Path, env: dict[str, str] | None = None) -> str:
    run = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return run.stdout


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return answer.read().decode()


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            _get(address)
            return
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{address}: {error}\n{log.read_text()[-3000:]}") from None
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"no answer from {address}: {log.read_text()[-3000:]}")
