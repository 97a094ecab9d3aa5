"""Tiny models, opened once per test run, and tiny data sets of each kind for them to read."""

import atexit
import io
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tiny

from backend.capture.request import rows_of_shard
from backend.capture.shard_task import ShardTask
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset, write_dataset
from backend.models.sources import ModelSource, from_folder
from backend.settings import Settings


@cache
def shared() -> Path:
    """A folder for what tests only read; removed when the run ends."""
    folder = Path(tempfile.mkdtemp(prefix="penultimate-rigs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def settings() -> Settings:
    return Settings(home=shared() / "home")


@cache
def model_folder(kind: str) -> Path:
    """A tiny random model of one family; not to be changed (see `copy_model`)."""
    return tiny.write_model(kind, shared() / kind)


def copy_model(kind: str, target: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(model_folder(kind), target)
    (target / ".penultimate.json").unlink(missing_ok=True)
    return target


def source(kind: str) -> ModelSource:
    folder = model_folder(kind)
    return from_folder(str(folder), folder, settings=settings())


@cache
def open_model(kind: str) -> Any:
    """The tiny model, loaded."""
    from backend.models.loading import load

    return load(source(kind), settings())


def hooks(model: Any) -> int:
    """Hooks on a model's modules, without those that the library leaves behind for good."""
    return sum(
        not getattr(hook, "__module__", "").startswith("transformers")
        for module in model.model.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    )


def kind_of(kind: str) -> str:
    """What a family reads: text, image or audio."""
    return "image" if kind in tiny.VISION else "audio" if kind in tiny.AUDIO else "text"


def picture(seed: int = 0) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def sound(seed: int = 0) -> bytes:
    import soundfile

    rng = np.random.default_rng(seed)
    wave = rng.standard_normal(int(rng.integers(3000, 6000))).astype(np.float32) * 0.1
    out = io.BytesIO()
    soundfile.write(out, wave, 16_000, format="WAV")
    return out.getvalue()


@cache
def dataset(kind: str, n: int = 20) -> Dataset:
    """Texts, images or sounds with a label; not to be changed."""
    columns: dict = {"label": [str(i % 3) for i in range(n)]}
    root = shared() / "data"
    if kind == "text":
        table = pa.table({"text": tiny.sentences(n)} | columns)
        return write_dataset(root, table, kind="text", name="texts", text_column="text")
    make = picture if kind == "image" else sound
    media = [make(seed) for seed in range(n)]
    return write_dataset(root, pa.table(columns), kind=kind, name=f"{kind}s", media=media)  # type: ignore[arg-type]


def capture(
    model: Any, data: Dataset, folder: Path, *, sites: tuple[str, ...], pooling: str,
    rows: np.ndarray | None = None, half: bool = False, max_tokens: int = 64, **options: Any,
) -> CaptureView:  # fmt: skip
    """One shard of `rows` (default: the first shard), written below `folder` and viewed."""
    from backend.capture.shard import capture_shard

    rows = rows_of_shard(data.n_rows, 0) if rows is None else rows
    targets = tuple(folder / f"{site}-{pooling}.arrow" for site in sites)
    task = ShardTask(0, rows, sites, targets, sites, pooling, half)
    capture_shard(model, data, task, max_tokens=max_tokens, **options)
    shards = {site: (target,) for site, target in zip(sites, targets, strict=True)}
    dtype = "float16" if half else "float32"
    return CaptureView(
        model.source.ref, model.source.model_id, data, pooling, dtype, len(rows), shards
    )


def write_csv(path: Path, n: int = 60, *, seed: int = 0, width: int = 0) -> Path:
    """A table of random sentences with a topic; `width` repeats each one so many times more."""
    lines = ["text,topic"]
    for i, text in enumerate(tiny.sentences(n, seed=seed)):
        long = " ".join([text.replace(",", "").strip() or "the"] * (width + 1))
        lines.append(f"{long},{'ab'[i % 2]}")
    path.write_text("\n".join(lines) + "\n")
    return path
