"""Files out of a resource bundle of Qt (.rcc), read without Qt."""

import struct
import zlib
from collections.abc import Iterator

from backend.errors import DataError

_HEADER = struct.Struct(">4s4I")  # mark, version, where tree, data and names start
_NODE = struct.Struct(">IH")  # where its name is, flags
_PAIR = struct.Struct(">II")  # of a folder: children, the first; of a file: language, data
_DEFLATED, _FOLDER, _ZSTANDARD = 1, 2, 4


def read_rcc(data: bytes, *, ending: str = "") -> Iterator[tuple[str, bytes]]:
    """Paths and contents of the files in a bundle whose names end so, folder by folder.

    Raises
    ------
    DataError : it is no such bundle, is cut short, or a wanted file is packed with Zstandard.
    """
    try:
        mark, version, tree, contents, names = _HEADER.unpack_from(data)
        if mark != b"qres" or not 1 <= version <= 3:
            raise DataError("The file is no resource bundle of Qt.")
        width = 14 if version == 1 else 22  # of a node; later ones end with a time
        waiting = [(0, "")]
        most = len(data) // width
        while waiting:
            number, parent = waiting.pop()
            most -= 1
            if most < 0:
                raise DataError("The resource bundle's folders hold one another.")
            at = tree + number * width
            start, flags = _NODE.unpack_from(data, at)
            path = f"{parent}/{_name(data, names + start)}" if number else ""
            count, first = _PAIR.unpack_from(data, at + _NODE.size)
            if flags & _FOLDER:
                waiting += [(first + i, path) for i in reversed(range(min(count, most + 1)))]
            elif path.endswith(ending):
                yield path.removeprefix("/"), _content(data, contents + first, flags, path)
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"The resource bundle is damaged ({error}).") from error


def _name(data: bytes, at: int) -> str:
    (length,) = struct.unpack_from(">H", data, at)
    return _taken(data, at + 6, 2 * length).decode("utf-16-be")  # after its length and hash


def _content(data: bytes, at: int, flags: int, path: str) -> bytes:
    (length,) = struct.unpack_from(">I", data, at)
    packed = _taken(data, at + 4, length)
    if flags & _ZSTANDARD:
        raise DataError(f"{path} in the resource bundle is packed with Zstandard.")
    return zlib.decompress(packed[4:]) if flags & _DEFLATED else packed  # after its length


def _taken(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise DataError("The resource bundle is cut short.")
    return data[at : at + length]
