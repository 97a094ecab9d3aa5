"""Compare layers in a real browser: what is drawn, and what moves when the reader acts."""

import re
from xml.etree import ElementTree

from tests.browser import drawn

LASSO = [(0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98)]


def slider(page, key: str = "site"):
    return page.locator(f".st-key-{key} input[type=range]")


def test_the_cloud_travels_with_the_slider_and_the_address_keeps_the_layer(dashboard, open_page):
    page = open_page(dashboard.compare())  # a cold link to a page, not to the root
    drawn.wait_title(page, "block 2")
    assert scroll_width(page) <= 1280
    one, two = (drawn.chart(page, key).bounding_box() for key in ("cloud", "cka-hero"))
    assert abs(one["y"] - two["y"]) < 2 and one["height"] == two["height"]
    before, place, axes = drawn.points(page), drawn.circles(page), drawn.axes(page)
    marked = drawn.frames(page, "cka-hero")
    assert len(before) == len(place) == 48 and marked
    slider(page).focus()
    page.keyboard.press("ArrowLeft")
    drawn.wait_title(page, "block 1")
    after = drawn.points(page)
    assert set(after) == set(before)
    moved = [row for row in after if after[row][:2] != before[row][:2]]
    assert len(moved) > 40 and drawn.circles(page) != place
    assert drawn.axes(page) == axes
    page.wait_for_function("() => location.search.includes('site=resid_post.1')")
    assert drawn.frames(page, "cka-hero") != marked
    page.reload()
    drawn.wait_title(page, "block 1")
    assert {r: p[:2] for r, p in drawn.points(page).items()} == {r: p[:2] for r, p in after.items()}


def test_a_lasso_selects_rows_everywhere(dashboard, open_page):
    page = open_page(dashboard.compare(beside="another layer", site="resid_post.1"))
    drawn.chart(page, "cloud2")
    drawn.settled(page)
    left_half = drawn.points(page)
    drawn.drag(page, "cloud", LASSO)
    said = page.get_by_text(re.compile(r"^\d+ selected of 48 rows"))
    said.wait_for()
    drawn.settled(page)
    first = {row for row, at in drawn.points(page, "cloud").items() if at[2]}
    second = {row for row, at in drawn.points(page, "cloud2").items() if at[2]}
    assert 0 < len(first) < 48 and first == second
    assert int(said.text_content().split()[0]) == len(first)
    low, high = drawn.axes(page)[0]
    middle = (low + high) / 2
    assert first == {row for row, at in left_half.items() if at[0] < middle}
    chosen = re.search(r"selected=([\d.]+)", page.url)
    assert chosen and {int(row) for row in chosen[1].split(".")} == first

    page.reload()  # the address keeps the selection too
    said.wait_for()
    assert {row for row, at in drawn.points(page, "cloud2").items() if at[2]} == first
    page.get_by_role("button", name="Clear").click()
    said.wait_for(state="detached")
    assert all(at[2] for at in drawn.points(page).values())
    page.get_by_role("button", name="Undo").click()
    said.wait_for()
    drawn.settled(page)
    assert {row for row, at in drawn.points(page).items() if at[2]} == first


def test_the_inspector_lists_the_selected_and_their_neighbours_at_both_layers(dashboard, open_page):
    page = open_page(
        dashboard.compare(beside="another layer", site="resid_post.2", selected="3.7.21")
    )
    page.get_by_text("3 selected").wait_for()
    with page.expect_download() as saved:
        page.get_by_test_id("stDownloadButton").get_by_role("button", name="csv").click()
    lines = saved.value.path().read_text().splitlines()
    assert [line.split(",")[0].strip('"') for line in lines[1:]] == ["3", "7", "21"]
    tables = page.locator("[class*=st-key-near-]")
    tables.nth(1).locator("canvas").first.wait_for()
    assert tables.count() == 2
    shown = [cells(tables.nth(i)) for i in range(2)]
    assert len(shown[0]) == len(shown[1]) == 8
    assert shown[0] != shown[1]
    page.get_by_role("button", name="Logit lens of row 3").click()
    words = drawn.chart(page, "lens-grid").evaluate("e => e._fullData[0].text.flat()")
    assert len(words) % 4 == 0 and all(words)  # a token for each layer and position
    assert "tab=Logit" in page.url


def cells(table) -> list[str]:
    """The rows of a drawn table, as a screen reader hears them; they follow its picture."""
    table.locator("canvas").first.wait_for()
    table.locator("tbody td").first.wait_for(state="attached")
    return table.evaluate(
        """e => [...e.querySelectorAll('tbody tr')]
        .map(r => [...r.querySelectorAll('td')].map(c => c.textContent).join(' '))"""
    )


def test_the_strip_and_the_play_button_move_the_layer(dashboard, open_page):
    page = open_page(dashboard.compare())
    squares = drawn.chart(page, "strip").locator(".point")
    assert squares.count() == 4
    box = squares.nth(0).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    drawn.wait_title(page, "embedding")
    page.get_by_role("button", name="Play").click()
    drawn.wait_title(page, "block 0")
    page.get_by_role("button", name="Pause").wait_for()
    drawn.wait_title(page, "block 2")
    page.get_by_role("button", name="Play").wait_for()
    assert "site=" not in page.url  # the last layer is what the page opens with


def test_a_row_filter_draws_only_those_rows(dashboard, open_page):
    page = open_page(dashboard.compare(where="subject", **{"is": "cities"}))
    page.get_by_text("16 of 48 rows pass").wait_for()
    drawn.settled(page)
    assert len(drawn.points(page)) == 16
    assert {row % 3 for row in drawn.points(page)} == {1}
    assert "n 16 of 48" in drawn.chart(page, "cloud").locator(".gtitle").first.evaluate(
        "e => e.closest('svg').textContent"
    )


def test_the_camera_saves_an_svg_that_names_the_result(dashboard, open_page):
    page = open_page(dashboard.compare())
    cloud = drawn.chart(page, "cloud")
    key = re.search(r"penultimate ([0-9a-f]{12})", cloud.text_content())[1]
    cloud.hover()
    with page.expect_download() as saved:
        cloud.locator(".modebar-btn[data-title*='Download plot']").click()
    text = saved.value.path().read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert f"penultimate {key}" in text


def test_a_phone_shows_the_picture_before_the_bench(dashboard, open_page):
    page = open_page(dashboard.compare(), width=390, height=844)
    box = drawn.chart(page, "cloud").bounding_box()
    assert box["width"] > 280 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert scroll_width(page) <= 390
    heading = page.get_by_role("heading", name="What changes from layer to layer?")
    heading.click(trial=True)  # nothing lies over it, not even the sidebar


def scroll_width(page) -> int:
    """How wide the page is that can be scrolled to."""
    return page.evaluate("() => document.documentElement.scrollWidth")


def test_dark_pages_have_dark_figures(dashboard, open_page):
    page = open_page(dashboard.compare(), scheme="dark")
    cloud = drawn.chart(page, "cloud")
    page.wait_for_function(
        "w => document.querySelector(w)?._fullLayout?.paper_bgcolor === '#14181D'",
        arg=drawn.CHART.format(key="cloud"),
    )
    assert cloud.evaluate("e => e._fullLayout.font.color") == "#E2E7EC"
    background = page.locator(".stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    assert background == "rgb(20, 24, 29)"
