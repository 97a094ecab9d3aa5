"""Trainings outside the workbench that were watched: a folder each, one small record per epoch.

`backend.watch` writes them; reading takes no torch.
"""

import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np

from backend.collapse.moments import Head, Moments
from backend.data.dataset import full_disk_is_said
from backend.errors import DataError, UserError

LAST = "penultimate"  # the layer that the head reads
_ABOUT = "run.json"
_RECORD = re.compile(r"epoch-(\d{4,})\.npz")
_LONGEST = 200  # bytes of a folder's name, which are six for some letters
_MOST = 10_000  # runs of one name


@dataclass(frozen=True)
class WatchedRun:
    """A watched training; `facts` is what run.json holds.

    name, created (ISO time, UTC), layers (in order; the last one is `penultimate`, what the head
    reads), classes (names), at_most (rows of a class that were looked at; 0 = all).
    """

    folder: Path
    facts: dict

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs that have a record."""
        found = (_RECORD.fullmatch(path.name) for path in self.folder.iterdir())
        return tuple(sorted(int(match[1]) for match in found if match))

    def moments(self, epoch: int) -> dict[str, Moments]:
        """Layer -> its statistics after an epoch, in order of the layers; the last has the head.

        Raises
        ------
        DataError : there is no record of that epoch, or it is damaged.
        """
        path = record_path(self.folder, epoch)
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            return {layer: _moments(layer, arrays) for layer in self.facts["layers"]}
        except FileNotFoundError:
            told = ", ".join(map(str, self.epochs)) or "none"
            raise DataError(
                f"{self.facts['name']!r} has no record of epoch {epoch}.", f"It has: {told}."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is damaged: {error}.", "Remove that file.") from error

    def to_json(self) -> dict:
        """What run.json holds, with `key`, `folder` and `epochs`."""
        extra = {"key": self.folder.name, "folder": str(self.folder), "epochs": list(self.epochs)}
        return self.facts | extra


def watched_folder(home: Path) -> Path:
    """Where watched trainings lie below the data folder."""
    return home / "watched"


def list_watched(root: Path) -> list[WatchedRun]:
    """The watched trainings in a folder, the newest first; what is damaged is passed over."""
    found = [run for path in root.glob(f"*/{_ABOUT}") if (run := read_watched(path.parent))]
    return sorted(found, key=lambda r: (r.facts["created"], r.facts["name"]), reverse=True)


def read_watched(folder: Path) -> WatchedRun | None:
    """The watched training in a folder; None if there is none, or its record is damaged."""
    try:
        facts = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        whole = {"name", "created", "layers", "classes", "at_most"} <= facts.keys()
    except (OSError, ValueError, AttributeError):
        return None
    return WatchedRun(folder, facts) if whole else None


def begin_watched(
    root: Path, name: str, *, layers: Sequence[str], classes: Sequence[str], at_most: int,
    resume: bool,
) -> WatchedRun:  # fmt: skip
    """A folder for a new training; a taken name is counted up, `NAME 2`, unless it is resumed.

    Raises
    ------
    UserError : the name cannot be one, or what is resumed had other layers or classes.
    StoreError : the disk is full.
    """
    if not name.strip() or name.startswith(".") or len(_folder(root, name).name) > _LONGEST:
        raise UserError(
            f"{name[:_LONGEST]!r} cannot be the name of a training.",
            "Give a short one that does not begin with a dot.",
        )
    wanted = {"layers": list(layers), "classes": list(classes), "at_most": at_most}
    before = read_watched(_folder(root, name)) if resume else None
    if before is not None:
        if {key: before.facts[key] for key in wanted} != wanted:
            raise UserError(
                f"{name!r} was watched before in another way: {before.facts}.",
                "Watch it under another name, or the same layers and rows.",
            )
        return before
    with full_disk_is_said(root):
        name, folder = _claim(root, name)
        created = datetime.now(UTC).isoformat(timespec="microseconds")
        facts = {"name": name, "created": created} | wanted
        _put(folder / _ABOUT, json.dumps(facts, ensure_ascii=False).encode())
    return WatchedRun(folder, facts)


def record_path(folder: Path, epoch: int) -> Path:
    """The file of one epoch in a run's folder."""
    return folder / f"epoch-{epoch:04d}.npz"


def write_record(folder: Path, epoch: int, layers: Mapping[str, Moments]) -> None:
    """Put an epoch's record in its place, whole or not at all; one that was there is replaced."""
    arrays: dict[str, np.ndarray] = {}
    for layer, moments in layers.items():
        arrays |= {f"{layer}/{n}": v for n, v in _values(moments).items() if n != "head"}
        if moments.head is not None:
            arrays |= {f"{layer}/head/{n}": v for n, v in _values(moments.head).items()}
    target = record_path(folder, epoch)
    temporary = folder / f".{target.stem}.{os.getpid()}.npz"
    with full_disk_is_said(folder):
        np.savez(temporary, allow_pickle=False, **arrays)
        os.replace(temporary, target)


def _values(record: Moments | Head) -> dict[str, np.ndarray]:
    found = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: np.asarray(v) for name, v in found.items() if v is not None}


def _moments(layer: str, arrays: dict[str, np.ndarray]) -> Moments:
    """The statistics of a layer; KeyError or TypeError where a part is lacking."""

    def part(prefix: str, kind: type) -> dict:
        found = {f.name: arrays.get(f"{prefix}/{f.name}") for f in fields(kind) if f.name != "head"}
        return {n: v.item() if v is not None and v.ndim == 0 else v for n, v in found.items()}

    of_head, own = part(f"{layer}/head", Head), part(layer, Moments)
    if missing := [name for name, value in own.items() if value is None]:
        raise KeyError(f"{layer}/{missing[0]}")
    if all(value is None for value in of_head.values()):
        return Moments(**own)
    if missing := [name for name, value in of_head.items() if value is None]:
        raise KeyError(f"{layer}/head/{missing[0]}")
    return Moments(**own, head=Head(**of_head))


def _folder(root: Path, name: str) -> Path:
    return root / quote(name, safe=" ,+=@()[]")


def _claim(root: Path, name: str) -> tuple[str, Path]:
    """The name, or the first free one after it, with its folder, which is made."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MOST):
        told = name if number == 1 else f"{name} {number}"
        folder = _folder(root, told)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return told, folder
    raise UserError(f"There are {_MOST:,} trainings named {name!r}.", "Give another name.")


def _put(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    os.replace(temporary, path)
