"""The captured vectors nearest to one of them, or to any vector."""

from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from backend.errors import StoreError
from backend.store.database import Store
from backend.store.relations import Relation
from backend.store.slices import relation

Metric = Literal["cosine", "euclidean"]
_SCORES = {
    "cosine": ("array_cosine_similarity", "desc"),
    "euclidean": ("array_distance", "asc"),
}


def nearest(
    store: Store,
    key: str,
    *,
    row: int | None = None,
    position: int | None = None,
    vector: np.ndarray | None = None,
    metric: Metric = "cosine",
    k: int = 10,
    rows: np.ndarray | None = None,
) -> pa.Table:
    """The k vectors of a capture that are nearest to a row's vector or to a given one.

    Parameters
    ----------
    row : search from this data set row, whose own vectors are left out of the answer.
    position : which of the row's vectors, for captures of every token (default: its first).
    vector : (width,), search from here instead.
    rows : look among these data set rows only.

    Returns
    -------
    Table `row` int64, [`position` int32,] `score` float32: cosine similarity, falling, or
    Euclidean distance, rising; ties by row. Vectors whose score is not a number (zero vectors
    under cosine, vectors with NaN) come last, with score NaN.

    Raises
    ------
    StoreError : neither or both of row and vector, a row that was not captured, a vector of the
        wrong width, with NaN, or zero under cosine.
    """
    vectors = relation(store, key)
    if metric not in get_args(Metric):
        raise StoreError(f"{metric!r} is not a metric.", f"Choose from: {', '.join(_SCORES)}.")
    if (row is None) == (vector is None):
        raise StoreError("The search needs one of row and vector.", "Give one of them.")
    query = _of_row(vectors, row, position) if row is not None else np.asarray(vector)
    _check(query, vectors.width, metric)
    function, order = _SCORES[metric]
    columns = "row, position" if vectors.positions is not None else "row"
    conditions, values = ["true"], [query.astype(np.float32).tolist()]
    with store.cursor() as cursor:
        cursor.register("vectors", vectors.table)
        if row is not None:
            conditions.append("row <> ?")
            values.append(int(row))
        if rows is not None:
            cursor.register("chosen", pa.table({"row": np.asarray(rows, dtype=np.int64)}))
            conditions.append("row in (select row from chosen)")
        return cursor.sql(
            f"""select {columns}, {function}(vector, ?::float[{vectors.width}]) as score
            from vectors where {" and ".join(conditions)}
            order by isnan(score), score {order}, {columns} limit {int(k)}""",
            params=values,
        ).to_arrow_table()


def _of_row(vectors: Relation, row: int, position: int | None) -> np.ndarray:
    places = vectors.places(np.array([row], dtype=np.int64))
    if position is not None and vectors.positions is not None:
        places = places[vectors.positions[places] == position]
    if not len(places):
        raise StoreError(
            f"Row {row} was not captured" + (f" at {position}." if position is not None else "."),
            "Choose a row of the sample, or capture more rows.",
        )
    return vectors.pick(places[:1])[0]


def _check(query: np.ndarray, width: int, metric: str) -> None:
    if query.shape != (width,):
        raise StoreError(
            f"A vector of shape {query.shape} does not fit a capture of width {width}.",
            f"Give {width} numbers.",
        )
    if not np.isfinite(query).all():
        raise StoreError("The vector to search from is not finite.", "Choose another row.")
    if metric == "cosine" and not query.any():
        raise StoreError("The vector to search from is zero.", "Use the Euclidean distance.")
