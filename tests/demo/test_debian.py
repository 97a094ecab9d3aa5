"""Debian's packages through its tools, which are played by two small scripts here."""

import hashlib
import io
import os
import tarfile

import pytest

from backend.demo import debian
from backend.demo.build import ensure
from backend.demo.catalogue import Demo
from backend.demo.debian import DebianPackage, DebianTree, fetch_debian, version_of
from backend.demo.packages import PSYCHOTREE, PSYCHTOOLS
from backend.errors import Cancelled, DataError
from backend.settings import Settings

DATA = b"some data"
PACKAGE = DebianPackage(
    "r-tiny", "1.0-1", 10_240, ("usr/lib/tiny/data/*.rda",), (hashlib.sha256(DATA).hexdigest(),)
)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder that stands for Debian: `apt-get download` copies from it."""
    shelf, bin_ = tmp_path / "shelf", tmp_path / "bin"
    shelf.mkdir()
    bin_.mkdir()
    script(bin_ / "apt-get", f'cp {shelf}/"$3"_*.deb . || '
           '{ echo "E: Unable to locate package $3"; exit 100; }')  # fmt: skip
    script(bin_ / "dpkg-deb", 'cat "$2"')
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    shelve(shelf, {"./usr/lib/tiny/data/a.rda": DATA, "./usr/lib/tiny/R/code.R": b"stop()"})
    return shelf


def script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def shelve(shelf, files, version="1.0-1"):
    with tarfile.open(shelf / f"r-tiny_{version}_all.deb", "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_takes_only_the_wanted_files_and_remembers_them(tools, tmp_path):
    seen = []
    folder = fetch_debian(PACKAGE, target=tmp_path / "d", progress=lambda *step: seen.append(step))
    assert sorted(p.name for p in folder.iterdir()) == ["a.rda", "version.txt"]
    assert (folder / "a.rda").read_bytes() == DATA
    assert version_of(folder) == "1.0-1"
    assert seen[-1] == (10_240, 10_240, "downloading Debian's r-tiny (0.0 MB)")
    (tools / "r-tiny_1.0-1_all.deb").unlink()
    assert fetch_debian(PACKAGE, target=tmp_path / "d") == folder
    assert [p.name for p in (tmp_path / "d").iterdir()] == [PACKAGE.folder_name]


def test_another_version_with_the_same_files_serves(tools, tmp_path):
    (tools / "r-tiny_1.0-1_all.deb").unlink()
    shelve(tools, {"./usr/lib/tiny/data/a.rda": DATA}, version="1%3a2.0-3")
    assert version_of(fetch_debian(PACKAGE, target=tmp_path / "d")) == "1:2.0-3"


def test_a_tree_keeps_the_folders_of_its_files(tools, tmp_path):
    shelve(tools, {f"./usr/share/{name}": name.encode() for name in
                   ("cat.png", "a/cat.png", "a/b/cat.png", "a/cat.ogg")})  # fmt: skip
    members = ("usr/share/*.png",)
    tree = fetch_debian(DebianTree("r-tiny", "1.0-1", 10_240, members), target=tmp_path / "d")
    found = {p.relative_to(tree).as_posix(): p.read_bytes() for p in tree.rglob("*.*")}
    assert found == {
        "usr/share/cat.png": b"cat.png", "usr/share/a/cat.png": b"a/cat.png",
        "usr/share/a/b/cat.png": b"a/b/cat.png", "version.txt": b"1.0-1",
    }  # fmt: skip
    flat = fetch_debian(DebianPackage("r-tiny", "1.0-1", 10_240, members), target=tmp_path / "d")
    assert flat != tree and sorted(p.name for p in flat.iterdir()) == ["cat.png", "version.txt"]


def test_a_tree_checks_each_of_its_files(tools, tmp_path):
    shelve(tools, {"usr/a/x.png": DATA, "usr/b/x.png": b"other"})
    sums = tuple(hashlib.sha256(data).hexdigest() for data in (DATA, b"other"))
    members = ("usr/a/x.png", "usr/b/x.png")
    for pinned in (sums, sums[::-1]):
        tree = DebianTree("r-tiny", "1.0-1", 10_240, members, pinned)
        if pinned == sums:
            assert (fetch_debian(tree, target=tmp_path / "d") / "usr/b/x.png").is_file()
            continue
        with pytest.raises(DataError, match=r"usr/a/x.png .* is not the file of version"):
            fetch_debian(tree, target=tmp_path / "d")
    missing = DebianTree("r-tiny", "1.0-1", 10_240, ("usr/c/*.png",))
    with pytest.raises(DataError, match=r"has no file 'usr/c/\*.png'"):
        fetch_debian(missing, target=tmp_path / "d")


def test_folders_of_packages_fetched_before_keep_their_names():
    assert PSYCHOTREE.folder_name == "r-cran-psychotree-debian-477633bf0776"
    assert PSYCHTOOLS.folder_name == "r-cran-psychtools-debian-c60d3e79d3b3"


@pytest.mark.parametrize(
    "files, said",
    [
        ({"usr/lib/tiny/data/a.rda": b"other"}, "not the file of version 1.0-1"),
        ({"usr/lib/tiny/R/code.R": b"x"}, r"has no file '\*.rda'"),
    ],
)
def test_other_files_are_refused_and_leave_nothing(tools, tmp_path, files, said):
    shelve(tools, files)
    with pytest.raises(DataError, match=said):
        fetch_debian(PACKAGE, target=tmp_path / "d")
    assert list((tmp_path / "d").iterdir()) == []


def test_a_damaged_package(tools, tmp_path):
    (tools / "r-tiny_1.0-1_all.deb").write_bytes(b"no archive" * 100)
    with pytest.raises(DataError, match="cannot be unpacked"):
        fetch_debian(PACKAGE, target=tmp_path / "d")


def test_unknown_package(tools, tmp_path):
    (tools / "r-tiny_1.0-1_all.deb").unlink()
    with pytest.raises(DataError, match="knows no package r-tiny. Run `apt-get update`"):
        fetch_debian(PACKAGE, target=tmp_path / "d")


def test_no_network(tools, tmp_path):
    script(tmp_path / "bin" / "apt-get", 'echo "E: Failed to fetch it"; exit 100')
    with pytest.raises(DataError, match="cannot be downloaded: Failed to fetch it") as caught:
        fetch_debian(PACKAGE, target=tmp_path / "d")
    assert "connection" in caught.value.remedy


def test_stopping_midway_leaves_nothing(tools, tmp_path):
    script(tmp_path / "bin" / "apt-get", "exec sleep 60")

    def stop(done, total, what):
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch_debian(PACKAGE, target=tmp_path / "d", progress=stop)
    assert list((tmp_path / "d").iterdir()) == []


def test_a_machine_that_is_no_debian(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(debian.shutil, "which", lambda tool: None)
    assert not PACKAGE.is_offered
    with pytest.raises(DataError, match="r-tiny is a package of Debian") as caught:
        fetch_debian(PACKAGE, target=tmp_path / "d")
    assert "another demo" in caught.value.remedy


def test_a_demo_of_it(tools, tmp_path, monkeypatch):
    from backend.demo import build, catalogue

    demo = Demo("tiny", "choices", "Tiny", "Tiny.", (PACKAGE,), "MIT", "choices.trains", 1, 1)
    monkeypatch.setattr(catalogue, "DEMO", (demo,))
    monkeypatch.setattr(build, "_builder", lambda demo: lambda files: build.Material(
        build.pa.table({"person": ["p"], "option_a": [(files["r-tiny"] / "a.rda").read_text()],
                        "option_b": ["b"], "choice": ["a"]})))  # fmt: skip
    made = ensure("tiny", Settings(home=tmp_path / "home"))
    assert made.kind == "choices" and made.text_column is None
    assert made.source == "demo:tiny, Debian r-tiny 1.0-1"
    assert made.table()["option_a"].to_pylist() == ["some data"]
