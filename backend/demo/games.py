"""Photographs out of two learning games that Debian carries: Tux Paint's stamps and GCompris."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.demo.build import Material
from backend.demo.qtfiles import read_rcc

if TYPE_CHECKING:
    from PIL import Image

GREY = 128  # of the background behind stamps, in all three channels
STAMPS = Path("usr/share/tuxpaint/stamps")
_DRAWN = {  # folders of drawings, letters and signs; and copies of pictures that are elsewhere
    "cartoon", "symbols", "clothes", "people", "easter", "hanukkah", "newyears", "flags",
    "roadsigns",
}  # fmt: skip
_FLAT = 1 / 3  # as large a share of equal neighbours, or larger, is a drawing
_SMALLEST, _FEWEST = 64, 1500  # pixels of the longer side, and opaque ones
_OPAQUE = 250  # of 255
_ALIKE = 0.99  # correlation of two small copies above which they are of one photograph
_ANIMALS = {"erase", "explore_farm_animals", "explore_world_animals"}
_MONUMENTS = "explore_monuments"


def stamps(files: Mapping[str, Path]) -> Material:
    """Photographs cut out of their background, each on a grey square, with caption and place."""
    folder = files["tuxpaint-stamps-default"] / STAMPS
    rows, paths = [], []
    for path in sorted(folder.rglob("*.png")):
        where = path.relative_to(folder)
        if _DRAWN & set(where.parts) or path.stem.endswith("_mirror") or not _is_photo(path):
            continue
        label = label_of(path.stem)
        caption = _caption(path.with_suffix(".txt"))
        kind = where.parts[-2] if len(where.parts) > 2 else None
        rows.append({"file": where.as_posix(), "label": label, "caption": caption,
                     "category": where.parts[0], "kind": kind})  # fmt: skip
        paths.append(path)
    return Material(pa.Table.from_pylist(rows), media=(_on_grey(path) for path in paths))


def scenes(files: Mapping[str, Path]) -> Material:
    """GCompris' photographs, with a label from the file's name and a category from its folder."""
    rows, media = [], []
    seen: list[np.ndarray] = []
    for bundle in sorted(files["gcompris-qt-data"].glob("*.rcc")):
        for path, data in sorted(read_rcc(bundle.read_bytes(), ending=".webp")):
            small = _small(data)
            if any(small @ other > _ALIKE for other in seen):
                continue
            seen.append(small)
            at = Path(path)
            name = f"{bundle.stem}/{at.parent.name}/{at.name}"
            category = _category(bundle.stem, at.parent.name)
            rows.append({"file": name, "label": label_of(at.stem), "category": category})
            media.append(data)
    return Material(pa.Table.from_pylist(rows), media=media)


def label_of(stem: str) -> str:
    """Words out of a file's name: `greatWall` is `great wall`, `grave-b` and `2_venus` lose theirs.

    A number that ends or begins the name, and one letter after a dash, tell pictures of the same
    apart and go.
    """
    words = re.sub(r"^\d+_(?=.)|(?<=.)(?:[-_]?\d+[a-z]?|[-_][a-z])$", "", stem)
    if not re.search(r"[a-zA-Z]", words):
        words = stem
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[-_]+", " ", words).lower()


def shown(picture: bytes, squares: np.ndarray) -> np.ndarray:
    """Which share of each square of a picture is not the grey behind stamps.

    Parameters
    ----------
    squares : int (n, 3) left, top and side in pixels, all inside the picture.
    """
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        other = (np.asarray(image.convert("RGB")) != GREY).any(axis=-1)
    return np.array([other[y : y + side, x : x + side].mean() for x, y, side in squares])


def _is_photo(path: Path) -> bool:
    """Neighbouring pixels of a photograph differ; of a drawing many are equal."""
    pixels = np.asarray(_open(path))
    opaque = pixels[..., 3] >= _OPAQUE
    if max(opaque.shape) < _SMALLEST or opaque.sum() < _FEWEST:
        return False
    equal = pairs = 0
    for axis in (0, 1):
        n = opaque.shape[axis]
        ahead, behind = (np.arange(1, n), np.arange(n - 1))
        both = opaque.take(ahead, axis) & opaque.take(behind, axis)
        same = (pixels.take(ahead, axis) == pixels.take(behind, axis))[..., :3].all(axis=-1)
        equal, pairs = equal + int((both & same).sum()), pairs + int(both.sum())
    return pairs > 0 and equal / pairs < _FLAT


def _on_grey(path: Path) -> bytes:
    """The stamp in the middle of a square, with a margin of a sixteenth, as a PNG file."""
    from PIL import Image

    stamp = _open(path)
    stamp = stamp.crop(stamp.getchannel("A").getbbox())
    longest = max(stamp.size)
    side = longest + 2 * (longest // 16)
    square = Image.new("RGBA", (side, side), (GREY, GREY, GREY, 255))
    square.alpha_composite(stamp, ((side - stamp.width) // 2, (side - stamp.height) // 2))
    out = io.BytesIO()
    square.convert("RGB").save(out, format="png")
    return out.getvalue()


def _open(path: Path) -> "Image.Image":
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGBA")


def _small(data: bytes) -> np.ndarray:
    """The picture as a unit vector (768,) of 16 x 16 pixels, less their mean."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGB").resize((16, 16), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float64).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-12)


def _caption(path: Path) -> str | None:
    """The English line, which is the first; some stamps have none."""
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8").partition("\n")[0].strip() or None


def _category(activity: str, folder: str) -> str:
    if activity in _ANIMALS:
        return "animals"
    return "monuments" if activity == _MONUMENTS else folder
