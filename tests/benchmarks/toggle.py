"""A layer toggled on the strip of *Skip and quantize*: from the click to the new loss and text.

SmolLM2, one short prompt that is continued by 16 tokens, in headless Chromium. Layers are skipped
one after the other, so that no answer is stored; the untouched model was asked before.
"""

from pathlib import Path

from material import settings, smollm2
from measure import Line
from server import browser, dashboard, free_port, serving

TEXT = "Once upon a time there was a little girl who"
CELLS = ".st-key-instrument .cell"
ANSWER = """old => [...document.querySelectorAll('strong')].some(
  e => e.textContent.includes('the loss goes from') && e.textContent !== old)"""


def run(pairs: int, folder: Path) -> list[Line]:
    """So many toggles, after one that does not count."""
    smollm2()
    port = free_port()
    with browser() as opened, serving(dashboard(port, settings().home), port) as address:
        page = opened.new_page(viewport={"width": 1400, "height": 1200})
        page.goto(f"{address}/whatif?data=demo:problems&text={TEXT}")
        page.wait_for_selector(CELLS, timeout=120_000)
        page.get_by_text("The model as it is:").wait_for(timeout=120_000)
        seconds = [_toggle(page, layer) for layer in range(3, 4 + pairs)]
        page.close()
    return [Line("toggle", "click to new loss and text", tuple(seconds[1:]), "s", bar=2.0)]


def _toggle(page, layer: int) -> float:
    page.wait_for_timeout(2000)  # the last one has settled
    said = page.locator("strong", has_text="nats per token").first
    old = said.text_content() if said.count() else ""
    page.evaluate("() => { window.start = performance.now(); }")
    page.locator(CELLS).nth(layer).click()
    page.wait_for_function(ANSWER, arg=old, timeout=60_000)
    return float(page.evaluate("() => (performance.now() - window.start) / 1000"))
