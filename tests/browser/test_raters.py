"""Raters in a real browser: the ruler, bounds under the keyboard, dropping, and hidden texts."""

import re

from tests.browser import drawn

COUNT = re.compile(r"^(\d+) of (\d+) raters lie outside, surely")


def opened(dashboard, open_page, *, width: int = 1280, height: int = 1400, **query):
    address = dashboard.url("raters", data=dashboard.world.ratings, **query)
    page = open_page(address, width=width, height=height)
    answer(page)
    drawn.chart(page, "wright")
    drawn.settled(page)
    return page


def answer(page) -> str:
    """The sentence that the page opens with, once the ruler is fitted."""
    found = page.locator("strong", has_text="Who rated which item makes").first
    found.wait_for(timeout=60_000)
    return found.text_content()


def outside(page) -> tuple[int, int]:
    """How many raters the caption counts outside of the bounds, and of how many."""
    found = page.get_by_text(COUNT)
    found.wait_for()
    return tuple(int(n) for n in COUNT.match(found.text_content()).groups())


def bounds(page) -> list[float]:
    """Where the fit picture draws its bounds."""
    return drawn.chart(page, "rater-fit").evaluate(
        "e => e._fullLayout.shapes.filter(s => s.name?.startsWith('bound')).map(s => s.x0).sort()"
    )


def test_the_ruler_has_items_raters_criteria_and_thresholds(dashboard, open_page):
    page = opened(dashboard, open_page)
    assert "(720 ratings)" in answer(page)
    columns = drawn.chart(page, "wright").evaluate("e => e._fullData.map(t => t.y.length)")
    assert columns == [30, 12, 2, 6]
    names = drawn.chart(page, "wright").evaluate("e => e._fullLayout.annotations.map(a => a.text)")
    assert [n.split(":")[0] for n in names[:4]] == ["items", "raters", "criteria", "thresholds"]
    places = [
        drawn.chart(page, "wright").evaluate(f"e => e._fullLayout.yaxis{k}.range")
        for k in ("", 2, 3, 4)
    ]
    assert all(place == places[0] for place in places)  # one ruler
    assert scroll_width(page) <= 1280


def test_the_bounds_follow_the_keyboard_and_the_count_follows_them(dashboard, open_page):
    page = opened(dashboard, open_page)
    assert outside(page) == (1, 12) and bounds(page) == [0.5, 1.5]  # the one who answers at random
    odd = drawn.chart(page, "rater-fit").evaluate(
        "e => e._fullData.find(t => t.name === 'flagged').x[0]"
    )
    page.locator(".st-key-bounds [role=slider], .st-key-bounds input[type=range]").last.focus()
    steps = int((odd - 1.5) / 0.05) + 1
    for _ in range(steps):
        page.keyboard.press("ArrowRight")
    page.get_by_text("0 of 12 raters lie outside").wait_for()
    drawn.settled(page)
    low, high = bounds(page)
    assert low == 0.5 and odd < high < odd + 0.06
    assert "infit_high" not in page.url  # nothing is flagged anew yet
    page.locator(".st-key-use-bounds button").click()
    page.wait_for_function("() => location.search.includes('infit_high=')")
    page.locator("strong", has_text="0 misfit").first.wait_for()


def test_the_flagged_are_dropped_and_taken_back(dashboard, open_page):
    page = opened(dashboard, open_page)
    page.locator(".st-key-drop-flagged button").click()
    drawn.chart(page, "before-after")
    assert "without 1 raters the measures correlate" in answer(page)
    drawn.settled(page)
    assert drawn.chart(page, "wright").evaluate("e => e._fullData[1].y.length") == 11
    assert drawn.chart(page, "before-after").evaluate(
        "e => Math.max(...e._fullData.map(t => t.x.length))"
    ) == 30  # fmt: skip
    assert "refit=true" in page.url
    page.reload()
    drawn.chart(page, "before-after")
    page.locator(".st-key-take-back button").click()
    page.locator(".st-key-before-after").wait_for(state="detached")
    drawn.settled(page)
    assert drawn.chart(page, "wright").evaluate("e => e._fullData[1].y.length") == 12


def test_a_cold_link_frames_its_rater(dashboard, open_page):
    page = opened(dashboard, open_page, rater="r03")
    page.get_by_text(re.compile(r"^severity -?\d")).wait_for()
    drawn.settled(page)
    marked = drawn.frames(page, "severities")
    assert any(x0 == x1 for x0, x1, *_ in marked)


def test_a_click_on_a_rater_shows_what_was_unexpected(dashboard, open_page):
    page = opened(dashboard, open_page)
    x, y, name = drawn.chart(page, "severities").evaluate(
        """e => {
            const box = e.getBoundingClientRect(), {xaxis, yaxis} = e._fullLayout;
            const t = e._fullData.find(t => t.customdata), name = t.customdata[0];
            return [box.x + xaxis._offset + xaxis.d2p(t.x[0]),
                    box.y + yaxis._offset + yaxis.d2p(t.y[0]), String(name)];
        }"""
    )
    page.mouse.click(x, y)
    page.wait_for_function("n => location.search.includes('rater=' + n)", arg=name)
    page.get_by_text(re.compile(r"^severity -?\d.*, infit \d")).wait_for()


def test_an_items_text_is_hidden_until_it_is_asked_for(dashboard, open_page):
    page = opened(dashboard, open_page, tab="Items", item="item 3")
    toggle = page.locator(".st-key-show-text")
    toggle.wait_for()
    drawn.settled(page)
    text = page.get_by_text("the cat runs in city 3 .", exact=True)
    assert text.count() == 0
    toggle.locator("label").click()
    text.wait_for()
    toggle.locator("label").click()
    text.wait_for(state="detached")


def test_a_file_for_facets_is_taken_away(dashboard, open_page):
    page = opened(dashboard, open_page, tab="Export")
    with page.expect_download() as saved:
        page.locator(".st-key-facets-file button").click()
    lines = saved.value.path().read_text().splitlines()
    assert saved.value.suggested_filename == "ratings.facets.txt"
    assert "Facets = 3" in lines and "Model = ?,?,#,R3" in lines
    assert len(lines) - lines.index("Data =") - 1 == 720


def test_a_phone_shows_the_ruler_without_scrolling_aside(dashboard, open_page):
    page = opened(dashboard, open_page, width=390, height=844)
    box = drawn.chart(page, "wright").bounding_box()
    assert box["width"] > 280 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert scroll_width(page) <= 390
    heading = page.get_by_role("heading", name="How much of a score is the rater?")
    heading.click(trial=True)  # nothing lies over it, not even the sidebar


def scroll_width(page) -> int:
    """How wide the page is that can be scrolled to."""
    return page.evaluate("() => document.documentElement.scrollWidth")
