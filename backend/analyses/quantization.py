"""Which layers can lose bits?  Layer-wise quantization by LIM and ZD (Dumitru et al. 2025)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.prompts import choose_prompts, in_batches
from backend.analyses.quantization_claims import CLAIMS, reading
from backend.analyses.quantization_scores import lim_flattened, lim_token_mean, zd
from backend.analyses.quantization_tables import (
    assignments,
    curve_table,
    orders_of,
    scores_table,
    widths_table,
)
from backend.analyses.result import Body
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import AnalysisError
from backend.whatif.values import WIDTHS, Quantize

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel
    from backend.whatif.replay import Replay
    from backend.whatif.sweep import Plan

_ORDERS = ("lim", "zd", "sensitivity", "reversed-lim", "reversed-zd", "random", "pruned-lim")
_VARIANTS = ("lim-flattened", "zd-two-sided")


@dataclass(frozen=True)
class Losses:
    """Summed losses of some plans on each text, nats, (plans, texts), and tokens of each text."""

    sums: np.ndarray
    tokens: np.ndarray

    def take(self, plans: Sequence[int]) -> "Losses":
        return Losses(self.sums[list(plans)], self.tokens)


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, model: "LoadedModel",
    text: str, prompts: int, length: int, high: int, low: int, group: int, symmetric: bool,
    quantizer: str, randoms: int, points: int, variants: bool, every_width: bool,
) -> Body:  # fmt: skip
    """Scores, measured sensitivity, and loss against bits for every order."""
    from backend.whatif.replay import record
    from backend.whatif.sizes import sizes_of
    from backend.whatif.sweep import plan_of

    if low >= high:
        raise AnalysisError(f"low={low} is not below high={high}.", "Give fewer bits to low.")
    if views[0].whatif:
        raise AnalysisError(
            f"The sweep sets bits itself and cannot run under {views[0].whatif!r}.",
            "Take the what-if out.",
        )
    how = Quantize((), group, symmetric, quantizer)  # type: ignore[arg-type]
    chosen = [p for p in choose_prompts(views, model, text=text, prompts=prompts, length=length)
              if len(p.ids) > 1]  # fmt: skip
    if not chosen:
        raise AnalysisError("No text has two tokens.", "Give longer texts.")
    progress(0, 100, "the model as it is")
    replays = [record(model, [p.ids for p in batch]) for batch in in_batches(chosen)]
    alone = sorted({*WIDTHS, high, low} if every_width else {low}, reverse=True)
    singles = _single_plans(model.n_blocks, high, low, how, alone)
    found = _losses(replays, list(singles.values()), lambda d: progress(d // 2, 100, "one by one"))
    names = {name: i for i, name in enumerate(singles)}
    scores = scores_table(_lim(replays), _zd(model), names, found, model.n_blocks, low)
    wanted = _ORDERS + (_VARIANTS if variants else ())
    orders = orders_of(scores, wanted, randoms=randoms, seed=seed)
    plans = assignments(orders, model.n_blocks, high, low, points)
    changes = [p.whatif(how) for p in plans]
    sizes = [sizes_of(model, change) for change in changes]
    after = _losses(
        replays,
        [plan_of(c) for c in changes],
        lambda d: progress(50 + d // 2, 100, "order by order"),
    )
    base = found.take([names["base"]])
    tables = {
        "scores": scores,
        "widths": widths_table(names, found, model.n_blocks),
        **curve_table(plans, after, base, sizes),
    }
    scalars = {
        "high": high, "low": low, "group": group, "symmetric": symmetric, "quantizer": quantizer,
        "block_parameters": sizes[0].block_weights, "parameters": sizes[0].parameters,
        "n": len(chosen), "tokens": int(base.tokens.sum()),
        "base_loss": float(base.sums.sum() / base.tokens.sum()),
        "origin": _origin(model), "blocks": model.n_blocks,
    }  # fmt: skip
    return Body(scalars, tables, reading(scalars, tables))


def _single_plans(
    n: int, high: int, low: int, how: Quantize, alone: Sequence[int]
) -> "dict[tuple | str, Plan]":
    """The model as it is, one layer changed, all layers at one width, one layer lower than all."""
    from backend.whatif.sweep import Round, Skip

    plans: dict = {"base": {}}
    for bits in sorted({*WIDTHS, high, low}, reverse=True):
        step = (Round(bits, how),)
        if bits in alone:
            plans |= {("bits", layer, bits): {layer: step} for layer in range(n)}
        plans["bits", -1, bits] = dict.fromkeys(range(n), step)
    plans |= {("skip", layer): {layer: (Skip(),)} for layer in range(n)}
    for layer in range(n):
        plans["low", layer] = plans["bits", -1, high] | {layer: (Round(low, how),)}
    plans["low", -1] = plans["bits", -1, high]
    return plans


def _losses(replays: "list[Replay]", plans: "list[Plan]", progress) -> Losses:
    """Every plan's loss on every text."""
    from backend.whatif.sweep import sweep

    parts, tokens = [], []
    for number, replay in enumerate(replays):
        sums = np.zeros((len(plans), len(replay.ids)))

        def end(members, hidden, sums=sums, replay=replay) -> None:
            found = replay.losses(hidden).double().sum(-1).cpu().numpy()
            for holders, value in zip(members, found, strict=True):
                sums[holders] = value

        sweep(
            replay, plans, end=end,
            progress=lambda d, t, at=number: progress(100 * (at * t + d) // (t * len(replays))),
        )  # fmt: skip
        parts.append(sums)
        tokens.append(replay.real[:, 1:].sum(-1).cpu().numpy())
    return Losses(np.concatenate(parts, axis=1), np.concatenate(tokens))


def _lim(replays: "list[Replay]") -> dict[str, np.ndarray]:
    """LIM of every layer in both variants, mean over texts; token 0 is left out of the mean."""
    n = replays[0].n_blocks
    out = {"lim": np.zeros(n), "lim_flattened": np.zeros(n)}
    texts = sum(len(r.ids) for r in replays)
    for layer in range(n):
        for replay in replays:
            X, Y = replay.states[layer], replay.states[layer + 1]
            late = replay.real.clone()
            late[:, 0] = False
            out["lim"][layer] += lim_token_mean(X, Y, late).sum() / texts
            out["lim_flattened"][layer] += lim_flattened(X, Y, replay.real).sum() / texts
    return out


def _zd(model: "LoadedModel") -> dict[str, np.ndarray]:
    from backend.whatif.quantizer import linear_weights

    found = [zd(m.weight for m in linear_weights(block).values()) for block in model.blocks]
    one, two = np.array(found).T
    return {"zd": one, "zd_two_sided": two}


def _origin(model: "LoadedModel") -> str:
    """Whether the stored weights already lie on the few levels of a 4-bit format."""
    from backend.whatif.quantizer import linear_weights

    weight = next(iter(linear_weights(model.blocks[len(model.blocks) // 2]).values())).weight
    if weight.shape[-1] % 32:  # type: ignore[index]
        return ""
    groups = weight.detach().reshape(-1, 32)[:512].float().cpu().numpy()  # type: ignore[operator]
    most = max(len(np.unique(g)) for g in groups)
    if most > 16:
        return ""
    return (
        f"The stored weights take at most {most} values in each group of 32: they came from 4 "
        "bits, so 8 bits and 4 bits on the same grid cost next to nothing."
    )


SPEC = register(
    Spec(
        key="quantization",
        title="Layer-wise quantization",
        question="Which layers can lose bits?",
        source="Dumitru et al. 2025",
        version=1,
        run=run,
        kinds=("text",),
        needs_model=True,
        captures=0,
        parameters=(
            Parameter("text", str, "", "Texts to use instead of rows, parted by lines of ---."),
            Parameter("prompts", int, 6, "Rows to read.", minimum=1, maximum=4096),
            Parameter("length", int, 64, "Tokens to read of each.", minimum=2, maximum=4096),
            Parameter("high", int, 4, "Bits of the important layers.", minimum=3, maximum=8),
            Parameter("low", int, 3, "Bits of the others.", minimum=2, maximum=7),
            Parameter("group", int, 64, "Weights that share a scale; 0: a row.", minimum=0,
                      maximum=65536),
            Parameter("symmetric", bool, False, "Levels around zero instead of min to max."),
            Parameter("quantizer", str, "rtn", "Who rounds.", choices=("rtn", "torchao")),
            Parameter("randoms", int, 5, "Random orders.", minimum=1, maximum=50),
            Parameter("points", int, 10, "Steps from no low layer to all; 0: every layer.",
                      minimum=0, maximum=500),
            Parameter("every_width", bool, False, "Each layer alone at 8, 4, 3 and 2 bits."),
            Parameter("variants", bool, False, "LIM flattened and two-sided ZD as orders too."),
        ),
        claims=CLAIMS,
    )
)  # fmt: skip
