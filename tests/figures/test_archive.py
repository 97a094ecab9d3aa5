"""Caption, code and the bundle."""

import ast
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from backend.analyses.result import Result
from backend.figures import archive, bundle, caption, cka_map, close, code, read_provenance, to_csv
from backend.figures.browser import BrowserMissing


def test_the_caption_has_the_finding_n_interval_seed_check_and_key(similarity):
    text = caption(similarity)
    assert text.startswith("They are alike.")
    for part in (
        "n 10 of 20 000",
        "seed 7",
        "95 % intervals",
        "same prediction in 100 %",
        "demo:smollm2",
    ):
        assert part in text
    assert similarity.key in text
    assert "facts & <b>figures</b>" in text


def test_the_code_runs_the_same_analysis(similarity):
    calls = [n for n in ast.walk(ast.parse(code(similarity))) if isinstance(n, ast.Call)]
    run = next(c for c in calls if getattr(c.func, "attr", "") == "run")
    assert ast.literal_eval(run.args[0]) == "similarity"
    given = {k.arg: ast.literal_eval(k.value) for k in run.keywords}
    assert given == {
        "model": "demo:smollm2",
        "data": "demo:facts",
        "sites": "all",
        "pooling": "last",
        "rows": 12,
        "seed": 7,
        "k": 3,
    }


def test_the_code_of_two_models_names_both(similarity):
    models = [{"ref": "one"}, {"ref": "two"}]
    said = {**similarity.provenance, "models": models, "dtype": "float16"}
    text = code(Result("k", "similarity", {}, {}, "", said))
    assert "model='one'" in text
    assert "other='two'" in text
    assert "half=True" in text


def test_the_code_of_a_changed_model_changes_it_too(similarity):
    said = {**similarity.provenance, "whatif": "skip:3"}
    assert "whatif='skip:3'" in code(Result("k", "similarity", {}, {}, "", said))
    assert "whatif" not in code(similarity)


@pytest.fixture
def nested(similarity) -> Result:
    tops = pa.table({"layer": [0, 1], "top5": [["a", "b"], None], "x": [0.5, None]})
    tables = {**similarity.tables, "tops": tops}
    return Result(similarity.key, "similarity", {"n": 10}, tables, "Alike.", similarity.provenance)


@pytest.mark.browser
def test_the_bundle_holds_figure_data_caption_code_and_provenance(nested):
    data = bundle(nested, cka_map(nested))
    close()
    with zipfile.ZipFile(io.BytesIO(data)) as files:
        assert files.testzip() is None
        assert set(files.namelist()) == {
            "similarity.html",
            "similarity.svg",
            "similarity.png",
            "data/similarity.parquet",
            "data/similarity.csv",
            "data/tops.parquet",
            "data/tops.csv",
            "caption.txt",
            "reproduce.py",
            "provenance.json",
        }
        for end in ("html", "svg", "png"):
            found = read_provenance(files.read(f"similarity.{end}"), end)
            assert found == nested.provenance
        table = pa.parquet.read_table(io.BytesIO(files.read("data/similarity.parquet")))
        assert table.equals(nested.tables["similarity"])
        tops = pa.csv.read_csv(io.BytesIO(files.read("data/tops.csv")))
        assert json.loads(tops["top5"][0].as_py()) == ["a", "b"]
        record = json.loads(files.read("provenance.json"))
        assert record["key"] == nested.key
        assert record["scalars"] == {"n": 10}
        compile(files.read("reproduce.py"), "reproduce.py", "exec")


def test_without_a_browser_the_bundle_says_what_it_lacks(nested, monkeypatch):
    def missing(fig, **size):
        raise BrowserMissing("No browser.", "Install one.")

    monkeypatch.setattr(archive.export, "to_svg", missing)
    with zipfile.ZipFile(io.BytesIO(bundle(nested, cka_map(nested)))) as files:
        assert "similarity.svg" not in files.namelist()
        assert files.read("left_out.txt") == (
            b"similarity.svg, similarity.png: No browser. Install one.\n"
        )


def test_a_table_as_csv_writes_lists_as_json():
    text = to_csv(pa.table({"layer": [1], "top": [["a", 'b"']]})).decode()
    assert text.splitlines() == ['"layer","top"', '1,"[""a"", ""b\\""""]"']
