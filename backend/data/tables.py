"""Tables that people bring (csv, tsv, JSON, parquet), read with care for what is really in them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backend.data.delimited import read_delimited
from backend.data.jsonrows import read_json
from backend.errors import DataError

# Column names that say 'the text is here', the most telling first.
TEXT_NAMES = (
    "text",
    "sentence",
    "prompt",
    "content",
    "document",
    "body",
    "review",
    "question",
    "passage",
    "article",
    "abstract",
    "message",
    "comment",
    "tweet",
    "utterance",
    "instruction",
    "input",
    "query",
    "caption",
    "description",
    "transcript",
    "summary",
    "title",
)
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_LISTED = 1000  # rejected rows that are listed one by one


@dataclass(frozen=True)
class TableRead:
    """A table as read, with what the reader decided and left out on the way."""

    table: pa.Table
    notes: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    text_column: str | None = None


def read_table(
    path: Path, *, form: str, text_column: str | None = None, max_bytes: int
) -> TableRead:
    """Read a table; columns become numbers, booleans, dates or text, nested ones JSON text.

    Parameters
    ----------
    form : "csv", "tsv", "json", "jsonl" or "parquet".
    text_column : read this column as text even if it looks like numbers.
    max_bytes : the most memory that a compressed table may unpack to.

    Raises
    ------
    DataError : the file is empty, damaged, in another encoding, ragged, or too large.
    """
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty.", "Give a file with a header and rows.")
    if form in _DELIMITERS:
        as_text = {*TEXT_NAMES, text_column} - {None}
        table, notes = read_delimited(path, delimiter=_DELIMITERS[form], as_text=as_text)
    elif form in ("json", "jsonl"):
        table, notes = read_json(path)
    elif form == "parquet":
        table, notes = _read_parquet(path, max_bytes=max_bytes), ()
    else:
        raise DataError(f"{form!r} is not a form of table.", "Use csv, tsv, jsonl or parquet.")
    if not table.num_columns:
        raise DataError(f"{path.name} has no columns.", "Give a file with a header and rows.")
    if table.num_rows == 0:
        raise DataError(
            f"{path.name} has a header ({', '.join(table.column_names)}) but no rows.",
            "Add at least one row below the header.",
        )
    return TableRead(table, tuple(notes))


def flatten(read: TableRead, *, where: str) -> TableRead:
    """Make every column fit to be metadata: plain types, and no column named `row`.

    Nested columns become JSON text, columns of bytes are left out, `row` becomes `row_`; each
    with a note. `where` names the file in messages.
    """
    _refuse_repeated_names(read.table.column_names, where=where)
    names, columns, notes = [], [], list(read.notes)
    for name, column in zip(read.table.column_names, read.table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_nested(kind):
            column = _as_json(column)
            notes.append(f"Column {name!r} is nested; it is kept as JSON text.")
        elif "binary" in str(kind):
            notes.append(f"Column {name!r} holds bytes and was left out.")
            continue
        if name == "row":
            name = _free_name("row", read.table.column_names)
            notes.append(f"The column named 'row' is kept as {name!r}: 'row' is the row id here.")
        names.append(name)
        columns.append(column)
    if not names:
        raise DataError(f"{where} has no column that can be shown.", "Add a text column.")
    return replace(read, table=pa.table(columns, names=names), notes=tuple(notes))


def take_texts(read: TableRead, *, text_column: str | None, where: str) -> TableRead:
    """Settle on the text column and leave out the rows whose text is empty.

    When rows are left out, `source_row` keeps each row's place in the file, counted from 0 below
    the header.

    Raises
    ------
    DataError : no such column, no column of text, or no row with text.
    """
    table, notes = read.table, list(read.notes)
    if text_column == "row":
        text_column = next((n for n in table.column_names if n.rstrip("_") == "row"), "row")
    if text_column is None:
        text_column, why = _guess_text_column(table, where=where)
        notes.append(f"Text is read from column {text_column!r} ({why}).")
    elif text_column not in table.column_names:
        raise DataError(
            f"{where} has no column {text_column!r}.",
            f"Its columns are {', '.join(table.column_names)}.",
        )
    place = table.column_names.index(text_column)
    texts = table[text_column].cast(pa.large_string())
    table = table.set_column(place, text_column, texts)
    has_text = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0).fill_null(False)
    keep = has_text.to_numpy()
    if not keep.any():
        raise DataError(
            f"Column {text_column!r} of {where} is empty in all {len(keep)} rows.",
            f"Choose another text column; there are {', '.join(table.column_names)}.",
        )
    rejected = list(read.rejected)
    if not keep.all():
        empty = np.flatnonzero(~keep)
        rejected += list_rejected([(f"row {row}", "text is empty") for row in empty])
        notes.append(f"{len(empty)} of {len(keep)} rows were left out: their text is empty.")
        table = keep_rows(table, keep)
    return TableRead(table, tuple(notes), tuple(rejected), text_column)


def keep_rows(table: pa.Table, keep: np.ndarray) -> pa.Table:
    """The rows where `keep` (n,) is true, with their former places as column `source_row`."""
    name = _free_name("source_row", table.column_names)
    rows = pa.array(np.arange(table.num_rows, dtype=np.int64))
    return table.append_column(name, rows).filter(pa.array(keep))


def list_rejected(rejected: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first thousand of what was left out, and one line that counts the others."""
    listed = list(rejected[:_LISTED])
    if more := len(rejected) - len(listed):
        listed.append((f"{more} more", rejected[-1][1]))
    return listed


