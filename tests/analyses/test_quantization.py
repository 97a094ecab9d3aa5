"""The quantization sweep on tiny models: equal to plain passes, budgets that add up, orders."""

import copy
from types import SimpleNamespace

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from backend.analyses import load_all
from backend.analyses.quantization_tables import assigned, change
from backend.analyses.result import Result
from backend.errors import AnalysisError, ModelError
from backend.models.scoring import text_losses
from backend.whatif.applying import applied
from backend.whatif.values import WhatIf
from tests import rigs

SPEC = load_all()["quantization"]
TEXT = "the cat runs in the city .\n---\na dog sleeps on the old house\n---\nparis is a large city"


def sweep(family: str = "llama", **given) -> Result:
    model = rigs.open_model(family)
    view = type("View", (), {"whatif": given.pop("whatif", ""), "n": 0})()
    parameters = SPEC.parse({"text": TEXT, "points": 0, "randoms": 2} | given)
    body = SPEC.run((view,), seed=0, progress=lambda *_: None, model=model, **parameters)
    return Result("k" * 32, "quantization", body.scalars, body.tables, body.reading, {"seed": 0})


@pytest.fixture(scope="module")
def result() -> Result:
    return sweep()


def loss(family: str, whatif: str) -> float:
    """Mean loss per token by one plain pass of each text."""
    model = rigs.open_model(family)
    found = []
    for text in TEXT.split("\n---\n"):
        ids = model.inputs.prepare([text], max_tokens=64).samples[0]
        with applied(model, WhatIf.parse(whatif)):
            found.append(text_losses(model, [ids])[0])
    return float(torch.cat(found).double().mean())


def curve(result: Result) -> dict:
    table = result.tables["curve"].to_pylist()
    return {(r["order"], r["low_layers"]): r for r in table}


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_losses_are_those_of_plain_passes(family):
    result = sweep(family, symmetric=True, group=8, every_width=True)
    assert result.scalars["base_loss"] == pytest.approx(loss(family, ""), abs=1e-5)
    widths = {(r["layer"], r["bits"]): r["loss"] for r in result.tables["widths"].to_pylist()}
    assert set(widths) == {(layer, b) for layer in (-1, 0, 1, 2) for b in (8, 4, 3, 2)}
    assert widths[1, 2] == pytest.approx(loss(family, "bits:2=1:g8:sym"), abs=1e-5)
    assert widths[-1, 3] == pytest.approx(loss(family, "bits:3=0-2:g8:sym"), abs=1e-5)
    found = curve(result)
    for name, k in (("lim", 1), ("zd", 2), ("pruned-lim", 1), ("random-1", 2)):
        whatif = str(assigned(result, name, k))
        assert found[name, k]["loss"] == pytest.approx(loss(family, whatif), abs=1e-5), whatif


def test_the_ends_of_every_order_are_the_same(result):
    found, n = curve(result), result.scalars["blocks"]
    orders = {name for name, _ in found}
    assert orders >= {"lim", "zd", "sensitivity", "reversed-lim", "random-0", "random-1"}
    lower = [o for o in orders if not o.startswith("pruned")]
    assert len({found[o, 0]["loss"] for o in orders}) == 1
    assert len({found[o, n]["loss"] for o in lower}) == 1
    assert {k for _, k in found} == set(range(n + 1))
    uniform = {
        r["bits"]: r["loss"] for r in result.tables["widths"].to_pylist() if r["layer"] == -1
    }
    assert found["lim", 0]["loss"] == pytest.approx(uniform[4], abs=1e-9)
    assert found["lim", n]["loss"] == pytest.approx(uniform[3], abs=1e-9)


def test_bits_fall_evenly_and_pruned_layers_count_nothing(result):
    found, n = curve(result), result.scalars["blocks"]
    average = [found["lim", k]["average_bits"] for k in range(n + 1)]
    assert average == pytest.approx([4, 4 - 1 / 3, 4 - 2 / 3, 3])
    assert found["pruned-lim", n]["average_bits"] == 0
    file = [found["lim", k]["file_bits"] for k in range(n + 1)]
    assert all(np.diff(file) < 0) and file[-1] > 3  # embeddings stay at full precision
    inside = result.scalars["block_parameters"]
    total = result.scalars["parameters"]
    scales = 2 * 16 / 16  # groups of 64 in rows of 16 (q, k, v, gate, up) and 32
    assert file[0] < (4 + scales) * inside / total + 32 * (total - inside) / total + 1e-9


