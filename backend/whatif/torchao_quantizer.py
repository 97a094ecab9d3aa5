"""Weights rounded and multiplied by torchao, an optional library (workers only).

On a CPU its kernel for these weights makes floats of them before each product: it shows what
torchao's grid does to the answers, not its speed. Below 8 bits it keeps a byte for each weight.
"""

import torch
from torch import nn

from backend.errors import UserError
from backend.whatif.quantizer import check, in_features, is_transposed

_INSTALL = "Install it with pip install 'penultimate[quantizers]', or use the quantizer rtn."
_OTHERWISE = "Use the quantizer rtn, which rounds to nearest."


def available() -> str:
    """Why torchao cannot be used, in words; empty when it can."""
    try:
        from torchao.quantization import IntxWeightOnlyConfig, quantize_  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        return f"torchao cannot be imported: {str(error).strip() or repr(error)}"
    return ""


@torch.no_grad()
def torchao_weight(module: nn.Module, bits: int, *, group: int, symmetric: bool) -> nn.Parameter:
    """A linear module's weight as torchao rounds it; the module is not changed.

    Put in the place of `module.weight`, it has the module compute through torchao's kernel.
    Its asymmetric levels always include zero and its symmetric step is max|w| / (2**bits - 1) * 2,
    so the values differ a little from `round_to_nearest`.

    Parameters
    ----------
    bits : 2 to 8; group : weights along the input dimension that share a scale, which must divide
        it; 0, or a group at least as long as a row, takes whole rows.

    Raises
    ------
    UserError : torchao is missing or cannot do this module, width or group.
    """
    check(bits, group)
    if why := available():
        raise UserError(f"The quantizer torchao cannot be used: {why}.", _INSTALL)
    if is_transposed(module):
        raise UserError("torchao has no kernel for GPT-2's transposed weights.", _OTHERWISE)
    width = in_features(module)
    if 0 < group < width and width % group:
        raise UserError(
            f"torchao needs groups that fill a row, and {group} does not divide {width}.",
            "Pick a group that does, 0 for whole rows, or the quantizer rtn.",
        )
    from torchao.quantization import IntxWeightOnlyConfig, PerAxis, PerGroup, quantize_
    from torchao.quantization.quant_primitives import MappingType

    config = IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{bits}"),
        granularity=PerGroup(group) if 0 < group < width else PerAxis(0),
        mapping_type=MappingType.SYMMETRIC if symmetric else MappingType.ASYMMETRIC,
    )
    weight: nn.Parameter = module.weight  # type: ignore[assignment]
    copy = nn.Linear(width, weight.shape[0], bias=False, device="meta")
    copy.weight = nn.Parameter(weight.detach(), requires_grad=False)
    try:
        quantize_(copy, config)
    except (AssertionError, ValueError, RuntimeError, NotImplementedError) as error:
        first = next(iter(str(error).splitlines()), repr(error))
        raise UserError(f"torchao cannot round this weight: {first}", _OTHERWISE) from error
    return copy.weight
