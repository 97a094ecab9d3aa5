"""How much of a score is the rater?  The whole analysis on small simulated ratings."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.raters import SPEC, parse_anchors
from backend.analyses.raters_tables import Bounds
from backend.analyses.result import Body, Result
from backend.data.dataset import write_dataset
from backend.errors import AnalysisError, DataError
from backend.rasch.fit_statistics import Misfit
from backend.rasch.simulate import simulate

NEEDED = {
    "items": "item measure se infit outfit extreme raw_mean n low high subset",
    "raters": "rater severity se infit outfit infit_z outfit_z flagged n mean extreme subset",
    "criteria": "criterion difficulty se infit outfit n",
    "thresholds": "criterion step threshold se count disordered",
    "facets": "facet n rmse separation strata reliability chi2 df p",
    "curves": "criterion series theta value",
    "residuals": "item rater criterion rating expected z",
    "cells": "rater criterion n residual z",
    "scores": "score theta se",
    "correlations": "criterion_a criterion_b correlation n",
}


def plain(s) -> pa.Table:
    """The simulated ratings with names as text."""
    table = s.table()
    return pa.table({c: table[c].to_pylist() for c in table.column_names})


def run(tmp_path, table: pa.Table, **given) -> Body:
    data = write_dataset(tmp_path, table, kind="ratings", name="ratings")
    seen = []
    body = SPEC.run(
        (), data=data, also=None, seed=0,
        progress=lambda done, total, what: seen.append((done, total, what)), **SPEC.parse(given),
    )  # fmt: skip
    assert all(0 <= done <= total and what for done, total, what in seen)
    assert all(isinstance(v, float | int | str | bool | None) for v in body.scalars.values())
    json.dumps(body.scalars)
    return body


def result(body: Body) -> Result:
    return Result("k", "raters", body.scalars, body.tables, body.reading)


@pytest.fixture(scope="module")
def erratic() -> pa.Table:
    """60 items, 12 raters; r5 answers at random."""
    s = simulate(60, 12, 5, seed=0)
    rng, own = np.random.default_rng(1), s.rater == 5
    most = np.array([len(t) for t in s.thresholds])[s.criterion]
    x = np.where(own, rng.integers(0, most + 1), s.x)
    return plain(s).set_column(3, "rating", pa.array(x))


def test_all_tables_are_there_with_their_columns(tmp_path, erratic):
    body = run(tmp_path, erratic)
    for name, columns in NEEDED.items():
        assert set(columns.split()) <= set(body.tables[name].column_names), name
    s = body.scalars
    assert (s["items"], s["raters"], s["criteria"], s["n"]) == (60, 12, 10, 3000)
    assert s["converged"] and s["subsets"] == 1
    assert s["severity_share_low"] < s["severity_share"] < s["severity_share_high"]
    assert f"{s['n']} ratings" in body.reading
    assert "misfit" in body.reading


def test_an_erratic_rater_is_flagged_and_a_refit_leaves_it_out(tmp_path, erratic):
    body = run(tmp_path, erratic, refit=True)
    assert body.tables["dropped"].to_pylist()[0]["rater"] == "r5"
    assert "r5" not in body.tables["raters"]["rater"].to_pylist()
    assert body.scalars["dropped"] == body.tables["dropped"].num_rows
    assert body.tables["before_after"].num_rows == 60
    assert 0.9 < body.scalars["before_after_low"] < body.scalars["before_after"] < 1
    assert "raters the measures correlate" in body.reading
    first = run(tmp_path, erratic)
    flagged = first.tables["raters"].filter(first.tables["raters"]["flagged"])
    assert "r5" in flagged["rater"].to_pylist()
    assert first.scalars["before_after"] is None
    assert "before_after" not in first.tables


def test_raters_are_dropped_by_name(tmp_path, erratic):
    body = run(tmp_path, erratic, drop="r1 | r2")
    assert sorted(body.tables["dropped"]["rater"].to_pylist()) == ["r1", "r2"]
    assert body.tables["dropped"]["why"].to_pylist() == ["named", "named"]
    assert body.scalars["raters"] == 10
    with pytest.raises(DataError, match="no rater 'zed'"):
        run(tmp_path, erratic, drop="zed")


def test_wide_bounds_flag_nobody_and_say_so(tmp_path, erratic):
    body = run(tmp_path, erratic, refit=True, infit_low=0.0, infit_high=100.0)
    assert body.scalars["flagged"] == 0
    assert "nothing was fitted again" in body.scalars["note"]


def test_bounds_need_to_be_sure():
    def found(infit, z):
        out = np.array(infit), np.array(z)
        return Misfit(np.ones(3), out[0], out[0], out[1], out[1])

    some = found([1.9, 1.9, np.nan], [1.0, 3.0, np.nan])
    assert Bounds(0.5, 1.5, 2.0).flags(some).tolist() == [False, True, False]
    assert Bounds(0.5, 1.5, 0.0).flags(some).tolist() == [True, True, False]
    assert Bounds(0.5, 1.5, 2.0).flags(found([0.3, 1, 2], [-2.5, 0, np.nan])).tolist() == [
        True, False, True,
    ]  # fmt: skip


def test_a_harsher_rater_has_the_higher_severity(tmp_path):
    s = simulate(80, 3, 3, seed=1, severity=np.array([-1.0, 0.0, 1.0]))
    table = run(tmp_path, plain(s)).tables["raters"]
    severity = dict(zip(table["rater"].to_pylist(), table["severity"].to_pylist(), strict=True))
    mean = dict(zip(table["rater"].to_pylist(), table["mean"].to_pylist(), strict=True))
    assert severity["r0"] < severity["r1"] < severity["r2"]
    assert mean["r0"] > mean["r1"] > mean["r2"]


def test_one_rater_and_one_criterion(tmp_path):
    s = simulate(50, 1, 1, seed=2, harshness=0.0)
    body = run(tmp_path, plain(s))
    assert "One rater" in body.reading
    assert body.tables["raters"]["severity"].to_pylist() == [0.0]
    assert body.scalars["rater_p"] is None
    assert "There is one rater" in body.scalars["note"]
    many = plain(simulate(50, 8, 4, seed=3, difficulty=np.zeros(1), most=np.array([4])))
    one = run(tmp_path, many.drop(["criterion"]))
    assert one.tables["criteria"]["criterion"].to_pylist() == ["rating"]
    assert "correlations" not in one.tables
    assert one.scalars["contrast"] is None


@pytest.mark.parametrize(
    ("given", "method"),
    [({"method": "mml"}, "mml"), ({"correct": True}, "jmle"), ({"scale": "rating_scale"}, "jmle")],
)
def test_other_ways_of_estimating(tmp_path, given: dict, method: str):
    s = simulate(60, 8, 4, seed=4, difficulty=np.linspace(-1, 1, 4), most=np.full(4, 3))
    body = run(tmp_path, plain(s), **given)
    assert body.scalars["method"] == method
    measure = body.tables["items"]["measure"].to_numpy()
    order = [int(name[1:]) for name in body.tables["items"]["item"].to_pylist()]
    assert np.corrcoef(measure, s.theta[order])[0, 1] > 0.9
    assert (body.scalars["correction"] < 1) == bool(given.get("correct"))
    thresholds = np.array(body.tables["thresholds"]["threshold"].to_pylist()).reshape(4, 3)
    assert np.allclose(thresholds, thresholds[0]) == ("scale" in given)


def test_correction_and_mml_do_not_go_together(tmp_path, erratic):
    with pytest.raises(AnalysisError, match="correct=false"):
        run(tmp_path, erratic, method="mml", correct=True)


def test_a_facet_and_an_interaction(tmp_path, erratic):
    rng = np.random.default_rng(0)
    table = erratic.append_column("group", pa.array(rng.choice(["u", "v"], erratic.num_rows)))
    body = run(tmp_path, table, facet="group", interaction="rater x group")
    assert body.tables["groups"].num_rows == 2
    found = body.tables["interactions"]
    assert found.column_names[:6] == ["a", "b", "bias", "se", "t", "n"]
    assert found.num_rows == body.scalars["interaction_cells"] == 24
    assert (np.diff(np.abs(found["t"].to_numpy())) <= 1e-12).all()
    aside = run(tmp_path, table, interaction="group x criterion")
    assert "groups" not in aside.tables
    assert aside.tables["interactions"].num_rows == 20
    with pytest.raises(DataError, match="no column 'age'"):
        run(tmp_path, table, interaction="rater x age")


def test_words_levels_and_collapse(tmp_path):
    s = simulate(60, 6, 3, seed=5, difficulty=np.zeros(2), most=np.full(2, 2))
    words = [["no", "perhaps", "yes"][k] for k in s.x]
    table = plain(s).set_column(3, "rating", pa.array(words))
    with pytest.raises(DataError, match="is a word"):
        run(tmp_path, table)
    body = run(tmp_path, table, levels="no,perhaps,yes", collapse="c0:0,1,1")
    steps = body.tables["thresholds"]
    assert steps["criterion"].to_pylist().count("c0") == 1
    assert steps["to"].to_pylist()[0] == "perhaps+yes"


def test_anchors_are_read_and_hold(tmp_path, erratic):
    assert parse_anchors("criterion:a=b=-1 | rater:x=0.5|criterion:c=2") == {
        "criterion": {"a=b": -1.0, "c": 2.0}, "rater": {"x": 0.5},
    }  # fmt: skip
    for wrong in ("criterion:a", "a=1", "criterion:a=x", "criterion:a=nan"):
        with pytest.raises(AnalysisError, match="not understood"):
            parse_anchors(wrong)
    body = run(tmp_path, erratic, anchors="criterion:c0=-2.62")
    table = body.tables["criteria"]
    at = table["criterion"].to_pylist().index("c0")
    assert table["difficulty"][at].as_py() == pytest.approx(-2.62)


def test_unlinked_halves_are_said(tmp_path):
    item = np.r_[np.repeat(np.arange(20), 3), np.repeat(np.arange(20, 40), 3)]
    rater = np.r_[np.tile(np.arange(3), 20), np.tile(np.arange(3, 6), 20)]
    body = run(tmp_path, plain(simulate(40, 6, 3, seed=6, pairs=(item, rater))))
    assert body.scalars["subsets"] == 2
    assert "2 subsets" in body.scalars["note"]
    assert set(body.tables["items"]["subset"].to_pylist()) == {1, 2}


def test_few_ratings_are_said_and_min_ratings_helps(tmp_path):
    s = simulate(60, 30, 4, seed=7, difficulty=np.zeros(1), most=np.array([4]))
    body = run(tmp_path, plain(s))
    assert "ratings or fewer" in body.scalars["note"]
    fewer = run(tmp_path, plain(s), min_ratings=7)
    assert fewer.tables["raters"]["n"].to_numpy().min() >= 7
    assert fewer.scalars["raters"] < 30


def test_ratings_too_few_for_jmle_are_refused_and_mml_takes_them(tmp_path):
    s = simulate(60, 30, 2, seed=7, difficulty=np.zeros(1), most=np.array([4]))
    with pytest.raises(DataError, match="too few for joint estimation.*method=mml"):
        run(tmp_path, plain(s))
    body = run(tmp_path, plain(s), method="mml")
    assert body.scalars["converged"]
    order = [int(name[1:]) for name in body.tables["items"]["item"].to_pylist()]
    measure = body.tables["items"]["measure"].to_numpy()
    assert np.corrcoef(measure, s.theta[order])[0, 1] > 0.7


def test_observed_means_lie_near_what_is_expected(tmp_path):
    body = run(tmp_path, plain(simulate(150, 10, 5, seed=8)))
    curves = body.tables["curves"].to_pylist()
    observed = [c for c in curves if c["series"] == "observed" and c["criterion"] == "c0"]
    expected = [c for c in curves if c["series"] == "expected" and c["criterion"] == "c0"]
    grid, value = ([c[k] for c in expected] for k in ("theta", "value"))
    inside = [c["low"] - 0.1 <= np.interp(c["theta"], grid, value) <= c["high"] + 0.1
              for c in observed]  # fmt: skip
    assert np.mean(inside) > 0.8
    assert all(c["n"] > 0 for c in observed)
    assert all(math.isnan(c["low"]) for c in expected)


def test_unexpected_ratings_are_sorted_and_named(tmp_path, erratic):
    body = run(tmp_path, erratic)
    table = body.tables["residuals"]
    size = np.abs(table["z"].to_numpy())
    assert (size >= 3).all() and (np.diff(size) <= 0).all()
    assert table["rater"].to_pylist().count("r5") > 0.4 * table.num_rows
    assert body.scalars["unexpected"] == table.num_rows


def test_no_item_or_rater_is_named_in_the_reading(tmp_path):
    s = simulate(40, 6, 3, seed=9)
    table = plain(s)
    for column in ("item", "rater"):
        named = [f"SECRET {name}" for name in table[column].to_pylist()]
        at = table.column_names.index(column)
        table = table.set_column(at, column, pa.array(named))
    body = run(tmp_path, table, refit=True)
    said = body.reading + " ".join(str(v) for v in body.scalars.values())
    assert "SECRET" not in said


def test_claims_are_measured(tmp_path, erratic):
    by_key = {claim.key: claim for claim in SPEC.claims}
    fitted = result(run(tmp_path, erratic, refit=True))
    assert by_key["severity"].measure(fitted).verdict == "agrees"
    assert "reliability" in by_key["severity"].measure(fitted).value
    assert by_key["debiased"].measure(fitted).verdict == "agrees"
    assert by_key["ruler"].measure(fitted).verdict == "not testable here"
    assert by_key["quality"].measure(fitted).value.startswith(str(fitted.scalars["dropped"]))
    alike = result(run(tmp_path, plain(simulate(60, 8, 4, seed=10, harshness=0.0))))
    assert by_key["severity"].measure(alike).verdict == "differs"
    assert by_key["quality"].measure(alike).verdict == "not testable here"
    alone = result(run(tmp_path, plain(simulate(40, 1, 1, seed=11))))
    for key in ("severity", "debiased"):
        assert by_key[key].measure(alone).verdict == "not testable here"


def test_the_ruler_is_held_against_the_papers_criteria(tmp_path):
    from backend.rasch.hate_speech import CRITERIA

    table = plain(simulate(150, 10, 5, seed=12))
    named = [CRITERIA[int(name[1:])].name for name in table["criterion"].to_pylist()]
    body = run(tmp_path, table.set_column(2, "criterion", pa.array(named)))
    claim = next(c for c in SPEC.claims if c.key == "ruler")
    assert claim.measure(result(body)).verdict == "agrees"
    assert claim.unconfirmed
