"""Writes R's portable binary form, as far as data sets need it, so that reading it can be tried."""

import struct
import zlib

import numpy as np

NO_INTEGER = -(2**31)
NIL = struct.pack(">i", 254)


def integers(values, **attributes):
    """An integer vector; `levels`, `names`, ... are its attributes (R objects already written)."""
    return _vector(13, np.asarray(values, ">i4").tobytes(), len(values), attributes)


def reals(values, **attributes):
    return _vector(14, np.asarray(values, ">f8").tobytes(), len(values), attributes)


def texts(values, **attributes):
    return _vector(16, b"".join(map(_characters, values)), len(values), attributes)


def members(values, **attributes):
    """A list of R objects already written."""
    return _vector(19, b"".join(values), len(values), attributes)


def table(**columns):
    """A data frame of columns already written."""
    return members(list(columns.values()), names=texts(list(columns)), **{
        "class": texts(["data.frame"]), "row.names": integers([NO_INTEGER, -1])})  # fmt: skip


def counted(n, first):
    """first, first + 1, ...: the short form that R gives to whole numbers in a row."""
    info = struct.pack(">i", 2) + _symbol("compact_intseq") + NIL
    return struct.pack(">i", 238) + info + reals([n, first, 1]) + NIL


def alias(number):
    """A name that was written before, by its number."""
    return struct.pack(">i", 255 | number << 8)


def saved(**objects):
    """What `save` writes, unpacked."""
    return b"RDX3\n" + serialised(_pairs(objects))


def serialised(thing, version=3):
    encoding = struct.pack(">i", 5) + b"UTF-8" if version == 3 else b""
    return b"X\n" + struct.pack(">iii", version, 0x40000, 0x30500) + encoding + thing


def lazy(folder, objects):
    """The files Rdata.rdx and Rdata.rdb of an installed package."""
    blocks, places = b"", {}
    for name, thing in objects.items():
        plain = serialised(thing)
        block = struct.pack(">i", len(plain)) + zlib.compress(plain)
        places[name] = integers([len(blocks), len(block)])
        blocks += block
    variables = members(list(places.values()), names=texts(list(places)))
    index = members([variables, integers([1])], names=texts(["variables", "compressed"]))
    (folder / "Rdata.rdx").write_bytes(zlib.compress(serialised(index)))
    (folder / "Rdata.rdb").write_bytes(blocks)


def _characters(text):
    if text is None:
        return struct.pack(">ii", 9, -1)
    data = text.encode()
    return struct.pack(">ii", 9 | 8 << 12, len(data)) + data


def _symbol(name):
    return struct.pack(">i", 1) + _characters(name)


def _pairs(things):
    return b"".join(struct.pack(">i", 2 | 1024) + _symbol(k) + v for k, v in things.items()) + NIL


def _vector(kind, body, n, attributes):
    flags = kind | (512 if attributes else 0)
    return struct.pack(">ii", flags, n) + body + (_pairs(attributes) if attributes else b"")
