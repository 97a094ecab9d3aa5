"""An assignment of bits as torchao reads it, and a rounded model as a folder (workers only)."""

import fnmatch
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from backend.errors import StoreError, UserError
from backend.models.loading import LoadedModel
from backend.whatif.applying import applied
from backend.whatif.quantizer import in_features, is_transposed, linear_weights
from backend.whatif.values import Quantize, WhatIf, ranges

ASSIGNMENT = "quantization_assignment.json"
_COPIED = ("*.json", "*.model", "*.txt", "*.jinja", "tokenizer*", "LICENSE*", "NOTICE*")
_LEFT = (".*", "*.safetensors*", "*.gguf", "demo.json", ASSIGNMENT)


def fqn_config(edit: Quantize, model: nn.Module, blocks: Sequence[nn.Module]) -> dict:
    """The bits of each module as JSON that torchao's `config_from_dict` makes a FqnToConfig of.

    `quantize_(model, config, filter_fn=None)` then rounds exactly the named modules. It needs a
    group that divides every row, and modules of `nn.Linear`. Weights are not looked at, so the
    model may lie on the meta device.
    """
    full = {id(module): name for name, module in model.named_modules()}
    group, symmetric = edit.group, edit.symmetric
    grain = ("PerGroup", {"group_size": group}) if group else ("PerAxis", {"axis": 0})
    mapping = {"_type": "MappingType", "_data": "SYMMETRIC" if symmetric else "ASYMMETRIC"}
    modules = {
        full[id(module)]: _typed(
            "IntxWeightOnlyConfig",
            {
                "weight_dtype": {"_type": "torch.dtype", "_data": f"int{bits}"},
                "granularity": _typed(*grain),
                "mapping_type": mapping,
            },
            version=2,
        )
        for layer, bits in edit.bits
        for module in linear_weights(blocks[layer]).values()
    }
    return _typed("FqnToConfig", {"fqn_to_config": modules})


def _typed(name: str, data: dict, *, version: int = 1) -> dict:
    return {"_type": name, "_version": version, "_data": data}


def export_folder(model: LoadedModel, whatif: WhatIf, target: Path) -> Path:
    """Write a model with rounded weights as a folder that opens as a model; returns the folder.

    The weights are in the source's own dtype, so the files are no smaller; what else the source's
    folder holds (tokenizer, licence) is copied. `quantization_assignment.json` gives the bits of
    each module as `fqn_config` does, `demo.json` the title and what was done. Made in a hidden
    folder beside the target and renamed when whole.

    Parameters
    ----------
    whatif : one assignment of bits and nothing else.

    Raises
    ------
    UserError : the target exists, the what-if is another one, or the model cannot be saved.
    StoreError : the target cannot be written.
    """
    target = Path(target).expanduser()
    if os.path.lexists(target):
        raise UserError(f"{target} exists already.", "Choose another folder, or remove it first.")
    edit = whatif.check(model.n_blocks).assignment()
    if not hasattr(model.model, "save_pretrained"):
        raise UserError(
            f"{model.source.ref} is not a model of the transformers library.",
            "Pick a transformer.",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.part-") as made:
            part = Path(made) / target.name
            with applied(model, whatif):
                _save(model, part)
            _copy_others(model, part)
            _write(part / ASSIGNMENT, _described(model, whatif, edit))
            title = f"{model.source.title} ({whatif})"
            _write(part / "demo.json", {"title": title, "notes": _notes(model, edit)})
            os.rename(part, target)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"{target} cannot be written: {getattr(error, 'strerror', None) or error}.",
            "Free some space, or choose another folder.",
        ) from error
    return target


def _save(model: LoadedModel, folder: Path) -> None:
    """config.json and the weights as they now are, each in the dtype of the source."""
    network, dtype = model.model, _dtype(model)
    floating = {name for name, p in network.named_parameters(remove_duplicate=False)
                if p.is_floating_point()}  # fmt: skip
    cast: dict[int, torch.Tensor] = {}  # tied weights stay one tensor, which is written once
    state = {}
    for name, value in network.state_dict(keep_vars=True).items():
        if id(value) not in cast:
            cast[id(value)] = _plain(value, dtype if name in floating else value.dtype)
        state[name] = cast[id(value)]
    with _as_it_was(network):
        network.save_pretrained(folder, state_dict=state)  # type: ignore[operator]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("use_cache", None)
    _write(folder / "config.json", config | {"dtype": str(dtype).removeprefix("torch.")})


