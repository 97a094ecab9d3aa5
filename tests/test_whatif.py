"""What-ifs through the workbench: captures and answers of a changed model, under own keys."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend import CaptureAsk, RunRequest, UserError, WhatIf, Workbench
from backend.settings import Settings
from tests import rigs

LLAMA = str(rigs.model_folder("llama"))


@pytest.fixture
def texts(tmp_path):
    return str(rigs.write_csv(tmp_path / "texts.csv", 40))


@pytest.fixture
def bench(tmp_path):
    opened = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    yield opened
    opened.close()


def test_a_changed_model_is_captured_beside_the_untouched_one(bench, texts):
    ask = CaptureAsk(LLAMA, texts, "resid_post.0,resid_post.1,final")
    clean = bench.capture(ask)
    changed = bench.capture(replace(ask, whatif="skip:1"))
    assert changed.whatif == "skip:1" and clean.whatif == ""
    same = [np.array_equal(clean.vectors(s), changed.vectors(s)) for s in clean.sites]
    assert same == [True, False, False]
    assert np.array_equal(changed.vectors("resid_post.0"), changed.vectors("resid_post.1"))
    assert bench.oracle(bench.resolve(replace(ask, whatif="skip:1")))["verdict"] == "agrees"
    groups = {g["what-if"]: g["sites"] for g in bench.capture_groups()}
    assert groups == {"": 3, "skip:1": 3}
    assert np.array_equal(
        bench.capture(replace(ask, rows=9)).vectors("final"), clean.vectors("final")[:9]
    )


def test_equal_what_ifs_are_one_key_however_they_are_written(bench, texts):
    ask = CaptureAsk(LLAMA, texts, "final", whatif="skip:1+bits:4=0")
    bench.capture(ask)
    assert bench.plan(replace(ask, whatif=" bits:4=0 + skip:1 ")).complete
    assert not bench.plan(replace(ask, whatif="skip:1+bits:3=0")).complete


def test_answers_name_the_what_if_and_analyses_run_under_it(bench, texts):
    run = dict(model=LLAMA, data=texts)
    plain, changed = (bench.run("lens", **run, whatif=w) for w in ("", WhatIf.parse("skip:0-2")))
    assert (plain.provenance["whatif"], changed.provenance["whatif"]) == ("", "skip:0-2")
    kl = changed.tables["next"]["kl_to_output"].to_numpy()
    assert np.allclose(kl, 0, atol=1e-6)  # every layer is the embedding
    assert not np.allclose(plain.tables["next"]["kl_to_output"].to_numpy(), 0, atol=1e-3)
    request = RunRequest("lens", LLAMA, texts, whatif="skip:0-2")
    assert bench.stored(request).key == changed.key != plain.key


def test_a_second_model_is_taken_as_it_is(bench, texts):
    result = bench.run("similarity", model=LLAMA, other=LLAMA, data=texts, whatif="skip:1,2")
    table = result.tables["similarity"].to_pylist()
    cka = {(r["layer_a"], r["layer_b"]): r["cka"] for r in table}
    assert cka["resid_post.2", "resid_post.0"] == pytest.approx(1, abs=1e-5)
    assert cka["resid_post.2", "resid_post.2"] < 0.999


def test_what_the_model_lacks_is_said_before_anything_runs(bench, texts):
    with pytest.raises(UserError, match="names layer 9, and the model has 3 blocks"):
        bench.run("lens", model=LLAMA, data=texts, whatif="skip:9")
    with pytest.raises(UserError, match="'drop:1' is not a what-if"):
        bench.run("lens", model=LLAMA, data=texts, whatif="drop:1")


def test_the_what_if_analysis_holds_the_changed_model_against_the_untouched_one(bench, texts):
    text = "the cat runs in the city"
    run = dict(model=LLAMA, data=texts, text=text, new=4)
    base, changed = (bench.run("whatif", **run, whatif=w) for w in ("", "skip:1+bits:3=0"))
    model = rigs.open_model("llama")
    ids = model.tokenize([text])["input_ids"]
    with torch.inference_mode():
        logits = model.model(input_ids=ids).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:])
    for result in (base, changed):
        assert result.scalars["base_loss"] == pytest.approx(float(loss), rel=1e-5)
    assert base.scalars["change"] == 0 and base.scalars["base_text"] == base.scalars["changed_text"]
    assert changed.scalars["loss"] != pytest.approx(float(loss), rel=1e-3)
    p = logits[-1].double().softmax(-1)
    table = changed.tables["next"].to_pylist()
    assert table[0]["base_probability"] == pytest.approx(float(p.max()), rel=1e-5)
    assert changed.scalars["mb"] < base.scalars["mb"] == base.scalars["base_mb"]
    assert changed.scalars["average_bits"] == pytest.approx((3 + 0 + 32) / 3)
    assert "skip:1" in changed.reading and len(changed.tables["tokens"]) == len(ids[0]) - 1
