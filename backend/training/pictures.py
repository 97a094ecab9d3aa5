"""Labelled pictures or vectors of a data set, as a net is trained on them (workers only)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from backend.data.dataset import Dataset
from backend.data.media import check_image, decode_image
from backend.errors import DataError
from backend.models.inputs import ImageInputs
from backend.models.residual import LARGEST, SMALLEST
from backend.training.recipe import Recipe
from backend.training.vectors import read_vectors

Progress = Callable[[int, int, str], None]
_AT_ONCE = 64  # pictures decoded at a time
_LOOKED_AT = 64  # pictures whose size is asked
_MOST_CLASSES = 1000
_TEST_EVERY = 5  # 20 % of the rows


@dataclass(frozen=True)
class Labelled:
    """Rows with their classes, split into training and test rows.

    By position: X (n, channels, size, size) uint8 or (n, d) float32, y (n,) int64 and `given`
    (n,), y with the noise of the recipe; `rows` (n,) are the data set's row ids. `train` and `test`
    are positions.
    """

    X: torch.Tensor
    y: torch.Tensor
    given: torch.Tensor
    rows: np.ndarray
    train: np.ndarray
    test: np.ndarray
    classes: tuple[str, ...]

    @property
    def noisy(self) -> np.ndarray:
        """Positions whose given class is not their own."""
        return np.flatnonzero((self.given != self.y).numpy())


def read_labelled(recipe: Recipe, dataset: Dataset, *, progress: Progress) -> Labelled:
    """Decode the rows of a recipe, name their classes and split them.

    Rows without a label are left out. A fifth of the rows is held out for testing, drawn by the
    recipe's seed so that every class has its share. The pictures are scaled exactly as captures
    scale them; vectors are taken as they are.

    Raises
    ------
    DataError : nothing that the net reads, no such column, one that holds no classes, or too few
        rows.
    """
    vectors = None
    if dataset.kind == "arrays" and recipe.net == "mlp":
        vectors, values = read_vectors(dataset, recipe)
    elif dataset.kind == "image":
        values = _column(recipe, dataset)
    else:
        also = "; net=mlp also takes an .npz file" if recipe.net != "mlp" else ""
        raise DataError(
            f"{dataset.name!r} holds {dataset.kind}, no pictures.",
            f"Give a data set of images with a column of classes{also}.",
        )
    rows, y, classes = _classes(recipe.label, values)
    rng = np.random.default_rng([recipe.seed, 0])
    if recipe.rows and recipe.rows < len(rows):
        kept = np.sort(rng.permutation(len(rows))[: recipe.rows])
        rows, y = rows[kept], y[kept]
    train, test = split(y, rng=rng)
    given = with_noise(y, train, share=recipe.label_noise, n_classes=len(classes), rng=rng)
    if vectors is not None:
        X = torch.from_numpy(vectors[rows])
    else:
        size = recipe.size or _own_size(dataset, rows)
        X = _decode(dataset, rows, size, progress=progress)
    return Labelled(X, torch.from_numpy(y), torch.from_numpy(given), rows, train, test, classes)


def split(y: np.ndarray, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions to train on and to test on, sorted; each class gives every fifth of its own.

    Raises
    ------
    DataError : fewer than ten rows, or a class of one.
    """
    counts = np.unique(y, return_counts=True)[1]
    if len(y) < 10 or counts.min() < 2:
        raise DataError(
            f"{len(y)} rows of {len(counts)} classes are too few to train and to test.",
            "Give ten rows or more, and two or more of every class.",
        )
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    test = np.sort(order[_TEST_EVERY // 2 :: _TEST_EVERY])
    return np.setdiff1d(np.arange(len(y)), test), test


def with_noise(
    y: np.ndarray, train: np.ndarray, *, share: float, n_classes: int, rng: np.random.Generator
) -> np.ndarray:
    """y with a share of the training positions given one of the other classes at random."""
    given = y.copy()
    hit = rng.permutation(train)[: round(share * len(train))]
    given[hit] = (y[hit] + rng.integers(1, n_classes, len(hit))) % n_classes
    return given


def scaled(X: torch.Tensor) -> torch.Tensor:
    """Pixels 0..255 as the net takes them, -1..1: what ImageInputs does with mean and std 0.5.

    Vectors, which hold fractions, pass unchanged.
    """
    return X if X.is_floating_point() else (X.float() / 255.0 - 0.5) / 0.5


def _column(recipe: Recipe, dataset: Dataset) -> list:
    """The classes of all rows as they are written; DataError for a column that holds none."""
    if recipe.label not in dataset.columns:
        raise DataError(
            f"{dataset.name!r} has no column {recipe.label!r}.",
            f"Its columns: {', '.join(dataset.columns)}.",
        )
    column = dataset.table()[recipe.label]
    kind = column.type
    words = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (words or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise DataError(
            f"The column {recipe.label!r} holds {kind}, no classes.",
            "Name a column of whole numbers or words.",
        )
    return column.to_pylist()


def _classes(label: str, values: list) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Row ids with a class, the classes' numbers, and their names in order."""
    rows = np.array([i for i, value in enumerate(values) if value is not None], np.int64)
    names = sorted({values[i] for i in rows})
    if not 2 <= len(names) <= min(_MOST_CLASSES, max(2, len(rows) // 2)):
        raise DataError(
            f"The column {label!r} has {len(names):,} values in {len(rows):,} rows.",
            f"Name a column of 2 to {_MOST_CLASSES} classes with two rows or more each.",
        )
    number = {name: i for i, name in enumerate(names)}
    y = np.array([number[values[i]] for i in rows], np.int64)
    return rows, y, tuple(map(str, names))


def _own_size(dataset: Dataset, rows: np.ndarray) -> int:
    """The middle of the pictures' shorter sides, no smaller and no larger than a net takes."""
    some = rows[np.linspace(0, len(rows) - 1, min(_LOOKED_AT, len(rows))).astype(np.int64)]
    sides = [min(check_image(data)) for data in dataset.media(some)]
    return int(np.clip(np.median(sides), SMALLEST, LARGEST))


def _decode(dataset: Dataset, rows: np.ndarray, size: int, *, progress: Progress) -> torch.Tensor:
    """Pixels (n, 1, size, size) uint8 if every picture is grey, else (n, 3, size, size)."""
    inputs = ImageInputs(size=size, mean=(0.0,) * 3, std=(1.0,) * 3)
    parts = []
    for start in range(0, len(rows), _AT_ONCE):
        progress(start, len(rows), "reading pictures")
        files = dataset.media(rows[start : start + _AT_ONCE])
        samples = inputs.prepare([decode_image(f) for f in files], max_tokens=0).samples
        pixels = (torch.stack(samples) * 255.0).round().to(torch.uint8)
        grey = bool((pixels == pixels[:, :1]).all())
        parts.append(pixels[:, :1].clone() if grey else pixels)
    channels = max(part.shape[1] for part in parts)
    return torch.cat([part.expand(-1, channels, -1, -1) for part in parts])
