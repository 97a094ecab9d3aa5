"""What-ifs as values: small frozen changes of a model that compose, and whose text is their name.

The text form travels in URLs, keys and commands. Edits are joined with `+`, layers are 0-based:

- `skip:3,5-7` takes whole layers out; `skip-attn:3` and `skip-mlp:3` take out one sublayer;
  `skip:3:t1-20` does so for token positions 1 to 19 only, `t1-` from position 1 on
- `bits:4=0-9,3=10-29` lowers the bits of those layers' weights; `:g32` is the group along the
  input dimension (0: one group per row), `:sym` symmetric levels, `:torchao` that library's own

Equal changes have equal text: layers are sorted, edits of one kind are merged.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from backend.errors import UserError

Part = Literal["layer", "attention", "mlp"]
WIDTHS = (8, 4, 3, 2)  # the bit widths that pages offer; 2 to 8 are allowed
_GROUP = 64
_NAMES: dict[str, Part] = {"skip": "layer", "skip-attn": "attention", "skip-mlp": "mlp"}
_REMEDY = "Write for example skip:3,5-7 or bits:4=0-9,3=10-29:g64, joined with +."


@dataclass(frozen=True)
class SkipLayers:
    """Layers, or their attention or MLP, that write nothing into the residual stream.

    `layers` are block numbers, ascending. Positions from `start` up to, not including, `stop`
    are skipped; `stop` None is the end of the text.
    """

    layers: tuple[int, ...]
    part: Part = "layer"
    start: int = 0
    stop: int | None = None

    def __str__(self) -> str:
        name = next(name for name, part in _NAMES.items() if part == self.part)
        whole = self.start == 0 and self.stop is None
        stop = "" if self.stop is None else self.stop
        tokens = "" if whole else f":t{self.start}-{stop}"
        return f"{name}:{ranges(self.layers)}{tokens}"

    def in_words(self) -> str:
        what = {"layer": "", "attention": "attention of ", "mlp": "MLP of "}[self.part]
        plural = "s" if len(self.layers) > 1 else ""
        stop = "the end" if self.stop is None else f"before {self.stop}"
        whole = self.start == 0 and self.stop is None
        tokens = "" if whole else f" at tokens {self.start} to {stop}"
        listed = ranges(self.layers).replace(",", ", ")
        return f"{what}layer{plural} {listed} skipped{tokens}"


@dataclass(frozen=True)
class Quantize:
    """Weights of some layers rounded to fewer bits: `bits` holds (layer, bits), ascending.

    `group` weights along the input dimension share a scale (0: a whole row does); `symmetric`
    levels lie around zero, otherwise they span each group's smallest to largest weight.
    """

    bits: tuple[tuple[int, int], ...]
    group: int = _GROUP
    symmetric: bool = False
    quantizer: Literal["rtn", "torchao"] = "rtn"

    def __str__(self) -> str:
        widths = sorted({b for _, b in self.bits}, reverse=True)
        parts = (f"{w}={ranges(layer for layer, b in self.bits if b == w)}" for w in widths)
        options = "" if self.group == _GROUP else f":g{self.group}"
        options += ":sym" if self.symmetric else ""
        options += "" if self.quantizer == "rtn" else f":{self.quantizer}"
        return f"bits:{','.join(parts)}{options}"

    def in_words(self) -> str:
        widths = sorted({b for _, b in self.bits}, reverse=True)
        groups = {w: [layer for layer, b in self.bits if b == w] for w in widths}
        parts = [
            f"{w} bits in layer{'s' if len(held) > 1 else ''} {ranges(held).replace(',', ', ')}"
            for w, held in groups.items()
        ]
        how = "" if self.group == _GROUP else f", groups of {self.group or 'a row'}"
        how += ", symmetric" if self.symmetric else ""
        how += "" if self.quantizer == "rtn" else f", by {self.quantizer}"
        return ", ".join(parts) + how


Edit = SkipLayers | Quantize


@dataclass(frozen=True)
class WhatIf:
    """Changes of a model that hold together; the empty one is the model as it is."""

    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "edits", _merged(self.edits))

    def __str__(self) -> str:
        return "+".join(map(str, self.edits))

    def __bool__(self) -> bool:
        return bool(self.edits)

    def __add__(self, other: "WhatIf") -> "WhatIf":
        """Both changes; where both set the bits of a layer, the second holds."""
        return WhatIf((*self.edits, *other.edits))

    @property
    def layers(self) -> tuple[int, ...]:
        """Every layer that is changed, ascending."""
        return tuple(sorted({*self.skipped, *self.bits}))

    @property
    def skipped(self) -> dict[int, tuple[Part, ...]]:
        """Layer -> what of it is skipped."""
        out: dict[int, tuple[Part, ...]] = {}
        for edit in self.edits:
            if isinstance(edit, SkipLayers):
                for layer in edit.layers:
                    out[layer] = (*out.get(layer, ()), edit.part)
        return out

    @property
    def bits(self) -> dict[int, int]:
        """Layer -> bits, of the layers that are quantized."""
        pairs = (p for e in self.edits if isinstance(e, Quantize) for p in e.bits)
        return dict(sorted(pairs))

    def in_words(self) -> str:
        """The what-if for people: `layers 3, 5-7 skipped; 4 bits in layers 0-9`."""
        return "; ".join(edit.in_words() for edit in self.edits)

    def without(self, layers: Iterable[int]) -> "WhatIf":
        """The same with these layers as they were."""
        gone = set(layers)
        kept: list[Edit] = []
        for edit in self.edits:
            if isinstance(edit, SkipLayers):
                kept.append(replace(edit, layers=tuple(set(edit.layers) - gone)))
            else:
                kept.append(replace(edit, bits=tuple(p for p in edit.bits if p[0] not in gone)))
        return WhatIf(tuple(kept))

    def assignment(self) -> Quantize:
        """The one edit of a what-if that sets bits and does nothing else; UserError otherwise."""
        if len(self.edits) != 1 or not isinstance(self.edits[0], Quantize):
            raise UserError(
                f"The what-if {str(self)!r} is not one assignment of bits.",
                "Set bits only, all with the same group and levels: skipped layers stay in a file.",
            )
        return self.edits[0]

    def check(self, n_blocks: int) -> "WhatIf":
        """The what-if itself; UserError when it names a layer that the model does not have."""
        wrong = [layer for layer in self.layers if not 0 <= layer < n_blocks]
        if wrong:
            raise UserError(
                f"The what-if names layer {wrong[0]}, and the model has {n_blocks} blocks.",
                f"Layers go from 0 to {n_blocks - 1}.",
            )
        return self

    @classmethod
    def parse(cls, text: str) -> "WhatIf":
        """A what-if from its text; UserError names the part that cannot be read."""
        return _parse(text.strip())


def skip(layers: Iterable[int], part: Part = "layer") -> WhatIf:
    """A what-if that skips some layers at every token."""
    return WhatIf((SkipLayers(tuple(layers), part),))


def quantize(bits: Mapping[int, int], **options: object) -> WhatIf:
    """A what-if that sets the bits of some layers; options as in `Quantize`."""
    return WhatIf((Quantize(tuple(bits.items()), **options),))  # type: ignore[arg-type]


def ranges(layers: Iterable[int]) -> str:
    """`3,5-7` for 3, 5, 6, 7."""
    spans: list[list[int]] = []
    for layer in sorted(set(layers)):
        if spans and layer == spans[-1][1] + 1:
            spans[-1][1] = layer
        else:
            spans.append([layer, layer])
    return ",".join(f"{a}-{b}" if b > a else str(a) for a, b in spans)


def _merged(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """One edit per kind and options, in a fixed order, each with its layers sorted."""
    skips: dict[tuple, set[int]] = {}
    bits: dict[int, tuple[int, Quantize]] = {}
    for edit in edits:
        if isinstance(edit, SkipLayers):
            key = (edit.part, edit.start, -1 if edit.stop is None else edit.stop)
            skips.setdefault(key, set()).update(edit.layers)
        else:
            bits |= {layer: (b, replace(edit, bits=())) for layer, b in edit.bits}
    out: list[Edit] = []
    for (part, start, stop), layers in sorted(skips.items()):
        if layers:
            out.append(SkipLayers(tuple(sorted(layers)), part, start, None if stop < 0 else stop))
    kinds = sorted({kind for _, kind in bits.values()}, key=str)
    for kind in kinds:
        mine = tuple(sorted((layer, b) for layer, (b, k) in bits.items() if k == kind))
        out.append(replace(kind, bits=mine))
    return tuple(out)


@lru_cache(maxsize=1024)
def _parse(text: str) -> WhatIf:
    return WhatIf(tuple(_edit(part.strip()) for part in text.split("+") if part.strip()))


def _edit(text: str) -> Edit:
    name, _, rest = text.partition(":")
    body, *options = rest.split(":")
    if name in _NAMES:
        start, stop = 0, None
        for option in options:
            found = re.fullmatch(r"t(\d+)-(\d*)", option)
            if not found:
                raise UserError(f"{option!r} in the what-if {text!r} is not known.", _REMEDY)
            start, stop = int(found[1]), int(found[2]) if found[2] else None
            if stop is not None and stop <= start:
                raise UserError(f"{option!r} in the what-if {text!r} holds no token.", _REMEDY)
        return SkipLayers(_layers(body, text), _NAMES[name], start, stop)
    if name == "bits":
        return Quantize(_bits(body, text), **_options(options, text))
    raise UserError(f"{text!r} is not a what-if.", _REMEDY)


def _bits(body: str, text: str) -> tuple[tuple[int, int], ...]:
    """`4=0-9,3=10,12` -> (layer, bits) pairs; a part without `=` goes on with the last width."""
    out: list[tuple[int, int]] = []
    width: int | None = None
    for part in body.split(","):
        left, equals, right = part.partition("=")
        if equals:
            width = int(left) if left.isdigit() else None
        if width is None or not 2 <= width <= 8:
            raise UserError(f"{part!r} in the what-if {text!r} sets no bits from 2 to 8.", _REMEDY)
        out += [(layer, width) for layer in _layers(right if equals else left, text)]
    return tuple(out)


def _options(options: list[str], text: str) -> dict:
    out: dict = {}
    for option in options:
        if re.fullmatch(r"g\d{1,6}", option):
            out["group"] = int(option[1:])
        elif option == "sym":
            out["symmetric"] = True
        elif option in ("rtn", "torchao"):
            out["quantizer"] = option
        else:
            raise UserError(f"{option!r} in the what-if {text!r} is not known.", _REMEDY)
    return out


def _layers(body: str, text: str) -> tuple[int, ...]:
    out: list[int] = []
    for part in body.split(","):
        found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if not found or (found[2] and int(found[2]) < int(found[1])):
            raise UserError(f"{part!r} in the what-if {text!r} names no layers.", _REMEDY)
        out += range(int(found[1]), int(found[2] or found[1]) + 1)
    return tuple(out)
