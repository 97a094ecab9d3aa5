import errno
import json
import os
import pickle

import numpy as np
import pyarrow as pa
import pytest

from backend.data import Dataset, open_dataset, write_dataset
from backend.data import dataset as dataset_module
from backend.errors import DataError, StoreError


def table(**changes):
    columns = {
        "text": ["one", "two", "", "vier ü"],
        "number": [1, None, 3, 4],
        "real": [0.5, None, float("nan"), 2.0],
        "flag": [True, False, None, True],
    }
    return pa.table(columns | changes)


def write(root, rows, **options):
    return write_dataset(
        root, rows, **({"kind": "text", "name": "n", "text_column": "text"} | options)
    )


def write_media(root, media, **options):
    names = pa.table({"name": [str(i) for i in range(len(media))]})
    return write_dataset(root, names, kind="image", name="pictures", media=iter(media), **options)


def test_what_is_written_is_read_back(tmp_path):
    made = write(tmp_path, table(), source="s", licence="l", rejected=[("row 9", "why")], notes="x")
    assert open_dataset(made.folder) == made == Dataset.from_json(made.to_json())
    assert pickle.loads(pickle.dumps(made)) == made
    assert made.columns == ("text", "number", "real", "flag")
    rows = made.table()
    assert rows.column_names == ["row", *made.columns]
    assert rows["row"].to_pylist() == [0, 1, 2, 3]
    assert rows["number"].to_pylist() == [1, None, 3, 4]
    assert made.take(np.array([3, 0, 0]))["text"].to_pylist() == ["vier ü", "one", "one"]
    assert made.texts(np.array([1, 3])) == ["two", "vier ü"]
    assert made.take(np.array([], np.int64)).num_rows == 0
    assert [p.name for p in tmp_path.iterdir()] == [made.hash]


def test_the_folder_can_be_moved(tmp_path):
    made = write(tmp_path / "a", table())
    os.rename(tmp_path / "a", tmp_path / "b")
    assert open_dataset(tmp_path / "b" / made.hash).texts(np.array([0])) == ["one"]


def test_hash_ignores_chunks_name_and_width_of_types(tmp_path):
    first = write(tmp_path, table()).hash
    cut = pa.concat_tables([table().slice(0, 1), table().slice(1, 2), table().slice(3)])
    assert cut["text"].num_chunks == 3
    narrow = table().set_column(1, "number", pa.array([1, None, 3, 4], pa.int8()))
    wide = table().set_column(0, "text", table()["text"].cast(pa.large_string()))
    coded = table().set_column(0, "text", table()["text"].dictionary_encode())
    for same in (cut, narrow, wide, coded, table().replace_schema_metadata({"a": "b"})):
        again = write(tmp_path, same, name="another", source="elsewhere")
        assert again.hash == first
        assert again.name == "another"
    assert open_dataset(tmp_path / first).name == "n"


def test_hash_ignores_chunks_beyond_one_slice(tmp_path):
    long = pa.table({"text": [str(i) for i in range(70_000)]})
    cut = pa.concat_tables([long.slice(0, 66_001), long.slice(66_001)])
    assert write(tmp_path, long).hash == write(tmp_path, cut).hash


@pytest.mark.parametrize(
    "changes",
    [
        {"text": ["one", "two", "", "vier u"]},
        {"text": ["onet", "wo", "", "vier ü"]},  # the same letters, cut elsewhere
        {"number": [1, 0, 3, 4]},  # a null is not a zero
        {"number": [1.0, None, 3.0, 4.0]},
        {"real": [0.5, float("nan"), float("nan"), 2.0]},
        {"flag": [True, False, False, True]},
        {"more": [1, 2, 3, 4]},
    ],
)
def test_hash_sees_each_change(tmp_path, changes):
    assert write(tmp_path, table(**changes)).hash != write(tmp_path, table()).hash


def test_hash_sees_names_order_kind_of_use(tmp_path):
    plain = pa.table({"text": ["a", "b"], "other": ["c", "d"]})
    hashes = {
        write(tmp_path, plain).hash,
        write(tmp_path, plain, text_column="other").hash,
        write(tmp_path, plain, text_column=None).hash,
        write(tmp_path, plain.take([1, 0])).hash,
        write(tmp_path, plain.rename_columns(["text", "x"])).hash,
    }
    assert len(hashes) == 5


