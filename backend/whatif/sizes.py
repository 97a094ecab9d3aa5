"""What a what-if would save: bits and bytes of the weights (workers only)."""

from dataclasses import asdict, dataclass

from backend.models.loading import LoadedModel
from backend.whatif.quantizer import in_features, linear_weights, stored_bits
from backend.whatif.values import Quantize, WhatIf


@dataclass(frozen=True)
class Sizes:
    """Sizes of a model's weights, as they are and as they would be stored after a what-if.

    `average_bits` counts the blocks' linear weights at their nominal bits, as papers do; a skipped
    layer counts 0. `file_bits` and `mb` count everything, embeddings at their own precision, with
    the scales of each group.
    """

    base_mb: float
    mb: float
    average_bits: float
    file_bits: float
    block_weights: int  # linear weights of all blocks: what bits are given to
    parameters: int

    def to_json(self) -> dict:
        return asdict(self)


def sizes_of(model: LoadedModel, whatif: WhatIf) -> Sizes:
    """Bits and megabytes (10^6 bytes) with and without a what-if; nothing is changed."""
    kinds = {layer: e for e in whatif.edits if isinstance(e, Quantize) for layer, _ in e.bits}
    gone = {layer for layer, parts in whatif.skipped.items() if "layer" in parts}
    total = sum(p.numel() for p in model.model.parameters())
    whole = 8 * sum(p.numel() * p.element_size() for p in model.model.parameters())
    nominal, weights, stored = 0.0, 0, float(whole)
    for layer, block in enumerate(model.blocks):
        own = sum(8 * p.numel() * p.element_size() for p in block.parameters())
        for module in linear_weights(block).values():
            weight = module.weight
            count, full = weight.numel(), 8 * weight.element_size()  # type: ignore[operator]
            bits, how = whatif.bits.get(layer), kinds.get(layer)
            weights += count  # type: ignore[operator]
            if layer in gone:
                continue
            nominal += count * (full if bits is None else bits)  # type: ignore[operator]
            if bits is not None and how is not None:
                kept = stored_bits(bits, how.group, how.symmetric, in_features(module))
                stored -= count * (full - kept)  # type: ignore[operator]
        stored -= own if layer in gone else 0
    return Sizes(
        whole / 8e6, stored / 8e6, nominal / max(weights, 1), stored / max(total, 1), weights, total
    )
