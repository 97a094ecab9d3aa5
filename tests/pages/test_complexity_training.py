"""Checkpoints of the reader's own, named on the page."""

import shutil
from threading import Event

import pytest

from tests.analyses.test_checkpoints import checkpoints
from tests.pages.conftest import charts, check, said, settle
from tests.pages.material import write_images

PAGE = "complexity.py"


@pytest.fixture
def page(visit, filled, world, tmp_path):
    home = shutil.copytree(filled, tmp_path / "copy")
    data = str(write_images(tmp_path / "many.zip", 96))

    def opened(**query):
        given = {"model": world.vit, "data": data, "atoms": "32", "dictionary": "pca"} | query
        return settle(visit(home, PAGE, tab="Over training", **given))

    return opened


def test_a_folder_of_ones_own_is_read(page):
    at = page(checkpoints=str(checkpoints("vit")))
    assert "3 checkpoints, 1 to 1000, on many." in said(check(at))
    next(b for b in at.button if b.label == "Compute").click()
    at = check(settle(at))
    assert {"training", "epoch-scatter"} <= set(charts(at))
    assert at.select_slider(key="epoch").options == ["1", "500", "1000"]


def test_a_folder_without_checkpoints_is_said(page, tmp_path):
    at = page(checkpoints=str(tmp_path))
    assert [e.value for e in at.error] == [f"{tmp_path} holds no checkpoints with safetensors."]


def test_a_training_shows_its_progress_once(page, monkeypatch):
    from backend import open_workbench
    from backend.training import train

    held = Event()
    monkeypatch.setattr(train._Course, "epoch", lambda self, number: held.wait(30))
    at = check(page())
    own = [ref for ref in at.selectbox(key="train-data").options if not ref.startswith("demo:")]
    at.selectbox(key="train-data").set_value(own[0])
    at.text_input(key="train-label").set_value("label").run()
    next(b for b in at.button if b.label == "Train").click().run()
    at.run()
    assert not at.exception and [b.label for b in at.button].count("Stop") == 1
    for job in open_workbench().live_jobs():
        open_workbench().cancel(job.id)
    held.set()
