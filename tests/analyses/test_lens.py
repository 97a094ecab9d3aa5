"""The lens on a model whose states are written by hand, and on a tiny random GPT-2."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.analyses import load_all
from backend.analyses.lens import _texts, lens_sites
from backend.analyses.result import Result
from backend.errors import AnalysisError, ModelError

SPEC = load_all()["lens"]


def look(silent, model, views=(), **given):
    return SPEC.run(views, seed=0, progress=silent, model=model, **SPEC.parse(given))


@pytest.mark.parametrize("padding", [0, 3])
def test_layers_turn_from_the_word_that_is_to_the_word_that_follows(counter, silent, padding):
    body = look(silent, counter(padding), text="zero one two")
    lens, after = (body.tables[name].to_pylist() for name in ("lens", "next"))
    assert len(lens) == 3 * 5 * 4  # positions, layers, words of the vocabulary
    best = [[r["token"] for r in lens if (r["position"], r["rank"]) == (p, 1)] for p in range(3)]
    assert best[0][0] == "zero"
    assert best[0][3:] == ["one", "one"]
    assert best[2][-1] == "three"
    assert {r["row"] for r in lens} == {-1}
    assert [r["site"] for r in after[:5]] == ["embed", *(f"resid_post.{i}" for i in range(3)),
                                             "final"]  # fmt: skip
    assert [r["actual"] for r in after[::5]] == ["one", "two", "three"]
    assert [r["token_in"] for r in after[::5]] == ["zero", "one", "two"]
    assert all(r["actual_rank"] == 1 and r["kl_to_output"] == 0 for r in after[4::5])
    p = math.exp(8) / (math.exp(8) + 3)
    assert after[4]["actual_probability"] == pytest.approx(p, rel=1e-5)
    assert after[0]["kl_to_output"] == pytest.approx((p - (1 - p) / 3) * 8, rel=1e-4)
    assert body.scalars["settled"] in (2, 3)
    assert "of 4 on" in body.reading


def test_claims_follow_the_numbers(counter, silent):
    body = look(silent, counter(), text="zero one two three zero one")
    result = Result("k", "lens", body.scalars, body.tables, body.reading)
    assert [c.measure(result).verdict for c in SPEC.claims] == ["agrees", "agrees"]
    late = Result("k", "lens", body.scalars | {"settled_high": 4.0, "kl_rho_high": 0.1}, {}, "")
    assert [c.measure(late).verdict for c in SPEC.claims] == ["differs", "differs"]


def test_last_position_length_and_number_of_words(counter, silent):
    last = look(silent, counter(), text="zero one two", positions="last", top=2)
    assert set(last.tables["lens"]["position"].to_pylist()) == {2}
    assert last.tables["lens"].num_rows == 5 * 2
    short = look(silent, counter(), text="zero one two", length=2)
    assert short.tables["next"]["actual"].to_pylist()[::5] == ["one", "two"]


def test_positions_are_read_in_blocks_without_a_seam(counter, silent, monkeypatch):
    whole = look(silent, counter(), text="zero one two three zero")
    monkeypatch.setattr("backend.analyses.lens._POSITIONS_AT_ONCE", 2)
    pieces = look(silent, counter(), text="zero one two three zero")
    assert pieces.tables["next"].equals(whole.tables["next"])
    assert pieces.tables["lens"].equals(whole.tables["lens"])


def test_models_without_a_next_word_are_refused(silent):
    encoder = SimpleNamespace(is_decoder=False, source=SimpleNamespace(ref="org/bert"), sites=())
    with pytest.raises(ModelError, match="org/bert does not predict next tokens"):
        look(silent, encoder, text="zero")
    bare = SimpleNamespace(is_decoder=True, source=SimpleNamespace(ref="x"), sites=("head",))
    with pytest.raises(ModelError, match="no readable stream"):
        lens_sites(bare)


def test_rows_that_are_not_there_are_refused(counter, view_of, silent):
    view = view_of({"embed": np.eye(3)})
    for given, word in (({"row_ids": "1;2"}, "not a list"), ({"row_ids": "7"}, "Row 7 is not")):
        with pytest.raises(AnalysisError, match=word):
            look(silent, counter(), (view,), **given)
    with pytest.raises(AnalysisError, match="nothing to read"):
        look(silent, counter())


@pytest.fixture(scope="module")
def tiny_gpt2(tmp_path_factory):
    from tiny import write_model

    return open_model(write_model("gpt2", tmp_path_factory.mktemp("models") / "gpt2"))


def open_model(folder):
    from backend.models.loading import load
    from backend.models.sources import find_source
    from backend.settings import load_settings

    settings = load_settings(device="cpu")
    source = find_source(str(folder), settings=settings, progress=lambda *a: None)
    return load(source, settings)


def test_a_real_model_ends_at_its_own_output(tiny_gpt2, view_of, silent):
    """The last layer equals the logits of the library's plain forward pass."""
    texts = {"text": ["the dog runs in the house .", "a cat sleeps", "red green blue"]}
    view = view_of({"embed": np.eye(3)}, columns=texts)
    body = look(silent, tiny_gpt2, (view,), examples=3)
    after = body.tables["next"].to_pandas()
    assert set(after["row"]) == {0, 1, 2}
    assert set(after["layer"]) == {0, 1, 2, 3}
    batch = tiny_gpt2.tokenize([texts["text"][0]])
    with torch.no_grad():
        expected = tiny_gpt2.model(**batch).logits[0].log_softmax(-1)
    own = after[(after["row"] == 0) & (after["layer"] == 3)]
    ids = batch["input_ids"][0]
    follows = expected[torch.arange(len(ids) - 1), ids[1:]].exp().numpy()
    assert np.allclose(own["actual_probability"].to_numpy()[:-1], follows, atol=1e-5)
    assert own["actual_probability"].iloc[-1] == pytest.approx(
        float(expected[-1].max().exp()), abs=1e-5
    )
    assert (own["kl_to_output"] == 0).all()
    assert (after[after["layer"] < 3]["kl_to_output"] > 0).all()
    lens = body.tables["lens"].to_pandas()
    totals = lens.groupby(["row", "position", "layer"])["probability"].sum()
    assert ((totals > 0) & (totals <= 1 + 1e-6)).all()


def test_a_few_rows_are_drawn_by_the_seed(view_of):
    view = view_of(
        {"embed": np.eye(9)}, columns={"text": [f"the dog {'runs ' * i}" for i in range(9)]}
    )
    drawn = [_texts((view,), text="", row_ids="", examples=3, seed=s) for s in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 3


def test_named_rows_are_read(tiny_gpt2, view_of, silent):
    view = view_of({"embed": np.eye(3)}, columns={"text": ["the cat", "a dog", "red blue sky"]})
    body = look(silent, tiny_gpt2, (view,), row_ids="2, 0", positions="last")
    assert body.tables["next"]["row"].to_pylist() == [2] * 4 + [0] * 4
    assert body.scalars["texts"] == 2
