"""R's data files (.rda, and the .rdb and .rdx of packages) read without R; nothing is run."""

import bz2
import gzip
import lzma
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.errors import DataError

_UNPACK = {b"\x1f\x8b": gzip.decompress, b"BZ": bz2.decompress, b"\xfd7": lzma.decompress}
_MAGIC = (b"RDX2\n", b"RDX3\n")
_NO_INTEGER, _NO_LENGTH = -(2**31), -1
# Numbers that the format gives to what can stand in it.
_SYMBOL, _PAIRS, _CALL, _CHARACTERS, _LOGICAL = 1, 2, 6, 9, 10
_INTEGER, _REAL, _TEXTS, _LIST, _ALTERNATIVE, _REFERENCE, _NIL = 13, 14, 16, 19, 238, 255, 254
_CONSTANTS = {_NIL, 241, 242, 251, 252, 253}  # environments and "no value", which no data need


@dataclass
class RValue:
    """One R object: a vector's or list's values, and its attributes such as names and levels."""

    values: object = None  # np.ndarray of numbers, or list of str | None or of RValue
    attributes: dict[str, "RValue"] = field(default_factory=dict)

    def texts(self) -> list[str | None]:
        """The values as text: a factor's labels, or the strings there are; None if missing."""
        if "levels" not in self.attributes:
            return [None if v is None else str(v) for v in self.values]  # type: ignore[attr-defined]
        levels = self.attributes["levels"].texts()
        return [None if v < 1 else levels[v - 1] for v in self.values]  # type: ignore[attr-defined]

    def integers(self) -> list[int | None]:
        """The values as whole numbers; None if missing."""
        numbers = np.asarray(self.values, dtype=np.float64)
        gone = ~np.isfinite(numbers) | (numbers == _NO_INTEGER)
        return [None if no else int(v) for v, no in zip(numbers, gone, strict=True)]

    def columns(self) -> dict[str, "RValue"]:
        """A data frame's columns, or a list's members, by name."""
        names = self.attributes["names"].texts() if "names" in self.attributes else []
        if not isinstance(self.values, list) or len(names) != len(self.values):
            raise DataError("An object in the R file is no table of named columns.")
        return {str(name): value for name, value in zip(names, self.values, strict=True)}


def read_rda(data: bytes) -> dict[str, RValue]:
    """The objects in a file that R's `save` wrote, by name.

    Raises
    ------
    DataError : it is no such file, is cut short, or holds what is not data.
    """
    try:
        unpack = next((u for start, u in _UNPACK.items() if data.startswith(start)), bytes)
        plain = unpack(data)
        if plain[:5] not in _MAGIC:
            raise DataError("The file is not one that R's `save` writes.")
        return _Stream(plain[5:]).read().attributes
    except (OSError, EOFError, lzma.LZMAError, struct.error, ValueError) as error:
        raise DataError(f"The R file is damaged ({error}).", "Fetch it again.") from error


def read_lazy(rdx: Path, rdb: Path, name: str) -> RValue:
    """One object out of the data base in which an installed R package keeps its data.

    Raises
    ------
    DataError : there is no such object, or the files are damaged.
    """
    try:
        index = _Stream(zlib.decompress(rdx.read_bytes(), wbits=47)).read()
        places = index.columns()["variables"].columns()
        if name not in places:
            raise DataError(f"{rdb.name} holds no {name!r}.", f"It holds {', '.join(places)}.")
        start, length = (int(v) for v in places[name].values)  # type: ignore[attr-defined]
        with open(rdb, "rb") as file:
            file.seek(start)
            block = file.read(length)
        return _Stream(_inflate(block)).read()
    except (EOFError, KeyError, lzma.LZMAError, zlib.error, struct.error, ValueError) as error:
        raise DataError(f"{rdb.name} is damaged ({error}).", "Fetch it again.") from error


