"""From decoded rows to batches that a model can take (workers only).

One class per modality with the same two calls: `prepare` (texts, PIL images or waves to samples
with their lengths) and `collate` (samples to a batch with its mask).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from backend.errors import ModelError


@dataclass
class Batch:
    """Keyword arguments of the forward pass, and which positions are real.

    `mask` is (batch, length) bool for sequences, None where every position counts. `spans` says
    how many consecutive elements of the batch belong to each row, for audio cut into frames.
    """

    inputs: dict[str, torch.Tensor]
    mask: torch.Tensor | None = None
    spans: list[int] | None = None


@dataclass
class Prepared:
    """Samples of some rows with their lengths; `truncated` counts rows that were cut."""

    samples: list
    lengths: np.ndarray  # int64 (n,): tokens, pixels' patches or frames
    truncated: int = 0


class Inputs(Protocol):
    """What every modality offers."""

    kind: str

    def prepare(self, items: list, *, max_tokens: int) -> Prepared: ...

    def collate(self, samples: list) -> Batch: ...


@dataclass
class TextInputs:
    """Texts through the model's own tokenizer, padded on the right, special tokens as it adds."""

    tokenizer: object
    positions: int | None = None  # how many the model has, where its tokenizer does not say
    kind: str = "text"
    pad_id: int = field(init=False)

    def __post_init__(self) -> None:
        tokenizer = self.tokenizer
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else None  # type: ignore[attr-defined]
        self.pad_id = pad if pad is not None else tokenizer.eos_token_id or 0  # type: ignore[attr-defined]

    def prepare(self, items: list[str], *, max_tokens: int) -> Prepared:
        said = getattr(self.tokenizer, "model_max_length", None)
        limit = min(n for n in (max_tokens, said, self.positions) if n)
        whole = self.tokenizer(items, truncation=False, verbose=False)["input_ids"]  # type: ignore[operator]
        long = [i for i, ids in enumerate(whole) if len(ids) > limit]
        if long:  # cut by the tokenizer, so that closing special tokens stay
            again = [items[i] for i in long]
            cut = self.tokenizer(again, truncation=True, max_length=limit)["input_ids"]  # type: ignore[operator]
            for i, ids in zip(long, cut, strict=True):
                whole[i] = ids
        empty = [i for i, ids in enumerate(whole) if not ids]
        for i in empty:
            start = getattr(self.tokenizer, "bos_token_id", None)
            whole[i] = [self.pad_id if start is None else start]
        lengths = np.array([len(ids) for ids in whole], dtype=np.int64)
        return Prepared(whole, lengths, truncated=len(long))

    def collate(self, samples: list[list[int]]) -> Batch:
        width = max(map(len, samples))
        ids = torch.full((len(samples), width), self.pad_id, dtype=torch.long)
        mask = torch.zeros((len(samples), width), dtype=torch.long)
        for i, sample in enumerate(samples):
            ids[i, : len(sample)] = torch.tensor(sample)
            mask[i, : len(sample)] = 1
        return Batch({"input_ids": ids, "attention_mask": mask}, mask.bool())


