"""The modules behind the names of sites (workers only)."""

import re
from dataclasses import dataclass
from typing import Literal

from torch import nn

from backend.models.families import BY_TYPE, Family


@dataclass(frozen=True)
class Tap:
    """Where a site is read: the input or the output of one module."""

    module: nn.Module
    side: Literal["input", "output"]
    depth: float  # order of execution, for stopping after the deepest tap


def find_module(root: nn.Module, path: str) -> nn.Module | None:
    """The module at a dotted path, or None."""
    module: object = root
    for name in filter(None, path.split(".")):
        module = module[int(name)] if name.isdigit() else getattr(module, name, None)  # type: ignore[index]
        if module is None:
            return None
    return module if isinstance(module, nn.Module) else None


def find_blocks(trunk: nn.Module, path: str) -> list[nn.Module]:
    """The blocks in order of depth; `*` in the path walks a list of stages."""
    before, star, after = path.partition(".*.")
    found = find_module(trunk, before)
    if found is None:
        return []
    stages = list(found.children()) if star else [found]
    lists = [find_module(stage, after) for stage in stages] if star else stages
    return [block for part in lists if part is not None for block in part.children()]


def guess_family(trunk: nn.Module, modality: str) -> Family | None:
    """The longest list of equal blocks, for a model that the table does not know."""
    best: tuple[int, str] = (1, "")
    for path, module in trunk.named_modules():
        if isinstance(module, nn.ModuleList | nn.Sequential):
            kinds = {type(child) for child in module}
            if len(kinds) == 1 and len(module) > best[0]:
                best = (len(module), path)
    if not best[1]:
        return None
    block = next(iter(find_module(trunk, best[1]).children()))  # type: ignore[union-attr]
    names = {name: type(child).__name__.lower() for name, child in block.named_children()}
    attention = next((n for n, kind in names.items() if "attention" in kind), "")
    mlp = next((n for n, kind in names.items() if re.search("mlp|feedforward|ffn", kind)), "")
    convolutional = any(isinstance(m, nn.Conv2d) for m in block.modules())
    return Family(
        "unknown", (), modality, best[1], attention, mlp, _last_norm(trunk, best[1]),  # type: ignore[arg-type]
        convolutional=convolutional,
        note=f"not in the family table: its longest list of equal blocks, {best[1]!r}, is taken",
    )  # fmt: skip


def _last_norm(trunk: nn.Module, blocks: str) -> str:
    """The norm that follows the blocks, at their own level or at the trunk's."""
    parent = blocks.rpartition(".")[0]
    for level in dict.fromkeys((parent, "")):
        children = list(find_module(trunk, level).named_children())  # type: ignore[union-attr]
        after = next((i for i, (n, _) in enumerate(children) if blocks.endswith(n)), len(children))
        for name, child in children[after:]:
            if "norm" in type(child).__name__.lower() and "emb" not in name:
                return f"{level}.{name}".strip(".")
    return ""


def family_of(model_type: str, trunk: nn.Module, modality: str) -> Family | None:
    """The table's row for a model type if its blocks are there, else the fallback's guess."""
    family = BY_TYPE.get(model_type)
    if family and find_blocks(find_module(trunk, family.trunk) or trunk, family.blocks):
        return family
    return guess_family(trunk, modality)


def find_taps(trunk: nn.Module, family: Family, head: nn.Module | None) -> dict[str, Tap]:
    """Every site of a model with the module behind it, in order of depth."""
    blocks = find_blocks(trunk, family.blocks)
    taps = (_conv_taps if family.convolutional else _stream_taps)(blocks, family)
    end = find_module(trunk, family.final) if family.final else trunk
    name = "penultimate" if family.convolutional else "final"
    if end is not None:
        taps[name] = Tap(end, "output", len(blocks) + 1)
    if head is not None:
        taps["head"] = Tap(head, "output", len(blocks) + 2)
    return taps


def _stream_taps(blocks: list[nn.Module], family: Family) -> dict[str, Tap]:
    taps = {"embed": Tap(blocks[0], "input", 0)}
    for i, block in enumerate(blocks):
        taps[f"resid_pre.{i}"] = Tap(block, "input", i)
        sublayers = (("attn_out", family.attention, 0.3), ("mlp_out", family.mlp, 0.6))
        for stem, path, depth in sublayers:
            module = find_module(block, path) if path else None
            if module is not None:
                taps[f"{stem}.{i}"] = Tap(module, "output", i + depth)
        taps[f"resid_post.{i}"] = Tap(block, "output", i + 0.9)
    return taps


def _conv_taps(blocks: list[nn.Module], family: Family) -> dict[str, Tap]:
    taps = {"embed": Tap(blocks[0], "input", 0)}
    for i, block in enumerate(blocks):
        skip = find_module(block, family.skip) if family.skip else None
        if skip is not None:
            taps[f"skip.{i}"] = Tap(skip, "output", i + 0.3)
        elif getattr(block, "has_skip", False):
            taps[f"skip.{i}"] = Tap(block, "input", i)
        main = find_module(block, family.main) if family.main else None
        if main is not None:
            taps[f"main.{i}"] = Tap(main, "output", i + 0.6)
        taps[f"block.{i}"] = Tap(block, "output", i + 0.9)
    return taps
