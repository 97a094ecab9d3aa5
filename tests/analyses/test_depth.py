"""The depth analysis: whole tables against one run at a time, exact ends, and what is said."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
import transformers

from backend.analyses.depth import SPEC
from backend.analyses.depth_claims import halves
from backend.analyses.result import Result
from backend.analyses.skip_effects import future_positions
from backend.capture.view import CaptureView
from backend.errors import AnalysisError, ModelError, UserError
from backend.models.loading import load
from backend.models.sources import from_folder
from tests import rigs
from tests.analyses import one_by_one

TEXTS = (
    "the capital of france is paris and the capital of italy is rome , a very old city .",
    "red green blue\n---\nthe dog runs in the house . a cat sleeps on a very small tree",
    "the sky is blue\n---\na bird",
)
TYPED = "\n---\n".join(TEXTS)  # 19, 3, 15, 4 and 2 tokens
SEED = 5


def look(silent, model, views=(), **given):
    return SPEC.run(views, seed=SEED, progress=silent, model=model, **SPEC.parse(given))


def result(body) -> Result:
    return Result("k", "depth", body.scalars, body.tables, body.reading)


def verdicts(body) -> dict[str, str]:
    return {claim.key: claim.measure(result(body)).verdict for claim in SPEC.claims}


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A tiny model of six layers, enough for two halves."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "deep"
    facts = tiny._small(num_hidden_layers=6, num_key_value_heads=1)
    config = transformers.LlamaConfig(**tiny._TEXT, **facts)
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0 if parameter.ndim > 1 else 1.0)
    model.save_pretrained(folder)
    tiny.write_tokenizer(folder)
    return load(from_folder("deep", folder, settings=rigs.settings()), rigs.settings())


def naive(model, ids: list[tuple[int, ...]], mode: str, part: str) -> dict:
    """Effects and changes of each prompt at its measured tokens: key (skipped, layer) or skipped,
    of each prompt a list of (value, position)."""
    found: dict = {}
    kind = mode.removesuffix("-local")
    for index, sample in enumerate(ids):
        n = len(sample)
        stops = [n] if kind == "current" else future_positions(n, count=4, front=1,
                                                              seed=(SEED, index))  # fmt: skip
        for stop in stops:
            at = range(1, n) if kind == "current" else range(stop, n)
            if mode.endswith("local"):
                E, changes = one_by_one.local(model, sample, part, 1, stop), None
            else:
                E, changes = one_by_one.effects(model, sample, part, 1, stop)
            for s in range(model.n_blocks):
                if changes is not None:
                    found.setdefault(s, {}).setdefault(index, []).extend(
                        (changes[s, t], t) for t in at
                    )
                for layer in range(model.n_blocks):
                    found.setdefault((s, layer), {}).setdefault(index, []).extend(
                        (E[s, layer, t], t) for t in at
                    )
    return found


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("part", ["layer", "attention", "mlp"])
def test_whole_tables_equal_one_forward_pass_per_layer_and_position(family, part, silent):
    model = rigs.open_model(family)
    body = look(silent, model, text=TYPED, part=part, local=True)
    ids = [tuple(model.tokenize([t])["input_ids"][0].tolist())
           for t in body.tables["prompts"]["text"].to_pylist()]  # fmt: skip
    assert (
        [len(i) for i in ids] == body.tables["prompts"]["tokens"].to_pylist() == [19, 3, 15, 4, 2]
    )
    skip, output = (body.tables[t].to_pylist() for t in ("skip", "output"))
    assert len(skip) == 4 * 9 and len(output) == 2 * 3
    for mode in ("current", "future", "current-local", "future-local"):
        found = naive(model, ids, mode, part)
        for line in [x for x in skip if x["mode"] == mode]:
            own = found[line["skipped"], line["layer"]]
            values = {k: np.array([v for v, _ in x]) for k, x in own.items()}
            close = {"rel": 2e-3, "abs": 1e-4}
            assert line["effect"] == pytest.approx(max(v.max() for v in values.values()), **close)
            means = np.mean([v.mean() for v in values.values()])
            assert line["mean"] == pytest.approx(means, **close)
            p95 = np.mean([np.quantile(v, 0.95) for v in values.values()])
            assert line["p95"] == pytest.approx(p95, **close)
            if line["effect"] > 1e-3:
                places = {(t, ids[k][t]) for k, x in own.items() for v, t in x
                          if v == pytest.approx(line["effect"], **close)}  # fmt: skip
                words = {(t, model.tokens([i])[0]) for t, i in places}
                assert (line["position"], line["token"]) in words and line["row"] == -1
        for line in [x for x in output if x["mode"] == mode]:
            values = [np.array([v for v, _ in x]) for x in found[line["skipped"]].values()]
            assert line["change"] == pytest.approx(max(v.max() for v in values), **close)
            assert line["mean"] == pytest.approx(np.mean([v.mean() for v in values]), **close)


def test_ends_are_exact_and_every_number_has_its_interval(deep, silent):
    body = look(silent, deep, text=TYPED, local=True)
    for line in body.tables["skip"].to_pylist():
        s, layer, now = line["skipped"], line["layer"], line["mode"].startswith("current")
        if layer < s or (layer == s and not now):
            assert line["effect"] == line["mean"] == line["p95"] == 0 and line["position"] is None
        elif layer == s:
            assert line["effect"] == line["mean"] == line["p95"] == 1
        else:
            assert line["effect"] >= line["p95"] >= 0 and line["position"] >= 1
    lens = body.tables["lens"].to_pylist()
    assert [x["layer"] for x in lens] == list(range(7))
    assert all(lens[-1][k] == 0 for k in ("kl", "kl_low", "kl_high"))
    assert all(lens[-1][k] == 1 for k in ("top5", "top5_low", "top5_high"))
    assert all(0 <= x["top5_low"] <= x["top5"] <= x["top5_high"] <= 1 for x in lens)
    assert all(0 <= x["kl_low"] <= x["kl"] <= x["kl_high"] for x in lens)
    output = body.tables["output"].to_pylist()
    assert all(0 <= x["low"] <= x["mean"] <= x["high"] and x["mean"] <= x["change"] <= 2**0.5 + 1e-6
               for x in output)  # fmt: skip
    assert output[-1] == {
        "skipped": 5,
        "mode": "future",
        "change": 0,
        "mean": 0,
        "low": 0,
        "high": 0,
    }
    layers = body.tables["layers"]
    for name in ("layer_relative", "attn_cosine", "stream_cosine"):
        low, value, high = (layers[f"{name}{e}"].to_numpy() for e in ("_low", "", "_high"))
        assert (low <= value).all() and (value <= high).all()
    assert (layers["mlp_relative_max"].to_numpy() >= layers["mlp_relative"].to_numpy()).all()
    s = body.scalars
    assert (s["n"], s["tokens"], s["blocks"], s["part"]) == (5, 38, 6, "layer")
    for name in ("depth_effect", "depth_output"):
        assert 0 <= s[f"{name}_low"] <= s[name] <= s[f"{name}_high"] <= 5
    assert "without future tokens: 2." in s["note"] and "every second token" in s["note"]
    assert "score 2.50" in body.reading and "5 texts, 38 tokens" in body.reading
    again = look(silent, deep, text=TYPED, local=True)
    assert again.scalars == s and again.tables["skip"].equals(body.tables["skip"])


def test_rows_of_a_data_set_are_named_and_batches_leave_no_seam(deep, silent, monkeypatch):
    data = rigs.dataset("text")
    view = CaptureView("made", "made", data, "last", "float32", data.n_rows, {})
    body = look(silent, deep, (view,), prompts=8, length=12)
    prompts = body.tables["prompts"]
    rows = {row for row in body.tables["skip"]["row"].to_pylist() if row is not None}
    assert rows <= set(prompts["row"].to_pylist()) and len(rows) > 1
    assert prompts["text"].to_pylist() == data.texts(prompts["row"].to_numpy())
    assert max(prompts["tokens"].to_pylist()) <= 12
    monkeypatch.setattr("backend.analyses.prompts.in_batches.__kwdefaults__", {"tokens": 12})
    alone = look(silent, deep, (view,), prompts=8, length=12)
    for name in ("layers", "output", "lens", "skip"):
        a, b = body.tables[name].to_pandas(), alone.tables[name].to_pandas()
        numbers = a.select_dtypes("number").columns
        assert np.allclose(a[numbers], b[numbers], rtol=1e-3, atol=1e-4, equal_nan=True)
    assert alone.scalars["depth_effect"] == pytest.approx(body.scalars["depth_effect"], rel=1e-3)


def test_one_short_text_has_no_intervals_and_no_future(deep, silent):
    body = look(silent, deep, text="red green blue")
    assert set(body.tables["skip"]["mode"].to_pylist()) == {"current"}
    assert np.isnan(body.tables["layers"]["layer_relative_low"].to_numpy()).all()
    assert np.isnan(body.tables["output"]["low"].to_numpy()).all()
    assert math.isnan(body.scalars["depth_effect"])
    assert "One text" in body.scalars["note"] and "a layer of the second half" in body.reading
    assert set(verdicts(body).values()) == {"not testable here"}
    few = look(silent, rigs.open_model("llama"), text="the dog sleeps in the house")
    assert "felt by future tokens" in few.reading
    assert set(verdicts(few).values()) == {"not testable here"}
    none = look(silent, rigs.open_model("llama"), text="the dog")
    assert none.scalars["future_n"] == 0
    assert none.reading == "The texts are too short for future tokens (1 text, 1 token)."


def test_the_first_tokens_that_are_kept_are_not_measured(deep, silent):
    body = look(silent, deep, text=TYPED, skip_front=3)
    assert body.scalars["n"] == 3 and "left out: 2." in body.scalars["note"]
    assert min(p for p in body.tables["skip"]["position"].to_pylist() if p is not None) >= 3
    every = look(silent, deep, text=TYPED, skip_front=0)
    assert every.scalars["tokens"] == 43
    with pytest.raises(AnalysisError, match="No text has more than 30 tokens"):
        look(silent, deep, text=TYPED, skip_front=30)


def test_claims_follow_the_numbers(deep, silent):
    body = look(silent, deep, text=TYPED)
    assert set(verdicts(body).values()) <= {"agrees", "differs"}
    paper = {
        "second_over_first": (0.3, 0.2, 0.4), "future_effect_ratio": (0.1, 0.0, 0.2),
        "future_output_ratio": (0.1, 0.05, 0.2), "cosine_first": (-0.1, -0.2, 0.0),
        "cosine_second": (0.2, 0.1, 0.3), "least_now": (0.3, 0.2, 0.4),
        "kl_half": (0.8, 0.7, 0.9), "top5_half": (0.1, 0.0, 0.2),
    }  # fmt: skip
    ends = ("", "_low", "_high")
    like = {f"{k}{e}": x for k, v in paper.items() for e, x in zip(ends, v, strict=True)}
    agrees = SimpleNamespace(scalars=body.scalars | like | {"cosine_turn": 3})
    assert [c.measure(agrees).verdict for c in SPEC.claims] == ["agrees"] * 5
    small = {
        "second_over_first_high": 0.7, "future_output_ratio_high": 0.6, "cosine_turn": 5,
        "least_now_low": 0.01, "kl_half_low": 0.4,
    }  # fmt: skip
    for claim, (name, value) in zip(SPEC.claims, small.items(), strict=True):
        other = SimpleNamespace(scalars=agrees.scalars | {name: value})
        assert claim.measure(other).verdict == "differs"
    assert [c.key for c in SPEC.claims if c.unconfirmed] == ["cosine", "now", "lens"]
    assert halves(6) == (slice(0, 3), slice(3, 6)) and halves(5) == (slice(0, 2), slice(3, 5))


def test_a_model_whose_layers_add_nothing_says_so(silent, deep):
    empty = copy.deepcopy(deep)
    with torch.no_grad():
        for block in empty.blocks:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
    body = look(silent, empty, text=TYPED, local=True)
    assert not np.any([body.tables["skip"][c].to_numpy() for c in ("effect", "mean", "p95")])
    assert not np.any([body.tables["output"][c].to_numpy() for c in ("change", "mean")])
    assert body.scalars["future_n"] == 3 and math.isnan(body.scalars["depth_effect"])
    assert "future tokens feel no skipped layer" in body.reading.lower()
    assert verdicts(body)["future"] == "not testable here"


def test_models_and_settings_that_do_not_fit_are_refused(silent):
    with pytest.raises(ModelError, match="does not predict next tokens"):
        look(silent, rigs.open_model("bert"), text="the dog")
    with pytest.raises(UserError, match="part='head' is not known"):
        SPEC.parse({"part": "head"})


def test_progress_rises_to_its_end(deep):
    told: list = []
    look(lambda *a: told.append(a), deep, text=TYPED, local=True)
    done = [d for d, _, _ in told]
    assert done == sorted(done) and told[-1][0] == told[-1][1] and done[0] >= 0
    assert {"direct" in what for _, _, what in told} == {True, False}
