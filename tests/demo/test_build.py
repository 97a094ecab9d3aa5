"""Demos on disk: made once, remembered, made anew when their recipe changes."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from backend.data.dataset import Dataset
from backend.demo import build, catalogue
from backend.demo.build import Material, ensure, find_ready
from backend.demo.fetch import Package
from backend.errors import DataError, ModelError
from backend.settings import Settings

PACKAGE = Package("tiny-demo", "1.0", "a" * 64, 100, ("tiny/*",))
TEXTS = catalogue.Demo(
    "tiny", "text", "Tiny texts", "Two texts.", (PACKAGE,), "MIT", "texts.tiny", 1, 1, ("A note.",)
)
MODEL = replace(TEXTS, name="net", kind="model", title="Tiny net", builder="models.net")


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


@pytest.fixture
def calls(monkeypatch):
    """A table of two demos whose package and builders are made up; counts what is done."""
    done = []

    def fetch(package, *, target, progress):
        done.append("fetch")
        folder = target / package.folder_name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "word").write_text("hello")
        return folder

    def texts(files):
        done.append("texts")
        word = (files["tiny-demo"] / "word").read_text()
        return Material(pa.table({"text": [word, "world"]}), text_column="text", notes=("More.",))

    def net(files, folder, report):
        done.append("net")
        (folder / "model.safetensors").write_bytes(b"weights")

    monkeypatch.setattr(build, "fetch", fetch)
    monkeypatch.setattr(build, "DEMO", (TEXTS, MODEL))
    monkeypatch.setattr(catalogue, "DEMO", (TEXTS, MODEL))
    made = {"texts.tiny": texts, "models.net": net}
    monkeypatch.setattr(build, "_builder", lambda demo: made[demo.builder])
    return done


def test_data_is_made_once(calls, settings):
    assert find_ready("tiny", settings) is None
    dataset = ensure("demo:tiny", settings)
    assert isinstance(dataset, Dataset)
    assert dataset.name == "Tiny texts" and dataset.licence == "MIT"
    assert dataset.notes == ("A note.", "More.")
    assert "tiny-demo 1.0" in dataset.source
    assert dataset.table()["text"].to_pylist() == ["hello", "world"]
    assert ensure("tiny", settings) == dataset == find_ready("demo:tiny", settings)
    assert calls == ["fetch", "texts"]


def test_damaged_data_is_made_anew(calls, settings):
    dataset = ensure("tiny", settings)
    (dataset.folder / "rows.arrow").write_bytes(b"cut")
    assert find_ready("tiny", settings) is None
    assert ensure("tiny", settings).table().num_rows == 2
    (settings.downloads / "demo-tiny.json").write_text("{")
    assert ensure("tiny", settings).hash == dataset.hash


def test_a_store_that_was_moved_still_has_its_demos(calls, tmp_path):
    dataset = ensure("tiny", Settings(home=tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    moved = find_ready("tiny", Settings(home=tmp_path / "new"))
    assert moved is not None and moved.hash == dataset.hash
    assert moved.table().num_rows == 2


def test_a_model_is_made_once_and_says_what_it_is(calls, settings):
    steps = []
    folder = ensure("net", settings, lambda *step: steps.append(step))
    assert folder == settings.models / "demo" / "net"
    facts = json.loads((folder / "demo.json").read_text())
    assert facts["title"] == "Tiny net" and facts["licence"] == "MIT"
    assert facts["notes"] == ["A note."] and "tiny-demo 1.0" in facts["source"]
    assert ensure("net", settings) == folder
    assert calls == ["fetch", "net"]
    assert [p.name for p in folder.parent.iterdir()] == ["net"]


def test_files_that_another_demo_needs_stay(calls, settings, monkeypatch):
    ensure("net", settings)
    assert (settings.downloads / PACKAGE.folder_name).is_dir()
    monkeypatch.setattr(build, "DEMO", (MODEL,))
    (settings.models / "demo" / "net" / "demo.json").unlink()
    ensure("net", settings)
    assert not (settings.downloads / PACKAGE.folder_name).exists()


def test_a_new_version_is_built_anew(calls, settings, monkeypatch):
    ensure("net", settings)
    monkeypatch.setattr(catalogue, "DEMO", (replace(MODEL, version=2),))
    assert find_ready("net", settings) is None
    ensure("net", settings)
    assert calls.count("net") == 2


def test_a_failed_build_leaves_no_model(calls, settings, monkeypatch):
    def fails(files, folder, report):
        (folder / "half").write_bytes(b"x")
        raise ModelError("No.")

    monkeypatch.setattr(build, "_builder", lambda demo: fails)
    with pytest.raises(ModelError):
        ensure("net", settings)
    assert list((settings.models / "demo").iterdir()) == []
    assert find_ready("net", settings) is None


def test_a_failed_download_is_an_error_of_the_right_kind(calls, settings, monkeypatch):
    def no_network(package, *, target, progress):
        raise DataError("It cannot be downloaded.", "Connect.")

    monkeypatch.setattr(build, "fetch", no_network)
    with pytest.raises(ModelError, match="cannot be downloaded. Connect."):
        ensure("net", settings)
    with pytest.raises(DataError, match="cannot be downloaded. Connect."):
        ensure("tiny", settings)


def test_unknown_name(settings):
    with pytest.raises(DataError, match="There are: smollm2"):
        ensure("demo:nothing", settings)