@dataclass
class ImageInputs:
    """Images through the model's own processor, or the steps its config states."""

    processor: object | None = None
    size: int = 224
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    kind: str = "image"

    def prepare(self, items: list, *, max_tokens: int) -> Prepared:
        if self.processor is not None:
            pixels = self.processor(images=items, return_tensors="pt")["pixel_values"]  # type: ignore[operator]
            samples = list(pixels)
        else:
            samples = [self._pixels(image) for image in items]
        cost = max(1, samples[0].shape[-1] * samples[0].shape[-2] // 256) if samples else 1
        return Prepared(samples, np.full(len(samples), cost, dtype=np.int64))

    def _pixels(self, image) -> torch.Tensor:
        """Shorter side to `size` (bicubic), centre crop, (x/255 - mean)/std: (3, size, size)."""
        width, height = image.size
        scale = self.size / min(width, height)
        image = image.resize((round(width * scale), round(height * scale)), 3)
        left, top = (image.width - self.size) // 2, (image.height - self.size) // 2
        image = image.crop((left, top, left + self.size, top + self.size))
        array = np.asarray(image, dtype=np.float32) / 255.0
        array = (array - np.float32(self.mean)) / np.float32(self.std)
        return torch.from_numpy(array.transpose(2, 0, 1).copy())

    def collate(self, samples: list[torch.Tensor]) -> Batch:
        return Batch({"pixel_values": torch.stack(samples)})


@dataclass
class FrameInputs:
    """Audio cut into normalised frames, for convolutional nets that hear one frame at a time.

    The frames of a row become its positions, so that pooling goes over time.
    """

    rate: int = 16_000
    frame: int = 1024
    hop: int = 160
    seconds: float = 10.0
    kind: str = "audio"

    def prepare(self, items: list[np.ndarray], *, max_tokens: int) -> Prepared:
        samples, cut = [], 0
        for wave in items:
            limit = int(self.seconds * self.rate)
            cut += len(wave) > limit
            wave = np.pad(wave[:limit], (0, max(0, self.frame - len(wave[:limit]))))
            frames = np.lib.stride_tricks.sliding_window_view(wave, self.frame)[:: self.hop]
            frames = frames - frames.mean(1, keepdims=True)
            frames = frames / np.maximum(frames.std(1, keepdims=True), 1e-10)
            samples.append(torch.from_numpy(frames.astype(np.float32)))
        return Prepared(samples, np.array([len(s) for s in samples], dtype=np.int64), cut)

    def collate(self, samples: list[torch.Tensor]) -> Batch:
        return Batch({"frames": torch.cat(samples)}, spans=[len(s) for s in samples])


@dataclass
class WaveInputs:
    """Audio through the model's own feature extractor, one clip at a time, so nothing is padded."""

    extractor: object
    seconds: float = 30.0
    kind: str = "audio"

    @property
    def rate(self) -> int:
        return self.extractor.sampling_rate  # type: ignore[attr-defined]

    def prepare(self, items: list[np.ndarray], *, max_tokens: int) -> Prepared:
        limit, cut, samples = int(self.seconds * self.rate), 0, []
        for wave in items:
            cut += len(wave) > limit
            made = self.extractor(wave[:limit], sampling_rate=self.rate, return_tensors="pt")  # type: ignore[operator]
            name = "input_values" if "input_values" in made else "input_features"
            samples.append({name: made[name][0]})
        sizes = [next(iter(s.values())).numel() for s in samples]  # equal sizes share a batch
        return Prepared(samples, np.array(sizes, dtype=np.int64), cut)

    def collate(self, samples: list[dict]) -> Batch:
        name = next(iter(samples[0]))
        shapes = {tuple(s[name].shape) for s in samples}
        if len(shapes) > 1:
            raise ValueError("clips of different lengths in one batch")
        return Batch({name: torch.stack([s[name] for s in samples])})


# These count positions from the padding token's id on, so the table has that many more.
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "data2vec-text", "mpnet")


def count_positions(config: dict) -> int | None:
    """How many tokens a text model has positions for, as its config says."""
    text = config.get("text_config") or config
    names = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
    found = next((text[n] for n in names if isinstance(text.get(n), int)), None)
    if found and text.get("model_type") in _OFFSET_POSITIONS:
        return found - (text.get("pad_token_id") or 0) - 1
    return found


def open_inputs(
    folder: Path, modality: str, config: dict, *, gguf: str = "", trust: bool = False
) -> Inputs:
    """The inputs that a model folder asks for, by its own tokenizer or preprocessor files."""
    if "preprocess" in config:
        facts = {k: tuple(v) if isinstance(v, list) else v for k, v in config["preprocess"].items()}
        kind = ImageInputs if modality == "image" else FrameInputs
        known = {k: v for k, v in facts.items() if k in kind.__dataclass_fields__}
        return kind(**known)
    import transformers

    # Said outright: left unsaid, the library asks on the terminal whether to run the folder's code.
    extra: dict = {"trust_remote_code": trust}
    try:
        if modality == "text":
            extra |= {"gguf_file": gguf} if gguf else {}
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **extra)
            return TextInputs(tokenizer, count_positions(config))
        if modality == "image":
            processor = transformers.AutoImageProcessor.from_pretrained(
                folder, backend="pil", **extra
            )
            return ImageInputs(processor)
        return WaveInputs(transformers.AutoFeatureExtractor.from_pretrained(folder, **extra))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        wants = {"text": "tokenizer.json", "image": "preprocessor_config.json"}.get(
            modality, "preprocessor_config.json"
        )
        first = next((line for line in str(error).splitlines() if line.strip()), repr(error))[:160]
        raise ModelError(
            f"{folder.name} cannot prepare its {modality} inputs: {first}",
            f"Add its {wants} to the folder.",
        ) from None
