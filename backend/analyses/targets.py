"""Which metadata column a probe should read, and as what: classes or numbers."""

import numpy as np
import pyarrow as pa

from backend.analyses.probe import Target
from backend.errors import AnalysisError

_MOST_CLASSES = 50  # a named column with more distinct words is no label
_MOST_CHOSEN = 20  # and this many where the column is chosen for the user
_LEAST_ROWS = 10  # rows with a value, and rows in the classes beside the largest


def choose_target(table: pa.Table, column: str, *, text_column: str | None = None) -> Target | None:
    """The column to probe.

    Parameters
    ----------
    table : metadata aligned with the vectors; `row` and the text itself are no candidates.
    column : its name, or "" for the categorical column with the most even classes (looked up
        before any probe is fitted, so the choice does not favour a good score).

    Returns
    -------
    None when no name is given and no column has 2 to 20 classes. Raises AnalysisError for a name
    that is not there or cannot be probed.
    """
    names = [c for c in table.column_names if c not in ("row", text_column)]
    if column:
        if column not in names:
            raise AnalysisError(
                f"The data has no column {column!r} to probe.",
                f"Its columns: {', '.join(names) or 'none'}.",
            )
        return _as_target(table[column], column)
    best, most = None, -1.0
    for name in names:
        found = _classes(table[name], name, most=_MOST_CHOSEN)
        if found is None:
            continue
        counts = np.bincount(found.values[found.known])
        beside = counts.sum() - counts.max()
        if beside >= _LEAST_ROWS and beside / counts.sum() > most:
            best, most = found, beside / counts.sum()
    return best


def _as_target(column: pa.ChunkedArray, name: str) -> Target:
    found = None
    if not pa.types.is_floating(column.type):
        found = _classes(column, name, most=_MOST_CHOSEN if _is_number(column) else _MOST_CLASSES)
    if found is None and _is_number(column):
        found = _numbers(column, name)
    if found is None:
        raise AnalysisError(
            f"The column {name!r} has {len(column.unique())} distinct values, which "
            "is too few or too many for a probe.",
            f"Name a column with 2 to {_MOST_CLASSES} classes, or with numbers.",
        )
    if found.known.sum() < _LEAST_ROWS:
        raise AnalysisError(
            f"The column {name!r} has {int(found.known.sum())} values in these rows.",
            f"A probe needs at least {_LEAST_ROWS}; take more rows.",
        )
    return found


def _is_number(column: pa.ChunkedArray) -> bool:
    return pa.types.is_integer(column.type) or pa.types.is_floating(column.type)


def _classes(column: pa.ChunkedArray, name: str, *, most: int) -> Target | None:
    """A column of 2 to `most` distinct words, whole numbers or truth values as classes."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    allowed = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean,
               pa.types.is_integer)  # fmt: skip
    if not any(check(kind) for check in allowed):
        return None
    words = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if not 2 <= len(words.dictionary) <= most:
        return None
    order = np.argsort(words.dictionary.to_pylist())
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    known = words.indices.is_valid().to_numpy(zero_copy_only=False)
    codes = words.indices.fill_null(0).to_numpy(zero_copy_only=False)
    names = tuple(words.dictionary.to_pylist()[i] for i in order)
    return Target(name, place[codes], known, names)


def _numbers(column: pa.ChunkedArray, name: str) -> Target | None:
    values = column.cast(pa.float64()).to_numpy()
    known = np.isfinite(values)
    if known.sum() < 2 or np.ptp(values[known]) == 0:
        return None
    return Target(name, np.where(known, values, 0.0), known, ())
