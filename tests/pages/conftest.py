"""Pages run by Streamlit's AppTest, over an empty data folder or one that is filled once."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.material import World, fill, write_world

MAIN = Path(__file__).resolve().parents[2] / "pages" / "main.py"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def filled(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the first pictures are computed; tests may add to it."""
    home = tmp_path_factory.mktemp("filled")
    fill(home, world)
    return home


@pytest.fixture(params=["empty", "filled"])
def any_home(request: pytest.FixtureRequest) -> Path:
    """A data folder without anything, and one with results."""
    return request.getfixturevalue("home" if request.param == "empty" else "filled")


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Open a page of a data folder: `visit(home, "compare.py", rows="256")`."""
    import streamlit as st

    from backend import work
    from backend.errors import ModelError
    from backend.workbench import shutdown

    def refusing(resolve: Callable) -> Callable:
        """The worker's own function, but no demo is fetched."""

        def resolved(settings, ref, *rest):
            if ref.startswith("demo:"):
                raise ModelError(f"{ref} cannot be fetched.", "Connect this machine.")
            return resolve(settings, ref, *rest)

        return resolved

    for name in ("resolve_model", "resolve_data"):
        monkeypatch.setattr(work, name, refusing(getattr(work, name)))
    for name, value in (("SCHEDULER", "inline"), ("DEMO", "0"), ("DEVICE", "cpu")):
        monkeypatch.setenv(f"PENULTIMATE_{name}", value)

    def opened(home: Path, page: str = "home.py", **query: object) -> AppTest:
        monkeypatch.setenv("PENULTIMATE_HOME", str(home))
        at = AppTest.from_file(str(MAIN), default_timeout=60)
        at.run()
        if page != "home.py" or query:
            for name, value in query.items():
                at.query_params[name.rstrip("_")] = value
            at.switch_page(page).run()
        return at

    yield opened
    shutdown()
    st.cache_resource.clear()


def settle(at: AppTest) -> AppTest:
    """Run the page again until nothing is being computed for it."""
    from backend import open_workbench

    idle = 0
    for _ in range(300):
        at.run()
        live = any(job.kind != "warm-up" for job in open_workbench().live_jobs())
        idle = 0 if live else idle + 1
        if idle == 3:  # one answer may be what the next question waits for
            return at
        time.sleep(0.05)
    raise AssertionError("the page's jobs did not end")


def charts(at: AppTest) -> dict[str, dict]:
    """The page's figures by the key of their chart."""
    found = [element.proto for element in at.get("plotly_chart")]
    return {proto.id.split("-", 2)[-1]: json.loads(proto.spec) for proto in found}


def told(at: AppTest, name: str) -> list[str]:
    """What the URL says of a parameter."""
    value = at.query_params.get(name, [])
    return [value] if isinstance(value, str) else list(value)


def said(at: AppTest) -> str:
    """Everything that the page says in words."""
    parts = (at.title, at.markdown, at.caption, at.error, at.info, at.warning)
    return "\n".join(str(element.value) for part in parts for element in part)


def check(at: AppTest) -> AppTest:
    """Nothing went wrong, not even politely."""
    assert not at.exception, [e.value for e in at.exception]
    assert not at.error, [e.value for e in at.error]
    return at
