"""A training's checkpoints as one model in turn: their weights, and what they make of some rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.spec import Progress
from backend.capture.view import CaptureView
from backend.errors import AnalysisError
from backend.whatif import WhatIf

if TYPE_CHECKING:
    from torch import Tensor

    from backend.models.loading import LoadedModel

_NAMED = re.compile(r"(epoch|checkpoint|step)[-_]?0*(\d+)")
_CHUNK = 64


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """The checkpoints in a folder, by number: epoch-0003, checkpoint-500, step1000, ...

    Raises
    ------
    AnalysisError : there are fewer than two, or they are of several kinds or share a number.
    """
    found = _named_folders(folder)
    if len(found) < 2:
        count = "one checkpoint" if found else "no checkpoints"
        raise AnalysisError(
            f"{folder} holds {count} with safetensors.",
            "Put two or more of one training into it, named like epoch-0001 or checkpoint-500.",
        )
    for (number, one, kind), (next_number, other, next_kind) in zip(found, found[1:], strict=False):
        if kind != next_kind or number == next_number:
            raise AnalysisError(
                f"{one.name} and {other.name} in {folder} are not of one row of checkpoints.",
                "Keep one training in a folder, each of its checkpoints with a number of its own.",
            )
    return [(number, part) for number, part, _ in found]


def counted_in(folder: Path) -> str:
    """What a checkpoint's number counts, by its folder's name: epoch, step or checkpoint."""
    match = _NAMED.fullmatch(folder.name)
    return match[1] if match else "checkpoint"


def find_checkpoints(model: "LoadedModel") -> list[tuple[int, Path]]:
    """The checkpoints beside the model up to its own, by number.

    Later ones are left out, so that what is read of a checkpoint does not change as training goes
    on.

    Raises
    ------
    AnalysisError : the model is no checkpoint, or there is none before it.
    """
    own = Path(model.source.folder)
    if not _NAMED.fullmatch(own.name):
        if near := _named_folders(own) or _named_folders(own.parent):
            raise AnalysisError(
                f"{model.source.ref} is not named like a checkpoint.",
                f"Name the last one, {near[-1][1]}.",
            )
        raise AnalysisError(
            f"{model.source.ref} has no checkpoints beside it.",
            "Train a net here, or put folders such as epoch-0001 of one architecture together.",
        )
    found = list_checkpoints(own.parent)
    numbers = {part: number for number, part in found}
    found = [(number, part) for number, part in found if number <= numbers.get(own, -1)]
    if len(found) < 2:
        raise AnalysisError(
            f"{model.source.ref} has no checkpoint before it in its folder.", "Name the last one."
        )
    return found


def is_checkpoint(model: "LoadedModel") -> bool:
    """Whether the model is named like a checkpoint, and one before it lies beside it."""
    own = Path(model.source.folder)
    match = _NAMED.fullmatch(own.name)
    return match is not None and any(
        number < int(match[2]) for number, _, _ in _named_folders(own.parent)
    )


def _named_folders(folder: Path) -> list[tuple[int, Path, str]]:
    """Number, path and kind (epoch, checkpoint, step) of what is named so, by number."""
    found = []
    for part in folder.iterdir() if folder.is_dir() else ():
        if (match := _NAMED.fullmatch(part.name)) and any(part.glob("*.safetensors")):
            found.append((int(match[2]), part, match[1]))
    return sorted(found)


@contextmanager
def weights_of(model: "LoadedModel", folder: Path) -> Iterator[None]:
    """The model with the weights in a folder; its own come back at the end.

    Raises
    ------
    AnalysisError : they are of another architecture, or cannot be read.
    """
    _check_alike(Path(model.source.folder), folder)
    own = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    try:
        model.model.load_state_dict(_weights(model, folder), strict=False)
        yield
    finally:
        model.model.load_state_dict(own)


def _check_alike(own: Path, folder: Path) -> None:
    """AnalysisError where the two folders' tensors differ in names or shapes."""
    mine, others = _shapes(own), _shapes(folder)
    for name in sorted({*mine, *others}):
        if mine.get(name) != others.get(name):
            raise AnalysisError(
                f"{folder.name} holds weights of another architecture ({name}).",
                "Keep checkpoints of one architecture beside each other.",
            )


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a folder; only the files' headers are read."""
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for part in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(part, "pt") as file:
                names = [n for n in file.keys() if "num_batches_tracked" not in n]  # noqa: SIM118
                shapes |= {n: tuple(file.get_slice(n).get_shape()) for n in names}
        except SafetensorError as error:
            raise AnalysisError(
                f"{folder.name}/{part.name} cannot be read: {error}.", "Save that checkpoint again."
            ) from error
    return shapes


def _weights(model: "LoadedModel", folder: Path) -> dict[str, "Tensor"]:
    """A checkpoint's weights under the model's own names, as its library reads such a folder.

    Files may name tensors as an older version of the library did, and leave out tied ones.
    """
    opened = model.model
    if hasattr(opened, "from_pretrained"):
        kind, dtype = type(opened), next(opened.parameters()).dtype
        return kind.from_pretrained(
            folder, config=opened.config, dtype=dtype, use_safetensors=True, local_files_only=True
        ).state_dict()
    from safetensors.torch import load_file

    given: dict = {}
    for part in sorted(folder.glob("*.safetensors")):
        given |= load_file(part)
    return given


def vectors_at(
    model: "LoadedModel", view: CaptureView, rows: np.ndarray, sites: tuple[str, ...],
    *, progress: Progress, doing: str,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Pooled vectors of data rows at some sites, site -> (n, width) float32.

    Raises
    ------
    AnalysisError : the what-if rounds weights, which are a checkpoint's own here.
    """
    from backend.capture.shard import Collector, read_items, run_rows

    if WhatIf.parse(view.whatif).bits:
        raise AnalysisError(
            f"{view.whatif} rounds weights, and every checkpoint brings its own.",
            "Leave the bits out of the what-if.",
        )
    collector = Collector(sites, len(rows), view.pooling)
    for start in range(0, len(rows), _CHUNK):
        progress(start, len(rows), doing)
        items = read_items(view.dataset, rows[start : start + _CHUNK], model)
        prepared = model.inputs.prepare(items, max_tokens=model.max_tokens)
        run_rows(model, prepared, sites, view.pooling, into=collector, first=start)
    return {site: collector.result(site, rows)[1] for site in sites}