def test_lim_is_minus_the_cosine_of_consecutive_states(result):
    model = rigs.open_model("llama")
    own = copy.deepcopy(model.model)  # the library leaves hooks behind when it hands out states
    cosines = []
    for text in TEXT.split("\n---\n"):
        states = own(**model.tokenize([text]), output_hidden_states=True).hidden_states
        x, y = states[1][0, 1:].double(), states[2][0, 1:].double()
        cosines.append(float(torch.nn.functional.cosine_similarity(x, y, dim=-1).mean()))
    lim = result.tables["scores"]["lim"].to_pylist()
    assert lim[1] == pytest.approx(-np.mean(cosines), abs=1e-5)
    assert all(-1 <= v <= 1 for v in lim)


def test_sensitivity_is_what_one_low_layer_adds_to_all_high(result):
    scores = result.tables["scores"].to_pylist()
    gap = loss("llama", "bits:4=0,2,3=1") - loss("llama", "bits:4=0-2")
    assert scores[1]["sensitivity"] == pytest.approx(gap, abs=1e-6)
    gone = loss("llama", "skip:1") - loss("llama", "")
    assert scores[1]["pruned"] == pytest.approx(gone, abs=1e-6)
    for column in ("lim_rank", "zd_rank", "sensitivity_rank"):
        assert sorted(s[column] for s in scores) == [1, 2, 3]
    best = max(scores, key=lambda s: s["sensitivity"])
    assert best["sensitivity_rank"] == 1
    assert scores[1]["sensitivity_low"] <= scores[1]["sensitivity"] <= scores[1]["sensitivity_high"]


def test_the_assignment_is_the_orders_own(result):
    table = result.tables["assignment"]
    for order, k in (("zd", 1), ("reversed-lim", 2), ("random-0", 1)):
        mine = table.filter(
            pc.and_(pc.equal(table["order"], order), pc.equal(table["low_layers"], k))
        )
        bits = dict(zip(mine["layer"].to_pylist(), mine["bits"].to_pylist(), strict=True))
        assert assigned(result, order, k).bits == bits
    pruned = assigned(result, "pruned-lim", 1)
    assert len(pruned.skipped) == 1 and len(pruned.bits) == 2
    with pytest.raises(AnalysisError, match="no order 'best'"):
        assigned(result, "best", 1)
    with pytest.raises(AnalysisError, match="4 layers cannot be low"):
        assigned(result, "lim", 4)


def test_an_interval_over_texts_holds_the_closed_form():
    before = np.array([[10.0, 20.0, 30.0]])
    after = before + np.array([[1.0, 2.0, 3.0]])
    middle, low, high = change(after, before, np.array([10, 10, 10]))
    assert middle[0] == pytest.approx(0.2)
    error = np.std([0.1, 0.2, 0.3], ddof=1) / np.sqrt(3)
    assert high[0] - middle[0] == pytest.approx(1.959964 * error, rel=1e-6)
    assert middle[0] - low[0] == pytest.approx(high[0] - middle[0])
    one = change(after[:, :1], before[:, :1], np.array([10]))
    assert one[0][0] == pytest.approx(0.1) and np.isnan(one[1][0])


def test_claims_follow_the_numbers(result):
    verdicts = {c.key: c.measure(result).verdict for c in SPEC.claims}
    assert verdicts["dynamic"] == verdicts["larger"] == "not testable here"
    assert verdicts["ends"] == "not testable here"  # three layers
    assert set(verdicts.values()) <= {"agrees", "differs", "not testable here"}
    table = result.tables["curve"]
    worse = [
        r | ({"loss": 99.0} if r["order"].startswith("pruned") and r["low_layers"] else {})
        for r in table.to_pylist()
    ]
    tables = result.tables | {"curve": type(table).from_pylist(worse)}
    claim = {c.key: c for c in SPEC.claims}["pruning"]
    changed = Result("k", "quantization", result.scalars, tables, "", result.provenance)
    assert claim.measure(changed).verdict == "agrees"


def test_refusals():
    with pytest.raises(AnalysisError, match="low=4 is not below high=3"):
        sweep(low=4, high=3)
    with pytest.raises(AnalysisError, match="cannot run under 'skip:1'"):
        sweep(whatif="skip:1")
    with pytest.raises(AnalysisError, match="two tokens"):
        sweep(text="cat")
    with pytest.raises(ModelError, match="does not predict next tokens"):
        sweep("bert")


def test_weights_from_four_bits_are_told():
    from backend.analyses.quantization import _origin

    block = torch.nn.Sequential(torch.nn.Linear(64, 8))
    model = SimpleNamespace(blocks=[block])
    assert _origin(model) == ""
    with torch.no_grad():
        block[0].weight.copy_(torch.randint(-8, 8, (8, 64)) * 0.25)
    assert "came from 4 bits" in _origin(model)
