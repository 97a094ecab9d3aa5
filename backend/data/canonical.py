"""One form for metadata columns, and the hash of a data set's content."""

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backend.errors import DataError

_ROWS_PER_SLICE = 65_536
_LARGE_STRING_BYTES = 1 << 30  # beyond this, 32-bit string offsets are too near their limit


def canonical_table(table: pa.Table) -> pa.Table:
    """Bring every column to one of few types, so that equal values are stored alike.

    Booleans; integers as int64 (as text where they do not fit); other numbers as float64; dates;
    timestamps in microseconds (UTC where they have a zone); everything else that is a scalar as
    text. Schema metadata and chunk borders are dropped.

    Raises
    ------
    DataError : a column is nested or holds bytes, or a name is empty or used twice.
    """
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"The column name {twice[0]!r} is used more than once.",
            "Give each column its own name.",
        )
    if "" in names:
        raise DataError(f"Column {names.index('') + 1} has no name.", "Give each column a name.")
    columns = [_canonical_column(name, table[name]) for name in names]
    return pa.table(columns, names=names)


def _canonical_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_nested(kind) or _is_bytes(kind):
        raise DataError(
            f"Column {name!r} holds {kind}, which cannot be metadata.",
            "Turn it into text or numbers, or leave it out.",
        )
    if pa.types.is_boolean(kind) or pa.types.is_date32(kind):
        return column
    if pa.types.is_integer(kind):
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            return column.cast(pa.string())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_date64(kind):
        return column.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", tz="UTC" if kind.tz else None), safe=False)
    return _as_text(column)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_duration(column.type):
        values = [None if v is None else str(v) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(values, pa.string())])
    large = column.nbytes > _LARGE_STRING_BYTES
    return column.cast(pa.large_string() if large else pa.string())


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or kind == pa.binary_view()
    )


class ContentHash:
    """The hash of a data set's content: 32 hexadecimal digits.

    It covers the kind, the text column, the columns' names, types and values, and the media bytes
    in order; it does not see names of data sets, chunk borders, or values hidden below nulls.

    Parameters
    ----------
    table : in canonical form, without the `row` column.
    """

    def __init__(self, table: pa.Table, *, kind: str, text_column: str | None):
        self._sha = hashlib.sha256()
        head = {
            "format": 1,
            "kind": kind,
            "text_column": text_column,
            "rows": table.num_rows,
            "columns": [[f.name, str(f.type).removeprefix("large_")] for f in table.schema],
        }
        self._sha.update(json.dumps(head, sort_keys=True).encode() + b"\n")
        for column in table.columns:
            for block in _value_bytes(column):
                self._sha.update(block)

    def add_media(self, data: bytes) -> None:
        """Take in the next row's media file."""
        self._sha.update(len(data).to_bytes(8, "little"))
        self._sha.update(data)

    def hexdigest(self) -> str:
        return self._sha.hexdigest()[:32]


def _value_bytes(column: pa.ChunkedArray) -> Iterator[bytes | pa.Buffer]:
    """Validity, lengths and values of a canonical column, cut at fixed rows."""
    for start in range(0, len(column), _ROWS_PER_SLICE):
        part = column.slice(start, _ROWS_PER_SLICE)
        yield pc.is_valid(part).to_numpy().astype(np.uint8).tobytes()
        kind = part.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            yield from _string_bytes(part)
        elif pa.types.is_boolean(kind):
            yield part.fill_null(False).to_numpy().astype(np.uint8).tobytes()
        elif pa.types.is_floating(kind):
            values = part.to_numpy().astype("<f8")
            values[np.isnan(values)] = np.nan  # one bit pattern for all NaNs and nulls
            yield values.tobytes()
        else:
            width = pa.int32() if pa.types.is_date32(kind) else pa.int64()
            values = part.cast(width).fill_null(0).to_numpy()
            yield values.astype(values.dtype.newbyteorder("<")).tobytes()


def _string_bytes(part: pa.ChunkedArray) -> Iterator[bytes | pa.Buffer]:
    filled = part.cast(pa.large_string()).fill_null("")
    yield pc.binary_length(filled).to_numpy().astype("<i8").tobytes()
    for chunk in filled.chunks:
        if not len(chunk):
            continue
        _, offset_buffer, data = chunk.buffers()
        offsets = np.frombuffer(offset_buffer, np.int64)[chunk.offset :]
        first, last = int(offsets[0]), int(offsets[len(chunk)])
        if last > first:
            yield data.slice(first, last - first)
