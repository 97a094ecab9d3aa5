"""A step of the layer slider on the Compare page, at 20 000 points, from key to new picture.

Both times are taken by the page itself: when it receives the key, and the frame after the one that
has the new title; plotly draws points and title in one go. Rendering is by software. Steps go to
layers that were not shown before and, on the way back, to the same layers again.
"""

from pathlib import Path
from urllib.parse import urlencode

from measure import Line
from server import browser, dashboard, empty, free_port, serving
from tall import build

ROWS = 20_000
CLOUD = ".st-key-cloud .js-plotly-plot"
FLOOR = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st

@st.fragment
def main():
    layer = st.select_slider("Layer", range(31), value=30)
    x, y = np.random.default_rng(layer).standard_normal((2, %d), dtype=np.float32)
    figure = go.Figure(go.Scattergl(x=x, y=y, mode="markers"), {"title": {"text": f"{layer}"}})
    st.plotly_chart(figure, key="cloud")

main()
"""
WATCH = """() => new Promise((resolve, reject) => {
  const title = () => document.querySelector('CLOUD .gtitle')?.textContent;
  const before = title();
  let start = 0;
  document.addEventListener('keydown', () => { start = performance.now(); },
                            {capture: true, once: true});
  const look = () => {
    if (start && title() && title() !== before) {
      requestAnimationFrame(() => resolve(performance.now() - start));
    } else if (start && performance.now() - start > 30000) {
      reject(new Error(`no new picture within 30 s; it is ${title()}`));
    } else {
      requestAnimationFrame(look);
    }
  };
  look();
})""".replace("CLOUD", CLOUD)


def run(pairs: int, folder: Path) -> list[Line]:
    """Steps on our page, and on one of a slider and the same number of points: the floor."""
    query = urlencode(build(folder / "home", ROWS))
    script, port = folder / "floor.py", free_port()
    with browser() as opened:
        with serving(empty(port, script, FLOOR % ROWS), port) as address:
            floor, _ = _steps(opened, address, pairs)
        port = free_port()
        with serving(dashboard(port, folder / "home"), port) as address:
            new, again = _steps(opened, f"{address}/compare?{query}", pairs)
    return [
        Line("slider", f"to a new layer, {ROWS:,} points", new, "ms", bar=300),
        Line("slider", "to a layer seen before", again, "ms", bar=300),
        Line("slider", "a page of slider and points only", floor, "ms"),
        Line("slider", "to a new layer / that page",
             tuple(a / b for a, b in zip(new, floor, strict=True))),
    ]  # fmt: skip


def _steps(opened, address: str, n: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Milliseconds of n steps up to earlier layers, after one that does not count, and back."""
    page = opened.new_page(viewport={"width": 1400, "height": 1200})
    page.goto(address)
    page.wait_for_selector(f"{CLOUD} .gtitle", timeout=120_000)
    shown = page.locator(CLOUD).evaluate("p => p._fullData.reduce((n, t) => n + t._length, 0)")
    if shown != ROWS:
        raise RuntimeError(f"{address} shows {shown} points, not {ROWS}.")
    page.wait_for_timeout(5000)  # the other charts of the page are drawn
    new = [_step(page, "ArrowLeft") for _ in range(n + 1)]
    again = [_step(page, "ArrowRight") for _ in range(n)]
    page.close()
    return tuple(new[1:]), tuple(again)


def _step(page, key: str) -> float:
    """Milliseconds from the key to the picture."""
    page.wait_for_timeout(1500)  # the last step has settled
    page.get_by_role("slider", name="Layer").first.focus()
    page.evaluate(f"() => {{ window.step = ({WATCH})(); }}")
    page.keyboard.press(key)
    return float(page.evaluate("() => window.step"))
