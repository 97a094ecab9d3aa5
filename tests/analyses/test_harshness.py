"""Harshness or taste: severity alone is all of it, taste alone none of it; invariance, refusals."""

from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.harshness import ITEMS_MOST, SPEC
from backend.analyses.result import Body, Result
from backend.errors import AnalysisError, Cancelled, DataError, UserError
from backend.preferences import rater_tastes
from tests.preferences.raters_made import simulate_raters

PARTS = ("items alone", "and severity", "and consistency", "items and tastes",
         "tastes and severity", "tastes, severity, consistency")  # fmt: skip


def as_table(severity: float, taste: float, *, seed: int, raters: int = 60) -> pa.Table:
    """Everybody rates 20 items."""
    rated, _ = simulate_raters(
        items=20, raters=raters, k=2, severity=severity, taste=taste, seed=seed
    )
    return pa.table({
        "item": [f"i{v}" for v in rated.item], "rater": [f"r{v}" for v in rated.rater],
        "rating": rated.x,
    })  # fmt: skip


def run(table: pa.Table, *, seed: int = 0, progress=lambda *_: None, **given) -> Body:
    parameters = SPEC.parse({"restarts": 1} | given)
    data = SimpleNamespace(table=lambda: table)
    return SPEC.run((), data=data, also=None, seed=seed, progress=progress, **parameters)


@cache
def body(severity: float, taste: float, seed: int) -> Body:
    return run(as_table(severity, taste, seed=seed))


@pytest.fixture
def harsh():
    return body(1.0, 0.0, 0)


@pytest.fixture
def tastes():
    return body(0.0, 2.0, 1)


SMALL = as_table(1.0, 0.0, seed=0, raters=5)


