"""Sweeps over all layers against one whole forward pass for each change, with equal results.

The plain way is what a script does: a hook or swapped weights, one forward pass of the trunk, the
head at the last position. Contributions are compared with the clean ones in both.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from material import even, settings, smollm2
from measure import Line, alternate, ratios

from backend.models.hooks import reading
from backend.models.loading import LoadedModel, load
from backend.whatif.applying import applied
from backend.whatif.replay import record
from backend.whatif.sweep import Plan, Round, Skip, plan_of, sweep
from backend.whatif.values import WIDTHS, WhatIf, quantize

LENGTH = 64
ON_GPU = 0.25  # the bar of the skip matrix on a GPU


def run(pairs: int, folder: Path) -> list[Line]:
    """64 tokens of news; the skip matrix at one and at eight prompts, four widths at eight."""
    model = load(smollm2(), settings())
    texts = even(folder, 8).dataset.texts(range(8))
    samples = [list(s[:LENGTH]) for s in model.inputs.prepare(texts, max_tokens=LENGTH).samples]
    gpu = model.device.name.startswith("cuda")
    return [
        _skips(model, samples[:1], pairs, bar=ON_GPU if gpu else 0.42),
        _skips(model, samples, pairs, bar=ON_GPU if gpu else 0.57),
        _widths(model, samples, min(pairs, 2)),
    ]


def _skips(model: LoadedModel, samples: list, pairs: int, *, bar: float) -> Line:
    """Every layer skipped once: effects on all later layers and the last position's logits."""
    changes = [WhatIf.parse(f"skip:{layer}:t1-") for layer in range(model.n_blocks)]
    plans: list[Plan] = [{i: (Skip("layer", ((1, None),)),)} for i in range(model.n_blocks)]
    name = f"skip matrix, {len(samples)} x {LENGTH} tokens / one pass each"
    return _compare(name, model, samples, changes, plans, pairs, bar=bar, effects=True)


def _widths(model: LoadedModel, samples: list, pairs: int) -> Line:
    """Every layer at every width, alone: the last position's logits."""
    layers = range(model.n_blocks)
    changes = [quantize({layer: bits}) for layer in layers for bits in WIDTHS]
    plans = [plan_of(change) for change in changes]
    assert all(isinstance(step, Round) for plan in plans for (step,) in plan.values())
    name = f"{len(layers)} layers x {len(WIDTHS)} widths, {len(samples)} x {LENGTH} / one pass each"
    return _compare(name, model, samples, changes, plans, pairs, bar=0.60, effects=False, warm=0)


def _compare(
    name: str, model: LoadedModel, samples: list, changes: list[WhatIf], plans: list[Plan],
    pairs: int, *, bar: float, effects: bool, warm: int = 1,
) -> Line:  # fmt: skip
    kept: dict[str, tuple] = {}
    methods: dict[str, Callable] = {
        "plain": lambda: kept.__setitem__("plain", _plain(model, samples, changes, effects)),
        "ours": lambda: kept.__setitem__("ours", _ours(model, samples, plans, effects)),
    }
    times = alternate(methods, pairs, warm=warm)
    gap = max(float((a - b).abs().max()) for a, b in zip(*kept.values(), strict=True))
    if gap > 1e-3:
        raise AssertionError(f"{name}: the results differ by {gap:.1e}")
    seconds = sorted(times["plain"])[len(times["plain"]) // 2]
    note = f"the plain way takes {seconds:.1f} s; largest difference {gap:.0e}"
    return Line("sweep", name, ratios(times, "ours", "plain"), bar=bar, note=note)


@torch.inference_mode()
def _plain(
    model: LoadedModel, samples: list, changes: list[WhatIf], effects: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """One whole pass for each change."""
    ids = torch.tensor(samples, device=model.device.name)
    taps = {s: model.taps[s] for s in model.taps if s == "embed" or s.startswith("resid_post.")}
    taps = taps if effects else {}

    def states(change: WhatIf) -> tuple[torch.Tensor, list[torch.Tensor]]:
        seen: list[torch.Tensor] = []
        with applied(model, change), reading(taps, lambda site, h: seen.append(h.clone())):
            final = model.trunk(input_ids=ids)[0]
        return model.head_logits(final[:, -1]), seen

    clean = states(WhatIf())[1]
    logits, found = [], torch.zeros(len(changes), model.n_blocks)
    for i, change in enumerate(changes):
        last, seen = states(change)
        logits.append(last)
        for layer in range(model.n_blocks if effects else 0):
            found[i, layer] = _effect(
                clean[layer + 1] - clean[layer], seen[layer + 1] - seen[layer]
            )
    return torch.stack(logits), found


@torch.inference_mode()
def _ours(
    model: LoadedModel, samples: list, plans: list[Plan], effects: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    replay = record(model, samples)
    found = torch.zeros(len(plans), model.n_blocks)
    logits: list = [None] * len(plans)

    def observe(layer, members, before, after) -> None:
        own = replay.states[layer + 1] - replay.states[layer]
        for holders, one, other in zip(members, before, after, strict=True):
            found[holders, layer] = _effect(own, other - one)

    def end(members, hidden) -> None:
        for holders, last in zip(members, replay.logits(hidden[:, :, -1]), strict=True):
            for plan in holders:
                logits[plan] = last

    sweep(replay, plans, observe=observe if effects else None, end=end)
    return torch.stack(logits), found


def _effect(clean: torch.Tensor, changed: torch.Tensor) -> float:
    """The largest relative change of a contribution over tokens but the first."""
    change = (clean - changed)[:, 1:].norm(dim=-1)
    return float((change / clean[:, 1:].norm(dim=-1).clamp(min=1e-6)).max())
