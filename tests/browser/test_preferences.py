"""Preferences in a real browser: the map, a person under the mouse, and a new one who answers."""

import csv
import re

from tests.browser import drawn

QUICK = {"max_k": 2, "seeds": 1, "restarts": 1}


def opened(dashboard, open_page, *, width: int = 1280, height: int = 1400, **query):
    address = dashboard.url("preferences", data=dashboard.world.choices, **(QUICK | query))
    page = open_page(address, width=width, height=height)
    answer(page)
    drawn.chart(page, "tastes")
    drawn.settled(page)
    return page


def answer(page) -> str:
    """The sentence that the page opens with, once the tastes are fitted."""
    found = page.locator("strong", has_text="one taste for all predicts").first
    found.wait_for(timeout=60_000)
    return found.text_content()


def traces(page, key: str) -> dict[str, dict]:
    """What a chart draws, by the name in its legend."""
    return drawn.chart(page, key).evaluate(
        """e => Object.fromEntries(e._fullData.map(t => [t.name, {
            x: [...(t.x || [])], y: [...(t.y || [])], colour: t.marker?.color ?? t.line?.color,
            symbol: t.marker?.symbol, data: [...(t.customdata || [])], text: t.text}]))"""
    )


def place_of(page, name: str) -> tuple[float, float]:
    """Where a person's dot stands on the screen."""
    x, y = drawn.chart(page, "tastes").evaluate(
        """(e, name) => {
            const box = e.getBoundingClientRect(), {xaxis, yaxis} = e._fullLayout;
            for (const t of e._fullData) {
                const i = [...(t.customdata || [])].findIndex(
                    d => d[0] === 'person' && d[1] === name);
                if (i >= 0) return [box.x + xaxis._offset + xaxis.d2p(t.x[i]),
                                    box.y + yaxis._offset + yaxis.d2p(t.y[i])];
            }
        }""",
        name,
    )
    return x, y


def scroll_width(page) -> int:
    """How wide the page is that can be scrolled to."""
    return page.evaluate("() => document.documentElement.scrollWidth")


def test_the_answer_has_its_number_and_the_map_has_options_people_and_tastes(dashboard, open_page):
    page = opened(dashboard, open_page)
    said = re.search(r"2 tastes .*predicts ([\d.]+) % of held-out choices, 2 tastes ([\d.]+) %, "
                     r"([\d.]+) \(([\d.]+) to ([\d.]+)\) points more", answer(page))  # fmt: skip
    one, two, more, low, high = map(float, said.groups())
    assert abs(two - one - more) < 0.2 and 0 < low < more < high
    assert "(720 choices of 24 people)" in answer(page)
    assert scroll_width(page) <= 1280
    found = traces(page, "tastes")
    assert len(found["options"]["x"]) == 40
    groups = [found[f"taste {k}"] for k in range(2)]
    assert sum(len(g["x"]) for g in groups) == 24 and all(g["x"] for g in groups)
    assert len({g["colour"] for g in groups}) == 2
    assert len(found["tastes"]["x"]) == 2
    assert found["tastes"]["colour"] == [g["colour"] for g in groups]
    odd = [{int(name[1:]) % 2 for _, name in g["data"]} for g in groups]
    assert sorted(map(sorted, odd)) == [[0], [1]]  # the two tastes that were put in
    lines = traces(page, "taste-accuracy")
    assert lines["held-out pairs"]["x"] == [1, 2] and "new people" in lines
    assert lines["held-out pairs"]["y"][1] > lines["majority"]["y"][0]


def test_a_click_on_a_dot_selects_that_person(dashboard, open_page):
    page = opened(dashboard, open_page)
    page.mouse.click(*place_of(page, "p07"))
    page.wait_for_function("() => location.search.includes('person=p07')")
    drawn.settled(page)
    metrics = page.get_by_test_id("stMetric")
    metrics.nth(1).wait_for()
    shown = [float(v) for v in page.get_by_test_id("stMetricValue").all_text_contents()]
    assert len(shown) == 2 and abs(sum(shown) - 1) < 0.011
    page.get_by_text(re.compile(r"^30 choices, entropy")).wait_for()
    assert traces(page, "tastes")["selected"]["symbol"] == "circle-open"
    page.reload()
    answer(page)
    metrics.nth(1).wait_for()
    drawn.settled(page)
    assert "person=p07" in page.url and "max_k=2" in page.url
    assert [float(v) for v in page.get_by_test_id("stMetricValue").all_text_contents()] == shown


