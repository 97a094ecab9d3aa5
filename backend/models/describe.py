"""What a model is, without loading its weights (workers only)."""

import torch

from backend.models.loading import choose_device, dissect, open_model, predicts_next, read_config
from backend.models.sites import summarise_sites
from backend.models.sources import ModelSource
from backend.models.taps import find_blocks, find_taps
from backend.settings import Settings

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def describe(source: ModelSource, settings: Settings) -> dict:
    """Blocks, width, parameters, sites, memory and device of a model, built on the meta device.

    Returns
    -------
    JSON-able mapping; `weights_mb` is the memory that the weights will take on the device,
    `stored_mb` the size of the files.
    """
    config = read_config(source)
    model = open_model(source, config, settings, weights=False)
    trunk, head, family = dissect(model, config, source.ref)
    taps = find_taps(trunk, family, head)
    text = config.get("text_config") or config
    named = str(text.get("dtype") or text.get("torch_dtype") or "float32")
    device = choose_device(settings.device, _DTYPES.get(named, torch.float32))
    n_parameters = sum(p.numel() for p in model.parameters())
    files = [source.folder / source.file] if source.file else source.folder.glob("*.safetensors")
    width = next((text[k] for k in ("hidden_size", "n_embd", "d_model", "dim") if k in text), None)
    return {
        "ref": source.ref,
        "model_id": source.model_id,
        "title": source.title,
        "class": type(model).__name__,
        "family": family.name,
        "family_note": family.note,
        "modality": family.modality,
        "decoder": predicts_next(model, head, family),
        "blocks": len(find_blocks(trunk, family.blocks)),
        "width": width,
        "parameters": n_parameters,
        "vocabulary": text.get("vocab_size"),
        "sites": list(taps),
        "sites_text": summarise_sites(tuple(taps)),
        "pooling": family.pooling,
        "stored_dtype": named,
        "stored_mb": round(sum(f.stat().st_size for f in files) / 1e6, 1),
        "weights_mb": round(n_parameters * device.dtype.itemsize / 1e6, 1),
        "device": device.name,
        "dtype": str(device.dtype).removeprefix("torch."),
        "device_reason": device.reason,
        "notes": list(source.notes),
    }
