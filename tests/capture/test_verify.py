"""The oracle: it agrees with right captures of every family, and finds wrong ones."""

from dataclasses import replace

import numpy as np
import pytest
import tiny

from backend.capture.verify import judge, verify
from tests import rigs

POOLINGS = {"text": ("last", "mean"), "image": ("mean", "cls"), "audio": ("mean", "last")}


def hold(model, view, pooling=None, *, half=False, n=6):
    few = replace(view, n=n)
    stored = {site: few.vectors(site) for site in few.sites}
    return verify(model, view.dataset, few.rows(), stored, pooling or view.pooling, half=half)


@pytest.mark.parametrize("kind", tiny.BUILDERS)
def test_captures_of_every_family_agree(kind, tmp_path):
    model, data = rigs.open_model(kind), rigs.dataset(rigs.kind_of(kind))
    for pooling in POOLINGS[model.modality]:
        view = rigs.capture(model, data, tmp_path, sites=model.sites, pooling=pooling)
        check = hold(model, view)
        assert check.verdict == "agrees", check
        assert check.rows == 6 and check.largest < 1e-4
        # a decoder's head is comparable where one position is kept
        skipped = model.is_decoder and pooling == "mean"
        assert check.sites == len(model.sites) - skipped
        assert check.top1 == (1.0 if model.is_decoder and pooling == "last" else None)


def test_a_base_model_whose_last_state_is_normed_agrees(tmp_path):
    from backend.models.loading import load
    from backend.models.sources import find_source

    rigs.open_model("llama").model.model.save_pretrained(tmp_path / "m")
    tiny.write_tokenizer(tmp_path / "m")
    source = find_source(str(tmp_path / "m"), settings=rigs.settings())
    model = load(source, rigs.settings())
    view = rigs.capture(model, rigs.dataset("text"), tmp_path, sites=model.sites, pooling="mean")
    assert hold(model, view).verdict == "agrees"


@pytest.mark.parametrize("kind", ["llama", "bert", "vit", "wav2vec2"])
def test_a_tap_one_block_on_differs(kind, tmp_path, monkeypatch):
    model, data = rigs.open_model(kind), rigs.dataset(rigs.kind_of(kind))
    monkeypatch.setitem(model.taps, "resid_post.0", model.taps["resid_post.1"])
    view = rigs.capture(
        model, data, tmp_path, sites=("embed", "resid_post.0", "resid_post.2"), pooling="mean"
    )
    check = hold(model, view)
    assert (check.verdict, check.worst_site) == ("differs", "resid_post.0")


def test_a_final_state_taken_before_the_norm_differs(tmp_path, monkeypatch):
    model = rigs.open_model("llama")
    monkeypatch.setitem(model.taps, "final", model.taps["resid_post.2"])
    view = rigs.capture(model, rigs.dataset("text"), tmp_path, sites=model.sites, pooling="last")
    assert hold(model, view).verdict == "differs"


def test_another_pooling_differs(tmp_path):
    model = rigs.open_model("llama")
    view = rigs.capture(model, rigs.dataset("text"), tmp_path, sites=("final",), pooling="mean")
    assert hold(model, view, "last").verdict == "differs"


def test_rows_that_were_swapped_differ(tmp_path):
    model = rigs.open_model("gpt2")
    view = rigs.capture(model, rigs.dataset("text"), tmp_path, sites=("final",), pooling="last")
    stored = {"final": view.vectors("final")[::-1]}
    assert verify(model, view.dataset, view.rows(), stored, "last").verdict == "differs"


def test_numbers_that_are_none_differ(tmp_path):
    model = rigs.open_model("gpt2")
    view = rigs.capture(model, rigs.dataset("text"), tmp_path, sites=("final",), pooling="last")
    stored = view.vectors("final")
    stored[0, 0] = np.nan
    assert verify(model, view.dataset, view.rows(), {"final": stored}, "last").verdict == "differs"


def test_rounding_to_half_precision_is_no_difference(tmp_path):
    """One channel a thousand times the others: float16 steps there are larger than the rest."""
    model = rigs.open_model("llama")

    def massive(module, args, output):
        output[..., 3] = output[..., 3] + 3000.0
        return output

    handle = model.taps["final"].module.register_forward_hook(massive)
    try:
        view = rigs.capture(
            model, rigs.dataset("text"), tmp_path, sites=("final",), pooling="mean", half=True
        )
        check = hold(model, view, half=True)
    finally:
        handle.remove()
    assert check.verdict == "agrees", check


@pytest.mark.parametrize(
    ("largest", "dtype", "agree", "verdict"),
    [
        (5e-4, "torch.float32", [True], "agrees"),
        (5e-3, "torch.float32", [True], "close"),
        (5e-2, "torch.float32", [], "differs"),
        (float("nan"), "torch.float32", [], "differs"),
        (5e-4, "torch.float32", [True, False], "differs"),
        (5e-2, "torch.bfloat16", [True, False], "agrees"),
    ],
)
def test_verdicts(largest, dtype, agree, verdict):
    assert judge({"a": 0.0, "b": largest}, agree, n_rows=2, dtype=dtype).verdict == verdict


def test_nothing_to_compare_is_said():
    assert judge({}, [], n_rows=0, dtype="torch.float32").verdict == "not checked"