def test_a_cold_link_frames_its_person_on_the_map(dashboard, open_page):
    page = opened(dashboard, open_page, person="p07")
    page.get_by_test_id("stMetric").nth(1).wait_for()
    drawn.settled(page)
    found = traces(page, "tastes")
    assert "selected" in found
    groups = [found[f"taste {k}"] for k in range(2)]
    (x,) = [x for g in groups for x, (_, name) in zip(g["x"], g["data"], strict=True)
            if name == "p07"]  # fmt: skip
    assert found["selected"]["x"] == [x]


def test_people_are_coloured_by_their_town(dashboard, open_page):
    page = opened(dashboard, open_page, colour="town", by="town")
    found = traces(page, "tastes")
    assert {len(found[f"town {town}"]["x"]) for town in ("here", "there")} == {12}
    assert traces(page, "divisions")["taste 0"]["x"] == ["here", "there"]


def sweetness(dashboard) -> dict[str, float]:
    """How sweet, and not sour, each dish is."""
    with open(dashboard.world.choices, newline="") as file:
        rows = list(csv.DictReader(file))
    return {r[f"option_{s}"]: float(r[f"{s}_sweet"]) - float(r[f"{s}_sour"])
            for r in rows for s in "ab"}  # fmt: skip


def test_three_answers_move_a_new_person_and_one_can_be_taken_back(dashboard, open_page):
    page, sweet = opened(dashboard, open_page, tab="Add a person"), sweetness(dashboard)
    drawn.wait_title(page, "before any answer", "place")
    bars = [traces(page, "place")["trace 0"]["y"]]
    for number in range(1, 4):
        page.get_by_text(f"Question {number},").wait_for()
        drawn.settled(page)
        sides = [page.locator(f".st-key-take-{side} button") for side in "ab"]
        max(sides, key=lambda side: sweet[side.text_content().strip()]).click()
        wait_words(page, "place", f"{number} answers")
        drawn.settled(page)
        bars.append(traces(page, "place")["trace 0"]["y"])
    assert all(abs(sum(weights) - 1) < 1e-6 for weights in bars)
    assert max(abs(a - b) for a, b in zip(bars[-1], bars[0], strict=True)) > 0.1
    page.locator(".st-key-undo-answer button").click()
    wait_words(page, "place", "2 answers")
    page.get_by_text("Question 3,").wait_for()
    assert traces(page, "place")["trace 0"]["y"] == bars[2]
    page.locator(".st-key-start-over button").click()
    drawn.wait_title(page, "before any answer", "place")
    assert traces(page, "place")["trace 0"]["y"] == bars[0]


def wait_words(page, key: str, text: str) -> None:
    """Until a chart says this anywhere."""
    page.wait_for_function(
        "([where, text]) => document.querySelector(where)?.textContent.includes(text)",
        arg=[drawn.CHART.format(key=key), text],
    )


def test_the_address_keeps_the_settings_and_the_tab(dashboard, open_page):
    page = opened(dashboard, open_page, tab="A pair")
    drawn.chart(page, "flip")
    weight = page.locator(".st-key-weight-0 input[type=range]")
    weight.focus()
    before = traces(page, "flip")["now"]["x"]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([w, x]) => document.querySelector(w)._fullData[1].x[0] > x + 0.03",
        arg=[drawn.CHART.format(key="flip"), before[0]],
    )
    page.reload()
    answer(page)
    drawn.chart(page, "flip")
    assert "tab=A+pair" in page.url and "seeds=1" in page.url


def test_a_phone_shows_the_map_without_scrolling_aside(dashboard, open_page):
    page = opened(dashboard, open_page, width=390, height=844)
    box = drawn.chart(page, "tastes").bounding_box()
    assert box["width"] > 280 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert scroll_width(page) <= 390
    heading = page.get_by_role("heading", name="Do people want one thing, or several?")
    heading.click(trial=True)  # nothing lies over it, not even the sidebar
