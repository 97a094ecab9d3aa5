"""Erasing against one plain pass per token and depth, and the zeros that causality gives."""

import numpy as np
import pytest
import torch

from backend.analyses.erasure import erasure_map, mean_states
from backend.whatif.replay import record
from tests import rigs

TEXT = [5, 6, 7, 8, 9, 10, 11]
OTHERS = [[12, 13, 14, 15], [16, 17]]
PREDICTS = [4, 6]


@torch.inference_mode()
def plain(model, ids, depth=None, position=0, value=None) -> torch.Tensor:
    """Output distributions (length, vocabulary) of one forward pass with one state replaced."""

    def before(module, args, kwargs):
        hidden = (args or tuple(kwargs.values()))[0].clone()
        hidden[:, position] = value
        rest = (hidden, *args[1:]) if args else args
        return rest, kwargs if args else kwargs | {next(iter(kwargs)): hidden}

    def after(module, args, output):
        hidden = (output[0] if isinstance(output, tuple) else output).clone()
        hidden[:, position] = value
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = None
    if depth is not None and depth < len(model.blocks):
        handle = model.blocks[depth].register_forward_pre_hook(before, with_kwargs=True)
    elif depth is not None:
        handle = model.blocks[-1].register_forward_hook(after)
    try:
        return model.model(input_ids=torch.tensor([ids])).logits[0].float().softmax(-1)
    finally:
        if handle is not None:
            handle.remove()


def states(model, ids) -> list[torch.Tensor]:
    """h_0 .. h_L, each (length, width), by hooks."""
    seen = []
    handles = [
        block.register_forward_pre_hook(
            lambda m, args, kwargs: seen.append((args or tuple(kwargs.values()))[0][0].clone()),
            with_kwargs=True,
        )
        for block in model.blocks
    ]
    handles.append(
        model.blocks[-1].register_forward_hook(
            lambda m, args, out: seen.append((out[0] if isinstance(out, tuple) else out)[0].clone())
        )
    )
    with torch.inference_mode():
        model.model(input_ids=torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return seen


def test_the_uninformative_state_is_the_mean_over_all_tokens():
    model = rigs.open_model("llama")
    blank = mean_states([record(model, OTHERS), record(model, [TEXT])])
    every = [torch.cat(parts) for parts in zip(*(states(model, i) for i in [*OTHERS, TEXT]),
                                               strict=True)]  # fmt: skip
    assert blank.dtype == torch.float64 and blank.shape == (4, 16)
    for found, wanted in zip(blank, every, strict=True):
        assert len(wanted) == 13
        assert torch.allclose(found, wanted.double().mean(0), atol=1e-6)
    with pytest.raises(ValueError, match="no text"):
        mean_states([])


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "gpt_neox"])
@pytest.mark.parametrize("tokens", [1, 24, 0], ids=["one at a time", "few", "stacked"])
def test_every_cell_equals_one_plain_pass(family, tokens):
    model = rigs.open_model(family)
    blank = mean_states([record(model, OTHERS)])
    found = erasure_map(record(model, [TEXT]), blank, PREDICTS, tokens=tokens)
    assert found.shape == (4, 7)
    clean = plain(model, TEXT)
    for depth in range(4):
        for t in range(7):
            other = plain(model, TEXT, depth, t, blank[depth].float())
            wanted = float((other - clean)[PREDICTS].norm(dim=-1).max())
            assert found[depth, t] == pytest.approx(wanted, abs=2e-5), (depth, t)
    assert found.max() > 0.01  # the models differ visibly


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_what_cannot_change_is_exactly_zero(family):
    model = rigs.open_model(family)
    replay, blank = record(model, [TEXT]), mean_states([record(model, OTHERS)])
    found = erasure_map(replay, blank, PREDICTS)
    others = [t for t in range(7) if t not in PREDICTS]
    assert (found[-1, others] == 0).all() and (found[-1, PREDICTS] > 0).all()
    early = erasure_map(replay, blank, [2])
    assert (early[:, 3:] == 0).all() and (early[:-1, :3] > 0).all()
    assert np.flatnonzero(early[-1]).tolist() == [2]


def test_erasing_with_the_state_that_is_there_changes_nothing():
    replay = record(rigs.open_model("llama"), [[7]])
    own = mean_states([replay])
    assert erasure_map(replay, own, [0]).max() < 1e-5


def test_progress_counts_layer_passes():
    seen = []
    replay = record(rigs.open_model("llama"), [TEXT])
    blank = mean_states([replay])
    erasure_map(replay, blank, [6], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 6), (3, 6), (5, 6), (6, 6), (6, 6)]
