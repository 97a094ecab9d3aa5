"""Qt's resource bundles, as tests.demo.gamefiles writes them."""

import struct

import pytest

from backend.demo.qtfiles import read_rcc
from backend.errors import DataError
from tests.demo.gamefiles import bundle

FILES = {"src/a/zoo.webp": b"zoo", "src/a/deep/hat.webp": b"hat" * 99, "src/b.qml": b"code"}


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_come_with_their_paths(version):
    data = bundle(FILES, version=version, packed=("src/a/deep/hat.webp",))
    assert dict(read_rcc(data)) == FILES
    assert sorted(path for path, _ in read_rcc(data, ending=".webp")) == [
        "src/a/deep/hat.webp", "src/a/zoo.webp"
    ]  # fmt: skip


def test_names_beyond_ascii():
    assert dict(read_rcc(bundle({"ö/日.webp": b"x"}))) == {"ö/日.webp": b"x"}


@pytest.mark.parametrize(
    "data, said",
    [
        (b"no bundle at all, but long enough", "no resource bundle"),
        (b"qres", "damaged"),
        (bundle(FILES, version=3).replace(b"qres\0\0\0\3", b"qres\0\0\0\4"), "no resource bundle"),
        (bundle({"a.webp": b"x" * 50})[:-40], "damaged|cut short"),
        (
            bundle({"a.webp": b"x"}, flags=4),
            "a.webp in .* is packed with Zstandard",
        ),
        (bundle({"a.webp": b"no deflated data"}, flags=1), "damaged"),
    ],
)
def test_what_is_no_bundle_is_refused(data, said):
    with pytest.raises(DataError, match=said):
        list(read_rcc(data))


def test_folders_that_hold_themselves_end():
    whole = bytearray(bundle({"a/b.webp": b"x"}, version=1))
    # node 1, the folder a: let its first child be node 1 itself
    whole[20 + 14 : 20 + 28] = struct.pack(">IHII", 6, 2, 1, 1)
    with pytest.raises(DataError, match="hold one another"):
        list(read_rcc(bytes(whole)))
