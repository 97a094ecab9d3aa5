"""Raters: the ruler, bounds and dropping, items whose text is hidden, and the learning half."""

from functools import partial

import pytest

from backend.preferences import rater_tastes
from tests.pages.conftest import charts, check, said, settle, told

PAGE = "raters.py"


@pytest.fixture
def page(visit, filled, world):
    """The ratings on disk, with more parameters of the URL."""

    def opened(**query: object):
        return settle(visit(filled, PAGE, **({"data": world.ratings} | query)))

    return opened


def test_the_first_view_is_the_ruler(page):
    at = check(page())
    assert {"wright", "severities", "rater-fit"} <= set(charts(at))
    assert "Who rated which item makes 0 (0 to 0) %" in said(at) and "720 ratings" in said(at)


def test_the_erratic_rater_is_dropped_and_items_are_compared(page):
    at = check(page())
    at.button(key="drop-flagged").click().run()
    at = check(settle(at))
    assert "before-after" in charts(at) and "without 1 raters" in said(at)
    assert told(at, "refit") == ["true"]
    at.button(key="take-back").click().run()
    assert "before-after" not in charts(check(settle(at)))


def test_what_was_dropped_holds_in_every_tab(page):
    at = check(page(refit="true", tab="Papers"))
    assert "without 1 raters" in said(at)
    at.run()
    assert "without 1 raters" in said(check(at))


def test_bounds_move_at_once_and_count_only_when_they_are_used(page):
    at = check(page())
    at.slider(key="bounds").set_value((0.9, 1.05)).run()
    assert "raters lie outside" in said(at)
    at.button(key="use-bounds").click().run()
    at = check(settle(at))
    assert told(at, "infit_low") == ["0.9"] and told(at, "infit_high") == ["1.05"]


def test_an_items_text_is_hidden_until_it_is_asked_for(page):
    at = check(page(tab="Items", item="item 3"))
    shown = [str(t.value) for t in at.text]
    assert shown == [] and "the cat runs in city 3" not in said(at)
    at.toggle(key="show-text").set_value(True).run()
    assert [str(t.value) for t in check(at).text] == ["the cat runs in city 3 ."]


@pytest.mark.parametrize(("tab", "chart"), [("Criteria", "curves"), ("Residuals", "residual-map")])
def test_every_tab_draws_its_picture(page, tab, chart):
    assert chart in charts(check(page(tab=tab)))


def test_an_interaction_is_a_forest(page):
    at = check(page(tab="Interactions", interaction="panel x criterion"))
    assert "forest" in charts(at) and "cells of panel x criterion" in said(at)


def test_harshness_is_told_from_taste(page, monkeypatch):
    quick = partial(rater_tastes.fit_raters, steps=12)
    monkeypatch.setattr(rater_tastes, "fit_raters", quick)
    at = page(tab="Harshness or taste")
    (button,) = [b for b in check(at).button if b.label == "Compute"]
    button.click().run()
    at = check(settle(at))
    assert "harsh-steps" in charts(at) and "millinats a rating" in said(at)


def test_a_layer_predicts_the_debiased_score(page, world):
    at = page(tab="Scores from a layer", model=world.llama)
    (button,) = [b for b in check(at).button if b.label == "Compute"]
    button.click().run()
    at = check(settle(at))
    assert {"rated", "rated-layers", "components", "rated-calibration"} <= set(charts(at))


def test_words_that_cannot_be_read_are_said(page):
    at = page(facet="panel", collapse="kind:0,0,1")
    assert not at.exception and at.error
