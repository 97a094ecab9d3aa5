"""Watched trainings on disk: written whole, read back exactly, named so that none is lost."""

import json

import numpy as np
import pytest

from backend.collapse.streaming import summarise
from backend.errors import DataError, UserError
from backend.watched import (
    begin_watched,
    list_watched,
    read_watched,
    record_path,
    watched_folder,
    write_record,
)

LAYERS = ("block", "penultimate")


@pytest.fixture
def found():
    rng = np.random.default_rng(0)
    y, H = np.arange(40) % 4, rng.standard_normal((40, 5))
    W, b = rng.standard_normal((4, 5)), rng.standard_normal(4)
    return {
        "block": summarise(2 * H[:, :3], y).moments,
        "penultimate": summarise(H, y, weight=W, bias=b).moments,
    }


def begin(root, name="a run", **changes):
    asked = {"layers": LAYERS, "classes": "abcd", "at_most": 0, "resume": False}
    return begin_watched(root, name, **asked | changes)


def same(one, other):
    for name, value in vars(one).items():
        got = vars(other)[name]
        if name == "head":
            assert (value is None) == (got is None)
            if value is not None:
                same(value, got)
        else:
            assert np.array_equal(value, got) and type(value) is type(got), name


def test_a_record_is_read_back_bit_by_bit(tmp_path, found):
    run = begin(tmp_path)
    for epoch in (3, 0, 12_345):
        write_record(run.folder, epoch, found)
    (listed,) = list_watched(tmp_path)
    assert listed == run and listed.epochs == (0, 3, 12_345)
    again = listed.moments(12_345)
    assert list(again) == list(LAYERS)
    for layer in LAYERS:
        same(found[layer], again[layer])
    told = listed.to_json()
    assert json.loads(json.dumps(told)) == told
    assert (told["name"], told["key"], told["epochs"]) == ("a run", "a run", [0, 3, 12_345])
    assert not list(run.folder.glob(".*"))


def test_a_record_is_replaced_whole(tmp_path, found):
    run = begin(tmp_path)
    write_record(run.folder, 1, found)
    more = {layer: summarise(np.eye(8), np.arange(8) % 4).moments for layer in LAYERS}
    write_record(run.folder, 1, more)
    assert run.moments(1)["block"].n == 8 and run.moments(1)["penultimate"].head is None


def test_a_taken_name_is_counted_up_unless_it_is_resumed(tmp_path):
    names = [begin(tmp_path).facts["name"] for _ in range(3)]
    assert names == ["a run", "a run 2", "a run 3"]
    assert begin(tmp_path, resume=True).facts["name"] == "a run"
    assert begin(tmp_path, "another", resume=True).facts["name"] == "another"
    assert [r.facts["name"] for r in list_watched(tmp_path)] == ["another", *names[::-1]]
    with pytest.raises(UserError, match="'a run' was watched before in another way"):
        begin(tmp_path, resume=True, classes="abc")


@pytest.mark.parametrize("name", ["up/../../up", "a/b\\c", "ü & ö?", "100%", "-", "CON: x*"])
def test_any_name_stays_inside_the_folder(tmp_path, name):
    run = begin(tmp_path, name)
    assert run.folder.parent == tmp_path and run.folder.is_dir()
    assert [r.facts["name"] for r in list_watched(tmp_path)] == [name]


@pytest.mark.parametrize("name", ["", "  ", ".hidden", "..", "x" * 201, "ü" * 40])
def test_names_that_cannot_be(tmp_path, name):
    with pytest.raises(UserError, match="cannot be the name"):
        begin(tmp_path, name)


def test_what_is_damaged_is_passed_over_or_named(tmp_path, found):
    run = begin(tmp_path)
    write_record(run.folder, 0, found)
    with pytest.raises(DataError, match="'a run' has no record of epoch 1. It has: 0"):
        run.moments(1)
    record_path(run.folder, 1).write_bytes(record_path(run.folder, 0).read_bytes()[:200])
    np.savez(record_path(run.folder, 2), **{"block/counts": np.ones(4)})
    np.savez(record_path(run.folder, 3), **{"block/counts": np.array([object()])})
    (run.folder / "epoch-0004.npz.part").write_bytes(b"")
    assert run.epochs == (0, 1, 2, 3)
    for epoch in (1, 2, 3):
        with pytest.raises(DataError, match=f"epoch-000{epoch}.npz is damaged"):
            run.moments(epoch)
    for number, text in enumerate(("{", "[1]", "{}")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "run.json").write_text(text)
        assert read_watched(tmp_path / str(number)) is None
    assert list_watched(tmp_path) == [run] and list_watched(tmp_path / "none") == []
    assert watched_folder(tmp_path) == tmp_path / "watched"
