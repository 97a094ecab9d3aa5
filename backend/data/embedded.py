"""Parquet tables whose rows carry their image or sound, as Hugging Face writes them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from backend.data.examine import examine, majority_kind
from backend.data.media import HEAD_BYTES, MediaKind, media_kind
from backend.data.progress import Progress
from backend.data.tables import TableRead, flatten, keep_rows, list_rejected


@dataclass(frozen=True)
class EmbeddedRead:
    """Media that came inside a table: the kind, the metadata, and the bytes in memory."""

    kind: MediaKind
    read: TableRead
    bytes_column: pa.ChunkedArray  # one value per row of the metadata

    def media(self) -> Iterator[bytes]:
        for chunk in self.bytes_column.chunks:
            for value in chunk:
                yield value.as_py()


def media_column(table: pa.Table) -> str | None:
    """The first column of structs with `bytes` in which a media file begins, or None."""
    for field in table.schema:
        if _is_media_struct(field.type) and _kinds(_struct_field(table, field.name, "bytes")):
            return field.name
    return None


def read_embedded(
    read: TableRead, column: str, *, where: str, progress: Progress | None = None
) -> EmbeddedRead:
    """Take the media out of a table; the other columns become metadata.

    `name` is the struct's path where it has one, else the row's number.

    Raises
    ------
    DataError : not one row holds a whole image or sound.
    """
    data = _struct_field(read.table, column, "bytes")
    kind = majority_kind(_kinds(data), where=where)
    names = _names(read.table, column)
    items = [
        (
            f"row {row} ({names[row]})" if names[row] else f"row {row}",
            lambda v=value: v.as_py() or b"",
        )
        for row, value in enumerate(data)
    ]
    examined = examine(items, kind=kind, where=where, progress=progress)
    keep = np.zeros(len(data), bool)
    keep[list(examined.kept)] = True
    named = label_names(read)
    rest = named.table.drop(column)
    notes = list(named.notes)
    rejected = tuple(list_rejected(examined.rejected))
    if rejected:
        notes.append(f"{(~keep).sum()} of {len(keep)} rows were left out, each with its reason.")
        rest = keep_rows(rest, keep)
    facts = examined.facts
    kept_names = [names[row] or str(row) for row in examined.kept]
    columns = {"name": pa.array(kept_names, pa.string())}
    columns |= {name: facts[name] for name in facts.column_names}
    for name in rest.column_names:
        new = name
        while new in columns:
            new += "_"
        columns[new] = rest[name]
    read = TableRead(pa.table(columns), tuple(notes), rejected)
    return EmbeddedRead(kind, flatten(read, where=where), data.filter(pa.array(keep)))


def label_names(read: TableRead) -> TableRead:
    """Replace class numbers by the names that the `huggingface` schema metadata gives them."""
    table, notes = read.table, list(read.notes)
    try:
        stated = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        features = stated["info"]["features"].items()
    except (KeyError, TypeError, AttributeError, ValueError):
        return read  # a decoration that we can do without
    for name, feature in features:
        known = isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        names = feature.get("names") if known else None
        if not isinstance(names, list) or name not in table.column_names:
            continue
        if not pa.types.is_integer(table[name].type):
            continue
        numbers = table[name].to_pylist()
        if any(n is not None and n >= len(names) for n in numbers):
            continue
        # Hugging Face writes -1 where a label is missing.
        texts = [None if n is None or n < 0 else str(names[n]) for n in numbers]
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(texts, pa.string()))
        notes.append(f"Column {name!r} shows class names instead of their numbers.")
    return replace(read, table=table, notes=tuple(notes))


def _is_media_struct(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        return False
    stored = kind.field("bytes").type
    return pa.types.is_binary(stored) or pa.types.is_large_binary(stored)


def _struct_field(table: pa.Table, column: str, name: str) -> pa.ChunkedArray:
    chunks = []
    for chunk in table[column].chunks:
        # `flatten` carries the struct's own nulls over to its fields; `field` would not.
        chunks.append(chunk.flatten()[chunk.type.get_field_index(name)])
    kind = table.schema.field(column).type.field(name).type
    return pa.chunked_array(chunks, kind)


def _kinds(data: pa.ChunkedArray) -> Counter[str]:
    heads = (value.as_buffer() for value in data if value.is_valid)
    kinds = (media_kind(head[:HEAD_BYTES].to_pybytes()) for head in heads)
    return Counter(kind for kind in kinds if kind)


def _names(table: pa.Table, column: str) -> list[str | None]:
    if table.schema.field(column).type.get_field_index("path") < 0:
        return [None] * table.num_rows
    paths = _struct_field(table, column, "path").to_pylist()
    return [PurePosixPath(path).name if isinstance(path, str) else None for path in paths]
