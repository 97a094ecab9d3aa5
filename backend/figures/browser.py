"""One headless browser for all exports: started by the first, kept, and closed with the server.

`kaleido.start_sync_server` does the same, but waits for ever when the browser cannot start and
mixes up answers when two sessions export at once; so the loop is ours.
"""

import asyncio
import atexit
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import suppress

from backend.errors import UserError

_START_S, _RENDER_S = 60, 120
_REMEDY = (
    "Install Chromium (Debian: apt install chromium) or set BROWSER_PATH to a Chrome; "
    "SVG and PNG from the chart's camera button, HTML and JSON work without."
)


class BrowserMissing(UserError):
    """There is no Chrome or Chromium that can draw a file."""


class _Browser:
    """A kaleido renderer on its own event loop; safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kaleido = None

    def draw(self, figure: dict, *, form: str, width: int, height: int, scale: float) -> bytes:
        """The figure drawn as `form`; a browser that died is started once more."""
        opts = {"format": form, "width": width, "height": height, "scale": scale}
        for attempt in (1, 2):
            loop, renderer = self._started()
            work = asyncio.run_coroutine_threadsafe(renderer.calc_fig(figure, opts=opts), loop)
            try:
                return self._wait(work, _RENDER_S)
            except (OSError, RuntimeError, TookTooLong) as error:
                self.close()
                if attempt == 2:
                    raise BrowserMissing(
                        f"The browser did not draw the figure: {_first_line(error)}.", _REMEDY
                    ) from error
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Stop the browser, if there is one; the next export starts another."""
        with self._lock:
            loop, renderer = self._loop, self._kaleido
            self._loop = self._kaleido = None
        if loop is None:
            return
        leave = asyncio.run_coroutine_threadsafe(renderer.__aexit__(None, None, None), loop)
        # it may be dead or deaf already; its pipe closes with the loop
        with suppress(OSError, RuntimeError, TookTooLong):
            self._wait(leave, 10)
        loop.call_soon_threadsafe(loop.stop)

    def _started(self) -> tuple[asyncio.AbstractEventLoop, object]:
        with self._lock:
            if self._loop is None:
                self._loop, self._kaleido = self._start()
            return self._loop, self._kaleido

    def _start(self) -> tuple[asyncio.AbstractEventLoop, object]:
        from kaleido import Kaleido

        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True, name="figure-export").start()

        async def enter() -> object:
            # without MathJax, which kaleido would fetch from the internet for each start
            return await Kaleido(n=1, timeout=_RENDER_S, mathjax=False).__aenter__()

        try:
            return loop, self._wait(asyncio.run_coroutine_threadsafe(enter(), loop), _START_S)
        except (OSError, RuntimeError, ValueError, TookTooLong) as error:
            loop.call_soon_threadsafe(loop.stop)
            raise BrowserMissing(
                f"No browser could be started to draw the file: {_first_line(error)}.", _REMEDY
            ) from error

    @staticmethod
    def _wait(work: Future, seconds: float) -> object:
        try:
            return work.result(seconds)
        except TookTooLong:
            work.cancel()
            raise


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


_BROWSER = _Browser()
draw = _BROWSER.draw
close = _BROWSER.close
atexit.register(close)
