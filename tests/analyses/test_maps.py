"""The maps of one prompt: what is asked, tables, numbers that are said, claims, refusals."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from backend.analyses.attribution import attribution_map
from backend.analyses.erasure import erasure_map, mean_states
from backend.analyses.maps import SPEC
from backend.analyses.result import Result
from backend.capture.request import stored_order
from backend.capture.view import CaptureView
from backend.data.dataset import write_dataset
from backend.errors import AnalysisError, DataError, ModelError
from backend.whatif.applying import applied
from backend.whatif.replay import record
from backend.whatif.values import WhatIf
from tests import rigs

TEXT, ANSWER = "the capital of france is not a", "large city"
ROWS = [
    ("the capital of japan is", "tokyo", 3), ("a dog runs in the river", None, 0),
    ("the sky over paris is", "very blue", 1), (" ", "red", 2), ("a small bird", "sleeps", 4),
]  # fmt: skip


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    table = pa.table({"text": [r[0] for r in ROWS], "answer": [r[1] for r in ROWS]})
    folder = tmp_path_factory.mktemp("asked")
    data = write_dataset(folder, table, kind="text", name="asked", text_column="text")
    return CaptureView("made", "made", data, "last", "float32", data.n_rows, {})


def look(views=(), family="llama", progress=lambda *_: None, **given):
    given = {"steps": 4} | given
    model = rigs.open_model(family)
    return SPEC.run(tuple(views), seed=0, progress=progress, model=model, **SPEC.parse(given))


def grid(table: pa.Table, name: str) -> np.ndarray:
    shape = (max(table["layer"].to_pylist()) + 1, max(table["position"].to_pylist()) + 1)
    return table[name].to_numpy().reshape(shape)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_tables_hold_both_maps_of_the_prompt_and_its_answer(view, family):
    model = rigs.open_model(family)
    body = look([view], family, text=TEXT, answer=ANSWER, background=3)
    words = f"{TEXT} {ANSWER}".split()
    ids = model.tokenize([f"{TEXT} {ANSWER}"])["input_ids"][0].tolist()
    erasure, attribution = body.tables["erasure"], body.tables["attribution"]
    assert erasure.column_names == ["layer", "position", "token", "effect"]
    assert [str(t) for t in erasure.schema.types] == ["int32", "int32", "string", "double"]
    assert erasure["token"].to_pylist() == words[:-1] * 4
    assert attribution["token"].to_pylist() == words[:-1] * 3
    texts = [ROWS[r][0] for r in stored_order(len(ROWS))[:4] if ROWS[r][0].strip()][:3]
    assert body.scalars["background"] == len(texts)
    samples = model.inputs.prepare(texts, max_tokens=64).samples
    blank = mean_states([record(model, [s]) for s in samples])
    assert body.scalars["background_tokens"] == sum(map(len, samples))
    replay, predicts = record(model, [ids[:-1]]), [6, 7]
    wanted = erasure_map(replay, blank, predicts)
    assert np.allclose(grid(erasure, "effect"), wanted, atol=1e-5)
    found = attribution_map(replay, predicts, ids[-2:], site="layer", steps=4)
    assert np.allclose(grid(attribution, "value"), found.values, atol=1e-6)
    complete = body.tables["completeness"]
    assert complete["attributed"].to_numpy() == pytest.approx(found.values.sum(1), abs=1e-6)
    assert complete["difference"].to_numpy() == pytest.approx(found.difference, abs=1e-6)
    assert complete["layer"].to_pylist() == [0, 1, 2]


def test_the_numbers_that_are_said_come_from_the_tables(view):
    body = look([view], text=TEXT, answer=ANSWER)
    s, effects = body.scalars, grid(body.tables["erasure"], "effect")
    tokens = body.tables["tokens"].to_pydict()
    assert tokens["position"] == list(range(8))
    assert tokens["predicts"] == [False] * 6 + [True] * 2
    used = [max((d for d in range(4) if effects[d, t] > 0.1 * effects.max()), default=-1)
            for t in range(8)]  # fmt: skip
    assert tokens["used_until"] == used
    assert tokens["early"] == pytest.approx(effects[:2].mean(0))
    assert (s["n"], s["inputs"], s["blocks"], s["row"], s["answer_tokens"]) == (8, 5, 3, -1, 2)
    assert s["answer"] == ANSWER and s["text"] == TEXT
    assert s["used"] == np.median(used[1:6]) and s["used_last"] == max(used[1:6])
    assert s["used_last_token"] == TEXT.split()[1 + int(np.argmax(used[1:6]))]
    low, high = np.quantile(tokens["early"][1:6], (0.25, 0.75))
    assert s["early_ratio"] == pytest.approx(low / high)
    complete = body.tables["completeness"].to_pandas()
    share = ((complete.attributed - complete.difference) / complete.difference).abs()
    assert s["missed"] == pytest.approx(share.median())
    assert s["missed_most"] == pytest.approx(share.max())
    assert f"{s['missed_most']:.1%}" in body.reading and "of the largest effect" in body.reading
    assert "median over 5 tokens between the first and the answer" in body.reading


def test_the_answers_probability_is_the_models(view):
    model = rigs.open_model("llama")
    s = look([view], text=TEXT, answer=ANSWER, map="attribution").scalars
    ids = model.tokenize([f"{TEXT} {ANSWER}"])["input_ids"]
    with torch.inference_mode():
        p = model.model(input_ids=ids).logits[0].softmax(-1)
    assert s["answer_probability"] == pytest.approx(float(p[[6, 7], ids[0, 7:]].mean()), rel=1e-5)
    assert s["answered"] == (p[[6, 7]].argmax(-1) == ids[0, 7:]).all().item()
    assert s["answered"] or "not what the model finds most probable" in s["note"]


def test_without_an_answer_the_models_own_first_choice_is_taken(view):
    model = rigs.open_model("llama")
    body = look([view], text=TEXT)
    with torch.inference_mode():
        logits = model.model(**model.tokenize([TEXT])).logits[0, -1]
    word = model.tokens([int(logits.argmax())])[0]
    assert body.scalars["answer"] == word and body.scalars["answered"]
    assert f"the model's own first choice, {word!r}" in body.scalars["note"]
    assert body.scalars["n"] == 7 and body.tables["tokens"]["predicts"].to_pylist()[-1]


def test_spaces_before_the_models_own_answer_are_read_on(monkeypatch):
    model = rigs.open_model("llama")
    plain = model.tokens
    first = look(text=TEXT, map="attribution").scalars["answer"]
    blank = model.inputs.tokenizer.convert_tokens_to_ids(first)
    monkeypatch.setattr(model, "tokens", lambda ids: [" " if i == blank else plain([i])[0]
                                                      for i in ids])  # fmt: skip
    body = look(text=TEXT, map="attribution")
    found = body.tables["attribution"]["token"].to_pylist()[: body.scalars["n"]]
    if body.scalars["answer"] == first:  # it says nothing else
        assert body.scalars["n"] == 7
    else:
        assert found[7:] and set(found[7:]) == {" "}


def test_a_row_is_read_with_its_own_answer(view):
    asked = look([view], row=2).scalars
    assert (asked["row"], asked["text"], asked["answer"]) == (2, ROWS[2][0], "very blue")
    assert asked["background"] == 3  # all rows but the prompt's own and the empty one
    given = look([view], row=2, answer="green").scalars
    assert given["answer"] == "green"
    assert "No answer was given" in look([view], row=1).scalars["note"]


def test_one_map_alone(view):
    only = look([view], text=TEXT, answer=ANSWER, map="erasure")
    assert set(only.tables) == {"erasure", "tokens"} and "missed" not in only.scalars
    assert "ttributions" not in only.reading
    other = look(text=TEXT, answer=ANSWER, map="attribution", site="mlp")
    assert set(other.tables) == {"attribution", "completeness"}
    assert other.scalars["site"] == "mlp" and "background" not in other.scalars
    result = Result("k", "maps", other.scalars, other.tables, other.reading)
    for claim in SPEC.claims:
        assert claim.measure(result).verdict == "not testable here"
        assert claim.measure(result).value == "needs the erasure map"


def test_few_steps_are_said_and_more_bring_the_sum_closer():
    few, many = (look(text=TEXT, answer=ANSWER, map="attribution", steps=n).scalars
                 for n in (1, 256))  # fmt: skip
    assert many["missed"] < few["missed"] and many["missed"] < 0.03
    assert few["missed_layers"] and "more steps than 1" in few["note"]


def test_claims_follow_the_numbers(view):
    body = look([view], text=TEXT, answer=ANSWER)
    assert all(claim.unconfirmed for claim in SPEC.claims)

    def verdicts(**changed) -> list[str]:
        result = Result("k", "maps", body.scalars | changed, body.tables, "")
        return [claim.measure(result).verdict for claim in SPEC.claims]

    depths = {"used_first": 1, "used_last": 3}
    assert verdicts(early_ratio=0.6, later_low=-0.2, **depths) == ["agrees", "agrees"]
    assert verdicts(early_ratio=0.4, later_low=0.1, **depths) == ["differs", "differs"]
    assert verdicts(early_ratio=1.0, used_first=2, used_last=2)[1] == "agrees"
    assert verdicts(inputs=3) == ["not testable here"] * 2
    assert verdicts(early_ratio=float("nan"), used_first=-1, used_last=-1) == [
        "not testable here"] * 2  # fmt: skip


def test_short_prompts_have_nothing_between_the_first_token_and_the_answer(view):
    body = look([view], text="the", answer="dog")
    assert body.scalars["inputs"] == 0
    assert "None of the 0 tokens" in body.reading


def test_under_a_what_if(view):
    base = look([view], text=TEXT, answer=ANSWER)
    with applied(rigs.open_model("llama"), WhatIf.parse("skip:1")):
        body = look([view], text=TEXT, answer=ANSWER)
    effects = grid(body.tables["erasure"], "effect")
    assert not np.allclose(effects, grid(base.tables["erasure"], "effect"))
    values = grid(body.tables["attribution"], "value")
    assert np.allclose(values[0], values[1], atol=1e-6)  # layer 1 passes on what it is given


def test_progress_goes_from_nothing_to_all(view):
    seen = []
    look([view], text=TEXT, progress=lambda done, total, what: seen.append((done, total)))
    done = [d for d, _ in seen]
    assert done == sorted(done) and done[0] == 0 and done[-1] == 100
    assert {t for _, t in seen} == {100}


def test_refusals(view):
    with pytest.raises(AnalysisError, match="No prompt is given. Set text"):
        look([view])
    with pytest.raises(AnalysisError, match="Row 3 of 'asked' holds no words"):
        look([view], row=3)
    with pytest.raises(DataError, match="Row 7 is not in 'asked'"):
        look([view], row=7)
    with pytest.raises(AnalysisError, match="nothing to read"):
        look(row=1)
    with pytest.raises(AnalysisError, match="more than 5 tokens"):
        look([view], text=TEXT, answer=ANSWER, length=5)
    with pytest.raises(AnalysisError, match="map='all' is not known"):
        look([view], text=TEXT, map="all")
    with pytest.raises(ModelError, match="does not predict next tokens"):
        look([view], "bert", text=TEXT)


def test_erasing_needs_other_texts(tmp_path):
    data = write_dataset(tmp_path, pa.table({"text": [TEXT]}), kind="text", name="one",
                         text_column="text")  # fmt: skip
    lonely = CaptureView("made", "made", data, "last", "float32", 1, {})
    for given in ({"row": 0}, {"text": TEXT}):
        with pytest.raises(AnalysisError, match="'one' has no text but the prompt itself"):
            look([lonely], **given)


def test_long_prompts_are_cut_and_it_is_said(view):
    s = look([view], text=TEXT, length=3, map="erasure").scalars
    assert s["n"] >= 3 and "cut to its first 3 tokens" in s["note"]
