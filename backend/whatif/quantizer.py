"""Round to nearest: weights as a quantizer with fewer bits would keep them (workers only).

The reference for every curve: the same on each device, and the rounded weights stay ordinary
floating-point tensors, so what changes is the model's answer and not its speed or its memory.
"""

import math

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from backend.errors import UserError

_PIECE = 1 << 18  # weights rounded at a time on a CPU: they stay in its cache
_SCALE_BITS = 16  # a scale is stored in float16, and so is a zero point


@torch.no_grad()
def round_to_nearest(
    weight: torch.Tensor, bits: int, *, group: int = 64, symmetric: bool = False
) -> torch.Tensor:
    """Weights on the nearest of 2**bits levels, which each group of a row has for itself.

    Asymmetric: the levels go from the group's smallest to its largest weight,
    step = (max - min) / (2**bits - 1). Symmetric: multiples of max|w| / (2**(bits - 1) - 1), which
    leaves the lowest level unused. A group whose weights are all equal is kept as it is.

    Parameters
    ----------
    weight : (out, in), which is not changed.
    bits : 2 to 8.
    group : weights along the input dimension that share their levels; 0 takes whole rows. What is
        left over at the end of a row is a shorter group.

    Returns
    -------
    (out, in) of the same dtype, computed in float32; at most half a step from `weight`.

    Raises
    ------
    UserError : bits or group out of range.

    Source: Jacob et al. 2018, equation 12, with a real instead of an integer zero point.
    """
    check(bits, group)
    rounded = torch.empty_like(weight, dtype=torch.float32, memory_format=torch.contiguous_format)
    rows, width = weight.shape
    size = min(group, width) if group else width
    whole = width - width % size if size else 0
    step = max(1, _PIECE // max(width, 1)) if weight.device.type == "cpu" else max(rows, 1)
    for start in range(0, rows, step):
        for columns, length in ((slice(0, whole), size), (slice(whole, width), width - whole)):
            if columns.start == columns.stop:
                continue
            place = slice(start, start + step), columns
            groups = weight[place].to(torch.float32).unflatten(1, (-1, length))
            _round(groups, rounded[place].unflatten(1, (-1, length)), bits, symmetric)
    return rounded.to(weight.dtype)


def check(bits: int, group: int) -> None:
    """UserError when a weight cannot be rounded to so many bits, or in such groups."""
    if not 2 <= bits <= 8:
        raise UserError(f"Weights cannot be rounded to {bits} bits.", "Give 2 to 8 bits.")
    if group < 0:
        raise UserError(
            f"A group of {group} weights is not possible.", "Give 0, for whole rows, or more."
        )


def _round(groups: torch.Tensor, out: torch.Tensor, bits: int, symmetric: bool) -> None:
    """Round float32 groups (rows, groups, group) into `out` of the same shape."""
    low, high = torch.aminmax(groups, dim=-1, keepdim=True)
    if symmetric:
        step = torch.maximum(high, low.neg_()).div_(2 ** (bits - 1) - 1)
        torch.mul(groups, _inverse(step), out=out).round_().mul_(step)
        return
    step = high.sub_(low).div_(2**bits - 1)
    torch.sub(groups, low, out=out).mul_(_inverse(step)).round_().mul_(step).add_(low)


def _inverse(step: torch.Tensor) -> torch.Tensor:
    """1 / step; 0 where a group holds one value alone, so that it stays on its first level."""
    return step.reciprocal().nan_to_num_(nan=0.0, posinf=0.0)


def linear_weights(block: nn.Module) -> dict[str, nn.Module]:
    """The modules of a block whose weight a quantizer rounds, by their qualified names.

    Every linear module, GPT-2's transposed ones too, unless its weight is an embedding's or is
    not floating-point. Norms, biases and experts stacked in one three-dimensional weight stay as
    they are.
    """
    tied = {id(m.weight) for m in block.modules() if isinstance(m, nn.Embedding)}
    return {
        name: module
        for name, module in block.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
        and id(module.weight) not in tied
        and module.weight.is_floating_point()
    }


def is_transposed(module: nn.Module) -> bool:
    """Whether a linear module keeps its weight as (in, out) instead of (out, in)."""
    return isinstance(module, Conv1D)


def in_features(module: nn.Module) -> int:
    """How many inputs each row of a linear module's weight has."""
    return int(module.weight.shape[0 if is_transposed(module) else 1])  # type: ignore[index,union-attr]


def quantized_weight(module: nn.Module, bits: int, *, group: int, symmetric: bool) -> torch.Tensor:
    """The rounded weight of a linear module, in the module's own layout and dtype."""
    weight: torch.Tensor = module.weight  # type: ignore[assignment]
    if not is_transposed(module):
        return round_to_nearest(weight, bits, group=group, symmetric=symmetric)
    return round_to_nearest(weight.T, bits, group=group, symmetric=symmetric).T.contiguous()


def stored_bits(bits: int, group: int, symmetric: bool, in_features: int) -> float:
    """Bits that one weight takes in a file, its share of scale and zero point included.

    Each group of a row stores a float16 scale and, when asymmetric, a float16 zero point: 4 bits
    in groups of 64 take 4.5.
    """
    groups = math.ceil(in_features / group) if group else 1
    return bits + groups * _SCALE_BITS * (1 if symmetric else 2) / in_features
