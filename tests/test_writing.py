"""Results as files: whole or not at all, figures that know their result, no leftovers."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend import Workbench, figures, writing
from backend.analyses.result import Result
from backend.errors import StoreError, UserError
from backend.figures.browser import BrowserMissing
from backend.settings import Settings
from backend.writing import write_result
from tests import rigs


@pytest.fixture(scope="module")
def layers(tmp_path_factory) -> Result:
    """A suite's result of a tiny model."""
    base = tmp_path_factory.mktemp("layers")
    bench = Workbench(Settings(home=base / "home", scheduler="inline"))
    try:
        texts = str(rigs.write_csv(base / "t.csv", 40))
        return bench.run("layers", model=str(rigs.model_folder("llama")), data=texts)
    finally:
        bench.close()


@pytest.fixture
def no_browser(monkeypatch):
    def missing(*_, **__):
        raise BrowserMissing("No browser could be started.", "Install Chromium.")

    monkeypatch.setattr("backend.figures.browser.draw", missing)


def bare(**changes) -> Result:
    facts = {"key": "a" * 32, "analysis": "x", "scalars": {}, "tables": {}, "reading": "It is so."}
    return Result(**facts | changes)


FIGURES = ("similarity", "projection", "projection-film", "profile", "lens")


def test_a_suite_is_written_with_a_figure_for_each_part(layers, tmp_path, no_browser):
    out = tmp_path / "deep" / "out"
    files = write_result(layers, out)
    assert files[0] == out / "result.json" and all(file.is_file() for file in files)
    assert {f.stem for f in files if f.suffix == ".parquet"} == set(layers.tables)
    for name, table in layers.tables.items():
        assert pq.read_table(out / f"{name}.parquet").equals(table)
    drawn = {f.name for f in (out / "figures").iterdir()}
    assert drawn == {f"{name}{end}" for name in FIGURES for end in (".html", ".json")}
    record = json.loads((out / "result.json").read_text())
    assert record["provenance"]["key"] == record["key"] == layers.key
    assert record["files"] == [f.relative_to(out).as_posix() for f in files[1:]]
    assert len(record["left_out"]) == 2 * len(FIGURES) and "Chromium" in record["left_out"][0]
    assert sorted(p.name for p in out.parent.iterdir()) == ["out"]  # nothing hidden is left


def test_a_figure_leads_back_to_the_part_that_it_shows(layers, tmp_path, no_browser):
    write_result(layers, tmp_path)
    parts = layers.provenance["parts"]
    for name, part in (
        ("similarity", "similarity"),
        ("projection-film", "projection"),
        ("lens", "lens"),
    ):
        for end in ("html", "json"):
            file = tmp_path / "figures" / f"{name}.{end}"
            said = figures.read_provenance(file.read_bytes(), file.name)
            assert said["key"] == parts[part]["key"]


@pytest.mark.browser
def test_with_a_browser_there_are_svg_and_png(layers, tmp_path):
    one = Result(**{**vars(layers), "tables": {"similarity": layers.tables["similarity"]}})
    files = write_result(one, tmp_path)
    record = json.loads(files[0].read_text())
    if record["left_out"]:
        pytest.skip(record["left_out"][0])
    assert (tmp_path / "figures" / "similarity.svg").read_text().lstrip().startswith("<svg")
    png = (tmp_path / "figures" / "similarity.png").read_bytes()
    assert (
        figures.read_provenance(png, "x.png")["key"]
        == layers.provenance["parts"]["similarity"]["key"]
    )


def test_an_analysis_without_figures_has_no_folder_for_them(tmp_path):
    files = write_result(bare(tables={"t": pa.table({"a": [1]})}), tmp_path / "o")
    assert [f.name for f in files] == ["result.json", "t.parquet"]
    assert not (tmp_path / "o" / "figures").exists()


def test_numbers_that_json_lacks_become_null(tmp_path):
    scalars = {"a": math.nan, "b": math.inf, "c": 1.5, "d": None, "e": "ü"}
    file = write_result(bare(scalars=scalars), tmp_path)[0]
    assert json.loads(file.read_text())["scalars"] == {
        "a": None,
        "b": None,
        "c": 1.5,
        "d": None,
        "e": "ü",
    }
    assert "NaN" not in file.read_text()


def test_an_earlier_result_gives_way_and_other_files_stay(tmp_path):
    t = pa.table({"a": [1]})
    write_result(bare(tables={"old": t, "both": t}), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.svg").write_text("mine")
    write_result(bare(tables={"both": t, "new": t}), tmp_path)
    names = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {"result.json", "both.parquet", "new.parquet", "notes.txt", "figures/mine.svg"}


@pytest.mark.parametrize(
    "listed", [["../precious"], ["/precious"], ["a/../../precious"], [3], "x", None]
)
def test_a_forged_record_deletes_nothing_elsewhere(tmp_path, listed):
    (tmp_path / "precious").write_text("keep")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text(json.dumps({"files": listed}))
    write_result(bare(), tmp_path / "out")
    assert (tmp_path / "precious").read_text() == "keep"


def test_a_failure_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    t = pa.table({"a": [1]})
    write_result(bare(tables={"t": t}), tmp_path / "out")
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.pyarrow.parquet, "write_table", full)
    with pytest.raises(StoreError, match="No space left on device.*Free some space"):
        write_result(bare(tables={"t": t, "u": t}), tmp_path / "out")
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="is a file. Give --out a folder"):
        write_result(bare(), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
