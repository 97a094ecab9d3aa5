"""Distances of output distributions and the lens, against the model's plain forward pass."""

import numpy as np
import pytest
import torch

from backend.analyses.outputs import output_changes, read_layers
from backend.models import scoring
from backend.whatif.replay import record
from tests import rigs

TEXTS = [[5, 6, 7, 8, 9], [10, 11, 12]]
REAL = torch.tensor([[0, 1, 1, 1, 1], [0, 1, 1, 0, 0]]).bool()


@pytest.fixture
def replay():
    return record(rigs.open_model("gemma2"), TEXTS)


def test_a_run_that_is_not_changed_moves_nothing_and_none_moves_more_than_root_two(replay):
    clean = replay.states[-1][REAL]
    others = torch.stack([clean, replay.states[0][REAL], -clean])
    found = output_changes(replay, clean, others)
    assert found.shape == (3, 6) and not found[0].any()
    assert (found[1:] > 0).all() and found.max() <= 2**0.5 + 1e-6
    p, q = (replay.logits(x).softmax(-1) for x in (clean, others[2]))
    assert torch.allclose(found[2], (p - q).norm(dim=-1), atol=1e-6)


def test_layers_end_at_the_output_exactly(replay):
    kl, top = read_layers(replay, REAL)
    assert kl.shape == top.shape == (4, 6)
    assert not kl[-1].any() and (top[-1] == 1).all()
    assert (kl[:-1] > 0).all() and top.min() >= 0 and top.max() <= 1
    model = rigs.open_model("gemma2")
    with torch.inference_mode():
        log_q = model.model(input_ids=torch.tensor([TEXTS[0]])).logits[0, 1:].log_softmax(-1)
        log_p = model.lens_logits(replay.states[1][0, 1:5]).log_softmax(-1)
    wanted = (log_p.exp() * (log_p - log_q)).sum(-1)
    assert torch.allclose(kl[1, :4].float(), wanted, atol=1e-5)
    same = [len(set(a.topk(5).indices.tolist()) & set(b.topk(5).indices.tolist())) / 5
            for a, b in zip(log_p, log_q, strict=True)]  # fmt: skip
    assert np.allclose(top[1, :4], same)


def test_little_memory_gives_the_same_numbers(replay, monkeypatch):
    clean = replay.states[-1][REAL]
    others = torch.stack([s[REAL] for s in replay.states])
    whole = output_changes(replay, clean, others), *read_layers(replay, REAL)
    monkeypatch.setattr(scoring, "_LOGITS", 4 * replay.model.head.weight.shape[0])
    pieces = output_changes(replay, clean, others), *read_layers(replay, REAL)
    for a, b in zip(whole, pieces, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
