"""Collapse in a real browser: a training under its epoch slider, and theory under its own."""

import pytest

from tests.browser import drawn


def slider(page, key: str):
    return page.locator(f".st-key-{key} input[type=range]")


def marked(page, epoch: int) -> int:
    """How many upright lines the course has at an epoch."""
    return sum(x0 == x1 == pytest.approx(epoch) for x0, x1, *_ in drawn.frames(page, "course"))


def steps(page) -> list[float]:
    """The singular values that the theory's picture draws last."""
    return drawn.chart(page, "spectrum").evaluate("e => Array.from(e._fullData.at(-1).y)")


def test_a_training_follows_its_slider_and_theory_follows_its_own(dashboard, open_page):
    world = dashboard.world
    query = {"model": world.vit, "data": world.images}
    page = open_page(dashboard.url("collapse", **query))
    *_, before, last = dashboard.epochs
    drawn.wait_title(page, f"epoch {last}", "plane")
    drawn.settled(page)
    assert scroll_width(page) <= 1280
    place, axes = drawn.circles(page, "plane"), drawn.axes(page, "plane")
    lines = [marked(page, e) for e in (before, last)]
    slider(page, "epoch").focus()
    page.keyboard.press("ArrowLeft")
    drawn.wait_title(page, f"epoch {before}", "plane")
    drawn.settled(page)
    moved = drawn.circles(page, "plane")
    assert len(moved) == len(place) > 50 and len(set(moved) - set(place)) > 40
    assert drawn.axes(page, "plane") == axes
    assert [marked(page, e) for e in (before, last)] == [lines[0] + 4, lines[1] - 4]
    page.wait_for_function("n => location.search.includes('epoch=' + n)", arg=before)

    page.get_by_role("tab", name="Theory").click()
    first = steps(page)
    drawn.settled(page)
    slider(page, "beta").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.search.includes('beta=')")
    page.wait_for_function(
        "([where, y]) => document.querySelector(where)._fullData.at(-1).y.at(-1) !== y",
        arg=[drawn.CHART.format(key="spectrum"), first[-1]],
    )
    assert len(steps(page)) == len(first) == 100

    phone = open_page(dashboard.url("collapse", **query), width=390, height=844)
    box = drawn.chart(phone, "plane").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    drawn.chart(phone, "course")
    drawn.settled(phone)
    assert scroll_width(phone) <= 390


def scroll_width(page) -> int:
    """How wide the page is that can be scrolled to."""
    return page.evaluate("() => document.documentElement.scrollWidth")
