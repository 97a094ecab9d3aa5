"""A training run on disk: a folder with run.json and one model folder per checkpoint."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from backend.errors import UserError
from backend.keys import digest
from backend.training.recipe import Recipe

_RECORD = "run.json"
_VERSION = 1  # raise it when equal recipes would give other weights


@dataclass(frozen=True)
class Checkpoint:
    """A net as it was after an epoch; `folder` opens as a model."""

    epoch: int
    folder: Path


@dataclass(frozen=True)
class Run:
    """A training run, finished or not; `facts` is what run.json holds.

    recipe (text), data (hash), data_name, classes, size and channels of pictures or the width of
    vectors, parameters (of the net as it is), train and test (row ids),
    noisy (row and label of those trained under a wrong class), history (one entry per epoch:
    epoch, train_loss, train_accuracy, test_loss, test_accuracy, and the measures of collapse of
    the training rows that backend.training.collapsing names), seconds, device, finished.
    """

    folder: Path
    facts: dict

    @property
    def recipe(self) -> Recipe:
        return Recipe.parse(self.facts["recipe"])

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that are on disk, by epoch."""
        found = ((e, checkpoint_folder(self.folder, e)) for e in self.recipe.saved_epochs)
        return tuple(Checkpoint(e, f) for e, f in found if (f / "model.safetensors").is_file())

    @property
    def finished(self) -> bool:
        """Whether it came to its end and every checkpoint is still there."""
        whole = len(self.checkpoints) == len(self.recipe.saved_epochs)
        return bool(self.facts["finished"]) and whole

    def to_json(self) -> dict:
        """What run.json holds, with `key`, `finished`, `epochs` (in all) and `checkpoints`."""
        kept = [{"epoch": c.epoch, "folder": str(c.folder)} for c in self.checkpoints]
        extra = {"key": self.folder.name, "finished": self.finished, "checkpoints": kept,
                 "epochs": self.recipe.total_epochs}  # fmt: skip
        return self.facts | extra


def run_folder(root: Path, recipe: Recipe, data_hash: str) -> Path:
    """Where a recipe's run on data of this hash lies; how the data are called is no part of it."""
    told = str(recipe).partition("&")[2]
    name = digest({"version": _VERSION, "recipe": told, "data": data_hash})
    return root / name


def checkpoint_folder(folder: Path, epoch: int) -> Path:
    """The model folder of one epoch in a run's folder."""
    return folder / f"epoch-{epoch:04d}"


def read_run(folder: Path) -> Run | None:
    """The run in a folder; None if there is none, or its record is damaged."""
    try:
        facts = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        run = Run(folder, facts)
        run.to_json()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, UserError):
        return None
    return run


def list_runs(root: Path) -> list[Run]:
    """The runs below a folder, the newest first."""
    folders = sorted(root.glob(f"*/{_RECORD}"), key=lambda f: (-f.stat().st_mtime_ns, f))
    return [run for f in folders if (run := read_run(f.parent))]


def write_run(folder: Path, facts: dict) -> Run:
    """Put a run's record in its place, whole or not at all."""
    temporary = folder / f".{_RECORD}.{os.getpid()}"
    temporary.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, folder / _RECORD)
    return Run(folder, facts)
