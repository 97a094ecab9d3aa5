"""First paint: from starting the server's process to the page's title in the browser.

The browser runs already; each start is a new process and a new, empty browser context. Ours opens
a store with a capture and results of it, as a second visit would.
"""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from measure import Line
from server import browser, dashboard, empty, free_port, serving
from tall import build

ROWS = 2_000
OURS, THEIRS = "What is here, and where do I start?", "Hello"


def run(pairs: int, folder: Path) -> list[Line]:
    """Ours and an app of one title, in turn; stopping a server is not counted."""
    build(folder / "home", ROWS)
    script = folder / "hello.py"
    times: dict[str, list[float]] = {OURS: [], THEIRS: []}
    with browser() as opened:
        for turn in range(-1, pairs):  # the first round does not count
            for title in (OURS, THEIRS) if turn % 2 else (THEIRS, OURS):
                port = free_port()
                command = empty(port, script)
                if title == OURS:
                    command = dashboard(port, folder / "home")
                seconds = _seconds(opened, command, port, title)
                if turn >= 0:
                    times[title].append(seconds)
    found = tuple(a / b for a, b in zip(times[OURS], times[THEIRS], strict=True))
    seconds = sorted(times[THEIRS])[pairs // 2]
    note = f"the empty app takes {seconds:.2f} s (median)"
    return [Line("paint", "first paint / empty app, cold", found, bar=1.5, note=note)]


def _seconds(opened, command: Sequence[str], port: int, title: str) -> float:
    start = perf_counter()
    with serving(command, port) as address:
        page = opened.new_context().new_page()
        page.goto(address)
        page.get_by_role("heading", name=title).wait_for(timeout=120_000)
        seconds = perf_counter() - start
        page.context.close()
    return seconds
