"""Cutting pictures into square crops of several sizes: more rows, each of one part of a scene."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.data.dataset import Dataset, write_dataset
from backend.data.media import check_image, decode_image
from backend.data.progress import Progress
from backend.errors import DataError

SIDES = (0.6, 0.4, 0.25)  # of the shorter side
MOST = 1000  # crops of one picture
_OURS = ("picture", "left", "top", "side")
_QUALITY = 85  # of the JPEG files


@dataclass(frozen=True)
class _Square:
    """A crop's place in its picture, in pixels."""

    left: int
    top: int
    side: int


def crops(
    dataset: Dataset,
    *,
    per_image: int = 90,
    sides: Sequence[float] = SIDES,
    seed: int = 0,
    largest: int = 128,
    progress: Progress | None = None,
) -> tuple[pa.Table, Iterator[bytes]]:
    """Square crops of every picture of a data set.

    The crops of one size lie on a grid over the picture, each at random within its cell, so that
    they spread evenly and no two pictures are cut alike. Where a picture has fewer places for a
    square than crops are asked for, some are equal.

    Parameters
    ----------
    per_image : crops of each picture, shared among the sizes; small ones get the remainder.
    sides : sides of the squares as shares of the picture's shorter side, above 0 and up to 1.
    largest : pixels; larger crops are scaled down to it.
    progress : called for every picture twice, with pictures measured and with crops cut; it may
        raise to stop.

    Returns
    -------
    The columns of the data set with `picture` (its row), `left`, `top` and `side` (pixels of the
    picture, upright), one row per crop; and the crops as JPEG files in that order, to be read once.
    `file` is the data set's own where it has such a column, otherwise it names the picture: rows
    of one file are to be held out together.

    Raises
    ------
    DataError : no pictures, a column of one of these names, or sizes that cannot be.
    """
    if dataset.kind != "image":
        raise DataError(
            f"{dataset.name!r} holds {dataset.kind}, no pictures.", "Give a data set of images."
        )
    return cut(
        _with_file(dataset.table().drop("row")), lambda row: dataset.media(np.array([row]))[0],
        per_image=per_image, sides=sides, seed=seed, largest=largest, progress=progress,
    )  # fmt: skip


def write_crops(
    root: Path,
    dataset: Dataset,
    *,
    per_image: int,
    sides: Sequence[float] = SIDES,
    seed: int = 0,
    largest: int = 224,
    progress: Progress | None = None,
) -> Dataset:
    """`crops` of a data set as one of its own below `root`, which says what was cut, and how."""
    table, files = crops(
        dataset, per_image=per_image, sides=sides, seed=seed, largest=largest, progress=progress
    )
    return write_dataset(
        root,
        table,
        kind="image",
        name=f"{dataset.name}, crops",
        media=files,
        source=f"{per_image} squares of each of the {dataset.n_rows:,} pictures of {dataset.name} "
        f"({dataset.hash[:12]}): sides of {_listed(sides)} of the shorter side, at most {largest} "
        f"pixels wide, seed {seed}",
        licence=dataset.licence,
        notes=(
            "Crops of one picture overlap, so they are not independent; `file` says which belong "
            "together. The other columns are the picture's: a crop may show nothing of its label.",
            *dataset.notes,
        ),
    )


def check_cut(per_image: int, sides: Sequence[float], seed: int) -> None:
    """DataError where pictures cannot be cut so."""
    if not sides or not all(0 < side <= 1 for side in sides) or per_image < len(sides):
        raise DataError(
            f"{per_image} crops with sides of {_listed(sides) or 'nothing'} cannot be.",
            "Give shares above 0 and up to 1, and a crop or more of each.",
        )
    if per_image > MOST:
        raise DataError(f"{per_image} crops of each picture are too many.", f"Give up to {MOST}.")
    if seed < 0:
        raise DataError(f"seed={seed} is out of range.", "Give 0 or a larger number.")


