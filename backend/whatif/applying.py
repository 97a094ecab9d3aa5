"""A what-if applied to an open model, and taken off again exactly (workers only)."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from weakref import WeakKeyDictionary

import torch
from torch import nn

from backend.errors import ModelError
from backend.models.hooks import tensor_of
from backend.models.loading import LoadedModel
from backend.models.taps import find_module
from backend.whatif.quantizer import linear_weights, quantized_weight
from backend.whatif.values import Quantize, SkipLayers, WhatIf

_KEPT_BYTES = 1 << 30  # of rounded weights, so that a toggled layer is not rounded again
Mask = Callable[[torch.Tensor], torch.Tensor | None]  # state -> which positions; None: all of them


@contextmanager
def applied(model: LoadedModel, whatif: WhatIf) -> Iterator[list[int]]:
    """Have the model run as the what-if says inside the context.

    Hooks are removed and every weight is the same object as before on the way out, whatever
    happened inside. Gives a list of one number: how many positions a cache holds already, to be
    set by whoever runs the model with one.

    Raises
    ------
    UserError : the model lacks a layer or a sublayer that is named.
    """
    whatif.check(model.n_blocks)
    now = [0]
    with ExitStack() as undo:
        for edit in whatif.edits:
            if isinstance(edit, Quantize):
                for layer, bits in edit.bits:
                    undo.enter_context(rounded(model, layer, bits, edit))
                continue
            for layer in edit.layers:
                undo.enter_context(skipping(model, layer, edit.part, _span(edit, now)))
        yield now


def _span(edit: SkipLayers, now: list[int]) -> Mask:
    def mask(hidden: torch.Tensor) -> torch.Tensor | None:
        if edit.start == 0 and edit.stop is None:
            return None
        if hidden.ndim != 3:
            raise ModelError(
                f"{edit} names tokens, and this model's states have the shape "
                f"{tuple(hidden.shape)}.",
                "Skip the layer as a whole.",
            )
        at = torch.arange(hidden.shape[1], device=hidden.device) + now[0]
        stop = edit.stop if edit.stop is not None else int(at[-1]) + 1
        return ((at >= edit.start) & (at < stop))[None, :]

    return mask


@contextmanager
def skipping(model: LoadedModel, layer: int, part: str, mask: Mask) -> Iterator[None]:
    """Have one layer (or its attention, or its MLP) write nothing at the masked positions."""
    if part == "layer":
        with _holding(model.blocks[layer], layer, mask):
            yield
        return
    hook = _silence(sublayer(model, layer, part), mask)
    try:
        yield
    finally:
        hook.remove()


def sublayer(model: LoadedModel, layer: int, part: str) -> nn.Module:
    """The module whose output one sublayer adds to the stream; ModelError where there is none."""
    family = model.family
    path = family.attention if part == "attention" else family.mlp
    found = find_module(model.blocks[layer], path) if path else None
    if found is None or family.sublayers_add:
        raise ModelError(
            f"{model.source.ref} ({family.name}) has no module whose output is what its {part} "
            "adds to the stream.",
            "Skip whole layers instead.",
        )
    return found


@contextmanager
def _holding(block: nn.Module, layer: int, mask: Mask) -> Iterator[None]:
    """Have a block give its input back.

    Its `forward` is replaced rather than hooked, so that whatever else listens to the block, the
    library's own record of hidden states too, sees what really flows on.
    """
    own, run = block.__dict__.get("forward"), block.forward

    @wraps(run)
    def instead(*args: object, **kwargs: object) -> object:
        held = tensor_of(args or tuple(kwargs.values())).clone()  # it may be added to in place
        output = run(*args, **kwargs)
        left = tensor_of(output)
        if held.shape != left.shape:
            raise ModelError(
                f"Layer {layer} turns states of shape {tuple(held.shape)} into "
                f"{tuple(left.shape)}, so it cannot be skipped.",
                "Skip layers that keep the shape.",
            )
        where = mask(left)
        return _with_tensor(output, held if where is None else blend(where, held, left))

    block.forward = instead  # type: ignore[method-assign]
    try:
        yield
    finally:
        if own is None:
            del block.forward
        else:
            block.forward = own


def _silence(module: nn.Module, mask: Mask):
    """A hook that sets a sublayer's output to zero."""

    def after(module: nn.Module, args: tuple, output: object) -> object:
        left = tensor_of(output)
        where, nothing = mask(left), torch.zeros_like(left)
        return _with_tensor(output, nothing if where is None else blend(where, nothing, left))

    return module.register_forward_hook(after)


def blend(where: torch.Tensor, inside: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """`inside` at the positions (..., length) that `where` marks, `outside` elsewhere."""
    return torch.where(where[..., None], inside, outside)


def _with_tensor(output: object, hidden: torch.Tensor) -> object:
    """What the module gave, with another state in it."""
    if isinstance(output, torch.Tensor):
        return hidden
    if isinstance(output, tuple | list):
        return type(output)((_with_tensor(output[0], hidden), *output[1:]))
    raise ModelError(f"A module gave {type(output).__name__}, whose state cannot be replaced.")


@contextmanager
def rounded(model: LoadedModel, layer: int, bits: int, how: Quantize) -> Iterator[None]:
    """Have one layer compute with weights of fewer bits; the originals come back as they were."""
    swapped: list[tuple[nn.Module, nn.Parameter]] = []
    try:
        for module, weight in _rounded_weights(model, layer, bits, how):
            swapped.append((module, module.weight))  # type: ignore[arg-type]
            module.weight = weight
        yield
    finally:
        for module, original in reversed(swapped):
            module.weight = original


_KEPT: WeakKeyDictionary[LoadedModel, OrderedDict] = WeakKeyDictionary()


def _rounded_weights(
    model: LoadedModel, layer: int, bits: int, how: Quantize
) -> list[tuple[nn.Module, nn.Parameter]]:
    """Each linear module of a block with its rounded weight; the last GiB of them is kept."""
    modules = linear_weights(model.blocks[layer])
    if any(p.ndim == 3 for p in model.blocks[layer].parameters()):
        raise ModelError(
            f"Layer {layer} of {model.source.ref} keeps its experts stacked in one weight, which "
            "is not rounded.",
            "Pick a model without experts, or skip layers instead.",
        )
    if not modules:
        raise ModelError(
            f"Layer {layer} of {model.source.ref} has no linear weights to round.",
            "Pick another model.",
        )
    key = (layer, bits, how.group, how.symmetric, how.quantizer)
    key += tuple(id(module.weight) for module in modules.values())
    kept = _KEPT.setdefault(model, OrderedDict())
    if key not in kept:
        kept[key] = [(m, _round(m, bits, how)) for m in modules.values()]
        while sum(map(_bytes, kept.values())) > _KEPT_BYTES and len(kept) > 1:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


@torch.inference_mode(False)
@torch.no_grad()
def _round(module: nn.Module, bits: int, how: Quantize) -> nn.Parameter:
    """The rounded weight, as a tensor that a gradient may pass, since it is kept for later."""
    if how.quantizer == "torchao":
        from backend.whatif.torchao_quantizer import torchao_weight

        return torchao_weight(module, bits, group=how.group, symmetric=how.symmetric)
    weight = quantized_weight(module, bits, group=how.group, symmetric=how.symmetric)
    return nn.Parameter(weight, requires_grad=False)


def _bytes(kept: list[tuple[nn.Module, nn.Parameter]]) -> int:
    return sum(weight.numel() * weight.element_size() for _, weight in kept)
