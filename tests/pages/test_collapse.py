"""Collapse: trainings done here, the bench's model, arrays, watched loops, the study, theory."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.pages.conftest import charts, check, said, settle
from tests.pages.material import write_images

PAGE = "collapse.py"
BENCH, OWN = "the model of the bench", "a loop of your own"
RECIPE = (
    "data={data}&label=label&net=mlp&blocks=2&width=8&batch=16&epochs=6&checkpoints=4"
    "&weight_decay=0.01"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A data folder with one small training, looked at, and a loop that was watched."""
    from backend import open_workbench
    from backend.workbench import shutdown

    folder = tmp_path_factory.mktemp("trained")
    data = str(write_images(folder / "images.zip", 60))
    found = open_workbench(folder / "home")
    run = found.runner.wait(found.submit_training(RECIPE.format(data=data)))
    found.run("collapse", model=run["checkpoints"][-1]["folder"], data=run["data"])
    shutdown()
    _watch(folder / "home")
    return folder / "home"


def _watch(home: Path) -> None:
    """Two epochs of a net that nobody trains."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from backend.watch import watch

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    y = torch.arange(30) % 3
    rows = DataLoader(TensorDataset(torch.randn(30, 4) + y[:, None], y), batch_size=10)
    watcher = watch(net, head=net[2], name="a loop", modules={"first": net[0]}, store=home)
    watcher.epoch(0, rows)
    watcher.epoch(1, rows)


def _saved(home: Path, folder: Path, **arrays: np.ndarray) -> str:
    """Arrays as data of that home; what names them."""
    from backend import open_workbench
    from backend.workbench import shutdown

    np.savez(folder / "made.npz", **arrays)
    ref = open_workbench(home).add_data(str(folder / "made.npz")).hash
    shutdown()
    return ref


@pytest.fixture
def page(visit, trained, world):
    """The page over that folder; what is asked for may have to be computed."""

    def opened(home: Path = trained, **query: object):
        given = {"model": world.vit, "data": world.images} | query
        at = visit(home, PAGE, **given)
        return settle(at) if "look" in query else at

    return opened


def test_without_a_training_the_page_says_what_to_do(visit, home, world):
    at = check(visit(home, PAGE, model=world.vit, data=world.images))
    assert "Train a net above, or look at the model of the bench." in said(at)
    assert "weight_decay=0.002" in said(at)  # the recipe that the button starts
    assert "Train" in [b.label for b in at.button] and not charts(at)


def test_a_training_is_shown_at_its_last_epoch(page):
    at = check(page())
    assert re.search(r"\*\*Training error .* NC1 goes .*rows \(train\), 3 classes", said(at))
    epochs = [int(e) for e in at.select_slider(key="epoch").options]
    assert epochs[0] == 0 and epochs[-1] == 6
    assert {"plane", "course", "heat", "depth", "over-epochs"} <= set(charts(at))
    assert "epoch 6" in charts(at)["plane"]["layout"]["title"]["text"]


def test_the_epoch_of_the_url_is_shown_everywhere(page):
    at = check(page(epoch=0, tab="Angles"))
    assert "epoch 0" in charts(at)["plane"]["layout"]["title"]["text"]
    assert "epoch 0" in str(charts(at)["cosines"]["layout"]["title"])
    at.select_slider(key="epoch").set_value(6).run()
    assert "epoch 6" in charts(check(at))["plane"]["layout"]["title"]["text"]
    assert "epoch 6" in str(charts(at)["cosines"]["layout"]["title"])


def test_the_rows_are_those_that_were_trained_on_or_held_out(page):
    at = check(page())
    at.segmented_control(key="part").set_value("held out").run()
    assert "(held out)" in str(charts(check(at))["plane"]["layout"])
    assert "(held out)" in str(charts(at)["heat"]["layout"])
    at.segmented_control(key="look").set_value(BENCH).run()
    assert settle(at).segmented_control(key="part").value == "all" and not at.exception


def test_every_tab_draws_its_picture(page):
    at = page()
    for tab, chart in (("Film", "film"), ("Angles", "cosines"), ("Classes", "classes"),
                       ("From layer to layer", "steps")):  # fmt: skip
        at.session_state["tab"] = tab
        assert chart in charts(check(at.run())), tab
    at.session_state["tab"] = "Papers"
    check(at.run())
    assert "Papyan, Han, Donoho 2020" in str([d.value for d in at.dataframe]) + said(at)
    at.session_state["tab"] = "Export"
    files = [d.label for d in check(at.run()).get("download_button")]
    assert {"trajectory.csv", "SVG", "Everything (zip)"} <= set(files)


def test_measures_are_called_as_in_the_papers(page):
    at = page()
    assert at.segmented_control(key="measure").options == [
        "NC1", "NC1~", "CDNV", "NC2", "NC2 norms", "NC2 angles", "nearest-centre error"
    ]  # fmt: skip
    at.segmented_control(key="measure").set_value("nc2_equinorm").run()
    assert any(c.value.startswith("NC2 norms: ") for c in check(at).caption)


def test_the_model_of_the_bench_is_taken_layer_by_layer(page):
    at = check(page(look=BENCH))
    assert {"plane", "course", "depth"} <= set(charts(at)) and "over-epochs" not in charts(at)
    assert "NC1~ goes from" in said(at) and "24 rows (all), 3 classes" in said(at)
    assert at.selectbox(key="classes-in").options[:3] == ["the most even column", "name", "label"]
    at.selectbox(key="classes-in").set_value("label").run()
    assert {"plane", "course", "depth"} <= set(charts(check(settle(at))))


def test_arrays_of_a_file_need_no_model(page, trained, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.normal(size=(90, 5)) + 4 * np.eye(3, 5)[y]
    given = {"features": x, "labels": y, "weight": 4 * np.eye(3, 5), "bias": np.zeros(3)}
    ref = _saved(trained, tmp_path, **given)
    at = check(page(look=BENCH, data=ref))
    assert "90 rows (all), 3 classes, 5 wide" in said(at) and "NC4 is" in said(at)
    assert {"plane", "course"} <= set(charts(at))
    at.session_state["tab"] = "From layer to layer"
    assert "needs the rows at two layers" in said(check(at.run()))
    at.session_state["tab"] = "Export"
    check(at.run())


def test_two_classes_have_no_plane(page, trained, tmp_path):
    x, y = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 2
    at = check(page(look=BENCH, data=_saved(trained, tmp_path, features=x, labels=y)))
    assert "2 classes" in said(at) and "A plane needs three classes" in said(at)
    assert "course" in charts(at) and "plane" not in charts(at)


def test_a_loop_of_ones_own_is_watched(page):
    at = check(page(look=OWN))
    assert "NC1 goes" in said(at) and {"plane", "course", "heat"} <= set(charts(at))
    assert at.select_slider(key="epoch").options == ["0", "1"]
    assert not at.get("expander")[0].proto.expanded
    for tab in ("Film", "Angles", "Classes", "From layer to layer", "Papers", "Export"):
        at.session_state["tab"] = tab
        check(at.run())


def test_without_a_watched_loop_the_code_is_there(visit, home, world):
    at = check(visit(home, PAGE, model=world.vit, data=world.images, look=OWN))
    assert any("watcher.epoch(epoch, loader)" in c.value for c in at.code)
    assert not charts(at)


def test_a_damaged_record_is_said(page, trained, tmp_path):
    home = shutil.copytree(trained, tmp_path / "copy")
    next(home.glob("watched/*/epoch-0001.npz")).write_bytes(b"no zip")
    at = page(home, look=OWN)
    assert not at.exception and "is damaged" in at.error[0].value


def test_the_study_asks_before_it_trains(page, trained, tmp_path):
    at = check(page(shutil.copytree(trained, tmp_path / "copy"), tab="Weight decay", seeds=1))
    assert "Weight decay study (5 trainings)" in said(at) and "study" not in charts(at)
    next(b for b in at.button if b.label == "Compute").click()
    at = check(settle(at.run()))
    assert "study" in charts(at) and "NC1 after 6 epochs: base" in said(at)
    assert "1 seeds say little" in said(at)


def test_some_classes_can_be_looked_at(page, trained, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 4
    given = {"features": rng.normal(size=(80, 5)) + 4 * np.eye(4, 5)[y], "labels": y}
    ref = _saved(trained, tmp_path, **given)
    at = check(page(look=BENCH, data=ref))
    at.multiselect(key="only").set_value(["0", "2", "3"]).run()
    at = check(settle(at))
    assert "60 rows (all), 3 classes" in said(at) and "Only 3 of 4 classes" in said(at)
    assert {t["name"] for t in charts(at)["plane"]["data"] if t.get("name")} >= {"0", "2", "3"}
    at.multiselect(key="only").set_value(["0"]).run()
    assert "80 rows (all)" in said(check(at)) and "Two classes or more" in said(at)


def test_the_gradient_flow_is_drawn_when_asked_for(page):
    at = check(page(tab="Theory", K=3, d=6, n=4))
    assert "flow-figure" not in charts(at)
    at.toggle(key="flow").set_value(True).run()
    assert len(charts(check(at))["flow-figure"]["data"]) == 4
    at.select_slider(key="lW").set_value(2.0).run()
    at.select_slider(key="lH").set_value(0.5).run()
    assert any("no classes to follow" in e.value for e in at.error)


def test_theory_stands_beside_numbers(page):
    at = check(page(tab="Theory", K=3, d=6, n=4))
    assert {"spectrum", "blocks"} <= set(charts(at)) and len(at.metric) == 4
    before = charts(at)["spectrum"]["data"]
    at.select_slider(key="beta").set_value(10.0).run()
    assert charts(check(at))["spectrum"]["data"] != before


@pytest.mark.parametrize(
    ("setting", "note"),
    [({"K": 10, "d": 2}, "cannot be orthogonal"), ({"lW": 2.0, "lH": 1.5}, "decay wins")],
)
def test_a_setting_beyond_theory_says_so(page, setting, note):
    at = check(page(tab="Theory", n=4, **setting))
    assert note in said(at) and {"spectrum", "blocks"} <= set(charts(at))
    assert not any("nan" in m.value + m.help for m in at.metric)
