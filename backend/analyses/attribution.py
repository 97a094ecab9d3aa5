"""Integrated gradients: what each token's state at each layer adds to the answer (workers only).

Sundararajan, Taly, Yan 2017, in the form of Csordás, Manning, Potts 2025: x is what a layer, its
attention or its MLP gives over the whole text, x0 the mean of x over positions, and f the summed
probability of the answer's tokens, each after the true ones before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

    from backend.whatif.replay import Replay

Site = Literal["layer", "attention", "mlp"]
SITES: tuple[Site, ...] = ("layer", "attention", "mlp")
_MOST = 8192  # tokens that go through a block at once, as what the gradient needs is kept
Target = Callable[["torch.Tensor"], "torch.Tensor"]


@dataclass(frozen=True)
class Attribution:
    """`values` (layers, length) of each token; `start` and `end` (layers,) are f(x0) and f(x)."""

    values: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """f(x) - f(x0), to which a layer's values add up, up to the steps of the integral."""
        return self.end - self.start


def integrate(
    target: Target, x: torch.Tensor, *, steps: int, room: int
) -> tuple[np.ndarray, float, float]:
    """Integrated gradients of one object along the straight line from its mean.

    A[t] = sum over d of (x - x0)[t, d] times the mean over r = 0, 1/steps, ..., (steps-1)/steps of
    df/dx[t, d] at x0 + r (x - x0).

    Parameters
    ----------
    target : f, from (k, length, width) to (k,).
    x : (length, width), a tensor that was not made in inference mode.
    room : points that go through f at once.

    Returns
    -------
    A, float64 (length,), f(x0) and f(x). The sum of A is f(x) - f(x0) exactly where f is linear;
    else it is off by about half a step times the change of the slope from x0 to x.
    """
    import torch

    x0 = x.mean(dim=0, keepdim=True)
    way = x - x0
    slopes = torch.zeros(x.shape, dtype=torch.float64)
    first: list[float] = []
    for shares in torch.arange(steps, device=x.device).div(steps).split(room):
        points = (x0 + shares[:, None, None].to(x.dtype) * way).requires_grad_()
        with torch.enable_grad():
            values = target(points)
        first += values[:1].tolist()
        if values.requires_grad:  # else f does not depend on x: a what-if skips the layer
            (found,) = torch.autograd.grad(values.sum(), points)
            slopes += found.float().sum(dim=0).cpu()
    with torch.no_grad():
        end = float(target(x[None])[0])
    added = (way.cpu().double() * slopes / steps).sum(dim=-1)
    return added.numpy(), first[0], end


def attribution_map(
    replay: Replay, predicts: Sequence[int], answer: Sequence[int], *, site: Site, steps: int,
    progress: Callable[[int, int], None] = lambda done, total: None, tokens: int = 0,
) -> Attribution:  # fmt: skip
    """Attributions of every token at every layer.

    Parameters
    ----------
    replay : one text.
    predicts, answer : the positions that predict the answer, and the answer's tokens.
    site : what x is: the layer's output (the stream after it), or what attention or MLP adds.
    steps : points of the integral, the paper takes 256.
    tokens : how many go through a layer at once (0: what suits the device).

    Raises
    ------
    ModelError : the model has no module that gives what its attention or MLP adds.

    Source: Sundararajan, Taly, Yan 2017, equation 3; Csordás, Manning, Potts 2025.
    """
    import torch

    from backend.models.memory import tokens_at_once

    budget = tokens or min(tokens_at_once(replay.ids.device.type) // 2, _MOST)
    room = max(1, budget // replay.ids.shape[1])
    layers = replay.n_blocks
    total, done, found = layers * (layers + 1) // 2, 0, []
    with torch.inference_mode(False):
        replay = _for_gradients(replay)
        score = _score(replay, predicts, answer)
        for layer in range(layers):
            progress(done, total)
            x, rest = _object(replay, layer, site)
            found.append(integrate(lambda p, go=rest: score(go(p)), x, steps=steps, room=room))
            done += layers - layer
    progress(total, total)
    values, start, end = zip(*found, strict=True)
    return Attribution(np.stack(values), np.array(start), np.array(end))


def _score(replay: Replay, predicts: Sequence[int], answer: Sequence[int]) -> Target:
    """Summed probability of the answer's tokens, from states after the last layer."""
    import torch

    at = torch.as_tensor(list(predicts), device=replay.ids.device)
    wanted = torch.as_tensor(list(answer), device=replay.ids.device)

    def score(hidden: torch.Tensor) -> torch.Tensor:
        p = replay.logits(hidden[:, at]).softmax(-1)
        return p.gather(-1, wanted.expand(len(p), -1)[..., None])[..., 0].sum(-1)

    return score


def _object(replay: Replay, layer: int, site: Site) -> tuple[torch.Tensor, Target]:
    """x (length, width) of a layer, and what turns other values of it into the last states."""

    def onwards(hidden: torch.Tensor, start: int) -> torch.Tensor:
        for later in range(start, replay.n_blocks):
            hidden = replay.run_block(later, hidden)
        return hidden

    if site == "layer":
        return replay.states[layer + 1][0], lambda points: onwards(points, layer + 1)
    from backend.whatif.applying import sublayer

    module = sublayer(replay.model, layer, site)

    def rest(points: torch.Tensor) -> torch.Tensor:
        with _giving(module, points):
            hidden = replay.run_block(layer, replay.states[layer].repeat(len(points), 1, 1))
        return onwards(hidden, layer + 1)

    return _given(module, replay, layer)[0], rest


def _given(module: nn.Module, replay: Replay, layer: int) -> torch.Tensor:
    """What a module inside a block gives in the clean run, (1, length, width)."""
    import torch

    from backend.models.hooks import tensor_of

    seen: list[torch.Tensor] = []
    handle = module.register_forward_hook(lambda m, args, out: seen.append(tensor_of(out).clone()))
    try:
        with torch.no_grad():
            replay.run_block(layer, replay.states[layer])
    finally:
        handle.remove()
    return seen[0].view(replay.states[layer].shape)


@contextmanager
def _giving(module: nn.Module, value: torch.Tensor) -> Iterator[None]:
    """Have a module give this instead of what it computes."""
    from backend.models.hooks import tensor_of

    def instead(module: nn.Module, args: tuple, output: object) -> object:
        shaped = value.view(tensor_of(output).shape)
        return (shaped, *output[1:]) if isinstance(output, tuple) else shaped

    handle = module.register_forward_hook(instead)
    try:
        yield
    finally:
        handle.remove()


def _for_gradients(replay: Replay) -> Replay:
    """The same run with tensors that a gradient may keep: those of inference mode may not."""
    states = [state.clone() for state in replay.states]
    return replace(replay, states=states, calls=_cloned(replay.calls))


def _cloned(value):
    """A recorded argument with its tensors copied."""
    import torch

    if isinstance(value, tuple | list):
        return type(value)(_cloned(item) for item in value)
    if isinstance(value, dict):
        return {name: _cloned(item) for name, item in value.items()}
    return value.clone() if isinstance(value, torch.Tensor) else value
