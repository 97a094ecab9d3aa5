"""R's files without R: values, factors, tables, and what is no data."""

import bz2
import gzip
import lzma
import struct

import numpy as np
import pytest
from demo import rwriter as r

from backend.demo.rfiles import read_lazy, read_rda
from backend.errors import DataError

FACTOR = r.integers([2, 1, r.NO_INTEGER], levels=r.texts(["man", "woman"]))
FRAME = r.table(
    sex=FACTOR, age=r.reals([30.0, np.nan, 41.0]), name=r.texts(["Zoë", None, "Ann"]),
    rank=r.integers([1, r.NO_INTEGER, 3]),
)  # fmt: skip


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_table_comes_back(pack):
    columns = read_rda(pack(r.saved(people=FRAME)))["people"].columns()
    assert list(columns) == ["sex", "age", "name", "rank"]
    assert columns["sex"].texts() == ["woman", "man", None]
    assert columns["age"].integers() == [30, None, 41]
    assert columns["name"].texts() == ["Zoë", None, "Ann"]
    assert columns["rank"].integers() == [1, None, 3]
    assert columns["rank"].values.tolist() == [1, r.NO_INTEGER, 3]


def test_several_objects_names_twice_and_numbers_in_a_row():
    first = r.integers([1, 2], dim=r.integers([2, 1]))
    again = struct.pack(">ii", 13 | 512, 1) + struct.pack(">i", 7)
    again += struct.pack(">i", 2 | 1024) + r.alias(2) + r.integers([1, 1]) + r.NIL
    objects = read_rda(r.saved(a=first, b=again, c=r.counted(4, 3)))
    assert list(objects) == ["a", "b", "c"]
    assert objects["a"].attributes["dim"].integers() == [2, 1]
    assert objects["b"].attributes["dim"].integers() == [1, 1]
    assert objects["c"].integers() == [3, 4, 5, 6]


def test_the_data_base_of_a_package(tmp_path):
    r.lazy(tmp_path, {"one": r.integers([1, 2]), "people": FRAME})
    files = tmp_path / "Rdata.rdx", tmp_path / "Rdata.rdb"
    assert read_lazy(*files, "one").integers() == [1, 2]
    assert read_lazy(*files, "people").columns()["sex"].texts() == ["woman", "man", None]
    with pytest.raises(DataError, match="no 'two'. It holds one, people"):
        read_lazy(*files, "two")
    files[1].write_bytes(files[1].read_bytes()[:30])
    with pytest.raises(DataError, match="damaged"):
        read_lazy(*files, "people")


WHOLE = r.saved(people=FRAME)


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "not one that R's `save` writes"),
        (b"RDA2\nA\n", "not one that R's `save` writes"),
        (b"RDX3\nA\n", "portable binary form"),
        (WHOLE[:-40], "damaged"),
        (gzip.compress(WHOLE)[:-30], "damaged"),
        (b"RDX3\n" + r.serialised(r.NIL, version=2)[:2] + struct.pack(">iii", 9, 0, 0), "form 9"),
        (r.saved(f=struct.pack(">i", 3)), "kind 3, which is not data"),
        (r.saved(c=r.counted(4, 3).replace(b"compact_intseq", b"compact_unheard"[:14])), "is not"),
    ],
)
def test_what_is_no_data(data, said):
    with pytest.raises(DataError, match=said):
        read_rda(data)


def test_a_vector_is_no_table():
    with pytest.raises(DataError, match="no table of named columns"):
        read_rda(r.saved(a=r.integers([1])))["a"].columns()