def _listed(sides: Sequence[float]) -> str:
    return ", ".join(map(str, sides))


def _with_file(table: pa.Table) -> pa.Table:
    """The table with a column `file`: its own, else the name, else the number of each picture."""
    numbers = [f"picture {row}" for row in range(table.num_rows)]
    if "file" in table.column_names:
        given = zip(table["file"].to_pylist(), numbers, strict=True)
        files = [number if value is None else str(value) for value, number in given]
        return table.set_column(table.column_names.index("file"), "file", pa.array(files))
    names = list(map(str, table["name"].to_pylist())) if "name" in table.column_names else numbers
    distinct = len(set(names)) == len(names)
    return table.append_column("file", pa.array(names if distinct else numbers, pa.string()))


def cut(
    table: pa.Table,
    picture: Callable[[int], bytes],
    *,
    per_image: int = 90,
    sides: Sequence[float] = SIDES,
    seed: int = 0,
    largest: int = 128,
    progress: Progress | None = None,
) -> tuple[pa.Table, Iterator[bytes]]:
    """`crops` of pictures that are in no data set yet: `picture` gives the file of a row."""
    if taken := [name for name in _OURS if name in table.column_names]:
        raise DataError(f"There is a column {taken[0]!r} already.", "Rename it, or leave it out.")
    check_cut(per_image, sides, seed)
    squares: list[list[_Square]] = []
    for row in range(table.num_rows):
        if progress:
            progress(row, table.num_rows, "measuring pictures")
        size = check_image(picture(row))
        rng = np.random.default_rng([seed, row])
        squares.append(_squares(size, per_image=per_image, sides=sides, rng=rng))
    rows = np.repeat(np.arange(table.num_rows), per_image)
    made = table.take(pa.array(rows)).append_column("picture", pa.array(rows))
    for name in ("left", "top", "side"):
        values = [getattr(square, name) for some in squares for square in some]
        made = made.append_column(name, pa.array(values, pa.int64()))
    return made, _files(picture, squares, largest, progress)


def _squares(
    size: tuple[int, int], *, per_image: int, sides: Sequence[float], rng: np.random.Generator
) -> list[_Square]:
    """The squares in a picture of width x height, the largest first, each size row by row."""
    ordered = sorted(sides, reverse=True)
    share, rest = divmod(per_image, len(ordered))
    found = []
    for number, part in enumerate(ordered):
        count = share + (number >= len(ordered) - rest)
        side = max(1, round(part * min(size)))
        free = np.array(size) - side  # how far the corner can move: (x, y)
        for x, y in _places(free, count, rng=rng):
            found.append(_Square(int(x), int(y), side))
    return found


def _places(free: np.ndarray, count: int, *, rng: np.random.Generator) -> np.ndarray:
    """`count` corners (count, 2), whole numbers from 0 to `free`, spread over a jittered grid."""
    wide, high = free + 1
    columns = min(count, max(1, int(np.ceil(np.sqrt(count * wide / high)))))
    lines = int(np.ceil(count / columns))
    cells = np.rint(np.linspace(0, columns * lines - 1, count)).astype(np.int64)
    at = np.stack([cells % columns, cells // columns], axis=1) + rng.random((count, 2))
    corners = np.floor(at * [wide / columns, high / lines]).astype(np.int64)
    return np.minimum(corners, free)


def _files(
    picture: Callable[[int], bytes],
    squares: list[list[_Square]],
    largest: int,
    progress: Progress | None,
) -> Iterator[bytes]:
    from PIL import Image

    total = sum(map(len, squares))
    for row, some in enumerate(squares):
        if progress:
            progress(row * len(some), total, "cutting crops")
        whole = decode_image(picture(row))
        for square in some:
            right, bottom = square.left + square.side, square.top + square.side
            part = whole.crop((square.left, square.top, right, bottom))
            if square.side > largest:
                part = part.resize((largest, largest), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            part.save(out, "JPEG", quality=_QUALITY)
            yield out.getvalue()
