"""Two models side by side: the tab by itself, on pictures and a tiny vision model."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import MAIN, charts, check, said, settle
from tests.pages.material import write_images

SCRIPT = f"""
import sys
sys.path.insert(0, {str(MAIN.parent)!r})
import ui
from complexity_models import models_tab
models_tab(ui.bench())
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Pictures enough to fit probes on."""
    return str(write_images(tmp_path_factory.mktemp("many") / "many.zip", 96))


@pytest.fixture
def tab(visit, filled, world, many, monkeypatch):
    def opened(**query: object):
        monkeypatch.setenv("PENULTIMATE_HOME", str(filled))
        at = AppTest.from_string(SCRIPT, default_timeout=60)
        for name, value in ({"model": world.vit, "data": many} | query).items():
            at.query_params[name] = value
        at.session_state["dictionary"], at.session_state["atoms"] = "pca", 8  # the page's settings
        return settle(at)

    return opened


def test_without_a_what_if_a_second_model_is_asked_for(tab):
    at = check(tab())
    assert "Choose what to compare with" in said(at) and not charts(at)
    assert at.selectbox(key="against-model").value is None


def test_a_changed_model_stands_beside_the_model_as_it_is(tab):
    at = check(tab(whatif="skip:1"))
    assert not charts(at), "it waits for a click"
    next(b for b in at.button if b.label == "Compute").click()
    at = check(settle(at))
    assert {"match-distributions", "match-pairs"} == set(charts(at))
    assert "pairs of features" in said(at) and "vit, as it is" in said(at)
    first = at.selectbox(key="pair").value
    shown = [m.value for m in at.markdown if "What excites feature" in m.value]
    assert [f"feature {n} " in m for n, m in zip(first.split(" with "), shown, strict=True)]
    at.selectbox(key="pair").select_index(1).run()
    ring = [t for t in charts(at)["match-pairs"]["data"] if t["name"] == "selected"]
    table = {f"{a} with {b}" for a, b in _pairs(at)}
    assert len(ring) == 1 and at.selectbox(key="pair").value in table
    at.segmented_control(key="against-pair").set_value("complexity_in_other").run()
    axis = charts(check(at))["match-pairs"]["layout"]["yaxis"]["title"]["text"]
    assert axis.startswith("complexity of the same feature")


def _pairs(at):
    found = next(d.value for d in at.dataframe if "correlation" in d.value.columns)
    return zip(found["feature_a"], found["feature_b"], strict=True)