def test_hash_sees_one_media_byte_and_where_files_end(tmp_path):
    first = write_media(tmp_path, [b"abc", b"defg"]).hash
    assert write_media(tmp_path, [b"abc", b"defg"]).hash == first
    assert write_media(tmp_path, [b"abc", b"deFg"]).hash != first
    assert write_media(tmp_path, [b"abcd", b"efg"]).hash != first


def test_media_are_read_at_random_from_the_map(tmp_path):
    files = [bytes([i % 251]) * (i + 1) for i in range(2500)]
    made = write_media(tmp_path, files)
    rows = np.array([2499, 0, 1024, 1023, 0])
    assert made.media(rows) == [files[i] for i in rows]
    with pa.memory_map(str(made.folder / "media.arrow")) as source:
        reader = pa.ipc.open_file(source)
        assert reader.num_record_batches == 3
        before = pa.total_allocated_bytes()
        reader.get_batch(1)
        assert pa.total_allocated_bytes() - before < 1024  # nothing was copied


def test_rows_outside_are_refused(tmp_path):
    made = write(tmp_path, table())
    for rows in ([4], [-1, 0], [0.5], [[0]]):
        with pytest.raises(DataError):
            made.take(np.array(rows))


def test_texts_and_media_need_the_right_kind(tmp_path):
    with pytest.raises(DataError, match="no text column"):
        write_media(tmp_path, [b"x"]).texts(np.array([0]))
    with pytest.raises(DataError, match="no media"):
        write(tmp_path, table()).media(np.array([0]))


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (pa.table({"text": pa.array([], pa.string())}), {}, "no rows"),
        (pa.table({"text": ["a"], "row": [0]}), {}, "'row'"),
        (pa.table({"a": ["a"]}), {}, "no column 'text'"),
        (pa.table({"text": [1]}), {}, "not text"),
        (pa.table({"text": ["a", None]}), {}, "1 rows without text"),
        (pa.table({"text": ["a"], "v": [[1]]}), {}, "'v'"),
        (pa.table([["a"], ["b"]], names=["text", "text"]), {}, "more than once"),
        (pa.table({"text": ["a"]}), {"kind": "image"}, "media"),
        (pa.table({"text": ["a"]}), {"media": [b"x"]}, "media"),
        (pa.table({"text": ["a"]}), {"kind": "image", "media": []}, "0 media files for 1 rows"),
        (pa.table({"text": ["a"]}), {"kind": "film", "media": [b"x"]}, "'film'"),
    ],
)
def test_what_cannot_be_stored_leaves_nothing(tmp_path, rows, options, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path, rows, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["rows.arrow", "media.arrow", "dataset.json"])
@pytest.mark.parametrize("harm", ["cut", "gone", "empty"])
def test_damage_is_said_and_mended_by_writing_again(tmp_path, file, harm):
    made = write_media(tmp_path, [b"abc" * 100, b"d"])
    path = made.folder / file
    if harm == "gone":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size // 2 if harm == "cut" else 0)
    with pytest.raises(DataError, match="damaged"):
        open_dataset(made.folder)
    again = write_media(tmp_path, [b"abc" * 100, b"d"])
    assert open_dataset(again.folder, verify=True) == again == made


def test_a_record_of_other_data_is_said(tmp_path):
    made = write(tmp_path, table())
    path = made.folder / "dataset.json"
    values = json.loads(path.read_text())
    for wrong in ({"n_rows": 5}, {"kind": "film"}, {"columns": ["text"]}, {"notes": None}):
        path.write_text(json.dumps(values | wrong))
        with pytest.raises(DataError):
            open_dataset(made.folder)
    with pytest.raises(DataError):
        open_dataset(tmp_path / "nothing")


def test_verify_finds_a_changed_byte(tmp_path):
    made = write_media(tmp_path, [b"abc" * 100])
    path = made.folder / "media.arrow"
    path.write_bytes(path.read_bytes().replace(b"abcabc", b"abcabd", 1))
    assert open_dataset(made.folder) == made
    with pytest.raises(DataError, match="hash"):
        open_dataset(made.folder, verify=True)


def test_a_full_disk_is_said_and_cleaned_up(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dataset_module, "_write_rows", full)
    with pytest.raises(StoreError, match="full"):
        write(tmp_path, table())
    assert list(tmp_path.iterdir()) == []
