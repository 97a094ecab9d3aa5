"""Tables of text lines: csv and tsv."""

import codecs
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from backend.errors import DataError

_BLOCK_BYTES = 1 << 20
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}


def read_delimited(
    path: Path, *, delimiter: str, as_text: set[str]
) -> tuple[pa.Table, tuple[str, ...]]:
    """Read a csv or tsv file with a header line.

    Where the header has none of the expected delimiter but another one, that one is used and a
    note says so; columns without a name get one.

    Parameters
    ----------
    as_text : columns with these names (in any case) stay text even if they look like numbers.

    Raises
    ------
    DataError : not UTF-8, a ragged row, a quote that never closes.
    """
    check_utf8(path)
    header, delimiter, notes = _read_header(path, delimiter)
    names = [name or f"column_{place}" for place, name in enumerate(header, 1)]
    if "" in header:
        unnamed = [name for name, old in zip(names, header, strict=True) if not old]
        notes.append(f"Columns without a name are called {', '.join(unnamed)}.")
    wanted = {name.lower() for name in as_text}
    texts = {name: pa.string() for name in names if name.strip().lower() in wanted}
    try:
        return _parse(path, delimiter, names, texts), tuple(notes)
    except pa.ArrowInvalid as error:
        _explain(path, delimiter, width=len(names))
        raise DataError(
            f"{path.name} cannot be read: {str(error).splitlines()[0]}",
            "Write it again as UTF-8 csv with one header line.",
        ) from error


def check_utf8(path: Path) -> None:
    """Refuse a file that is not UTF-8 text, naming the place.

    Raises
    ------
    DataError : another encoding, or bytes that no text has.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, seen = 1, 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if seen == 0:
                _refuse_marks(path, block)
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                place = seen - held + error.start
                line += block[: max(error.start - held, 0)].count(b"\n")
                _refuse_encoding(path, line, place, error)
            if (zero := block.find(b"\0")) >= 0:
                raise DataError(
                    f"{path.name} has a zero byte at byte {seen + zero}, so it is not plain text.",
                    "Save it as UTF-8 text.",
                )
            line += block.count(b"\n")
            seen += len(block)
    if decoder.getstate()[0]:
        raise DataError(
            f"{path.name} ends in the middle of a character (line {line}).", "Write it again."
        )


def _refuse_marks(path: Path, block: bytes) -> None:
    for mark, encoding in _MARKS.items():
        if block.startswith(mark):
            raise DataError(
                f"{path.name} is {encoding} text (byte 0), not UTF-8.", "Save it as UTF-8."
            )


def _refuse_encoding(path: Path, line: int, place: int, error: UnicodeDecodeError) -> None:
    value = error.object[error.start]
    raise DataError(
        f"{path.name} is not UTF-8: byte 0x{value:02x} at byte {place}, line {line}.",
        "Save it as UTF-8 (in a spreadsheet: 'CSV UTF-8').",
    ) from error


def _read_header(path: Path, expected: str) -> tuple[list[str], str, list[str]]:
    header = _split_header(path, expected)
    if len(header) > 1:
        return header, expected, []
    for other in _DELIMITER_NAMES:
        found = _split_header(path, other)
        if len(found) > 1:
            note = f"The columns are separated by {_DELIMITER_NAMES[other]}, going by the header."
            return found, other, [note]
    return header, expected, []


def _split_header(path: Path, delimiter: str) -> list[str]:
    for row, _ in _records(path, delimiter, strict=False):
        if row:
            return [name.strip() for name in row]
    raise DataError(f"{path.name} has only blank lines.", "Give a file with a header and rows.")


def _parse(path: Path, delimiter: str, names: list[str], texts: dict) -> pa.Table:
    from pyarrow import csv as arrow_csv

    header_end, has_rows = _header_end(path, delimiter)
    if not has_rows:
        return pa.table([pa.nulls(0)] * len(names), names=names)
    # One block for the whole file, so that a column's type never depends on where blocks end.
    block = min(max(path.stat().st_size + 1, _BLOCK_BYTES), (1 << 31) - 1)
    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(
            use_threads=False, block_size=block, column_names=names, skip_rows=header_end
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(column_types=texts),
    )
    if table.num_rows and "\n" in str(table[-1][-1].as_py()):
        # Perhaps a quote that never closes and swallowed rows: Arrow does not say, csv does.
        for _ in _records(path, delimiter):
            pass
    return table


def _header_end(path: Path, delimiter: str) -> tuple[int, bool]:
    """The line that the header ends on, and whether rows follow it."""
    records = ((row, end) for row, end in _records(path, delimiter, strict=False) if row)
    _, header_end = next(records)
    return header_end, next(records, None) is not None


def _records(path: Path, delimiter: str, *, strict: bool = True) -> Iterator[tuple[list[str], int]]:
    """Each record with the number of the line it ends on; `strict` refuses stray quotes."""
    csv.field_size_limit(min(sys.maxsize, (1 << 31) - 1))
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=strict)
        end = 0
        try:
            for row in reader:
                end = reader.line_num
                yield row, end
        except csv.Error as error:
            raise DataError(
                f"{path.name} has a quote that is never closed, or closed too early, in the row "
                f"that starts on line {end + 1}.",
                "Double each quote that is part of a value.",
            ) from error


def _explain(path: Path, delimiter: str, *, width: int) -> None:
    """Find the first row that does not fit the header and say on which line it starts."""
    start = 1
    for row, end in _records(path, delimiter):
        if row and len(row) != width:
            raise DataError(
                f"{path.name}, line {start}: {len(row)} values where the header has {width}.",
                "Give each row as many values as the header, quoting values that hold the "
                "delimiter.",
            )
        start = end + 1