def _guess_text_column(table: pa.Table, *, where: str) -> tuple[str, str]:
    texts = [field.name for field in table.schema if _is_text(field.type)]
    if not texts:
        raise DataError(
            f"{where} has no column of text.", f"Its columns are {', '.join(table.column_names)}."
        )
    by_name = {name.strip().lower(): name for name in reversed(texts)}
    for name in TEXT_NAMES:
        if name in by_name:
            return by_name[name], "chosen by its name"
    if len(texts) == 1:
        return texts[0], "the only column of text"
    lengths = [pc.utf8_length(table[name].cast(pa.large_string())) for name in texts]
    means = [pc.mean(length.fill_null(0)).as_py() for length in lengths]
    return texts[int(np.argmax(means))], "of the columns of text it has the longest values"


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()


def _refuse_repeated_names(names: list[str], *, where: str) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"{where} has more than one column named {twice[0]!r}.", "Give each its own name."
        )


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken or name == "row":
        name += "_"
    return name


def _as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    values = [
        None if value is None else json.dumps(value, ensure_ascii=False, default=_plain)
        for value in column.to_pylist()
    ]
    return pa.chunked_array([pa.array(values, pa.large_string())])


def _plain(value: object) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


def _read_parquet(path: Path, *, max_bytes: int) -> pa.Table:
    import pyarrow.parquet as pq

    too_large = DataError(
        f"{path.name} unpacks to more than {max_bytes >> 20} MB.",
        "Split it, or raise PENULTIMATE_MAX_UNPACKED_MB.",
    )
    try:
        with pq.ParquetFile(path) as file:
            groups = range(file.metadata.num_row_groups)
            stated = sum(file.metadata.row_group(i).total_byte_size for i in groups)
            if stated > max_bytes:
                raise too_large
            # What the footer states can be false, or small through repetition: count it too.
            batches, size = [], 0
            for batch in file.iter_batches(batch_size=8192):
                size += batch.nbytes
                if size > max_bytes:
                    raise too_large
                batches.append(batch)
            table = pa.Table.from_batches(batches, schema=file.schema_arrow)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path.name} cannot be read as parquet: {str(error).splitlines()[0]}",
            "Write the file again, or give it as csv or jsonl.",
        ) from error
    return table
