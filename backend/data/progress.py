"""How far a long read has come."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]  # done, total, what is being done

_REPORTS = 200  # a report crosses a process border; more than this many tell nobody more


def report(progress: Progress | None, done: int, total: int, what: str) -> None:
    """Pass on every so many steps, and the last one."""
    if progress and (done % max(1, total // _REPORTS) == 0 or done == total):
        progress(done, total, what)
