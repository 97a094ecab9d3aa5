"""The model beside itself: losses, next tokens, continuation and sizes against plain passes."""

import numpy as np
import pytest
import torch

from backend.analyses import load_all
from backend.errors import AnalysisError
from backend.whatif.applying import applied
from backend.whatif.values import WhatIf
from tests import rigs

SPEC = load_all()["whatif"]
TEXT = "the cat runs in the city"


def look(whatif: str = "", family: str = "llama", **given):
    parameters = SPEC.parse({"text": TEXT, "new": 5} | given)
    return SPEC.run(
        (), seed=0, progress=lambda *_: None, model=rigs.open_model(family),
        whatif=WhatIf.parse(whatif), **parameters,
    )  # fmt: skip


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_both_models_are_read_as_plain_passes_read_them(family):
    body = look("skip:1+bits:3=0:g8", family)
    model = rigs.open_model(family)
    ids = model.tokenize([TEXT])["input_ids"]
    for column, whatif in (("base_loss", ""), ("loss", "skip:1+bits:3=0:g8")):
        with torch.inference_mode(), applied(model, WhatIf.parse(whatif)):
            logits = model.model(input_ids=ids).logits[0].float()
        losses = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:], reduction="none")
        assert np.allclose(body.tables["tokens"][column].to_numpy(), losses, atol=1e-5)
        assert body.scalars[column] == pytest.approx(float(losses.mean()), abs=1e-5)
        p = logits[-1].double().softmax(-1)
        name = "base_probability" if not whatif else "probability"
        table = body.tables["next"]
        best = max(zip(table[name].to_pylist(), table["token"].to_pylist(), strict=True))
        assert best[0] == pytest.approx(float(p.max()), rel=1e-5)
        assert best[1] == model.tokens([int(p.argmax())])[0]
    s = body.scalars
    assert s["change"] == pytest.approx(s["loss"] - s["base_loss"], abs=1e-6)
    assert s["change_low"] < s["change"] < s["change_high"]
    assert "takes its tokens as independent" in s["note"]


def test_the_model_as_it_is_has_no_change():
    body = look()
    s = body.scalars
    assert s["change"] == s["change_low"] == s["change_high"] == 0
    assert s["base_text"] == s["changed_text"] and s["same_first"]
    assert body.reading.startswith("The model as it is")


def test_several_texts_give_an_interval_over_texts():
    body = look("skip:1", text=f"{TEXT}\n---\nparis is a large city\n---\na red dog")
    assert body.scalars["n"] == 3 and body.scalars["note"] == ""
    assert body.scalars["text"] == TEXT
    assert body.scalars["tokens"] == 5 + 4 + 2


def test_of_a_long_text_only_what_was_read_is_shown():
    body = look("skip:1", length=3)
    assert body.scalars["text"] == "the cat runs" and body.scalars["tokens"] == 2
    assert look("skip:1").scalars["text"] == TEXT


def test_a_text_of_one_token_is_refused():
    with pytest.raises(AnalysisError, match="two tokens"):
        look(text="cat")


def test_the_untouched_model_is_run_once_for_the_same_text(monkeypatch):
    from backend.analyses import whatif

    seen, real = [], whatif._answer
    monkeypatch.setattr(
        whatif,
        "_answer",
        lambda model, change, *a: seen.append(str(change)) or real(model, change, *a),
    )
    text = "the bird sleeps on the tree"
    for change in ("skip:0", "skip:2", ""):
        look(change, text=text)
    assert seen == ["", "skip:0", "skip:2"]
