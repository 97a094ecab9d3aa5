"""Opening a model for reading (workers only): trunk, head, inputs, sites and device."""

import ctypes
import json
import os
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from safetensors import SafetensorError
from torch import nn

from backend.errors import ModelError, UserError
from backend.models.families import BY_TYPE, Family
from backend.models.inputs import Inputs, TextInputs, open_inputs
from backend.models.sources import ModelSource
from backend.models.taps import Tap, family_of, find_blocks, find_module, find_taps
from backend.settings import Settings

_MMAP_THRESHOLD = -3  # the parameter's number in malloc.h
_LARGE_BYTES = 2 << 20


@dataclass(frozen=True)
class Device:
    """Where a model runs, in which precision, and why."""

    name: str
    dtype: torch.dtype
    reason: str


@dataclass(eq=False)
class LoadedModel:
    """A model in evaluation mode with everything that captures and analyses ask of it."""

    source: ModelSource
    model: nn.Module
    trunk: nn.Module  # the model without its head; what captures run
    head: nn.Module | None
    family: Family
    modality: str
    inputs: Inputs
    device: Device
    taps: dict[str, Tap] = field(repr=False)
    n_blocks: int
    max_tokens: int = 512

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(self.taps)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks in order of depth."""
        return find_blocks(self.trunk, self.family.blocks)

    @property
    def is_decoder(self) -> bool:
        """Whether it predicts next tokens: what a logit lens needs."""
        return predicts_next(self.model, self.head, self.family)

    def check_decoder(self) -> None:
        """ModelError for a model that does not predict next tokens."""
        if not self.is_decoder:
            raise ModelError(
                f"{self.source.ref} does not predict next tokens.",
                "Pick a language model, such as demo:smollm2.",
            )

    def tokenize(self, texts: list[str]) -> dict[str, torch.Tensor]:
        """Padded `input_ids` and `attention_mask`, int64 (batch, length), on the device."""
        prepared = self.inputs.prepare(texts, max_tokens=self.max_tokens)
        batch = self.inputs.collate(prepared.samples)
        return {k: v.to(self.device.name) for k, v in batch.inputs.items()}

    def tokens(self, ids: list[int]) -> list[str]:
        """The text of each token id."""
        if not isinstance(self.inputs, TextInputs):
            raise ModelError(f"{self.source.ref} has no tokenizer.", "Pick a text model.")
        return [self.inputs.tokenizer.decode([i]) for i in ids]  # type: ignore[attr-defined]

    @torch.inference_mode()
    def states(
        self, texts: list[str], sites: tuple[str, ...]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Unpooled states of some texts: site -> (batch, length, width), and the mask."""
        from backend.models.hooks import reading

        batch = self.tokenize(texts)
        kept: dict[str, torch.Tensor] = {}
        taps = {s: self.taps[s] for s in sites if s != "head"}
        with reading(taps, lambda site, hidden: kept.__setitem__(site, hidden.clone())):
            self.trunk(**batch)
        return kept, batch["attention_mask"].bool()

    def head_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of states after the final norm, in float32, with the model's own capping."""
        if self.head is None:
            raise ModelError(f"{self.source.ref} has no output head.", "Pick a language model.")
        logits = self.head(hidden.to(next(self.head.parameters()).dtype)).float()
        config = getattr(self.model, "config", None)
        if cap := getattr(config, "final_logit_softcapping", None):
            logits = cap * torch.tanh(logits / cap)
        if scale := getattr(config, "logits_scaling", None):
            logits = logits / scale
        if scale := getattr(config, "logit_scale", None):
            logits = logits * scale
        return logits

    def lens_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logit lens: final norm, then head, on a state of the stream (nostalgebraist, 2020)."""
        return self.head_logits(self.final_norm(hidden))

    def final_norm(self, hidden: torch.Tensor) -> torch.Tensor:
        """The norm after the last block; a model without one leaves the state as it is."""
        norm = find_module(self.trunk, self.family.final) if self.family.final else None
        return hidden if norm is None else norm(hidden)


def predicts_next(model: nn.Module, head: nn.Module | None, family: Family) -> bool:
    """Whether a model is a language model that reads from left to right, with its head."""
    ends = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
    named = type(model).__name__.endswith(ends)
    return named and head is not None and family.modality == "text" and family.pooling == "last"


def choose_device(wanted: str, stored: torch.dtype) -> Device:
    """cuda, then mps, then cpu; half precision only where the hardware computes in it."""
    if wanted == "auto":
        has_mps = torch.backends.mps.is_available()
        wanted = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    if wanted == "cpu":
        why = "no CUDA or MPS device was found" if not torch.cuda.is_available() else "as set"
        return Device("cpu", torch.float32, f"{why}; float32, which a CPU computes exactly")
    if wanted == "mps":
        return Device("mps", torch.float32, "Apple GPU; float32")
    half = stored in (torch.bfloat16, torch.float16)
    if half and stored == torch.bfloat16 and not torch.cuda.is_bf16_supported():
        return Device(wanted, torch.float32, "this GPU lacks bfloat16; float32")
    name = torch.cuda.get_device_name()
    return Device(wanted, stored if half else torch.float32, f"{name}; the weights' own precision")


def read_config(source: ModelSource) -> dict:
    """config.json as a mapping; for GGUF what transformers makes of its header."""
    if not source.file:
        return json.loads((source.folder / "config.json").read_text())
    import transformers

    with _refusal(source, "It may be damaged, or of an architecture that transformers lacks."):
        config = transformers.AutoConfig.from_pretrained(source.folder, gguf_file=source.file)
        return config.to_dict()


# What the libraries raise for files that are damaged, cut short, or not what their config says.
_UNREADABLE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ImportError),
    *(struct.error, SafetensorError),
)


@contextmanager
def _refusal(source: ModelSource, remedy: str) -> Iterator[None]:
    """What libraries raise for a file that they cannot open, as one sentence for the user."""
    try:
        yield
    except UserError:
        raise
    except _UNREADABLE as error:
        first = next((line for line in str(error).splitlines() if line.strip()), repr(error))
        raise ModelError(f"{source.ref} cannot be opened: {first.strip()[:240]}", remedy) from error


def build(source: ModelSource, config: dict, *, trust: bool, weights: bool) -> nn.Module:
    """The module that the config names, with its weights or on the meta device without them."""
    if "architecture" in config:
        from backend.models import convnets

        if weights:
            return convnets.from_folder(source.folder)
        with torch.device("meta"):
            return convnets.from_config(config)
    import transformers

    transformers.utils.logging.disable_progress_bar()  # the job shows its own
    transformers.utils.logging.set_verbosity_error()
    kind = _class_for(source, config, transformers)
    if weights:
        options: dict = {"dtype": torch.float32, "trust_remote_code": trust}
        if source.file:
            from transformers.utils.quantization_config import GgufConfig

            options |= dict(gguf_file=source.file, quantization_config=GgufConfig(dequantize=True))
        else:
            options["dtype"] = "auto"
            options["use_safetensors"] = True
        model, facts = kind.from_pretrained(source.folder, output_loading_info=True, **options)
        _refuse_gaps(source, facts["missing_keys"])
        return model
    extra = {"gguf_file": source.file} if source.file else {}
    parsed = transformers.AutoConfig.from_pretrained(
        source.folder, trust_remote_code=trust, **extra
    )
    with torch.device("meta"):
        return kind.from_config(parsed) if hasattr(kind, "from_config") else kind(parsed)


def _refuse_gaps(source: ModelSource, missing: Iterable[str]) -> None:
    """ModelError when weights are lacking: the library would make up random ones.

    A pooler may lack: nothing is read from it, and sentence encoders are saved without.
    """
    lacking = sorted(name for name in missing if "pooler" not in name)
    if lacking:
        raise ModelError(
            f"{source.ref} lacks {len(lacking)} of the weights that its config.json asks for, "
            f"such as {lacking[0]}.",
            "Check that config.json and the safetensors belong together.",
        )


def _class_for(source: ModelSource, config: dict, transformers) -> type:
    """The class that wrote the checkpoint, or the plain model of its type."""
    names = config.get("architectures") or []
    kind = getattr(transformers, str(names[0]), None) if names else None
    if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
        return kind
    if "auto_map" in config or source.file:  # GGUF holds language models, and names no class
        return transformers.AutoModelForCausalLM
    if config.get("model_type") not in transformers.CONFIG_MAPPING:
        raise ModelError(
            f"{source.ref} is of type {config.get('model_type')!r}, which this version of "
            f"transformers ({transformers.__version__}) does not know.",
            "Upgrade transformers, or pick another model.",
        )
    return transformers.AutoModel


def split_trunk(model: nn.Module, family_trunk: str) -> tuple[nn.Module, nn.Module | None]:
    """The part that captures run, and the output head if there is one."""
    base = getattr(model, "base_model", model)
    if family_trunk and (inner := find_module(base, family_trunk)) is not None:
        base = inner
    head = None
    if hasattr(model, "get_output_embeddings"):
        head = model.get_output_embeddings()  # type: ignore[operator]
    head = head if head is not None else getattr(model, "classifier", None)
    return base, head


def dissect(model: nn.Module, config: dict, ref: str) -> tuple[nn.Module, nn.Module | None, Family]:
    """Trunk, head and family of a model; ModelError when it has no stack of blocks."""
    kind = config.get("architecture") or config.get("model_type", "")
    known = BY_TYPE.get(kind)
    trunk, head = split_trunk(model, known.trunk if known else "")
    if known is None and getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        trunk, head = model.get_encoder(), None  # type: ignore[operator]  # the half that reads
    main = getattr(model, "main_input_name", "input_ids")
    modality = {"pixel_values": "image", "input_values": "audio", "input_features": "audio"}.get(
        main, "text"
    )
    family = family_of(kind, trunk, known.modality if known else modality)
    if family and family.trunk and family.modality != "text":
        head = None  # it reads another part of the model: Whisper's decoder, CLIP's text side
    if family is None:
        raise ModelError(
            f"{ref} ({type(model).__name__}) has no list of equal blocks to call its depth.",
            "Penultimate reads stacks of blocks; pick a transformer or a convolutional net.",
        )
    if family.name == "unknown" and predicts_next(model, head, replace(family, pooling="last")):
        family = replace(family, pooling="last")
    return trunk, head, family


def open_model(
    source: ModelSource, config: dict, settings: Settings, *, weights: bool
) -> nn.Module:
    """`build`, with a sentence for the user where the files cannot be opened."""
    with _refusal(source, "Check that config.json and the safetensors belong together."):
        return build(source, config, trust=settings.trust_remote_code, weights=weights)


def load(source: ModelSource, settings: Settings) -> LoadedModel:
    """Open a model on the best device there is, ready to be read."""
    if threads := os.environ.get("PENULTIMATE_THREADS"):
        torch.set_num_threads(int(threads))
    _give_memory_back()
    config = read_config(source)
    model = open_model(source, config, settings, weights=True)
    trunk, head, family = dissect(model, config, source.ref)
    stored = next(model.parameters()).dtype
    device = choose_device(settings.device, stored)
    model = _keep_no_keys(_place(model, device)).eval().requires_grad_(False)
    taps = find_taps(trunk, family, head)
    inputs = open_inputs(
        source.folder, family.modality, config,
        gguf=source.file, trust=settings.trust_remote_code,
    )  # fmt: skip
    return LoadedModel(
        source, model, trunk, head, family, family.modality, inputs, device, taps,
        len(find_blocks(trunk, family.blocks)), settings.max_tokens,
    )  # fmt: skip


def _place(model: nn.Module, device: Device) -> nn.Module:
    """On one device, or over all of them when one GPU cannot hold it."""
    if device.name.startswith("cuda"):
        size = sum(p.numel() for p in model.parameters()) * device.dtype.itemsize
        free = torch.cuda.mem_get_info()[0]
        if size > 0.85 * free:
            from accelerate import dispatch_model, infer_auto_device_map

            model = model.to(device.dtype)
            return dispatch_model(model, infer_auto_device_map(model, dtype=device.dtype))
    return model.to(device=device.name, dtype=device.dtype)


def _give_memory_back() -> None:
    """Have glibc hand large temporaries back to the system as soon as they are freed.

    Left alone it keeps up to 70 MB of holes after forward passes on a CPU; this costs about 1 %
    of the time. Elsewhere than on Linux with glibc nothing is done.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


def _keep_no_keys(model: nn.Module) -> nn.Module:
    """Without the cache for generating: captures run a text once and would only hold its memory."""
    for part in model.modules():
        config = getattr(part, "config", None)
        if getattr(config, "use_cache", None):
            config.use_cache = False  # type: ignore[union-attr]
    return model


class ModelShelf:
    """The models that this process keeps open, the longest unused one closed first."""

    def __init__(self, capacity: int = 2, opener: Callable[..., LoadedModel] = load):
        self.capacity, self.opener = capacity, opener
        self._open: OrderedDict[tuple, LoadedModel] = OrderedDict()

    def get(self, source: ModelSource, settings: Settings) -> LoadedModel:
        key = (source.model_id, settings.device, settings.max_tokens)
        if key not in self._open:
            while len(self._open) >= self.capacity:
                self._open.popitem(last=False)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
            self._open[key] = self.opener(source, settings)
        self._open.move_to_end(key)
        return self._open[key]


SHELF = ModelShelf()