def _plain(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """An ordinary tensor; torchao's own kinds know their values."""
    kept = type(value).__module__.startswith("torchao")
    return (value.dequantize() if kept else value.detach()).to(dtype)


def _dtype(model: LoadedModel) -> torch.dtype:
    """What the source stores; the model may compute in float32 all the same."""
    said = getattr(model.model.config, "dtype", None)  # type: ignore[union-attr]
    said = getattr(torch, said) if isinstance(said, str) else said
    return said or next(model.model.parameters()).dtype


@contextmanager
def _as_it_was(network: nn.Module) -> Iterator[None]:
    """Undo what saving writes into an open model.

    The generation settings are set aside: the library refuses to save those that contradict each
    other, and the source's own file is copied.
    """
    from transformers import GenerationConfig

    config, settings = network.config, getattr(network, "generation_config", None)
    before = {name: getattr(config, name, None) for name in ("dtype", "architectures")}
    if settings is not None:
        network.generation_config = GenerationConfig.from_model_config(config)  # type: ignore[arg-type]
        network.generation_config.use_cache = True  # off in the config while a model is read here
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)  # type: ignore[arg-type]
        if settings is not None:
            network.generation_config = settings


def _copy_others(model: LoadedModel, part: Path) -> None:
    """The source's other files; of a GGUF file the tokenizer that was made from it."""
    if model.source.file:
        tokenizer = getattr(model.inputs, "tokenizer", None)
        if tokenizer is not None:
            tokenizer.save_pretrained(part)
        return
    for path in sorted(model.source.folder.iterdir()):
        named = any(fnmatch.fnmatch(path.name, pattern) for pattern in _COPIED)
        left = any(fnmatch.fnmatch(path.name, pattern) for pattern in _LEFT)
        if named and not left and path.is_file():
            shutil.copyfile(path, part / path.name)


def _described(model: LoadedModel, whatif: WhatIf, edit: Quantize) -> dict:
    """The assignment for torchao, which passes over the entries that are for people."""
    config = fqn_config(edit, model.model, model.blocks)
    return {"whatif": str(whatif), "model": model.source.model_id} | config


def _notes(model: LoadedModel, edit: Quantize) -> list[str]:
    widths = sorted({b for _, b in edit.bits}, reverse=True)
    layers = "; ".join(f"{b} bits: layers {ranges(n for n, w in edit.bits if w == b)}"
                       for b in widths)  # fmt: skip
    grain = f"groups of {edit.group} weights" if edit.group else "one group per row"
    levels = "symmetric" if edit.symmetric else "asymmetric"
    who = "torchao" if edit.quantizer == "torchao" else "round to nearest"
    stored, computed = _dtype(model), model.device.dtype
    notes = [
        *model.source.notes,
        f"The linear weights of some layers of {model.source.title} were rounded ({who}, {grain}, "
        f"{levels} levels). {layers}. Everything else is as it was.",
        f"The rounded weights are stored as {str(stored).removeprefix('torch.')}, so the files are "
        f"no smaller; {ASSIGNMENT} gives the bits of each module for torchao.",
    ]
    if stored.itemsize < computed.itemsize:
        notes.append("The levels were computed more finely than they are stored, so losses differ "
                     "a little from those on the what-if page.")  # fmt: skip
    modules = [m for layer, _ in edit.bits for m in linear_weights(model.blocks[layer]).values()]
    if any(is_transposed(m) or (edit.group and in_features(m) % edit.group) for m in modules):
        notes.append(f"torchao cannot apply {ASSIGNMENT} to this model: it needs modules of "
                     "nn.Linear and groups that divide their rows.")  # fmt: skip
    return notes


def _write(path: Path, record: dict) -> None:
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
