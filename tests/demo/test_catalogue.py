"""The table of demos: every row whole, every package pinned."""

import re
from importlib import import_module

import pytest

from backend.demo.catalogue import DEMO, find
from backend.demo.debian import DebianPackage
from backend.demo.fetch import Package
from backend.errors import DataError

KINDS = {"model", "text", "image", "audio", "choices", "ratings"}


def test_names_are_unique_and_fit_a_reference():
    names = [demo.name for demo in DEMO]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert {"smollm2", "minilm", "efficientnet-lite0", "crepe-tiny"} <= set(names)
    assert {"news", "films", "facts", "digits", "mnist", "photos", "crops"} <= set(names)
    assert {"stamps", "scenes", "photo-crops"} <= set(names)
    assert {"hops", "sums", "problems"} <= set(names)
    assert {"film-choices", "trains", "two-tastes", "mixed-tastes"} <= set(names)
    assert {"verbal-aggression", "lectures", "film-ratings", "simulated-raters"} <= set(names)


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
    "package",
    sorted({p for demo in DEMO for p in demo.packages}, key=lambda package: package.name),
    ids=lambda package: package.name,
)
def test_package_is_pinned(package):
    hashes = (package.sha256,) if isinstance(package, Package) else package.sha256
    assert all(re.fullmatch(r"[0-9a-f]{64}", sha256) for sha256 in hashes)
    if isinstance(package, DebianPackage):
        assert len(hashes) in (0, len(package.members))
    assert re.fullmatch(r"\d+(\.\d+)+(-\d+)*", package.version)
    assert package.n_bytes > 10_000
    assert package.members and all(member != "*" for member in package.members)


def test_one_package_one_pin():
    pins = {(p.name, p.version, p.sha256) for demo in DEMO for p in demo.packages}
    assert len({name for name, _, _ in pins}) == len(pins)


def test_what_debian_carries_is_offered_where_its_tools_are(monkeypatch):
    assert find("trains").is_offered and find("two-tastes").is_offered
    monkeypatch.setattr("shutil.which", lambda tool: f"/bin/{tool}")
    assert find("national-goals").is_offered
    monkeypatch.setattr("shutil.which", lambda tool: None if tool == "dpkg-deb" else "/bin/apt")
    assert not find("national-goals").is_offered
    assert not find("photo-crops").is_offered
    assert find("trains").is_offered
    assert find("national-goals").source == "Debian r-cran-psychotree 0.16-0-1"


def test_a_source_names_each_home_once():
    assert find("photo-crops").source == (
        "Debian tuxpaint-stamps-default 2022.06.04-1, gcompris-qt-data 3.1-2; "
        "PyPI foolbox 3.3.4, scikit-image 0.26.0, timm 1.0.31"
    )
    assert find("crops").source == "PyPI foolbox 3.3.4, scikit-image 0.26.0, timm 1.0.31"


def test_find():
    assert find("demo:news") is find("news")
    assert find("films").download_bytes == 50_079_120
    with pytest.raises(DataError, match="no demo named 'nwes'.*news"):
        find("demo:nwes")
