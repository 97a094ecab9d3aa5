"""Compare layers: what the figures hold, what the URL drives, and what goes wrong politely."""

from pathlib import Path
from threading import Event

import pytest

from tests.pages.conftest import charts, check, said, settle, told
from tests.pages.material import ROWS, SUBJECTS

PAGE = "compare.py"
SITES = ["embed", "resid_post.0", "resid_post.1", "resid_post.2"]


@pytest.fixture
def compare(visit, filled, world):
    """The language model on the texts, with more parameters of the URL."""

    def opened(**query: object):
        return visit(filled, PAGE, **({"model": world.llama, "data": world.texts} | query))

    return opened


def rows_of(figure: dict) -> set[int]:
    return {row for trace in figure["data"] for row in decoded(trace["customdata"])}


def decoded(values) -> list:
    """A column of a trace: plain, or packed as base64."""
    if not isinstance(values, dict):
        return values
    from base64 import b64decode

    import numpy as np

    return np.frombuffer(b64decode(values["bdata"]), dtype=values["dtype"]).tolist()


def test_the_first_view_has_the_cloud_the_map_and_the_strip(compare):
    at = check(compare())
    drawn = charts(at)
    assert {"strip", "cloud", "cka-hero", "cka-map", "cka-row"} == set(drawn)
    assert [t["name"] for t in drawn["cloud"]["data"]] == list(SUBJECTS)
    assert rows_of(drawn["cloud"]) == set(range(ROWS))
    assert len(drawn["cka-hero"]["layout"]["shapes"]) == 2  # the current layer's row and column
    assert drawn["strip"]["data"][0]["customdata"] == SITES
    assert at.select_slider(key="site").value == SITES[-1]
    assert "debiased CKA of" in said(at)


def test_the_slider_moves_the_points_and_not_the_axes(compare):
    at = compare()
    before = charts(at)["cloud"]
    at.select_slider(key="site").set_value("resid_post.0").run()
    after = charts(check(at))["cloud"]
    assert after["layout"]["title"]["text"].startswith("Rows at block 0")
    assert after["data"][0]["x"] != before["data"][0]["x"]
    for axis in ("xaxis", "yaxis"):
        assert after["layout"][axis]["range"] == before["layout"][axis]["range"]


@pytest.mark.parametrize(
    ("name", "value", "widget"),
    [
        ("site", "resid_post.1", "select_slider"),
        ("colour", "words", "selectbox"),
        ("beside", "another layer", "selectbox"),
        ("rows", "256", "selectbox"),
        ("pooling", "mean", "selectbox"),
        ("seed", "3", "number_input"),
        ("where", "subject", "selectbox"),
        ("measure", "mknn", "segmented_control"),
        ("line", "embed", "select_slider"),
    ],
)
def test_the_url_drives_the_widgets_and_keeps_its_words(compare, name, value, widget):
    at = settle(compare(**{name: value}))
    check(at)
    assert str(getattr(at, widget)(key=name).value) == value
    assert told(at, name) == [value]


def test_what_the_url_names_and_is_not_there_is_ignored(compare):
    at = check(compare(site="resid_post.99", colour="nothing", selected="7.x.-3"))
    assert at.select_slider(key="site").value == SITES[-1]
    assert at.selectbox(key="colour").value == "subject"
    assert "1 selected" in said(at)


def test_another_model_brings_its_own_layers_and_data(compare, world):
    at = compare(site="resid_post.2", colour="words")
    at.session_state["site"] = "resid_post.2"
    at.selectbox(key="model").set_value(world.vit)
    at = check(settle(at))
    assert "cloud" in charts(at)
    assert len(at.session_state["data"]) == 32  # the pictures at hand: nothing is fetched
    assert at.select_slider(key="site").value in at.select_slider(key="site").options


@pytest.mark.parametrize(
    ("tab", "drawn"),
    [
        ("Similarity", {"cka-map", "cka-row"}),
        ("Profile", {"profile-lines"}),
        ("Logit lens", {"lens-grid", "lens-ranks"}),
        ("Projection quality", set()),
        ("Papers", set()),
        ("Export", set()),
    ],
)
def test_every_tab_opens(compare, tab, drawn):
    at = check(settle(compare(tab=tab)))
    assert drawn | {"cloud", "strip", "cka-hero"} == set(charts(at))
    if tab != "Similarity":
        assert told(at, "tab") == [tab]


def test_the_lens_reads_the_text_of_the_url(compare):
    at = check(settle(compare(tab="Logit lens", text="paris is red", shade="entropy")))
    grid = charts(at)["lens-grid"]["data"][0]
    assert len(grid["text"]) == 4 and all(len(row) == 3 for row in grid["text"])


def test_the_lens_says_why_an_encoder_has_none(visit, filled, world):
    at = check(settle(visit(filled, PAGE, model=world.bert, data=world.texts, tab="Logit lens")))
    assert "does not predict next tokens" in said(at)


def test_a_selection_greys_the_others_in_both_clouds(compare):
    at = check(compare(beside="another layer", selected="3.7.21"))
    drawn = charts(at)
    for key in ("cloud", "cloud2"):
        lit = set()
        for trace in drawn[key]["data"]:
            rows = decoded(trace["customdata"])
            lit |= {rows[i] for i in decoded(trace["selectedpoints"])}
        assert lit == {3, 7, 21}
    assert "3 selected** of 48 rows" in said(at)
    assert at.dataframe[0].value["row"].tolist() == [3, 7, 21]
    assert said(at).count("Nearest to row 3 at") == 2


