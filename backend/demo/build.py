"""Demo material on disk: fetched, converted once, and remembered.

Models are converted with torch, so `ensure` of a model belongs in a worker process.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import pyarrow as pa

from backend.data.dataset import Dataset, full_disk_is_said, open_dataset, write_dataset
from backend.demo.catalogue import DEMO, Demo, find
from backend.demo.debian import DebianPackage, fetch_debian
from backend.demo.fetch import Package, Progress, fetch, move_into_place
from backend.errors import DataError, ModelError
from backend.keys import digest
from backend.settings import Settings

Files = Mapping[str, Path]  # package name -> folder with its files


@dataclass(frozen=True)
class Material:
    """What the builder of a data set hands back: its rows, and the pictures where it is of those.

    Texts name their column; choices and ratings need none, see backend.data.judgements.
    """

    table: pa.Table
    text_column: str | None = None
    media: Iterable[bytes] | None = None
    notes: tuple[str, ...] = ()


def ensure(name: str, settings: Settings, progress: Progress | None = None) -> Path | Dataset:
    """A demo, ready for use: a model's folder or a data set; made on the first call.

    Parameters
    ----------
    name : `NAME` or `demo:NAME`, see backend.demo.catalogue.
    progress : called with done, total and a text; it may raise to stop.

    Raises
    ------
    DataError, ModelError : there is no such demo, or it cannot be downloaded.
    StoreError : the disk is full.
    """
    demo = find(name)
    ready = find_ready(demo.name, settings)
    if ready is not None:
        return ready
    report = progress or (lambda *_: None)
    make = _make_model if demo.kind == "model" else _make_dataset
    try:
        files = {p.name: _fetched(p, settings, report) for p in demo.packages}
        return make(demo, files, settings, report)
    except DataError as error:
        if demo.kind == "model":
            raise ModelError(error.what, error.remedy) from error
        raise


def find_ready(name: str, settings: Settings) -> Path | Dataset | None:
    """The demo if it is on disk in its present version, else None; nothing is downloaded."""
    demo = find(name)
    wanted = recipe(demo)
    if demo.kind == "model":
        folder = _model_folder(demo, settings)
        return folder if _read_json(folder / "demo.json").get("recipe") == wanted else None
    memory = _read_json(_memory(demo, settings))
    folder = settings.data / str(memory.get("hash"))
    if memory.get("recipe") != wanted or not folder.is_dir():
        return None
    try:
        stored = open_dataset(folder)
    except DataError:
        return None  # damaged: it is made anew
    return Dataset.from_json(memory["dataset"] | {"folder": str(stored.folder)})


def _fetched(package: Package | DebianPackage, settings: Settings, report: Progress) -> Path:
    if isinstance(package, DebianPackage):
        return fetch_debian(package, target=settings.downloads, progress=report)
    return fetch(package, target=settings.downloads, progress=report)


def _make_model(demo: Demo, files: Files, settings: Settings, report: Progress) -> Path:
    final = _model_folder(demo, settings)
    with full_disk_is_said(settings.home):
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=final.parent) as scratch:
            made = Path(scratch) / "model"
            made.mkdir()
            _builder(demo)(files, made, report)
            facts = {
                "title": demo.title,
                "description": demo.description,
                "licence": demo.licence,
                "source": demo.source,
                "notes": list(demo.notes),
                "recipe": recipe(demo),
            }
            _write_json(made / "demo.json", facts)
            move_into_place(made, final)
    for package in demo.packages:  # its files live on in the model's folder
        if not any(package in other.packages for other in DEMO if other is not demo):
            shutil.rmtree(files[package.name], ignore_errors=True)
    return final


def _make_dataset(demo: Demo, files: Files, settings: Settings, report: Progress) -> Dataset:
    report(0, 1, f"reading {demo.title}")
    material: Material = _builder(demo)(files)
    dataset = write_dataset(
        settings.data,
        material.table,
        kind=demo.kind,  # type: ignore[arg-type]
        name=demo.title,
        text_column=material.text_column,
        media=material.media,
        source=f"demo:{demo.name}, {demo.source}",
        licence=demo.licence,
        notes=(*demo.notes, *material.notes),
    )
    memory = {"recipe": recipe(demo), "hash": dataset.hash, "dataset": dataset.to_json()}
    settings.downloads.mkdir(parents=True, exist_ok=True)
    _write_json(_memory(demo, settings), memory)
    report(1, 1, f"{demo.title} is ready")
    return dataset


def _builder(demo: Demo) -> Callable:
    module, function = demo.builder.split(".")
    return getattr(import_module(f"backend.demo.{module}"), function)


def recipe(demo: Demo) -> str:
    """Changes whenever what would be built may change."""
    return digest({"version": demo.version, "packages": [asdict(p) for p in demo.packages]})


def _model_folder(demo: Demo, settings: Settings) -> Path:
    return settings.models / "demo" / demo.name


def _memory(demo: Demo, settings: Settings) -> Path:
    return settings.downloads / f"demo-{demo.name}.json"


def _read_json(path: Path) -> dict:
    """The mapping in a file of ours; empty if the file is not there or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write_json(path: Path, values: dict) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(temporary, path)
