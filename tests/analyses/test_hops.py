"""Depth against difficulty: scores equal to one run at a time, and what is refused."""

import math
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.depth_score import depth_score, layer_effects
from backend.analyses.hops import SPEC
from backend.capture.view import CaptureView
from backend.data.dataset import write_dataset
from backend.errors import AnalysisError, ModelError
from tests import rigs
from tests.analyses import one_by_one

QUESTIONS = [
    ("the capital of france is", "paris", 1),
    ("the capital of the country of rome is", "rome .", 2),
    ("the small dog runs in the", "red house", 1),
    ("the sky over the very old city is", "not blue", 2),
    ("a bird sleeps on", "a tree", 1),
    ("the large old house and the small new house and the dog is", "green", 2),
]


@pytest.fixture
def view(tmp_path):
    def make(rows=QUESTIONS, names=("text", "answer", "hops"), n: int = 0):
        columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        data = write_dataset(
            tmp_path, pa.table(columns), kind="text", name="asked", text_column="text"
        )
        return CaptureView("made", "made", data, "last", "float32", n or data.n_rows, {})

    return make


def look(silent, view, family="llama", **given):
    model = rigs.open_model(family)
    return SPEC.run((view,), seed=0, progress=silent, model=model, **SPEC.parse(given))


def plain(model, question: str, answer: str, reduce) -> tuple[float, float, bool]:
    """Scores of one question by one run at a time, and whether it is answered."""
    ids = model.tokenize([f"{question} {answer}"])["input_ids"][0].tolist()
    start = len(question.split())
    E, changes = one_by_one.effects(model, ids, "layer", 1, start)
    _, p = one_by_one.forward(model, ids)
    E = np.triu(reduce(E[..., start:], axis=-1), 1)
    changes = reduce(changes[:, start:], axis=-1)
    changes[-1] = 0
    said = int(p[start - 1].argmax()) == ids[start]
    return float(depth_score(layer_effects(E))), float(depth_score(changes)), said


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("reduce", ["max", "mean"])
def test_scores_equal_one_forward_pass_per_layer(family, reduce, view, silent):
    model, how = rigs.open_model(family), {"max": np.max, "mean": np.mean}[reduce]
    body = look(silent, view(), family, reduce=reduce)
    lines = body.tables["scores"].to_pylist()
    assert [(x["group"], x["measure"]) for x in lines] == [
        ("1", "effect"), ("1", "output"), ("2", "effect"), ("2", "output"),
    ]  # fmt: skip
    means = {}
    for line in lines:
        own = [plain(model, q, a, how) for q, a, hops in QUESTIONS if str(hops) == line["group"]]
        wanted = np.mean([x[line["measure"] == "output"] for x in own])
        means[line["group"], line["measure"]] = wanted
        assert line["score"] == pytest.approx(wanted, rel=1e-3) and line["n"] == 3
        assert 0 <= line["low"] <= line["score"] <= line["high"] <= 2
        assert line["answered"] == np.mean([x[2] for x in own])
        assert line["answered_low"] <= line["answered"] <= line["answered_high"]
    s = body.scalars
    for measure in ("effect", "output"):
        rise = means["2", measure] - means["1", measure]
        assert s[f"slope_{measure}"] == pytest.approx(rise, abs=1e-3)
        assert s[f"slope_{measure}_low"] <= s[f"slope_{measure}"] <= s[f"slope_{measure}_high"]
    assert (s["n"], s["tokens"], s["blocks"], s["span"], s["groups"]) == (6, 10, 3, 1, 2)
    assert "6 questions" in body.reading and s["note"] == ""


def test_the_last_layer_is_not_felt_and_the_seed_fixes_the_intervals(view, silent):
    body = look(silent, view())
    assert all(x["score"] < 1.5 for x in body.tables["scores"].to_pylist())
    again = look(silent, view())
    assert again.tables["scores"].equals(body.tables["scores"]) and again.scalars == body.scalars


def test_groups_are_ordered_as_numbers_and_cut_to_the_first_rows(view, silent):
    rows = [(f"the dog {'runs ' * (i % 5 + 1)}in the", "house", (10, 9, 2)[i % 3])
            for i in range(15)]  # fmt: skip
    body = look(silent, view(rows), prompts=2)
    assert body.tables["scores"]["group"].to_pylist()[::2] == ["2", "9", "10"]
    assert body.tables["scores"]["n"].to_pylist() == [2] * 6 and body.scalars["span"] == 8
    words = [(q, a, {1: "easy", 2: "hard"}[h]) for q, a, h in QUESTIONS]
    named = look(silent, view(words, ("text", "answer", "level")), group="level")
    assert named.tables["scores"]["group"].to_pylist()[::2] == ["easy", "hard"]
    assert named.scalars["span"] == 1 and "no numbers" in named.scalars["note"]


def test_questions_without_an_answer_or_too_long_are_left_out(view, silent):
    rows = [*QUESTIONS, ("a cat is", None, 1), ("a cat is", " ", 2), ("a cat is", "red", None),
            ("cat", "red", 1)]  # fmt: skip
    body = look(silent, view(rows), length=12)
    assert body.scalars["n"] == 5 and "left out" in body.scalars["note"]
    with pytest.raises(AnalysisError, match="No question of hops 2 can be measured with length=7"):
        look(silent, view(QUESTIONS), length=7)


def test_what_cannot_be_scored_is_refused(view, silent):
    with pytest.raises(AnalysisError, match="'asked' has no column 'answer'"):
        look(silent, view(names=("text", "reply", "hops")))
    with pytest.raises(AnalysisError, match="'asked' has no column 'hops'"):
        look(silent, view(names=("text", "answer", "level")))
    with pytest.raises(AnalysisError, match="'hops' of 'asked' has 1 group of questions"):
        look(silent, view([q for q in QUESTIONS if q[2] == 1]))
    many = [("the dog is", "red", i) for i in range(21)]
    with pytest.raises(AnalysisError, match="has 21 groups"):
        look(silent, view(many))
    with pytest.raises(ModelError, match="does not predict next tokens"):
        look(silent, view(), "bert")


def measured(**changes) -> SimpleNamespace:
    ends = {f"slope_{m}{e}": v for m in ("effect", "output")
            for e, v in (("", 0.1), ("_low", -0.2), ("_high", 0.4))}  # fmt: skip
    return SimpleNamespace(scalars=ends | {"span": 2.0, "blocks": 30} | changes)


def test_the_claim_holds_where_no_score_grows_by_a_twentieth_of_the_depth():
    [claim] = SPEC.claims
    assert claim.measure(measured()).verdict == "agrees"
    assert claim.measure(measured(slope_effect_high=0.8)).verdict == "not testable here"
    grown = measured(slope_output=1.2, slope_output_low=0.5, slope_output_high=1.8)
    assert claim.measure(grown).verdict == "differs"
    assert claim.measure(measured(slope_effect_high=math.nan)).verdict == "not testable here"


def test_one_question_a_group_has_a_slope_without_interval(view, silent):
    body = look(silent, view(QUESTIONS[:2]))
    assert math.isfinite(body.scalars["slope_effect"])
    assert math.isnan(body.scalars["slope_effect_low"])
    assert np.isnan(body.tables["scores"]["low"].to_numpy()).all()
