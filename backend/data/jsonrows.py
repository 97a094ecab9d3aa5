"""Tables of JSON objects: one per line, or a list of them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from backend.data.delimited import check_utf8
from backend.errors import DataError

_ROWS_PER_BATCH = 20_000
_REMEDY = 'Give one object per row, for example {"text": "...", "label": "..."}.'
_WIDER: dict[tuple[str, ...], pa.DataType] = {
    ("bool",): pa.bool_(),
    ("int",): pa.int64(),
    ("float",): pa.float64(),
}
_WIDER[("float", "int")] = pa.float64()


def read_json(path: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """Read JSON lines, or one JSON list, of objects (or of strings, which become `text`).

    Keys that a row lacks become nulls. Nested values become JSON text; a column that mixes kinds
    becomes text; notes say so.

    Raises
    ------
    DataError : not UTF-8, not JSON (with the line), or a row that is not an object.
    """
    check_utf8(path)
    batches: dict[str, list[pa.Array]] = {}
    kinds: dict[str, set[str]] = {}
    count = 0
    for rows in _in_batches(_rows(path)):
        names = dict.fromkeys([*batches, *(key for row in rows for key in row)])
        for name in names:
            values = [row.get(name) for row in rows]
            if name not in batches:
                batches[name] = [pa.nulls(count)] if count else []
                kinds[name] = set()
            kinds[name] |= {_kind(value) for value in values if value is not None}
            batches[name].append(_array(values))
        count += len(rows)
    notes = []
    columns = []
    for name, arrays in batches.items():
        columns.append(_join(arrays, kinds[name]))
        if "nested" in kinds[name]:
            notes.append(f"Column {name!r} is nested; it is kept as JSON text.")
        elif len(kinds[name] - {"int", "float"}) + bool(kinds[name] & {"int", "float"}) > 1:
            notes.append(f"Column {name!r} mixes {', '.join(sorted(kinds[name]))}: kept as text.")
    return pa.table(columns, names=list(batches)), tuple(notes)


def _in_batches(rows: Iterable[dict]) -> Iterator[list[dict]]:
    batch: list[dict] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_PER_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _rows(path: Path) -> Iterator[dict]:
    with open(path, encoding="utf-8-sig") as file:
        first = next((line for line in file if line.strip()), "")
        file.seek(0)
        if not first:
            raise DataError(f"{path.name} has only blank lines.", _REMEDY)
        if first.lstrip().startswith("["):
            yield from _list_rows(path, file.read())
            return
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _row(
                    _parse(line.strip(), f"{path.name}, line {number}"), path, f"line {number}"
                )


def _list_rows(path: Path, text: str) -> Iterator[dict]:
    values = _parse(text, path.name)
    for number, value in enumerate(values):
        yield _row(value, path, f"entry {number}")


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 or "line" not in where else ""
        raise DataError(
            f"{where} is not JSON: {error.msg} ({line}column {error.colno}).", _REMEDY
        ) from error
    except RecursionError as error:
        raise DataError(f"{where} is nested too deeply.", _REMEDY) from error


def _row(value: object, path: Path, where: str) -> dict:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        raise DataError(
            f"{path.name}, {where}: a row must be an object, not {_kind(value)}.", _REMEDY
        )
    return value


def _kind(value: object) -> str:
    names = {bool: "bool", int: "int", float: "float", str: "text"}
    return names.get(type(value), "null" if value is None else "nested")


def _array(values: list) -> pa.Array:
    kinds = {_kind(value) for value in values if value is not None}
    if kind := _WIDER.get(tuple(sorted(kinds))):
        try:
            return pa.array(values, kind)
        except (OverflowError, pa.ArrowInvalid):  # an integer beyond 64 bits, or beyond float64
            return _text_array(values)
    return _text_array(values) if kinds else pa.nulls(len(values))


def _text_array(values: list) -> pa.Array:
    texts = [value if value is None or isinstance(value, str) else _dump(value) for value in values]
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
        clean = [t if t is None else t.encode("utf-8", "replace").decode() for t in texts]
        return pa.array(clean, pa.large_string())


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _join(arrays: list[pa.Array], kinds: set[str]) -> pa.ChunkedArray:
    """One type for all batches of a column."""
    kind = _WIDER.get(tuple(sorted(kinds)))
    if kind is None or any(pa.types.is_large_string(array.type) for array in arrays):
        kind = pa.large_string() if kinds else pa.null()
    return pa.chunked_array([array.cast(kind, safe=False) for array in arrays], kind)
