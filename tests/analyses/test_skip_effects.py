"""Skipping through the sweep: equal to one run at a time, and exactly 0 or 1 where it must be."""

import copy

import numpy as np
import pytest
import torch

from backend.analyses.skip_effects import (
    Window,
    current_window,
    future_positions,
    future_windows,
    has_paper_grid,
    local_effects,
    rounding_floor,
    skip_effects,
)
from backend.whatif.replay import record
from tests import rigs
from tests.analyses import one_by_one

TEXTS = [[5, 6, 7, 8, 9, 10, 11, 12, 13], [14, 15, 16, 17, 18, 6], [7, 20, 21]]
LENGTHS = np.array([9, 6, 3])
STARTS = [[4, 6], [2], [2]]


def windows_of(mode: str) -> list[Window]:
    if mode == "current":
        return [current_window(LENGTHS, front=1)]
    return future_windows(STARTS, LENGTHS, front=1)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("part", ["layer", "attention", "mlp"])
@pytest.mark.parametrize("mode", ["current", "future"])
def test_effects_equal_one_run_at_a_time(family, part, mode):
    model = rigs.open_model(family)
    replay = record(model, TEXTS, sublayers=True)
    windows = windows_of(mode)
    E, changes = skip_effects(replay, windows, part=part)
    direct = local_effects(replay, windows, part=part)
    seen = 0
    for j, window in enumerate(windows):
        for row, ids in enumerate(TEXTS):
            at = np.flatnonzero(window.measured[row])
            outside = np.setdiff1d(np.arange(E.shape[-1]), at)
            assert not E[j, ..., row, outside].any() and not changes[j, :, row, outside].any()
            if not len(at):
                continue
            seen += 1
            wanted, moved = one_by_one.effects(model, ids, part, *window.skipped[row])
            alone = one_by_one.local(model, ids, part, *window.skipped[row])
            near = {"rtol": 1e-3, "atol": 1e-4}
            assert np.allclose(E[j, ..., row, at], np.moveaxis(wanted[..., at], -1, 0), **near)
            assert np.allclose(changes[j, :, row, at], moved[:, at].T, **near)
            assert np.allclose(direct[j, ..., row, at], np.moveaxis(alone[..., at], -1, 0), **near)
    assert seen == {"current": 3, "future": 4}[mode]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_what_cannot_change_is_exactly_zero(family):
    replay = record(rigs.open_model(family), TEXTS, sublayers=True)
    [now], later = windows_of("current"), windows_of("future")
    (E, _), direct = skip_effects(replay, [now]), local_effects(replay, [now])
    F, changes = skip_effects(replay, later)
    G = local_effects(replay, later)
    for s in range(3):
        for found in (E, direct):
            assert not found[0, s, :s].any() and not found[..., 0].any()
            assert (found[0, s, s][now.measured] == 1).all()
        assert not F[:, s, : s + 1].any() and not G[:, s, : s + 1].any()
    assert not changes[:, 2].any()
    assert (changes[:, :2].max(axis=(1, 2, 3)) > 0).all() and F[:, 0, 1:].any()
    assert changes.max() <= np.sqrt(2) + 1e-6


@pytest.mark.parametrize("part", ["layer", "attention", "mlp"])
def test_skipping_no_token_does_nothing(part):
    replay = record(rigs.open_model("llama"), TEXTS, sublayers=True)
    measured = current_window(LENGTHS, front=1).measured
    nothing = Window(tuple((int(n), int(n)) for n in LENGTHS), measured)
    E, changes = skip_effects(replay, [nothing], part=part)
    assert E.max() < 1e-5 and changes.max() < 1e-5
    assert local_effects(replay, [nothing], part=part).max() < 1e-5


def test_a_layer_that_adds_nothing_is_not_missed():
    model = copy.deepcopy(rigs.open_model("llama"))
    with torch.no_grad():
        model.blocks[1].self_attn.o_proj.weight.zero_()
        model.blocks[1].mlp.down_proj.weight.zero_()
    replay = record(model, TEXTS, sublayers=True)
    assert torch.equal(replay.states[1], replay.states[2])
    for windows in (windows_of("current"), windows_of("future")):
        E, changes = skip_effects(replay, windows)
        direct = local_effects(replay, windows)
        assert E[:, 1].max() < 1e-5 and changes[:, 1].max() < 1e-5 and direct[:, 1].max() < 1e-5
        assert not E[:, 1, 1].any() and not direct[:, 1, 1].any()
        assert E[:, 0, 2].max() > 0.01
    mended = record(rigs.open_model("llama"), TEXTS)
    assert not torch.equal(mended.states[1], mended.states[2])


def test_future_positions_lie_on_the_papers_grid_or_on_every_second_token():
    long = {future_positions(64, count=4, front=1, seed=(s, 0)) for s in range(20)}
    assert len(long) > 10
    for found in long:
        assert len(set(found)) == 4 and set(found) <= set(range(8, 60, 8))
    assert future_positions(13, count=4, front=1, seed=(0,)) == (8,) and has_paper_grid(13)
    assert sorted(future_positions(12, count=9, front=1, seed=(0,))) == [2, 4, 6, 8, 10]
    assert not has_paper_grid(12)
    assert sorted(future_positions(4, count=4, front=1, seed=(0,))) == [2]
    assert future_positions(3, count=4, front=1, seed=(0,)) == ()
    assert sorted(future_positions(8, count=9, front=4, seed=(0,))) == [6]
    again = future_positions(64, count=4, front=1, seed=(7, 1))
    assert again == future_positions(64, count=4, front=1, seed=(7, 1))


def test_windows_of_rows_with_fewer_positions_measure_nothing():
    first, second = windows_of("future")
    assert first.skipped == ((1, 4), (1, 2), (1, 2)) and second.skipped == ((1, 6), (1, 1), (1, 1))
    assert first.measured.sum(axis=1).tolist() == [5, 4, 1]
    assert second.measured.sum(axis=1).tolist() == [3, 0, 0]
    assert future_windows([[], [], []], LENGTHS, front=1) == []
    every = current_window(LENGTHS, front=0)
    assert every.skipped == ((0, 9), (0, 6), (0, 3)) and every.measured.sum() == 18


def test_the_rounding_of_stacked_runs_is_small_in_float32_and_larger_in_half():
    replay = record(rigs.open_model("llama"), TEXTS)
    assert rounding_floor(replay) < 1e-5
    half = copy.deepcopy(rigs.open_model("llama"))
    half.model.to(torch.bfloat16)
    found = rounding_floor(record(half, TEXTS), runs=3)
    assert 0 <= found < 0.5


def test_progress_ends_when_all_layers_are_done():
    replay = record(rigs.open_model("llama"), TEXTS, sublayers=True)
    for work in (skip_effects, local_effects):
        told: list = []
        work(replay, windows_of("current"), progress=lambda d, t, told=told: told.append((d, t)))
        assert told[0] == (0, 3) and told[-1] == (3, 3)
