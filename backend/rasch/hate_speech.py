"""The public Measuring Hate Speech table: its exact recoding, and from wide to long ratings.

One row of that table is one annotator's answers to ten questions on one comment, as raw codes.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.errors import DataError

ITEM, RATER = "comment_id", "annotator_id"


@dataclass(frozen=True)
class Criterion:
    """One of the ten questions: the new code of each raw code 0, 1, ..., and its published place.

    `difficulty` is in logits, from the authors' item anchors; the ten add up to 0.
    """

    name: str
    recode: tuple[int, ...]
    difficulty: float

    @property
    def categories(self) -> int:
        return max(self.recode) + 1


# Kennedy, Bacon, Sahn, von Vacano 2020: categories as the authors merge them before scaling.
CRITERIA = (
    Criterion("sentiment", (0, 1, 2, 3, 4), -2.62),
    Criterion("respect", (0, 1, 2, 3, 4), -2.26),
    Criterion("insult", (0, 0, 1, 2, 3), -0.94),
    Criterion("humiliate", (0, 0, 0, 1, 2), 0.63),
    Criterion("status", (0, 0, 0, 1, 1), -0.51),
    Criterion("dehumanize", (0, 0, 0, 1, 1), 0.61),
    Criterion("violence", (0, 0, 0, 1, 1), 2.22),
    Criterion("genocide", (0, 0, 0, 1, 1), 3.11),
    Criterion("attack_defend", (0, 0, 1, 2, 3), -1.10),
    Criterion("hatespeech", (0, 0, 1), 0.86),
)


def is_hate_speech(table: pa.Table) -> bool:
    """Whether a table has the ids and all ten questions of Measuring Hate Speech, in any case."""
    return {ITEM, RATER, *(c.name for c in CRITERIA)} <= set(_columns(table))


def incomplete(table: pa.Table) -> np.ndarray:
    """Rows, bool (n,), with an id or one of the ten answers missing; `melt` leaves them out."""
    columns, out = _columns(table), np.zeros(table.num_rows, dtype=bool)
    for name in (ITEM, RATER, *(c.name for c in CRITERIA)):
        column = table[columns[name]]
        if name in (ITEM, RATER):
            out |= column.is_null().to_numpy()
        else:
            out |= np.isnan(_numbers(column, name))
    return out


def melt(table: pa.Table) -> pa.Table:
    """Long ratings of the complete rows, recoded as the authors do.

    Parameters
    ----------
    table : one row per comment and annotator, columns in any case and order.

    Returns
    -------
    `item, rater, criterion, rating` (codes from 0) with ten rows for each complete row, one after
    another; then `text`, `platform` and the annotator's attributes that are words, where given.

    Raises
    ------
    DataError : a column is missing, a raw code is not one of its question's, or no row is whole.

    Source: Kennedy et al. 2020, the authors' scaling scripts.
    """
    if not is_hate_speech(table):
        lost = sorted({ITEM, RATER, *(c.name for c in CRITERIA)} - set(_columns(table)))
        raise DataError(
            f"The table lacks the column {lost[0]!r} of Measuring Hate Speech.",
            "Give the public table whole.",
        )
    whole = ~incomplete(table)
    if not whole.any():
        raise DataError("No row of the table answers all ten questions.", "Give complete rows.")
    table = table.filter(pa.array(whole))
    columns, n, m = _columns(table), table.num_rows, len(CRITERIA)
    codes = np.stack([_recoded(table[columns[c.name]], c) for c in CRITERIA], axis=1)
    rows = pa.array(np.repeat(np.arange(n), m))
    names = pa.array([c.name for c in CRITERIA], pa.string())
    out = {
        "item": table[columns[ITEM]].cast(pa.string()).take(rows),
        "rater": table[columns[RATER]].cast(pa.string()).take(rows),
        "criterion": names.take(pa.array(np.tile(np.arange(m), n))),
        "rating": pa.array(codes.ravel()),
    }
    for name in _kept(table):
        column = table[columns[name]]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.dictionary_encode()  # a comment is stored once, not ten times
        out[name] = column.take(rows)
    return pa.table(out)


def _kept(table: pa.Table) -> list[str]:
    """Columns that travel along: text, platform, and annotators' attributes in words."""
    found = _columns(table)
    words = [
        name
        for name, own in found.items()
        if name.startswith("annotator_") and name != RATER
        and (pa.types.is_string(t := table[own].type) or pa.types.is_large_string(t))
    ]  # fmt: skip
    return [name for name in ("text", "platform") if name in found] + words


def _recoded(column: pa.ChunkedArray, criterion: Criterion) -> np.ndarray:
    """New codes int8 (n,) of a column without gaps."""
    raw = _numbers(column, criterion.name)
    known = np.isin(raw, np.arange(len(criterion.recode)))
    if not known.all():
        raise DataError(
            f"{criterion.name} has the value {raw[~known][0]:g}.",
            f"Its raw codes are 0 to {len(criterion.recode) - 1}.",
        )
    return np.array(criterion.recode, dtype=np.int8)[raw.astype(np.int64)]


def _numbers(column: pa.ChunkedArray, name: str) -> np.ndarray:
    """A column as float64 (n,) with NaN for gaps."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DataError(f"{name} holds {column.type}, not numbers.", "Give the raw codes.")
    return column.cast(pa.float64()).fill_null(float("nan")).to_numpy()


def _columns(table: pa.Table) -> dict[str, str]:
    """Column names in plain small letters, each with the name as written."""
    return {name.strip().lower().replace(" ", "_"): name for name in table.column_names}
