"""Erase one token at one depth and see whether the answer notices (workers only).

Notation of Csordás, Manning, Potts 2025: h_l, l = 0..L-1, is the input of layer l and h_L what the
last layer leaves; y is the output distribution, and a bar marks the run with the erased token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.outputs import output_changes

if TYPE_CHECKING:
    import torch

    from backend.whatif.replay import Replay


def mean_states(replays: Iterable[Replay]) -> torch.Tensor:
    """The uninformative state of every depth: the mean of h_l over all tokens of some texts.

    Returns
    -------
    float64 (L + 1, width), on the CPU. First tokens count like any other, as in the paper.
    """
    import torch

    total, count = None, 0
    for replay in replays:
        own = torch.stack([s[replay.real].cpu().double().sum(0) for s in replay.states])
        total = own if total is None else total + own
        count += int(replay.real.sum())
    if total is None or not count:
        raise ValueError("no text to take the mean of")
    return total / count


def erasure_map(
    replay: Replay, blank: torch.Tensor, predicts: Sequence[int], *,
    progress: Callable[[int, int], None] = lambda done, total: None, tokens: int = 0,
) -> np.ndarray:  # fmt: skip
    """What erasing each token at each depth does to the answer.

    For every (l, t) the run goes on from h_l with h_l[t] := blank[l]; its effect is the largest of
    ||y - ybar|| over the positions that predict the answer. What cannot change is not counted:
    erasing t leaves the predictions of earlier positions as they are, and at l = L those of all
    other positions.

    Parameters
    ----------
    replay : one text of T tokens.
    blank : (L + 1, width), see `mean_states`.
    predicts : the positions whose next token belongs to the answer.
    tokens : how many go through a layer at once (0: what suits the device).

    Returns
    -------
    Effects, float64 (L + 1, T), 0 to sqrt 2. It takes T + 1 runs, one of them clean, through L - l
    layers for every l: (T + 1) L (L + 1) / 2 passes of the text through one layer.

    Source: Csordás, Manning, Potts 2025, residual erasure.
    """
    import torch

    from backend.models.memory import tokens_at_once

    layers, length = replay.n_blocks, replay.ids.shape[1]
    budget = tokens or tokens_at_once(replay.ids.device.type)
    room = max(1, budget // length - 1)
    out = np.zeros((layers + 1, length))
    total = layers * (layers + 1) // 2
    done = 0
    with torch.inference_mode():
        for layer in range(layers + 1):
            progress(done, total)
            for start in range(0, length, room):
                erased = range(start, min(start + room, length))
                out[layer, start : erased.stop] = _effects(replay, blank, layer, erased, predicts)
            done += layers - layer
    progress(total, total)
    return out


def _effects(
    replay: Replay, blank: torch.Tensor, layer: int, erased: range, predicts: Sequence[int]
) -> np.ndarray:
    """Effects of erasing some tokens at one depth, one run each; the clean run shares the stack.

    In half precision the stack's size alone changes a result, hence a clean run of the same size.
    """
    import torch

    state = replay.states[layer].repeat(len(erased) + 1, 1, 1)
    for run, t in enumerate(erased):
        state[run, t] = blank[layer].to(state)
    for later in range(layer, replay.n_blocks):
        state = replay.run_block(later, state)
    at = torch.as_tensor(list(predicts), device=state.device)
    found = output_changes(replay, state[-1, at], state[:-1, at]).cpu().double().numpy()
    gap = np.asarray(predicts) - np.asarray(erased)[:, None]
    reached = gap == 0 if layer == replay.n_blocks else gap >= 0
    return np.where(reached, found, 0.0).max(axis=1)