def test_a_selection_can_be_cleared_and_brought_back(compare):
    at = compare(selected="3.7")
    at.button(key="clear").click().run()
    assert not told(at, "selected") and "3 selected" not in said(at)
    at.button(key="undo").click().run()
    assert told(at, "selected") == ["3.7"]
    assert "2 selected" in said(check(at))


def test_a_row_goes_to_the_lens(compare, world):
    at = compare(selected="5")
    at.button(key="lens-of-row").click()
    at = check(settle(at))
    text = Path(world.texts).read_text().splitlines()[6].rsplit(",", 2)[0].strip('"')
    assert at.text_input(key="text").value == text
    assert "lens-grid" in charts(at)


def test_a_row_filter_draws_only_those_rows(compare):
    at = check(compare(where="subject", is_=["cities", "colours"]))
    assert rows_of(charts(at)["cloud"]) == {i for i in range(ROWS) if i % 3}
    assert told(at, "is") == ["cities", "colours"]
    assert "32 of 48 rows pass" in said(at)
    at.selectbox(key="where").set_value("words").run()
    assert check(at).multiselect(key="is").value == []
    assert rows_of(charts(at)["cloud"]) == set(range(ROWS))


def test_play_starts_at_the_first_layer_and_stops_at_the_last(compare):
    at = compare()
    at.button(key="play").click().run()
    assert at.select_slider(key="site").value == SITES[0]
    assert at.button(key="play").label == "Pause"
    at.session_state["site"] = SITES[-2]
    at.session_state["playing"] = 1.0  # long ago
    at.run()
    assert at.select_slider(key="site").value == SITES[-1]
    assert check(at).button(key="play").label == "Play"


def test_umap_leaves_pca_in_its_place_until_it_is_ready(compare, monkeypatch):
    from backend import work

    ready, analyse = Event(), work.analyse

    def slow(settings, key, views, source, seed, parameters, *rest):
        while parameters.get("method") == "umap" and not ready.wait(0.02):
            rest[-1].check()
        return analyse(settings, key, views, source, seed, parameters, *rest)

    monkeypatch.setattr(work, "analyse", slow)
    at = compare(method="umap")
    assert "PCA until UMAP is ready" in said(check(at))
    assert charts(at)["cloud"]["layout"]["xaxis"]["title"]["text"] == "PCA 1"
    stop = next(b for b in at.button if b.label == "Stop")
    stop.click()
    at = settle(at)
    assert "UMAP was stopped" in said(at)
    assert any(b.label == "Start again" for b in at.button)


def test_a_failure_says_why_and_can_be_tried_again(visit, home, world, monkeypatch):
    from backend import work
    from backend.errors import AnalysisError

    def fails(*_):
        raise AnalysisError("The rows are all equal.", "Choose other data.")

    with monkeypatch.context() as broken:
        broken.setattr(work, "analyse", fails)
        at = settle(visit(home, PAGE, model=world.llama, data=world.texts))
    assert [e.value for e in at.error] == [
        "The projection could not be computed. The rows are all equal."
    ]
    assert "Choose other data." in said(at) and not at.exception
    next(b for b in at.button if b.label == "Start again").click()
    assert "cloud" in charts(check(settle(at)))


def test_a_bug_in_a_job_is_said_and_does_not_end_the_page(visit, home, world, monkeypatch):
    from backend import work

    monkeypatch.setattr(work, "analyse", lambda *_: 1 / 0)
    at = settle(visit(home, PAGE, model=world.llama, data=world.texts))
    assert "ZeroDivisionError" in at.error[0].value and not at.exception


def test_a_model_that_does_not_exist_is_fetched_only_when_asked(visit, filled, world):
    at = check(visit(filled, PAGE, model="nobody/nothing", data=world.texts))
    assert "fetched from the hub first" in said(at) and not charts(at)
    next(b for b in at.button if b.label == "Compute").click()
    at = settle(at)
    assert "nobody/nothing" in at.error[0].value and not at.exception


def test_data_of_the_wrong_kind_is_refused(visit, filled, world):
    at = settle(visit(filled, PAGE, model=world.llama, data=world.images))
    assert len(at.error) == 1 and "reads text" in at.error[0].value
    assert set(charts(at)) <= {"strip"} and not at.exception


def test_pictures_are_shown_for_pictures(visit, filled, world):
    at = check(visit(filled, PAGE, model=world.vit, data=world.images, selected="0.5"))
    captions = [image.caption for block in at.get("image") for image in block.proto.imgs]
    assert captions[:2] == ["row 0", "row 5"] and len(captions) == 2 + 8


def test_the_export_tab_offers_every_file_and_the_link(compare):
    at = check(compare(tab="Export", site="resid_post.1", selected="2.4"))
    labels = [button.proto.label for button in at.get("download_button")]
    for name in ("SVG", "PNG", "PDF", "HTML", "projection.csv", "Everything (zip)"):
        assert name in labels
    link = at.code[0].value
    assert "site=resid_post.1" in link and "selected=2.4" in link and "tab=Export" in link
    assert "projection" in at.code[1].value


def test_the_papers_tab_holds_findings_against_what_is_measured(compare):
    at = check(compare(tab="Papers"))
    assert "Kornblith et al. 2019" in said(at)
    assert any("key " in c.value for c in at.caption)
