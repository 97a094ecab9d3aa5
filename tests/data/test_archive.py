import io
import stat
import struct
import zipfile
from dataclasses import replace

import pytest

from backend.data.archive import unpack
from backend.errors import DataError
from backend.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def pack(path, entries, *, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def refused(tmp_path, settings, path, message):
    target = tmp_path / "out"
    with pytest.raises(DataError, match=message):
        unpack(path, target, settings=settings)
    assert not target.exists()


def test_files_come_out_and_junk_stays(tmp_path, settings):
    entries = [
        ("a/", b""),
        ("a/1.txt", b"one"),
        ("a\\2.txt", b"two"),
        ("__MACOSX/a/._1.txt", b"x"),
        (".hidden/3.txt", b"x"),
        ("a/Thumbs.db", b"x"),
    ]
    told = []
    found = unpack(
        pack(tmp_path / "z.zip", entries),
        tmp_path / "out",
        settings=settings,
        progress=lambda *step: told.append(step),
    )
    names = [file.relative_to(found.folder).as_posix() for file in found.files]
    assert names == ["a/1.txt", "a/2.txt"]
    assert [file.read_bytes() for file in found.files] == [b"one", b"two"]
    assert (found.n_bytes, found.skipped) == (6, 3)
    assert told


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/passwd", "absolute"),
        ("\\windows\\x", "absolute"),
        ("a/../../x", r"'\.\.'"),
        ("..\\x", r"'\.\.'"),
        ("C:/x", "drive"),
        ("c:x", "drive"),
        ("a\nb", "control character"),
        ("a" * 300, "too long"),
    ],
)
def test_unsafe_names_are_refused(tmp_path, settings, name, message):
    path = pack(tmp_path / "z.zip", [("fine.txt", b"x"), (name, b"x")])
    refused(tmp_path, settings, path, message)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["z.zip"]


@pytest.mark.parametrize(
    ("mode", "message"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "not a plain file")]
)
def test_links_and_pipes_are_refused(tmp_path, settings, mode, message):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (mode | 0o777) << 16
    refused(tmp_path, settings, pack(tmp_path / "z.zip", [(entry, b"/etc")]), message)


def test_names_used_twice_are_refused(tmp_path, settings):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = pack(tmp_path / "z.zip", [("d/a", b"1"), ("d/a", b"2")])
    refused(tmp_path, settings, path, "'d/a' is there twice")
    path = pack(tmp_path / "y.zip", [("d/a", b"1"), ("d/a/b", b"2")])
    refused(tmp_path, settings, path, "both a file and a folder")


def test_encrypted_entries_are_refused(tmp_path, settings):
    data = bytearray(pack(tmp_path / "z.zip", [("a", b"secret")]).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    (tmp_path / "z.zip").write_bytes(data)
    refused(tmp_path, settings, tmp_path / "z.zip", "'a' is encrypted")


def test_a_small_bomb_is_refused(tmp_path, settings):
    path = pack(tmp_path / "z.zip", [("a", b"x"), ("bomb", b"\0" * (17 << 20))])
    assert path.stat().st_size < 20_000
    refused(tmp_path, settings, path, "'bomb' takes .* 200 times")


def test_a_bomb_inside_one_other_method_is_refused(tmp_path, settings):
    path = pack(tmp_path / "z.zip", [("a", b"\0" * 100_000)], method=zipfile.ZIP_LZMA)
    refused(tmp_path, settings, path, "compression method 14")


def test_limits_count_real_bytes(tmp_path, settings):
    noise = bytes(range(256)) * 4096  # 1 MB
    path = pack(tmp_path / "z.zip", [("a", noise), ("b", noise + b"x")])
    refused(tmp_path, replace(settings, max_upload_mb=1), path, "'b' unpacks to more than 1 MB")
    refused(tmp_path, replace(settings, max_unpacked_mb=1), path, "'b' takes .* over 1 MB")
    refused(tmp_path, replace(settings, max_files=1), path, "more than 1 files")
    assert unpack(path, tmp_path / "out", settings=settings).n_bytes == 2 * len(noise) + 1


def test_a_stated_size_is_not_believed(tmp_path, settings):
    path = pack(tmp_path / "z.zip", [("a", b"y" * 3_000_000)])
    data = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(start) + offset, 10)
    path.write_bytes(data)
    refused(tmp_path, settings, path, "'a' is damaged")


def test_a_huge_directory_is_refused_before_it_is_read(tmp_path, settings, monkeypatch):
    path = pack(tmp_path / "z.zip", [(f"{i:0400}", b"") for i in range(400)])
    monkeypatch.setattr(zipfile, "ZipFile", None)
    refused(tmp_path, replace(settings, max_files=50), path, "more than 50 files")


@pytest.mark.parametrize(
    ("start", "offset", "value"),
    [
        (b"PK\x03\x04", 6, 1 << 11),  # the local header calls its name UTF-8, which it is not
        (b"PK\x01\x02", 42, 0xFFFFFF),  # the local header is said to lie beyond the end
    ],
)
def test_headers_that_disagree_are_damage(tmp_path, settings, start, offset, value):
    data = bytearray(pack(tmp_path / "z.zip", [("abc", b"x")]).read_bytes())
    place = data.index(start)
    struct.pack_into("<H" if offset == 6 else "<I", data, place + offset, value)
    if offset == 6:
        data[place + 30] = 0xFF
    (tmp_path / "z.zip").write_bytes(data)
    refused(tmp_path, settings, tmp_path / "z.zip", "'abc' is damaged")


def test_damage_is_said(tmp_path, settings):
    path = pack(tmp_path / "z.zip", [("a", b"abcdef" * 100)], method=zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"abcdef", b"abcdeg", 1))
    refused(tmp_path, settings, path, "'a' is damaged")
    path.write_bytes(data[:-30])
    refused(tmp_path, settings, path, "not a zip file, or is cut short")
    path.write_bytes(b"words")
    refused(tmp_path, settings, path, "not a zip file")
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    path.write_bytes(empty.getvalue())
    refused(tmp_path, settings, path, "holds no files")
