"""What-ifs: changes of a model as values, applied reversibly, and swept over all layers."""

from backend.whatif.values import WIDTHS, Quantize, SkipLayers, WhatIf, quantize, ranges, skip

__all__ = ["WIDTHS", "Quantize", "SkipLayers", "WhatIf", "quantize", "ranges", "skip"]