def brief(table: pa.Table, **given) -> Body:
    """Fits of 12 steps, far from their optimum, for what does not hang on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rater_tastes, "fit_raters", partial(rater_tastes.fit_raters, steps=12))
        return run(table, **given)


@cache
def few(**given) -> Body:
    return brief(SMALL, **given)


def test_severity_alone_explains_what_tastes_seem_to_save(harsh):
    s = harsh.scalars
    assert s["raw_low"] > 0 and s["share"] > 0.8 and s["share_high"] > 0.95
    assert s["left"] < 0.2 * s["raw"]
    assert "% of that heterogeneity was only harshness" in harsh.reading
    assert "(240 held-out ratings of 60 raters)" in harsh.reading


def test_tastes_alone_stay_when_severity_is_taken_out(tastes):
    s = tastes.scalars
    assert s["raw_low"] > 0.1 and s["left_low"] > 0.1
    assert s["share_low"] <= s["share"] <= s["share_high"] < 0.3
    assert tastes.reading.startswith(f"2 tastes save {1000 * s['raw']:.0f} (")


def test_raters_who_differ_in_nothing_have_nothing_to_explain():
    found = body(0.0, 0.0, 0)
    assert found.scalars["share"] is None and found.scalars["share_low"] is None
    assert found.scalars["raw"] < 0.02
    assert found.reading.endswith(
        "no heterogeneity to explain (240 held-out ratings of 60 raters)."
    )


def test_a_share_is_one_minus_what_is_left_of_what_was_there(tastes):
    s = tastes.scalars
    assert s["share"] == pytest.approx(1 - s["left"] / s["raw"], abs=1e-12)
    loss = dict(zip(PARTS, tastes.tables["steps"]["log_loss"].to_pylist(), strict=True))
    assert s["raw"] == pytest.approx(loss["items alone"] - loss["items and tastes"], abs=1e-12)
    assert s["left"] == pytest.approx(loss["and severity"] - loss["tastes and severity"], abs=1e-12)
    whole = loss["and consistency"] - loss["tastes, severity, consistency"]
    assert s["whole_share"] == pytest.approx(1 - whole / s["raw"], abs=1e-12)


def test_every_step_is_measured_against_items_alone(harsh):
    steps = harsh.tables["steps"].to_pylist()
    assert [r["model"] for r in steps] == list(PARTS)
    assert [(r["severity"], r["consistency"], r["k"]) for r in steps] == [
        (False, False, 1), (True, False, 1), (True, True, 1), (False, False, 2), (True, False, 2),
        (True, True, 2),
    ]  # fmt: skip
    for row in steps:
        assert row["saved"] == pytest.approx(steps[0]["log_loss"] - row["log_loss"], abs=1e-12)
        assert row["low"] <= row["saved"] <= row["high"] and row["n"] == 240
    assert steps[0]["low"] == steps[0]["high"] == 0 < steps[1]["low"]


def test_raters_and_items_are_listed_by_name(harsh, tastes):
    table = as_table(1.0, 0.0, seed=0)
    raters = harsh.tables["raters"].to_pydict()
    assert set(raters) == {"rater", "severity", "consistency", "weight_0", "weight_1"}
    mean = {r: np.mean([x for x, of in zip(table["rating"].to_pylist(), table["rater"].to_pylist(),
            strict=True) if of == r]) for r in raters["rater"]}  # fmt: skip
    assert len(mean) == 60
    assert np.corrcoef(raters["severity"], list(mean.values()))[0, 1] < -0.9
    items = tastes.tables["items"]
    assert sorted(items["item"].to_pylist()) == sorted(f"i{k}" for k in range(20))
    rewards = np.column_stack([items[f"reward_{k}"].to_numpy() for k in range(2)])
    np.testing.assert_allclose(rewards.sum(axis=1), 0, atol=1e-9)


def test_names_are_no_matter():
    names = [f"somebody {value}" for value in SMALL["rater"].to_pylist()]
    renamed = brief(SMALL.set_column(1, "rater", [names]))
    assert renamed.scalars == few().scalars and renamed.reading == few().reading


def test_words_in_their_order_are_numbers():
    words = ["never", "rarely", "often", "always"]
    said = [words[x] for x in SMALL["rating"].to_pylist()]
    found = brief(SMALL.set_column(2, "rating", [said]), levels=",".join(words))
    assert found.scalars == few().scalars


def test_another_seed_holds_out_other_ratings():
    assert brief(SMALL).scalars == few().scalars
    assert few(seed=1).scalars["raw"] != few().scalars["raw"]


@pytest.mark.parametrize(("share", "each"), [(0.1, 2), (0.5, 10)])
def test_a_share_of_each_rater_is_held_out(share, each):
    assert few(test_share=share).scalars["held"] == 5 * each


def test_criteria_have_difficulties_of_their_own():
    hard = SMALL.set_column(2, "rating", [np.maximum(SMALL["rating"].to_numpy() - 1, 0)])
    both = pa.concat_tables([SMALL, hard])
    names = ["easy"] * SMALL.num_rows + ["hard"] * hard.num_rows
    found = brief(both.append_column("criterion", [names]))
    assert found.scalars["criteria"] == 2 and found.scalars["n"] == 200
    assert found.scalars["held"] == 5 * 8


def test_more_tastes_can_be_asked_for():
    found = few(k=3)
    assert found.reading.startswith("3 tastes save ") and found.scalars["k"] == 3
    assert "weight_2" in found.tables["raters"].column_names
    with pytest.raises(UserError, match="k"):
        SPEC.parse({"k": 1})


def test_progress_runs_from_nothing_to_all_and_can_be_stopped():
    said = []
    few(progress=lambda *what: said.append(what))
    assert [what[0] for what in said] == sorted(what[0] for what in said)
    assert said[0] == (0, 6, PARTS[0]) and said[-1] == (6, 6, "done")

    def stop(done: int, total: int, what: str) -> None:
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        few(progress=stop)


def test_a_claim_is_held_against_the_share(harsh):
    def measured(found: Body):
        result = Result("key", "harshness", found.scalars, found.tables, found.reading, {})
        return SPEC.claims[0].measure(result)

    assert measured(harsh).verdict == "agrees"
    assert "share that was only harshness" in measured(harsh).value
    assert measured(body(0.0, 0.0, 0)).verdict == "not testable here"
    none = Body(harsh.scalars | {"share": 0.1, "share_low": -0.1}, {}, "")
    assert measured(none).verdict == "differs"


def test_too_many_items_are_refused():
    n = ITEMS_MOST + 1
    table = pa.table({
        "item": [f"i{k}" for k in range(n)] * 3, "rater": [r for r in "abc" for _ in range(n)],
        "rating": [(k + r) % 3 for r in range(3) for k in range(n)],
    })  # fmt: skip
    with pytest.raises(AnalysisError, match="2,001 items and 6,003 ratings are too many here. "):
        run(table)


def test_two_raters_are_too_few():
    table = as_table(1.0, 0.0, seed=0, raters=2)
    with pytest.raises(AnalysisError, match="too few ratings to hold any out. Give 3 raters"):
        run(table)


def test_too_few_ratings_of_each_rater_are_refused():
    table = pa.table({
        "item": ["i0", "i1"] * 5, "rater": [r for r in "abcde" for _ in range(2)],
        "rating": [0, 1, 1, 0, 1, 1, 0, 0, 1, 0],
    })  # fmt: skip
    with pytest.raises(AnalysisError, match="too few ratings to hold any out"):
        run(table)


def test_words_without_levels_are_refused():
    words = [["no", "perhaps", "yes", "sure"][x] for x in SMALL["rating"].to_pylist()]
    with pytest.raises(DataError, match="is a word. Say the order of the words, low to high"):
        run(SMALL.set_column(2, "rating", [words]))
