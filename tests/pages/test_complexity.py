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


def test_groups_and_tree_are_by_what_the_url_says(page):
    at = check(page(tab="What goes with it", **{"groups-by": "complexity"}))
    assert {"clusters", "tree"} <= set(charts(at))
    assert charts(at)["tree"]["layout"]["title"]["text"].endswith("by mean complexity")
    assert "Not measured: sensitivity (set *Noise draws* above), stability" in said(at)


def test_what_was_not_measured_says_how_to_get_it(page):
    at = check(page(tab="Probes"))
    said = [i.value for i in at.info]
    assert any("set *Small nets on* to 8" in one for one in said)
    assert any("kind *pca* are not learned from a random start" in one for one in said)
    at = check(page(tab="Probes", dictionary="kmeans"))
    assert any("set *Learned again* to 3" in i.value for i in at.info)


def test_the_ladder_and_the_stability_are_drawn_and_said(page):
    at = check(page(tab="Probes", dictionary="kmeans", ladder="8", stability="3"))
    assert {"ladder-lines", "stability-scatter"} <= set(charts(at)) and not at.info
    assert "Over 8 features a small net " in said(at)
    assert "Learned again from 3 random starts" in said(at)
    assert "stability" in at.selectbox(key="colour").options
    tried = [o for o in at.selectbox(key="ladder-feature").options if o.startswith("feature")]
    assert len(tried) == 8
    at.selectbox(key="ladder-feature").set_value(int(tried[-1].split()[1])).run()
    assert tried[-1] in charts(check(at))["ladder-lines"]["layout"]["title"]["subtitle"]["text"]


def test_pictures_say_the_label_and_what_excites_them(page):
    at = check(page())
    images = [image for block in at.get("image") for image in block.proto.imgs]
    assert images and all(len(i.caption.split(" ", 1)) == 2 for i in images)
    assert {i.caption.split(" ", 1)[1] for i in images} <= {"red", "green", "blue"}


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
    at = check(settle(visit(filled, PAGE, data=ref, ladder="8", tab="Probes", map="umap")))
    assert "2 features have complexities from" in said(at)
    assert "Over 2 features a small net " in said(at) and "ladder-lines" in charts(at)
    assert "UMAP takes 8 features, here are 2" in said(at)
    assert any("kind *as given* are not learned" in i.value for i in at.info)
