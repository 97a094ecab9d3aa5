"""Scores from a layer: simulated ratings whose truth is in one layer and not in the other."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backend.analyses.rated_items import calibrate, rated_items
from backend.analyses.rated_scores import head_scores
from backend.analyses.rated_texts import SPEC
from backend.analyses.result import Body, Result
from backend.capture.view import CaptureView
from backend.data.dataset import write_dataset
from backend.errors import AnalysisError, CaptureError
from backend.rasch.multitask import Settings
from backend.rasch.partial_credit import probabilities
from tests.analyses.conftest import make_view

CRITERIA = {"tone": (-0.6, [-0.8, 0.0, 0.8]), "harm": (0.0, [0.0]), "threat": (0.6, [-0.5, 0.5])}
QUICK = {"hidden": 16, "epochs": 40, "folds": 3}


def simulated(n: int, *, seed: int = 0, each: int = 4, criteria=tuple(CRITERIA)):
    """Vectors of two layers, and long ratings by raters of very different severity."""
    rng = np.random.default_rng(seed)
    theta, harsh = rng.normal(size=n) * 1.6, np.linspace(-1.5, 1.5, 12)
    noise = rng.normal(size=(n, 8))
    told = np.c_[theta + 0.4 * rng.normal(size=n), noise[:, :7]]
    item = np.repeat(np.arange(n), each)
    rater = np.concatenate([rng.choice(12, each, replace=False) for _ in range(n)])
    lines = []
    for name in criteria:
        difficulty, taus = CRITERIA[name]
        P = probabilities(theta[item] - harsh[rater], difficulty + np.array(taus))
        x = (P.cumsum(axis=0) < rng.random(P.shape[1])).sum(axis=0)
        lines += [{"item": f"i{i}", "rater": f"r{j}", "criterion": name, "rating": int(k)}
                  for i, j, k in zip(item, rater, x, strict=True)]  # fmt: skip
    return {"embed": noise, "resid_post.0": 0.5 * (noise + told), "final": told}, lines, theta


def look(
    folder: Path, n: int = 60, *, seed: int = 0, lines=None, names=None, texts=None, view=None,
    criteria=tuple(CRITERIA), **given,
) -> Body:  # fmt: skip
    """The analysis of simulated ratings; short training unless `given` says otherwise."""
    layers, made, _ = simulated(n, seed=seed, criteria=criteria)
    view = view or named_view(folder, layers, names=names, texts=texts)
    table = pa.Table.from_pylist(lines or made)
    data = write_dataset(folder / "ratings", table, kind="ratings", name="rated")
    parameters = SPEC.parse({"hidden": 8, "epochs": 3, "folds": 2, "severity": False, **given})
    return SPEC.run(
        (view,), data=data, also=None, seed=seed, progress=lambda done, total, what: None,
        **parameters,
    )  # fmt: skip


def named_view(folder: Path, layers: dict, *, names=None, texts=None) -> CaptureView:
    names = names or [f"i{i}" for i in range(len(layers["final"]))]
    table = pa.table({"text": texts or [f"secret {name}" for name in names], "item": names})
    data = write_dataset(folder / "texts", table, kind="text", name="texts", text_column="text")
    return make_view(folder, layers, dataset=data)


@pytest.fixture
def looked(tmp_path):
    return partial(look, tmp_path)


@pytest.fixture(scope="module")
def body(tmp_path_factory) -> Body:
    """80 items, trained long enough, with severity as an input."""
    folder = tmp_path_factory.mktemp("rated")
    return look(folder, 80, hidden=16, epochs=40, folds=3, severity=True)


def test_the_layer_that_holds_the_score_tells_it(body):
    s, layers = body.scalars, body.tables["layers"].to_pylist()
    assert [(x["site"], x["index"], x["target"]) for x in layers] == [
        ("embed", 0, "debiased"), ("embed", 0, "raw"),
        ("resid_post.0", 1, "debiased"), ("resid_post.0", 1, "raw"),
        ("final", 2, "debiased"), ("final", 2, "raw"),
    ]  # fmt: skip
    embed, final = layers[0], layers[4]
    assert final["r"] > 0.75 > 0.5 > abs(embed["r"]) and final["rmse"] < embed["rmse"]
    assert final["r_low"] < final["r"] < final["r_high"] and abs(final["control"]) < 0.5
    assert (s["site"], s["best_site"], s["n"], s["criteria"], s["points"]) == (
        "final", "final", 80, 3, 6,
    )  # fmt: skip
    assert s["r"] > 0.75 and s["r_low"] < s["r"] < s["r_high"] and abs(s["control_r"]) < 0.5
    assert s["over_control_low"] > 0
    assert 0.5 < s["reliability"] < 1
    assert s["ceiling"] ** 2 == pytest.approx(s["reliability"])
    assert s["raters"] == 12 and s["ratings"] == 80 * 4 * 3
    assert "r 0." in body.reading and "raw means" in body.reading and "80" in body.reading
    assert "Training never sees" in s["note"]


def test_the_tables_agree_with_one_another(body):
    s, methods = body.scalars, {m["method"]: m for m in body.tables["methods"].to_pylist()}
    table = body.tables["predictions"]
    measure = table["measure"].to_numpy()
    for method, column in (("components_soft", "predicted_soft"),
                           ("components_hard", "predicted_hard"), ("ridge_measure", "direct"),
                           ("ridge_raw", "direct_raw")):  # fmt: skip
        said = table[column].to_numpy()
        assert methods[method]["r"] == pytest.approx(np.corrcoef(said, measure)[0, 1])
        assert methods[method]["rmse"] == pytest.approx(np.sqrt(np.mean((said - measure) ** 2)))
        assert methods[method]["mae"] == pytest.approx(np.abs(said - measure).mean())
    assert methods["components_soft"]["r"] == s["r"] and methods["shuffled"]["r"] == s["control_r"]
    assert s["gain_raw"] == pytest.approx(s["r"] - s["direct_raw_r"])
    assert sorted(np.bincount(table["fold"].to_numpy())) == [26, 27, 27]
    assert set(table["ratings"].to_pylist()) == {12}
    assert np.allclose(table["low"].to_numpy(), measure - 1.959964 * table["se"].to_numpy())
    last = [x for x in body.tables["layers"].to_pylist() if x["site"] == "final"]
    assert last[0]["r"] == methods["ridge_measure"]["r"]
    assert last[1]["r"] == methods["ridge_raw"]["r"]


def test_components_and_calibration_are_in_points(body):
    parts = body.tables["components"].to_pylist()
    assert len(parts) == 24 * 3 and {p["criterion"] for p in parts} == set(CRITERIA)
    score = [p["score"] for p in parts]
    assert score == sorted(score)
    for p in parts:
        assert 0 < p["expected"] < p["most"] and 0 <= p["observed"] <= p["most"]
    middle = [p for p in parts if abs(p["score"] - p["reference"]) < 0.4]
    for name in {p["item"] for p in middle}:
        own = [p for p in middle if p["item"] == name]
        away = own[0]["score"] - own[0]["reference"]
        assert sum(p["contribution"] for p in own) == pytest.approx(away, abs=0.05)
    bins = body.tables["calibration"].to_pylist()
    assert len(bins) == 30 and sum(b["n"] for b in bins) == 80 * 4 * 3
    for name, (_, taus) in CRITERIA.items():
        own = [b for b in bins if b["criterion"] == name]
        assert [b["predicted"] for b in own] == sorted(b["predicted"] for b in own)
        assert all(0 <= b["observed"] <= len(taus) == b["most"] for b in own)
        assert np.corrcoef([b["predicted"] for b in own], [b["observed"] for b in own])[0, 1] > 0.8


def test_a_stricter_rater_scores_lower_and_only_where_severity_is_asked(body, looked):
    table = body.tables["severity"]
    by = {x: table.filter(pc.equal(table["severity"], x))["predicted"].to_numpy()
          for x in (-1.0, 0.0, 1.0)}  # fmt: skip
    assert (by[-1] > by[0]).all() and (by[0] > by[1]).all()
    assert np.allclose(by[0], body.tables["predictions"]["predicted_soft"].to_numpy())
    s = body.scalars
    assert s["slope"] == pytest.approx(np.mean(by[1] - by[-1]) / 2) and -1.6 < s["slope"] < -0.5
    without = looked(80, epochs=40)
    assert "severity" not in without.tables and without.scalars["slope"] is None
    assert without.scalars["r"] > 0.7
    assert SPEC.claims[2].measure(result_of(body)).verdict == "agrees"
    assert SPEC.claims[2].measure(result_of(without)).verdict == "not testable here"


def result_of(body: Body) -> Result:
    return Result("key", "rated_texts", body.scalars, body.tables, body.reading)


def test_the_claims_hold_where_the_layer_tells_the_score(body):
    predicts, explained, _ = (c.measure(result_of(body)) for c in SPEC.claims)
    assert predicts.verdict == "agrees" and "80 items" in predicts.value
    parts = body.tables["components"].to_pylist()
    first = {p["item"]: p["reference"] - p["score"] for p in parts}
    for p in parts:
        first[p["item"]] += p["contribution"]
    away = {p["item"]: p["score"] - p["reference"] for p in parts}
    left = sum(v**2 for v in first.values()) / sum(v**2 for v in away.values())
    assert body.scalars["explained"] == pytest.approx(1 - left, abs=0.15)
    assert body.scalars["explained_low"] < body.scalars["explained"] <= 1
    assert explained.verdict == ("agrees" if body.scalars["explained_low"] > 0.8 else "differs")
    for changes, index, verdict in (
        ({"over_control_low": -0.9, "over_control_high": -0.1}, 0, "differs"),
        ({"over_control_low": -0.1, "over_control_high": 0.2}, 0, "not testable here"),
        ({"explained_low": 0.9}, 1, "agrees"),
        ({"explained_low": 0.2, "explained_high": 0.7}, 1, "differs"),
        ({"explained_low": 0.7, "explained_high": 0.9}, 1, "not testable here"),
        ({"slope_low": 0.1, "slope_high": 0.3}, 2, "differs"),
        ({"criteria": 1}, 1, "not testable here"),
    ):
        other = Result("key", "rated_texts", dict(body.scalars) | changes, {}, "")
        assert SPEC.claims[index].measure(other).verdict == verdict


def test_what_is_held_out_has_no_say_in_its_prediction(tmp_path):
    layers, lines, _ = simulated(60)
    view = named_view(tmp_path, layers)
    data = write_dataset(tmp_path, pa.Table.from_pylist(lines), kind="ratings", name="r")
    ruler, settings = calibrate(data, levels="", collapse=""), Settings(severity=True, epochs=4)
    most = np.array([len(t) for t in ruler.thresholds])[ruler.criterion]
    found = []
    for number in range(4):  # the ratings as they are, then those of each fold turned round
        x = ruler.x
        if number:
            held = found[0].place[found[0].fold == number - 1]
            x = np.where(np.isin(ruler.item, held), most - x, x)
        items = rated_items(view, replace(ruler, x=x), at_most=60, folds=3, seed=0)
        head = head_scores(
            layers["final"], items, settings=settings, seed=0, tell=lambda fold: None
        )
        found.append(items)
        if number == 0:
            first = head.soft
            continue
        own = items.fold == number - 1
        assert np.array_equal(head.soft[own], first[own])
        assert (head.soft[~own] != first[~own]).all()
        one, other = found[0].folds[number - 1], items.folds[number - 1]
        assert np.isnan(one.measures[own]).all() and np.isfinite(one.measures[~own]).all()
        assert np.array_equal(one.severities, other.severities)


def test_one_criterion_is_enough(looked):
    usual = {"hidden": 64, "folds": 5, "epochs": 60}
    body = looked(80, criteria=("tone",), **usual)
    s = body.scalars
    plain = looked(80, criteria=("tone",), loss="softmax", **usual)
    assert plain.scalars["loss"] == "softmax" and plain.scalars["r"] > 0.7
    assert s["criteria"] == 1 and s["r"] > 0.7 and "1 predicted criterion" in body.reading
    assert SPEC.claims[1].measure(result_of(body)).verdict == "not testable here"


def test_the_seed_fixes_everything(looked):
    first, again = looked(severity=True), looked(severity=True)
    assert first.scalars == again.scalars
    assert all(first.tables[name].equals(again.tables[name]) for name in first.tables)


def test_no_text_is_in_the_tables(body):
    for table in body.tables.values():
        assert "secret" not in str(table.to_pydict())
    assert "secret" not in body.reading


def test_words_as_ratings_need_levels(looked):
    _, lines, _ = simulated(60, criteria=("tone",))
    words = ["never", "rarely", "often", "always"]
    worded = [line | {"rating": words[line["rating"]]} for line in lines]
    body = looked(lines=worded, levels=",".join(words))
    plain = looked(lines=lines)
    assert body.scalars["r"] == plain.scalars["r"]


def test_items_are_paired_by_name_and_sampled(looked):
    names = [f"i{i}" for i in range(70)] + [f"other {i}" for i in range(10)]
    body = looked(80, names=names)
    assert body.scalars["n"] == 70 and "left out: 10" in body.scalars["note"]
    some = looked(80, at_most=40)
    assert some.scalars["n"] == 40 and "sample of 40 of 80" in some.scalars["note"]


def test_items_of_one_text_are_held_out_together(looked):
    texts = [f"text {i // 2}" for i in range(80)]
    table = looked(80, texts=texts).tables["predictions"]
    fold = dict(zip(table["item"].to_pylist(), table["fold"].to_pylist(), strict=True))
    assert all(fold[f"i{i}"] == fold[f"i{i + 1}"] for i in range(0, 80, 2))


def test_the_site_can_be_named_or_the_best(looked):
    assert looked(site="embed").scalars["site"] == "embed"
    best = looked(site="best").scalars
    assert best["site"] == best["best_site"] and "flatter" in best["note"]
    with pytest.raises(CaptureError, match="was not captured at 'resid_post.9'"):
        looked(site="resid_post.9")


def test_too_few_items_and_other_captures_are_refused(looked, view_of):
    with pytest.raises(AnalysisError, match="24 items .* are too few items"):
        looked(24)
    layers, *_ = simulated(60)
    with pytest.raises(AnalysisError, match="does not say which item"):
        looked(view=view_of(layers))
    twice = view_of(layers, columns={"item": ["i1", "i1", *(f"i{i}" for i in range(2, 60))]})
    with pytest.raises(AnalysisError, match="several vectors for one item"):
        looked(view=twice)


def test_values_that_are_not_finite_are_refused(looked, tmp_path):
    layers, *_ = simulated(60)
    layers["resid_post.0"][3, 0] = np.nan
    with pytest.raises(AnalysisError, match="values at 'resid_post.0' that are not finite"):
        looked(view=named_view(tmp_path, layers))


def test_a_layer_that_does_not_vary_has_no_agreement_and_is_not_the_best(looked, tmp_path):
    layers, *_ = simulated(60)
    layers["embed"][:] = 1.0
    body = looked(view=named_view(tmp_path, layers))
    assert body.scalars["best_site"] != "embed"
    flat = body.tables["layers"].to_pylist()[0]
    assert flat["r"] is None or np.isnan(flat["r"]) or flat["r"] < 0.2
