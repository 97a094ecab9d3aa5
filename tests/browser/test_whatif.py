"""Skip and quantize in a real browser: painting the strip, and what the changed model says."""

import json
import re

from tests.browser import drawn

TEXT = "the cat runs in the city ."


def opened(dashboard, open_page, **query):
    page = open_page(
        dashboard.url("whatif", model=dashboard.world.llama, data=dashboard.world.texts, text=TEXT,
                      **query)
    )  # fmt: skip
    strip(page).nth(2).wait_for()
    said(page, "nats per token")
    return page


def strip(page):
    return page.locator(".st-key-instrument .cell")


def said(page, text: str) -> str:
    found = page.locator("strong", has_text=text).first
    found.wait_for(timeout=60_000)  # the first answer waits for the worker to open the model
    return found.text_content()


def choose(page, tool: str) -> None:
    page.locator(".st-key-tool").get_by_text(tool, exact=True).click()
    page.wait_for_function("t => location.search.includes(t)", arg=f"tool={tool.replace(' ', '+')}")
    drawn.settled(page)


def drag(page, first: int, last: int) -> None:
    """From one square to another, as a quick hand does: few places in between."""
    boxes = [strip(page).nth(i).bounding_box() for i in (first, last)]
    places = [(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2) for b in boxes]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=1)
    page.mouse.up()


def test_a_click_skips_a_layer_and_the_text_goes_on_otherwise(dashboard, open_page):
    page = opened(dashboard, open_page)
    assert said(page, "The model as it is")
    assert strip(page).count() == 3
    strip(page).nth(1).click()
    assert "With skip:1 the loss goes from" in said(page, "With skip:1")
    assert re.search(r"[?&]whatif=skip%3A1(&|$)", page.url)
    assert "skip" in strip(page).nth(1).get_attribute("class")
    assert strip(page).nth(1).get_attribute("aria-label") == "layer 1: whole layer skipped"
    bars = drawn.chart(page, "next-tokens").evaluate("e => e._fullData.map(t => t.name)")
    assert bars == ["baseline", "what-if"]
    page.reload()
    said(page, "With skip:1")
    strip(page).nth(1).click()  # a second click takes it back
    said(page, "The model as it is")
    page.get_by_role("button", name="Undo").click()
    said(page, "With skip:1")


def test_a_drag_sets_bits_and_keys_walk_the_strip(dashboard, open_page):
    page = opened(dashboard, open_page, tool="as it is")
    choose(page, "3 bits")
    drag(page, 0, 2)
    said(page, "With bits:3=0-2")
    assert [strip(page).nth(i).text_content() for i in range(3)] == ["3", "3", "3"]
    choose(page, "8 bits")
    strip(page).nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    said(page, "With bits:8=1,3=0,2")
    page.get_by_role("button", name="Clear").click()
    said(page, "The model as it is")


def test_the_curve_marks_the_what_if_and_the_rest_can_be_taken_away(dashboard, open_page):
    page = opened(dashboard, open_page, whatif="bits:4=0-1,3=2")
    page.get_by_role("button", name="Compute").click()
    budget = drawn.chart(page, "budget")
    names = budget.evaluate("e => e._fullData.map(t => t.name)")
    assert {"LIM", "what-if"} <= {n.split(",")[0] for n in names}
    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Assignment (torchao").click()
    record = json.loads(saved.value.path().read_text())
    assert record["_type"] == "FqnToConfig"
    page.get_by_role("link", name="Compare layers under this what-if").click()
    page.get_by_role("heading", name="What changes from layer to layer?").wait_for()
    page.get_by_text("4 bits in layers 0-1, 3 bits in layer 2").wait_for()
    assert "what-if: bits:4=0-1,3=2" in drawn.chart(page, "cloud").text_content()


def test_a_phone_can_paint_too(dashboard, open_page):
    page = open_page(
        dashboard.url("whatif", model=dashboard.world.llama, data=dashboard.world.texts, text=TEXT),
        width=390, height=844,
    )  # fmt: skip
    box = strip(page).nth(2).bounding_box()
    assert box["x"] + box["width"] <= 390
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
