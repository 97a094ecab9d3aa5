"""An easy data set of pictures: a bright bar, standing or lying, somewhere in the dark."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.data.dataset import Dataset, write_dataset
from backend.training import Recipe

SMALL = dict(epochs=3, blocks=2, width=8, features=16, batch=8, checkpoints=10)


def png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def bars(n: int = 60, *, side: int = 8, colour: bool = False) -> tuple[pa.Table, list[bytes]]:
    """n pictures with the column `way`: lying, standing, lying, ..."""
    rng = np.random.default_rng(0)
    media = []
    for i in range(n):
        pixels = rng.integers(0, 60, (side, side), dtype=np.uint8)
        at = int(rng.integers(1, side - 1))
        pixels[(slice(None), at) if i % 2 else at] = 250
        media.append(png(np.stack([pixels] * 2 + [pixels // 2], axis=2) if colour else pixels))
    names = ["standing" if i % 2 else "lying" for i in range(n)]
    return pa.table({"way": names, "number": range(n)}), media


def dataset(root: Path, n: int = 60, **options) -> Dataset:
    table, media = bars(n, **options)
    return write_dataset(root, table, kind="image", name="Bars", media=media)


def recipe(**changes: object) -> Recipe:
    return Recipe(**{"data": "bars", "label": "way"} | SMALL | changes)  # type: ignore[arg-type]
