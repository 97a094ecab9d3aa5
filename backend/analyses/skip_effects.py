"""Skip each layer and see who notices: later layers, later tokens, the output (workers only).

Notation of Csordás, Manning, Potts 2025: h_l is the input of layer l, a_l and m_l are what its
attention and MLP add, c_l = h_{l+1} - h_l is its contribution, and a bar marks the run in which
layer s is skipped at some tokens.

- effect on layer l at token t: E(s, l, t) = ||c_l - cbar_l|| / max(||c_l||, 1e-6)
- change of the output: O(s, t) = ||softmax(z) - softmax(zbar)||, 0 to sqrt 2

What cannot change is not computed: E is exactly 0 at layers before s, and at layer s for tokens
that are not skipped; a whole skipped layer has E(s, s, t) = 1 where it is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.outputs import output_changes

if TYPE_CHECKING:
    import torch

    from backend.whatif.replay import Replay
    from backend.whatif.sweep import Span
    from backend.whatif.values import Part

SMALLEST = 1e-6  # of a norm that divides
_GRID_FROM, _GRID_BEFORE_END, _GRID_STEP = 8, 4, 8  # the paper's grid of future positions
SHORTEST = 4  # tokens of a text that has future positions
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Window:
    """Which tokens of each row are skipped, and which are looked at.

    `skipped` holds (from, up to) for each row; `measured` is bool (rows, length).
    """

    skipped: tuple[Span, ...]
    measured: np.ndarray


def current_window(lengths: np.ndarray, *, front: int) -> Window:
    """All tokens from `front` on are skipped, and all of them are measured."""
    at = np.arange(int(lengths.max()))
    measured = (at >= front) & (at < lengths[:, None])
    return Window(tuple((front, int(n)) for n in lengths), measured)


def future_windows(
    positions: Sequence[Sequence[int]], lengths: np.ndarray, *, front: int
) -> list[Window]:
    """Tokens from `front` up to a position are skipped, those from the position on measured.

    Parameters
    ----------
    positions : of each row, in any number; the window after a row's last one measures nothing.
    """
    at = np.arange(int(lengths.max()))
    out = []
    for j in range(max(map(len, positions), default=0)):
        own = [int(p[j]) if j < len(p) else None for p in positions]
        spans = tuple((front, front if t is None else t) for t in own)
        start = np.array([n if t is None else t for t, n in zip(own, lengths, strict=True)])
        out.append(Window(spans, (at >= start[:, None]) & (at < lengths[:, None])))
    return out


def future_positions(n: int, *, count: int, front: int, seed: Sequence[int]) -> tuple[int, ...]:
    """Where the future begins in a text of n tokens: `count` positions of a grid, by chance.

    The grid is the paper's, every eighth token from 8 to n - 5. Texts that it has no place in (12
    tokens and fewer) use every second token from 2 on; under 4 tokens there is none.
    """
    if n < SHORTEST:
        return ()
    grid = [t for t in range(_GRID_FROM, n - _GRID_BEFORE_END, _GRID_STEP) if t > front]
    grid = grid or [t for t in range(2, n, 2) if t > front]
    order = np.random.default_rng(list(seed)).permutation(len(grid))
    return tuple(grid[i] for i in order[:count])


def has_paper_grid(n: int) -> bool:
    """Whether a text of n tokens is long enough for the paper's grid."""
    return n > _GRID_FROM + _GRID_BEFORE_END


