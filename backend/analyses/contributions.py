"""What each layer adds to the residual stream: how much, and in which direction (workers only).

Notation of Csordás, Manning, Potts 2025: h_l is the input of layer l, a_l and m_l are what its
attention and MLP add, so that h_l + a_l + m_l = h_{l+1}. Where a model puts a norm on what a
sublayer gives, a_l and m_l are what is really added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.reductions import reduce_tokens
from backend.analyses.skip_effects import SMALLEST

if TYPE_CHECKING:
    import torch

    from backend.whatif.replay import Replay

NORMS = ("attn_norm", "mlp_norm", "layer_norm", "stream_norm")
RELATIVE = ("attn_relative", "mlp_relative", "layer_relative")
COSINES = ("attn_cosine", "mlp_cosine", "layer_cosine", "stream_cosine")


@dataclass(frozen=True)
class Contributions:
    """Numbers of each prompt and layer by name, float64 (prompts, layers).

    `mean` holds means over measured tokens, `largest` the maxima of the relative contributions.

    - norms: ||a||, ||m||, ||a + m||, ||h||
    - relative: ||a|| / ||h||, ||m|| / ||h + a||, ||a + m|| / ||h||
    - cosines: (a, h), (m, h + a), (a + m, h), (h_{l+1}, h_l); below 0 what is there is weakened,
      about 0 something new is written, above 0 what is there is strengthened
    """

    mean: dict[str, np.ndarray]
    largest: dict[str, np.ndarray]


def contributions(replay: Replay, measured: np.ndarray) -> Contributions:
    """Norms and cosines of what attention, MLP and whole layers add.

    Parameters
    ----------
    replay : recorded with its sublayers.
    measured : bool (rows, length), at least one True for each row.

    Source: Csordás, Manning, Potts 2025. They take the mean over the tokens of all prompts at
    once; here each prompt counts alike, so that intervals can be taken over prompts.
    """
    import torch

    lines: dict[str, list[np.ndarray]] = {name: [] for name in (*NORMS, *RELATIVE, *COSINES)}
    with torch.inference_mode():
        for layer in range(replay.n_blocks):
            for name, values in _of_layer(replay, layer).items():
                lines[name].append(values.cpu().numpy())
    found = {name: reduce_tokens(np.stack(v)[None], measured[None]) for name, v in lines.items()}
    return Contributions(
        {name: r.mean for name, r in found.items()}, {n: found[n].largest for n in RELATIVE}
    )


def join(parts: list[Contributions]) -> Contributions:
    """The prompts of several batches as one."""
    first = parts[0]
    return Contributions(
        {name: np.concatenate([p.mean[name] for p in parts]) for name in first.mean},
        {name: np.concatenate([p.largest[name] for p in parts]) for name in first.largest},
    )


def _of_layer(replay: Replay, layer: int) -> dict[str, torch.Tensor]:
    """Every number of one layer, float32 (rows, length)."""
    h, after = replay.states[layer].float(), replay.states[layer + 1].float()
    a, m = replay.attention[layer].float(), replay.mlp[layer].float()
    between, both = h + a, after - h
    size = {name: x.norm(dim=-1) for name, x in
            (("h", h), ("after", after), ("a", a), ("m", m), ("between", between),
             ("both", both))}  # fmt: skip
    least = {name: value.clamp(min=SMALLEST) for name, value in size.items()}

    def cosine(x: torch.Tensor, y: torch.Tensor, one: str, other: str) -> torch.Tensor:
        return ((x * y).sum(-1) / least[one] / least[other]).clamp(-1, 1)

    return {
        "attn_norm": size["a"], "mlp_norm": size["m"], "layer_norm": size["both"],
        "stream_norm": size["h"],
        "attn_relative": size["a"] / least["h"], "mlp_relative": size["m"] / least["between"],
        "layer_relative": size["both"] / least["h"],
        "attn_cosine": cosine(a, h, "a", "h"),
        "mlp_cosine": cosine(m, between, "m", "between"),
        "layer_cosine": cosine(both, h, "both", "h"),
        "stream_cosine": cosine(after, h, "after", "h"),
    }  # fmt: skip
