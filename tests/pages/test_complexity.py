"""Complexity: the map and the scatter, one feature with its pictures, and arrays from a file."""

import numpy as np
import pytest

from tests.pages.conftest import charts, check, said, settle
from tests.pages.material import write_images

PAGE = "complexity.py"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Pictures enough to fit probes on."""
    return str(write_images(tmp_path_factory.mktemp("many") / "many.zip", 96))


@pytest.fixture
def page(visit, filled, world, many):
    def opened(**query: object):
        given = {"model": world.vit, "data": many, "atoms": "32", "dictionary": "pca"} | query
        return settle(visit(filled, PAGE, **given))

    return opened


def test_the_first_view_has_map_scatter_profile_and_pictures(page):
    at = check(page())
    assert {"feature-map", "feature-scatter", "profile"} <= set(charts(at))
    assert "features have complexities from" in said(at)
    assert "What excites it most" in said(at)


def test_a_feature_of_the_url_is_shown(page):
    at = check(page(feature="3"))
    assert at.selectbox(key="feature").value == 3
    assert "eature 3" in charts(at)["profile"]["layout"]["title"]["text"]


@pytest.mark.parametrize(
    ("tab", "chart"), [("Features by layers", "heat"), ("What goes with it", "clusters")]
)
def test_every_tab_draws_its_picture(page, tab, chart):
    assert chart in charts(check(page(tab=tab)))


def test_a_model_without_branches_says_so(page):
    at = page(tab="Flow")
    assert not at.exception and any("no blocks with a skip" in i.value for i in at.info)


def test_arrays_of_a_file_need_no_model(visit, filled, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4))
    z = x[:, 0] * x[:, 1]
    np.savez(tmp_path / "made.npz", layer_0=x, layer_1=np.c_[x, z], targets=np.c_[z, x[:, 2]])
    from backend import open_workbench
    from backend.workbench import shutdown

    found = open_workbench(filled)
    ref = found.add_data(str(tmp_path / "made.npz")).hash
    shutdown()
    at = check(settle(visit(filled, PAGE, data=ref)))
    assert "2 features have complexities from" in said(at)