def _inflate(block: bytes) -> bytes:
    """A block: four bytes of length, then zlib, or a letter that names another packing."""
    if block[4:5] == b"2":
        return bz2.decompress(block[5:])
    if block[4:5] == b"Z":
        return lzma.decompress(block[5:], format=lzma.FORMAT_AUTO)
    return zlib.decompress(block[4:])


class _Stream:
    """Reads one serialised object in R's portable binary form, versions 2 and 3."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        self.symbols: list[str] = []
        if self.take(2) != b"X\n":
            raise DataError("The R file is not in R's portable binary form.")
        version, _, _ = self.integer(), self.integer(), self.integer()
        if version == 3:
            self.take(self.integer())  # the name of the encoding
        elif version != 2:
            raise DataError(f"The R file is written in form {version}, not 2 or 3.")

    def take(self, n: int) -> bytes:
        piece = self.data[self.at : self.at + n]
        if n < 0 or len(piece) != n:
            raise EOFError("it ends early")
        self.at += n
        return piece

    def integer(self) -> int:
        return struct.unpack(">i", self.take(4))[0]

    def numbers(self, dtype: str) -> np.ndarray:
        n = self.integer()
        return np.frombuffer(self.take(n * np.dtype(dtype).itemsize), dtype).astype(dtype[1:])

    def read(self) -> RValue:
        """The next object; a pair list becomes an RValue whose attributes are its members."""
        flags = self.integer()
        kind, has_attributes, has_tag = flags & 255, bool(flags & 512), bool(flags & 1024)
        if kind in _CONSTANTS:
            return RValue()
        if kind == _SYMBOL:
            self.symbols.append(str(self.read().values))
            return RValue(self.symbols[-1])
        if kind == _REFERENCE:
            return RValue(self.symbols[(flags >> 8 or self.integer()) - 1])
        if kind in (_PAIRS, _CALL):
            return self.pairs(has_attributes, has_tag)
        if kind == _ALTERNATIVE:
            return self.alternative()
        value = RValue(self.vector(kind))
        if has_attributes and kind != _CHARACTERS:
            value.attributes = self.read().attributes
        return value

    def vector(self, kind: int) -> object:
        """The values of a vector of this kind."""
        if kind == _CHARACTERS:
            length = self.integer()
            return None if length == _NO_LENGTH else self.take(length).decode("utf-8", "replace")
        if kind in (_LOGICAL, _INTEGER):
            return self.numbers(">i4")
        if kind == _REAL:
            return self.numbers(">f8")
        if kind == _TEXTS:
            return [self.read().values for _ in range(self.integer())]
        if kind == _LIST:
            return [self.read() for _ in range(self.integer())]
        raise DataError(f"The R file holds an object of kind {kind}, which is not data.")

    def pairs(self, has_attributes: bool, has_tag: bool) -> RValue:
        members: dict[str, RValue] = {}
        while True:
            if has_attributes:
                self.read()
            name = str(self.read().values) if has_tag else str(len(members))
            members[name] = self.read()
            flags = self.integer()
            if flags & 255 not in (_PAIRS, _CALL):
                if flags & 255 != _NIL:
                    raise DataError("The R file holds a list that does not end as lists do.")
                return RValue(None, members)
            has_attributes, has_tag = bool(flags & 512), bool(flags & 1024)

    def alternative(self) -> RValue:
        """A vector in short form: counted whole numbers, or one wrapped up with hints."""
        info, state, attributes = self.read(), self.read(), self.read()
        name = str(info.attributes["0"].values)
        if name == "compact_intseq":
            n, first, step = state.values  # type: ignore[misc]
            return RValue(np.arange(int(n)) * int(step) + int(first), attributes.attributes)
        if name.startswith("wrap_") and isinstance(state.values, list):
            return RValue(state.values[0].values, attributes.attributes)
        raise DataError(f"The R file holds a vector in the form {name!r}, which is not read.")
