"""The sweep: many changed runs of one batch at the price of what differs between them.

A plan says, layer by layer, what is changed; runs whose plans begin alike share their state up to
the layer where they part, so a run that first differs at layer s starts from the clean state of s.
Runs that take the same step at a layer go through it as one stacked batch (workers only).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch

from backend.models.memory import is_out_of_memory, tokens_at_once
from backend.whatif.applying import Mask, blend, rounded, skipping
from backend.whatif.replay import Replay
from backend.whatif.values import Part, Quantize, SkipLayers, WhatIf

_CLEAN = -1
Span = tuple[int, int | None]  # positions from, up to and not including (None: the end)


@dataclass(frozen=True)
class Skip:
    """One layer, or a part of it, writes nothing at some positions.

    `spans` holds one span for all rows of the batch, or one for each.
    """

    part: Part = "layer"
    spans: tuple[Span, ...] = ((0, None),)

    def mask(self, length: int, device: torch.device) -> torch.Tensor | None:
        """Which positions: bool (1 or rows, length); None for all of them."""
        if self.spans == ((0, None),):
            return None
        at = torch.arange(length, device=device)
        rows = [(at >= a) & (at < (length if b is None else b)) for a, b in self.spans]
        return torch.stack(rows)


@dataclass(frozen=True)
class Round:
    """One layer computes with weights of fewer bits; `how` holds the options, its layers unused."""

    bits: int
    how: Quantize = Quantize(())


Step = tuple[Skip | Round, ...]  # what is changed at one layer; empty: nothing
Plan = Mapping[int, Step]  # layer -> step
# layer, the plans in each state, states before and after the layer (k, rows, length, width)
Observe = Callable[[int, list[list[int]], torch.Tensor, torch.Tensor], None]
# the plans in each state, states after the last layer (k, rows, length, width)
End = Callable[[list[list[int]], torch.Tensor], None]


def plan_of(whatif: WhatIf) -> Plan:
    """A what-if as a plan for the sweep."""
    steps: dict[int, list[Skip | Round]] = defaultdict(list)
    for edit in whatif.edits:
        if isinstance(edit, SkipLayers):
            for layer in edit.layers:
                steps[layer].append(Skip(edit.part, ((edit.start, edit.stop),)))
        else:
            for layer, bits in edit.bits:
                steps[layer].append(Round(bits, replace(edit, bits=())))
    return {layer: tuple(step) for layer, step in steps.items()}


@torch.inference_mode()
def sweep(
    replay: Replay, plans: Sequence[Plan], *, end: End | None = None,
    observe: Observe | None = None, tokens: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:  # fmt: skip
    """Run every plan on a recorded batch.

    Parameters
    ----------
    end : called with the states after the last layer; plans that ended alike share one.
    observe : called at each layer with what went in and came out; not for clean states.
    tokens : how many go through a layer at once (0: what suits the device); halved when memory
        runs out.
    progress : called after each layer with the layers done and in all.
    """
    budget = [tokens or tokens_at_once(replay.model.device.name)]
    place = [_CLEAN] * len(plans)
    states: dict[int, torch.Tensor] = {}
    fresh = 0
    for layer in range(replay.n_blocks):
        progress(layer, replay.n_blocks)
        after: dict[int, torch.Tensor] = {}
        for step, parents in _moves(plans, place, layer):
            for members, before, out in _run(replay, layer, step, parents, states, budget):
                if observe:
                    observe(layer, members, before, out)
                for holders, state in zip(members, out, strict=True):
                    after[fresh] = state
                    for plan in holders:
                        place[plan] = fresh
                    fresh += 1
        states = after
    progress(replay.n_blocks, replay.n_blocks)
    if end:
        _finish(replay, place, states, end, budget[0])


def _moves(
    plans: Sequence[Plan], place: list[int], layer: int
) -> list[tuple[Step, list[tuple[int, list[int]]]]]:
    """For each step taken at a layer: from which states, by which plans; clean runs stay clean."""
    moves: dict[Step, dict[int, list[int]]] = {}
    for index, plan in enumerate(plans):
        step = plan.get(layer, ())
        if step or place[index] != _CLEAN:
            moves.setdefault(step, {}).setdefault(place[index], []).append(index)
    return [(step, list(parents.items())) for step, parents in moves.items()]


def _run(
    replay: Replay, layer: int, step: Step, parents: list[tuple[int, list[int]]],
    states: dict[int, torch.Tensor], budget: list[int],
) -> Iterator[tuple[list[list[int]], torch.Tensor, torch.Tensor]]:  # fmt: skip
    """Take one step from several states, a stack at a time; smaller stacks if memory runs out."""
    at = 0
    while at < len(parents):
        count = max(1, budget[0] // replay.ids.numel())
        part = parents[at : at + count]
        before = torch.stack([replay.states[layer] if p == _CLEAN else states[p] for p, _ in part])
        try:
            out = take(replay, layer, step, before, clean=[p for p, _ in part] == [_CLEAN])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or len(part) == 1:
                raise
            budget[0] = max(1, replay.ids.numel() * (len(part) // 2))
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        yield [holders for _, holders in part], before, out
        at += len(part)


def take(
    replay: Replay, layer: int, step: Step, before: torch.Tensor, *, clean: bool = False
) -> torch.Tensor:
    """One layer with what a step changes, from states (k, rows, length, width) to the same.

    `clean` says that `before` is the clean state: then a skipped layer need not be run.
    """
    whole = [s for s in step if isinstance(s, Skip) and s.part == "layer"]
    masks = [s.mask(before.shape[2], before.device) for s in whole]
    if any(mask is None for mask in masks):
        return before
    if clean and step and len(whole) == len(step):
        after = replay.states[layer + 1][None].clone()
    else:
        with ExitStack() as held:
            for change in step:
                if isinstance(change, Round):
                    held.enter_context(rounded(replay.model, layer, change.bits, change.how))
                elif change.part != "layer":
                    mask = _stacked(change, len(before))
                    held.enter_context(skipping(replay.model, layer, change.part, mask))
            after = replay.run_block(layer, before.flatten(0, 1)).view(before.shape)
    for mask in masks:
        after = blend(mask, before, after)  # type: ignore[arg-type]
    return after


def _stacked(change: Skip, copies: int) -> Mask:
    def mask(hidden: torch.Tensor) -> torch.Tensor | None:
        found = change.mask(hidden.shape[1], hidden.device)
        return found if found is None or len(found) == 1 else found.repeat(copies, 1)

    return mask


def _finish(
    replay: Replay, place: list[int], states: dict[int, torch.Tensor], end: End, tokens: int
) -> None:
    """Hand over the last states, each once, a stack at a time."""
    holders: dict[int, list[int]] = defaultdict(list)
    for plan, at in enumerate(place):
        holders[at].append(plan)
    found = list(holders.items())
    count = max(1, tokens // replay.ids.numel())
    for i in range(0, len(found), count):
        part = found[i : i + count]
        last = [replay.states[-1] if at == _CLEAN else states[at] for at, _ in part]
        end([members for _, members in part], torch.stack(last))
