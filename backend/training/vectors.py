"""Vectors with classes out of an .npz file: what an MLP is trained on besides pictures."""

import numpy as np

from backend.data.arrays import NUMBERS, arrays_of
from backend.data.dataset import Dataset
from backend.errors import DataError
from backend.training.recipe import Recipe

FEATURES = "features"
CLASSES = "iubU"  # numpy's letters for kinds of dtype


def read_vectors(dataset: Dataset, recipe: Recipe) -> tuple[np.ndarray, list]:
    """X (n, d) float32 of the array `features`, and a class for each row of the recipe's label.

    Raises
    ------
    DataError : one of them is lacking, of another kind or shape, or not finite.
    """
    label = recipe.label
    if recipe.size:
        raise DataError(
            f"size={recipe.size} is a size of pictures; {dataset.name!r} holds arrays.",
            "Leave size out.",
        )
    arrays = arrays_of(dataset, [FEATURES, label])
    X, y = arrays[FEATURES], arrays[label]
    if X.ndim != 2 or X.dtype.kind not in NUMBERS.replace("c", "") or not X.shape[1]:
        raise DataError(
            f"The array {FEATURES!r} in {dataset.name!r} is {X.dtype}{list(X.shape)}.",
            "Give numbers of shape (rows, width).",
        )
    if y.shape != (len(X),):
        raise DataError(
            f"The array {label!r} in {dataset.name!r} has the shape {y.shape}.",
            f"Give one class for each of the {len(X):,} rows of {FEATURES!r}.",
        )
    if y.dtype.kind not in CLASSES:
        raise DataError(
            f"The array {label!r} holds {y.dtype}, no classes.", "Give whole numbers or words."
        )
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        X = X.astype(np.float32)
    if not np.isfinite(X).all():
        raise DataError(
            f"The array {FEATURES!r} in {dataset.name!r} has values that are not finite.",
            "Leave those rows out.",
        )
    return X, y.tolist()
