"""Skip and quantize: what the strip and the URL change, what is drawn, and what is refused."""

import json

import pytest

from tests.pages.conftest import charts, check, said, settle, told

PAGE = "whatif.py"
TEXT = "the cat runs in the city ."


@pytest.fixture
def page(visit, filled, world):
    """The language model on the texts, with more parameters of the URL."""

    def opened(**query: object):
        given = {"model": world.llama, "data": world.texts, "text": TEXT} | query
        return settle(visit(filled, PAGE, **given))

    return opened


def cells(at) -> list[dict]:
    """What the strip was given to draw."""
    protos = [e.proto for e in at.get("bidi_component")]
    (strip,) = [p for p in protos if p.component_name.endswith("penultimate_layers")]
    return json.loads(strip.mixed.json if strip.HasField("mixed") else strip.json)["cells"]


def press(at, label: str):
    """Click the one button with this label and wait for what it started."""
    (button,) = [b for b in at.button if b.label == label]
    button.click().run()
    return settle(at)


def test_the_first_view_has_the_text_going_on_and_a_way_to_the_curve(page):
    at = check(page())
    assert set(charts(at)) == {"next-tokens"}
    assert "The model as it is" in said(at) and any(TEXT in c.value for c in at.code)
    assert [b.label for b in at.button if b.label == "Compute"] == ["Compute"]
    assert [m.label for m in at.metric][:2] == ["Loss, nats per token", "Size, MB"]
    assert all(not m.delta for m in at.metric)


def test_a_what_if_of_the_url_is_shown_in_words_and_numbers(page):
    at = check(page(whatif="bits:3=2+skip:0"))
    assert told(at, "whatif") == ["bits:3=2+skip:0"]
    assert "layer 0 skipped; 3 bits in layer 2" in said(at)
    assert "With skip:0+bits:3=2 the loss goes from" in said(at)
    assert len(charts(at)["next-tokens"]["data"]) == 2
    assert all(m.delta for m in at.metric[:2])
    assert [c["kind"] for c in cells(at)] == ["skip", "plain", "bits"]
    assert [c["words"] for c in cells(at)] == ["whole layer skipped", "as it is", "3 bits"]
    press(at, "Clear")
    assert not told(at, "whatif") and "The model as it is" in said(at)
    press(at, "Undo")
    assert "With skip:0+bits:3=2 the loss goes from" in said(check(at))


@pytest.mark.parametrize("typed", ["skip:7", "drop:1", "bits:9=0"])
def test_a_mistake_in_the_what_if_is_said_and_nothing_is_lost(page, typed):
    at = page(whatif=typed)
    assert not at.exception and len(at.error) == 1
    assert typed in at.error[0].value or "layer 7" in at.error[0].value
    at.text_input(key="whatif").set_value("skip:1")
    assert "With skip:1 the loss goes from" in said(check(settle(at)))


def test_the_sweep_draws_the_curve_the_scores_and_sets_an_order_on_the_strip(page):
    at = press(page(), "Compute")
    drawn = charts(check(at))
    assert {"budget", "layer-scores", "score-scatter", "width-lines"} <= set(drawn)
    assert "layers at 3 instead of 4 bits the loss is" in said(at)
    at.slider(key="low-layers").set_value(2).run()
    press(at, "Set on the strip")
    (whatif,) = told(at, "whatif")
    assert whatif.startswith("bits:4=") and ",3=" in whatif
    star = [t for t in charts(check(at))["budget"]["data"] if t.get("name") == "what-if"]
    assert len(star) == 1


def test_other_widths_are_another_sweep(page):
    at = page(pair="8 and 4")
    assert [b.label for b in at.button if b.label == "Compute"] == ["Compute"]
    at = press(at, "Compute")
    assert "layers at 4 instead of 8 bits the loss is" in said(check(at))


def test_an_encoder_is_told_what_to_pick(visit, filled, world):
    at = settle(visit(filled, PAGE, model=world.bert, data=world.texts))
    assert "does not predict next tokens" in at.info[0].value and not at.exception


def test_the_compare_page_holds_the_changed_model_against_the_untouched_one(visit, filled, world):
    at = settle(visit(filled, "compare.py", model=world.llama, data=world.texts,
                      whatif="skip:1", other="the model as it is"))  # fmt: skip
    drawn = charts(check(at))
    assert "layer 1 skipped" in said(at)
    assert "what-if: skip:1" in json.dumps(drawn["cloud"]["layout"]["title"])
    assert "skip:1" in json.dumps(drawn["cka-map"]["layout"])
    said_of = drawn["strip"]["data"][0]["hovertext"]
    assert [("skipped" in words) for words in said_of] == [False, False, True, False]
