"""Preferences: the first view, settings in the URL, tabs, a new person, and what is refused."""

import pytest

from tests.pages.conftest import charts, check, said, settle, told

PAGE = "preferences.py"
QUICK = {"max_k": "2", "seeds": "1", "restarts": "1"}


@pytest.fixture
def page(visit, filled, world):
    """The choices on disk, with more parameters of the URL."""

    def opened(**query: object):
        return settle(visit(filled, PAGE, **({"data": world.choices} | QUICK | query)))

    return opened


def test_the_first_view_says_how_many_tastes_there_are(page):
    at = check(page())
    assert "2 tastes (the most that was tried): one taste for all predicts" in said(at)
    assert {"tastes", "taste-accuracy", "divisions"} <= set(charts(at))
    names = {t.get("name") for t in charts(at)["taste-accuracy"]["data"]}
    assert {"held-out pairs", "new people", "majority", "Bradley-Terry on options"} <= names


def test_a_person_of_the_url_is_shown_with_weights_and_choices(page):
    at = check(page(person="p03", by="town"))
    assert [m.label for m in at.metric] == ["Taste 0", "Taste 1"]
    assert "30 choices, entropy" in said(at)
    assert any(t.get("name") == "selected" for t in charts(at)["tastes"]["data"])
    assert "Tastes by town" in charts(at)["divisions"]["layout"]["title"]["text"]


@pytest.mark.parametrize(
    ("tab", "chart"),
    [("What each taste likes", "likes"), ("A pair", "flip"), ("How sure", "fewshot"),
     ("Add a person", "place")],
)  # fmt: skip
def test_every_tab_draws_its_picture(page, tab, chart):
    assert chart in charts(check(page(tab=tab)))


def test_answers_move_a_new_person_and_can_be_taken_back(page):
    at = check(page(tab="Add a person"))
    before = charts(at)["place"]["layout"]["title"]["text"]
    assert before == "A new person, before any answer"
    for _ in range(4):
        at.button(key="take-a").click().run()
    assert "4 answers" in charts(check(at))["place"]["layout"]["title"]["subtitle"]["text"]
    at.button(key="undo-answer").click().run()
    assert "3 answers" in charts(check(at))["place"]["layout"]["title"]["subtitle"]["text"]
    at.button(key="start-over").click().run()
    assert charts(check(at))["place"]["layout"]["title"]["text"] == before


def test_a_model_describes_the_options_and_its_layers_are_compared(page, world):
    at = page(described="a model's layer", model=world.llama, tab="Which layer knows?")
    (button,) = [b for b in check(at).button if b.label == "Compute"]
    button.click().run()
    at = check(settle(at))
    assert (
        f"final of {world.llama}"[:30]
        in charts(at)["tastes"]["layout"]["title"]["subtitle"]["text"]
    )
    assert "taste-layers" in charts(at) and "held-out choices 2 tastes predict most" in said(at)


def test_the_what_if_is_shown_beside_the_model_as_it_is(page, world):
    at = check(page(described="a model's layer", model=world.llama, whatif="skip:1"))
    assert "With skip:1:" in said(at)
    names = [t.get("name") for t in charts(at)["taste-accuracy"]["data"]]
    assert "held-out pairs, what-if" in names


def test_the_papers_settings_are_set_with_one_click(page):
    at = check(page())
    at.button(key="paper-settings").click().run()
    assert [told(at, n) for n in ("ideal", "map", "loss")] == [["f(Pw)"], ["mlp2"], ["hinge"]]


def test_other_data_is_refused_in_words(page, world):
    at = page(data=world.texts)
    assert not at.exception and "reads choices" in at.error[0].value
