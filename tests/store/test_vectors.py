import errno
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import StoreError
from backend.store.vectors import forget_shards, read_shard, shard_path, vectors_table, write_shard


def _vectors(n: int = 7, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.permutation(n).astype(np.int64), rng.normal(size=(n, width)).astype(np.float32)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rows, matrix = _vectors()
    matrix[0, :3] = np.nan, np.inf, -0.0
    info = write_shard(tmp_path / "a" / "0.arrow", rows=rows, matrix=matrix, meta={"site": "é"})
    shard = read_shard(info.path, verify=True)
    assert (info.n, info.width, info.bytes) == (7, 5, info.path.stat().st_size)
    assert shard.matrix.dtype == np.float32
    assert shard.matrix.tobytes() == matrix.tobytes()
    np.testing.assert_array_equal(shard.rows, rows)
    assert shard.positions is None
    assert shard.meta == {"site": "é"}
    assert shard.checksum == info.checksum
    assert not shard.matrix.flags.writeable
    assert [p.name for p in info.path.parent.iterdir()] == ["0.arrow"]


def test_positions_and_rows_that_repeat(tmp_path: Path) -> None:
    _, matrix = _vectors(4)
    rows, positions = np.array([3, 3, 9, 9]), np.array([0, 1, 0, 1], dtype=np.int32)
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix, positions=positions)
    np.testing.assert_array_equal(read_shard(info.path, verify=True).positions, positions)
    assert vectors_table([info.path]).column_names == ["row", "position", "vector"]


def test_an_empty_shard(tmp_path: Path) -> None:
    rows, matrix = np.empty(0, np.int64), np.empty((0, 6), np.float32)
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix)
    assert read_shard(info.path, verify=True).matrix.shape == (0, 6)


def test_a_transposed_matrix_is_stored_in_its_own_order(tmp_path: Path) -> None:
    rows, matrix = _vectors(5, 5)
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix.T)
    np.testing.assert_array_equal(read_shard(info.path).matrix, matrix.T)


def test_every_half_value_survives(tmp_path: Path) -> None:
    matrix = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    rows = np.arange(256)
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix, half=True)
    shard = read_shard(info.path, verify=True)
    assert shard.matrix.dtype == np.float16
    assert shard.matrix.tobytes() == matrix.tobytes()
    widened = write_shard(tmp_path / "w", rows=rows, matrix=matrix.astype(np.float32), half=True)
    np.testing.assert_array_equal(read_shard(widened.path).matrix, matrix)
    flat = vectors_table([info.path])["vector"].chunk(0).flatten()
    assert flat.type == pa.float32()
    np.testing.assert_array_equal(flat.to_numpy().reshape(256, 256), matrix.astype(np.float32))


def test_half_takes_half_the_space(tmp_path: Path) -> None:
    rows, matrix = np.arange(64), np.ones((64, 512), np.float32)
    full = write_shard(tmp_path / "f", rows=rows, matrix=matrix)
    half = write_shard(tmp_path / "h", rows=rows, matrix=matrix, half=True)
    assert half.bytes < 0.52 * full.bytes


@pytest.mark.parametrize("value", [65505.0, -70000.0])
def test_half_refuses_what_does_not_fit(tmp_path: Path, value: float) -> None:
    rows, matrix = _vectors()
    matrix[2, 2] = value
    with pytest.raises(StoreError, match=f"{value:g}"):
        write_shard(tmp_path / "s", rows=rows, matrix=matrix, half=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_flipped_bit_is_found(tmp_path: Path, where: float) -> None:
    rows, matrix = _vectors(64, 64)
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix, meta={"site": "final"})
    content = bytearray(info.path.read_bytes())
    content[int(where * len(content))] ^= 4
    info.path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        read_shard(info.path, verify=True)


def test_missing_cut_and_foreign_files_are_refused(tmp_path: Path) -> None:
    rows, matrix = _vectors(64, 64)
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix)
    with pytest.raises(StoreError, match="missing"):
        read_shard(tmp_path / "none")
    for size in (0, 5, info.bytes // 2, info.bytes - 1):
        os.truncate(info.path, size)
        with pytest.raises(StoreError, match="damaged"):
            read_shard(info.path)
        info.path.unlink()
        info = write_shard(tmp_path / "s", rows=rows, matrix=matrix)
    with pa.ipc.new_file(str(tmp_path / "other"), pa.schema([("x", pa.int64())])) as writer:
        writer.write_batch(pa.record_batch({"x": [1]}))
    with pytest.raises(StoreError, match="damaged"):
        read_shard(tmp_path / "other")


def test_shapes_must_agree(tmp_path: Path) -> None:
    rows, matrix = _vectors()
    with pytest.raises(StoreError, match="row ids"):
        write_shard(tmp_path / "s", rows=rows[:3], matrix=matrix)
    with pytest.raises(StoreError, match="positions"):
        write_shard(tmp_path / "s", rows=rows, matrix=matrix, positions=np.zeros(2, np.int32))
    write_shard(tmp_path / "a", rows=rows, matrix=matrix)
    write_shard(tmp_path / "b", rows=rows, matrix=matrix[:, :3])
    with pytest.raises(StoreError, match="widths"):
        vectors_table([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(StoreError, match="no shards"):
        vectors_table([])


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    rows, matrix = _vectors()
    monkeypatch.setattr("backend.store.vectors.os.replace", full)
    with pytest.raises(StoreError, match="full"):
        write_shard(tmp_path / "s", rows=rows, matrix=matrix)
    assert not list(tmp_path.iterdir())


def test_many_open_shards_take_no_file_descriptors(tmp_path: Path) -> None:
    rows, matrix = _vectors()
    paths = [shard_path(tmp_path, "k", shard) for shard in range(50)]
    for path in paths:
        write_shard(path, rows=rows, matrix=matrix)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    kept = [read_shard(path) for path in paths]
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after - before < 5
    paths[-1].unlink()  # what is mapped stays readable
    np.testing.assert_array_equal(kept[-1].matrix, matrix)


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    rows, matrix = _vectors()
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix)
    old = read_shard(info.path)
    assert read_shard(info.path) is old
    write_shard(tmp_path / "s", rows=rows, matrix=matrix + 1)
    np.testing.assert_array_equal(read_shard(info.path).matrix, matrix + 1)
    np.testing.assert_array_equal(old.matrix, matrix)
    forget_shards()
    assert read_shard(info.path) is not old


def test_no_flipped_bit_brings_anything_but_a_store_error(tmp_path: Path) -> None:
    rows, matrix = _vectors(3, 2)
    info = write_shard(tmp_path / "s", rows=rows, matrix=matrix, meta={"site": "final"})
    good, refused = info.path.read_bytes(), 0
    for place in range(0, len(good), 3):
        content = bytearray(good)
        content[place] ^= 1 << (place % 8)
        info.path.write_bytes(content)
        try:
            shard = read_shard(info.path, verify=True)
        except StoreError:
            refused += 1
            continue
        assert (shard.matrix == matrix).all()
        assert (shard.rows == rows).all()
    assert refused > len(good) / 10