def skip_effects(
    replay: Replay, windows: Sequence[Window], *, part: Part = "layer",
    progress: Progress = lambda done, total: None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Skip every layer in every window; all runs go through one sweep.

    Returns
    -------
    E, float32 (windows, skipped, layer, rows, length), and O, float32 (windows, skipped, rows,
    length); tokens that a window does not measure hold 0.

    Source: Csordás, Manning, Potts 2025, sections on effects on layers and future tokens.
    """
    from backend.whatif.sweep import Skip, sweep

    layers = replay.n_blocks
    masks = [_mask(w, replay) for w in windows]
    which = [(j, s) for j in range(len(windows)) for s in range(layers)]
    plans = [{s: (Skip(part, windows[j].skipped),)} for j, s in which]
    E = np.zeros((len(windows), layers, layers, *replay.ids.shape), np.float32)
    kept: dict[int, torch.Tensor] = {}  # the contribution of the layer that is being run
    ends: dict[tuple[int, int], torch.Tensor] = {}

    def observe(layer, members, before, after) -> None:
        if layer not in kept:
            kept.clear()
            kept[layer] = _contribution(replay, layer)
        clean = kept[layer]
        found = relative_norm(after.float() - before.float() - clean, clean).cpu().numpy()
        for holders, values in zip(members, found, strict=True):
            for j, s in (which[plan] for plan in holders):
                if s == layer:
                    own = relative_norm(clean, clean).cpu().numpy() if part == "layer" else values
                    E[j, s, layer] = own * masks[j] * windows[j].measured
                else:
                    E[j, s, layer] = values * windows[j].measured

    def end(members, hidden) -> None:
        for holders, state in zip(members, hidden, strict=True):
            for j, s in (which[plan] for plan in holders):
                ends[j, s] = state[_on_device(windows[j].measured, replay)]

    sweep(replay, plans, observe=observe, end=end, progress=progress)
    changes = []
    for j, window in enumerate(windows):
        own = [ends.pop((j, s)) for s in range(layers)]
        changes.append(_changes(replay, own, masks[j], window.measured))
    return E, np.stack(changes)


def _changes(
    replay: Replay, changed: Sequence[torch.Tensor], mask: np.ndarray, measured: np.ndarray
) -> np.ndarray:
    """O of one window, float32 (skipped, rows, length)."""
    import torch

    clean = replay.states[-1][_on_device(measured, replay)]
    found = output_changes(replay, clean, torch.stack(list(changed))).cpu().numpy()
    found[-1] *= mask[measured]  # what the last layer adds to a token reaches that token only
    out = np.zeros((len(changed), *measured.shape), np.float32)
    out[:, measured] = found
    return out


def local_effects(
    replay: Replay, windows: Sequence[Window], *, part: Part = "layer",
    progress: Progress = lambda done, total: None,
) -> np.ndarray:  # fmt: skip
    """What each layer's absence does to each later one directly, without what lies between.

    Layer l is given h_l - c_s at the skipped tokens and h_l elsewhere (h_l - a_s or h_l - m_s for
    a part); nothing accumulates. At l = s it is what is taken out, relative to c_s.

    Returns
    -------
    E, float32 (windows, skipped, layer, rows, length); what is not measured holds 0.

    Source: Csordás, Manning, Potts 2025, local effects.
    """
    import torch

    from backend.models.memory import tokens_at_once

    layers, device = replay.n_blocks, replay.ids.device
    masks = [_mask(w, replay) for w in windows]
    where = [torch.as_tensor(mask, device=device)[..., None] for mask in masks]
    E = np.zeros((len(windows), layers, layers, *replay.ids.shape), np.float32)
    room = max(1, tokens_at_once(device.type) // replay.ids.numel())
    gone = [_written(replay, s, part) for s in range(layers)]
    for layer in range(layers):
        progress(layer, layers)
        state, clean = replay.states[layer], _contribution(replay, layer)
        own = relative_norm(gone[layer], clean).cpu().numpy()
        for j, window in enumerate(windows):
            E[j, layer, layer] = own * masks[j] * window.measured
        which = [(j, s) for j in range(len(windows)) for s in range(layer)]
        for i in range(0, len(which), room):
            few = which[i : i + room]
            given = torch.stack([state.float() - gone[s] * where[j] for j, s in few])
            given = given.to(state.dtype)
            with torch.inference_mode():
                out = replay.run_block(layer, given.flatten(0, 1)).view(given.shape)
            found = relative_norm(out.float() - given.float() - clean, clean).cpu().numpy()
            for (j, s), values in zip(few, found, strict=True):
                E[j, s, layer] = values * windows[j].measured
    progress(layers, layers)
    return E


def rounding_floor(replay: Replay, *, part: Part = "layer", runs: int = 8) -> float:
    """The largest E of runs in which nothing is skipped: what stacking alone changes.

    0 where stacked runs compute as single ones do; in half precision products of other shapes round
    otherwise, and smaller effects say nothing.
    """
    from backend.whatif.sweep import Skip, sweep

    largest = [0.0]

    def observe(layer, members, before, after) -> None:
        clean = _contribution(replay, layer)
        found = relative_norm(after.float() - before.float() - clean, clean)
        largest.append(float((found * replay.real)[..., 1:].max()))

    empty = [tuple((i, i) for _ in replay.ids) for i in range(runs)]
    sweep(replay, [{0: (Skip(part, spans),)} for spans in empty], observe=observe)
    return max(largest)


def _written(replay: Replay, layer: int, part: Part) -> torch.Tensor:
    """What a layer, or a part of it, adds to the stream, float32 (rows, length, width)."""
    if part == "layer":
        return _contribution(replay, layer)
    return (replay.attention if part == "attention" else replay.mlp)[layer].float()


def _contribution(replay: Replay, layer: int) -> torch.Tensor:
    """c_l, float32 (rows, length, width)."""
    return replay.states[layer + 1].float() - replay.states[layer].float()


def relative_norm(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """||x|| / max(||y||, 1e-6) over the last axis."""
    return x.norm(dim=-1) / y.norm(dim=-1).clamp(min=SMALLEST)


def _mask(window: Window, replay: Replay) -> np.ndarray:
    """Which tokens a window skips, bool (rows, length)."""
    at = np.arange(replay.ids.shape[1])
    return np.stack([(at >= a) & (at < (len(at) if b is None else b)) for a, b in window.skipped])


def _on_device(measured: np.ndarray, replay: Replay) -> torch.Tensor:
    import torch

    return torch.as_tensor(measured, device=replay.ids.device)
