"""The papers' findings beside what is measured here, and the table that `replicate` writes."""

import json

import pytest

from backend import Workbench, claims
from backend.analyses import load_all
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured, Spec
from backend.errors import AnalysisError
from backend.settings import Settings
from tests import rigs

LLAMA = str(rigs.model_folder("llama"))


@pytest.fixture
def bench(tmp_path):
    opened = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    yield opened
    opened.close()


def _is_large(result: Result) -> Measured:
    size = result.scalars["size"]
    return Measured(f"{size} m", "agrees" if size > 3 else "differs")


def test_a_claim_is_measured_on_its_result():
    claim = Claim(
        "big", "Author 2020", "It is big | huge.",
        _is_large, unconfirmed=True,
    )  # fmt: skip
    spec = Spec("s", "S", "?", "A", 1, run=lambda *_: None, claims=(claim,))
    said = {
        "models": [{"ref": "m1"}, {"ref": "m2"}], "data_name": "d", "n": 7,
        "created": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    for size, verdict in ((4, "agrees"), (2, "differs")):
        row = claims.measure(spec, Result("k" * 32, "s", {"size": size}, {}, "", said))[0]
        assert row == {
            "paper": "Author 2020 (wording unconfirmed)", "finding": "It is big | huge.",
            "measured": f"{size} m", "verdict": verdict, "model": "m1, m2", "data": "d", "n": 7,
            "date": "2026-01-02", "key": "k" * 12,
        }  # fmt: skip
    lines = claims.as_markdown([row]).splitlines()
    assert len(lines) == 3 and lines[2].count("|") == lines[0].count(
        "|"
    )  # the bar in the text gave way


def test_replications_name_analyses_and_demos_that_there_are():
    from backend.demo import DEMO

    known = {f"demo:{d.name}": d.kind for d in DEMO}
    for one in claims.REPLICATIONS:
        spec = load_all()[one.analysis]
        assert spec.claims and spec.parse(one.parameters)
        assert (one.rows > 0) == (spec.reads == "rows")
        named = bool(one.model or one.recipe)
        assert named or spec.model != "required"
        assert not (named and spec.model == "none")
        models = [name for name in (one.model, one.other) if name]
        assert all(known[name] == "model" for name in models)
        assert known[one.data] == spec.reads or spec.reads == "rows"


def test_every_analysis_with_claims_is_replicated():
    asked = {one.analysis for one in claims.REPLICATIONS}
    assert {key for key, spec in load_all().items() if spec.claims} <= asked


def test_the_table_is_written_and_what_cannot_be_had_is_left_out(bench, tmp_path, monkeypatch):
    texts = str(rigs.write_csv(tmp_path / "t.csv", 40))
    wanted = tuple(
        claims.Replication(analysis, model, texts, 30)
        for analysis, model in (("similarity", LLAMA), ("profile", str(tmp_path / "gone")))
    )
    monkeypatch.setattr(claims, "REPLICATIONS", wanted)
    said = []
    record, page = claims.replicate(bench, tmp_path / "out", say=said.append)
    found = json.loads(record.read_text())
    assert len(found["rows"]) == len(load_all()["similarity"].claims)
    assert {row["n"] for row in found["rows"]} == {30}
    assert (
        found["left_out"][0]["model"].endswith("gone") and "neither" in found["left_out"][0]["why"]
    )
    assert any("left out" in line for line in said)
    text = page.read_text()
    assert all(row["finding"].replace("|", "/") in text for row in found["rows"])
    assert "left out: profile" in text
    # measured once: the second time every answer is stored
    monkeypatch.setattr("backend.work.analyse", lambda *_: pytest.fail("computed again"))
    list(claims.replicate(bench, tmp_path / "again", say=said.append))


def test_a_mistake_in_an_analysis_is_not_hidden(bench, tmp_path, monkeypatch):
    texts = str(rigs.write_csv(tmp_path / "t.csv", 40))
    monkeypatch.setattr(
        claims, "REPLICATIONS", (claims.Replication("similarity", LLAMA, texts, 30),)
    )

    def bug(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("backend.work.analyse", bug)
    with pytest.raises(ZeroDivisionError):
        list(claims.replicate(bench, tmp_path / "out", say=lambda _: None))
    assert issubclass(AnalysisError, Exception) and not (tmp_path / "out").exists()
