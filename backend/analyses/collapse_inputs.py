"""Which rows, classes and checkpoints a look at collapse reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.checkpoints import find_checkpoints, is_checkpoint, vectors_at
from backend.analyses.inputs import sample, trunk
from backend.analyses.linear_head import class_names, linear_head
from backend.analyses.spec import Progress
from backend.analyses.targets import choose_target
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

_LEAST_OF_A_CLASS = 2
_READ = ("penultimate", "final")  # what a head reads
_TRAIN, _HELD_OUT, ALL = "train", "held out", "all"


@dataclass(frozen=True)
class Moment:
    """A net at one time: N rows at some layers, and the head where it names these classes."""

    epoch: int
    layers: dict[str, np.ndarray]  # site -> (N, d_l) float32, by depth
    weight: np.ndarray | None = None  # (K, d) of the last layer
    bias: np.ndarray | None = None  # (K,)


@dataclass(frozen=True)
class Rows:
    """Rows of a data set with their classes, and the parts that are looked at one by one."""

    ids: np.ndarray  # (N,) row ids
    labels: np.ndarray  # (N,) int64, 0..K-1; what the net was trained on, where that is known
    classes: tuple[str, ...]
    parts: dict[str, np.ndarray]  # name -> positions
    notes: tuple[str, ...] = ()
    run: dict = field(default_factory=dict)  # of a training done here


def from_arrays(data: Dataset) -> tuple[Rows, Moment]:
    """`features` (N, d) and `labels` (N,) of an npz file, with `weight` and `bias` if given.

    Raises
    ------
    AnalysisError : an array is missing, or does not fit the others.
    """
    from backend.data.arrays import arrays_of

    arrays = arrays_of(data)
    for name in ("features", "labels"):
        if name not in arrays:
            raise AnalysisError(
                f"{data.name!r} has no array {name!r}; it has {', '.join(arrays)}.",
                "Save features (N, d) and labels (N,), and weight (K, d), bias (K,) of the head.",
            )
    X, labels = arrays["features"], np.asarray(arrays["labels"])
    if X.ndim < 2 or len(X) != labels.size:
        raise AnalysisError(f"features {X.shape} do not go with labels {labels.shape}.",
                            "Give one line of features and one label for each row.")  # fmt: skip
    names, codes = np.unique(labels.ravel(), return_inverse=True)
    weight, bias = arrays.get("weight"), arrays.get("bias")
    if weight is not None and len(weight) != len(names):
        raise AnalysisError(f"weight has {len(weight)} rows for {len(names)} classes.",
                            "Give a row for each class, in the order of the labels.")  # fmt: skip
    if weight is not None and bias is None:
        bias = np.zeros(len(weight))
    rows = Rows(np.arange(len(X)), codes.astype(np.int64), tuple(map(str, names.tolist())),
                {ALL: np.arange(len(X))})  # fmt: skip
    return rows, Moment(0, {"features": X.reshape(len(X), -1)}, weight, bias)


def restricted(rows: Rows, found: Iterable[Moment], only: str) -> tuple[Rows, Iterator[Moment]]:
    """Some of the classes, as if the others were not there; the head decides between these.

    Raises
    ------
    AnalysisError : a class is not known, or there are fewer than two.
    """
    names = {name.strip() for name in only.split(",") if name.strip()}
    unknown = sorted(names.difference(rows.classes))
    if unknown or len(names) == 1:
        told = f"names {', '.join(unknown)}" if unknown else "is one class"
        raise AnalysisError(f"only={only!r} {told}.",
                            f"Name two or more of {', '.join(rows.classes[:50])}.")  # fmt: skip
    if not names or len(names) == len(rows.classes):
        return rows, iter(found)
    kept = np.flatnonzero([name in names for name in rows.classes])
    place = np.full(len(rows.classes), -1)
    place[kept] = np.arange(len(kept))
    labels = place[rows.labels]
    classes = tuple(rows.classes[k] for k in kept)
    note = f"Only {len(kept)} of {len(rows.classes)} classes: {', '.join(classes)}."
    some = replace(
        rows, labels=labels, classes=classes, notes=(*rows.notes, note),
        parts={name: at[labels[at] >= 0] for name, at in rows.parts.items()},
    )  # fmt: skip
    return some, (
        m if m.weight is None or m.bias is None
        else replace(m, weight=m.weight[kept], bias=m.bias[kept])
        for m in found
    )  # fmt: skip


def rows_of(
    view: CaptureView, model: "LoadedModel | None", *, label: str, at_most: int, seed: int
) -> Rows:
    """Classes of a captured data set's rows; of a training done here, also who was trained on.

    Raises
    ------
    AnalysisError : no column of classes, or a class with fewer than two rows.
    """
    run = _run_of(model)
    known = run.get("recipe_label", "") if run and run["data"] == view.dataset.hash else ""
    one = sample(view, rows=at_most, seed=seed)
    if one.groups is not None:
        raise AnalysisError(
            f"{view.pooling} pooling gives several vectors a row, and a row has one class.",
            "Choose a pooling with one vector a row, such as mean or last.",
        )
    table = one.table()
    target = choose_target(table, label or known, text_column=view.dataset.text_column)
    if target is None or not target.classes:
        raise AnalysisError(
            f"{view.dataset.name!r} has no column of classes.",
            "Name one with label=COLUMN; collapse is of classes.",
        )
    keep = np.flatnonzero(target.known)
    ids, labels, classes = one.rows[keep], target.values[keep].astype(np.int64), target.classes
    notes = [] if len(keep) == len(target.known) else ["Rows without a class are left out."]
    if known:
        labels, classes = _as_trained(run, ids, labels, classes)
    parts, more = _parts(ids, labels, run if known else {}, target.name)
    return Rows(ids, labels, classes, parts, (*notes, *more), run if known else {})


def _run_of(model: "LoadedModel | None") -> dict:
    """What is known of a training done here: the record beside its checkpoints, or nothing."""
    from backend.training.run import read_run

    if model is None:
        return {}
    run = read_run(Path(model.source.folder).parent)
    return {} if run is None else run.facts | {"recipe_label": run.recipe.label}


def _as_trained(
    run: dict, ids: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Classes in the net's order, and the wrong ones that it was given for some rows."""
    place = {name: i for i, name in enumerate(run["classes"])}
    out = np.array([place[name] for name in classes], np.int64)[labels]
    given = dict(zip(run["noisy"]["row"], run["noisy"]["label"], strict=True))
    for at, row in enumerate(ids.tolist()):
        if row in given:
            out[at] = place[str(given[row])]
    return out, tuple(run["classes"])


def _parts(ids: np.ndarray, labels: np.ndarray, run: dict, column: str) -> tuple[dict, list[str]]:
    """Positions of the rows that were trained on and of the others, or of all of them."""
    wanted = {ALL: ids} if not run else {_TRAIN: run["train"], _HELD_OUT: run["test"]}
    parts, notes = {}, []
    n_classes = len(run["classes"]) if run else int(labels.max()) + 1
    for name, some in wanted.items():
        at = np.flatnonzero(np.isin(ids, some))
        counts = np.bincount(labels[at], minlength=n_classes)
        if counts.min() < _LEAST_OF_A_CLASS:
            notes.append(f"{name}: a class has fewer than {_LEAST_OF_A_CLASS} rows; left out.")
        else:
            parts[name] = at
    if not parts:
        raise AnalysisError(
            f"A class of {column!r} has {counts.min()} rows here, and spread needs two.",
            "Take more rows, or another column of classes.",
        )
    return parts, notes


def moments(
    view: CaptureView, model: "LoadedModel", rows: Rows, *, course: bool, progress: Progress
) -> Iterator[Moment]:
    """The model's checkpoints up to its own in turn, or the captured model alone."""
    found = find_checkpoints(model) if course and is_checkpoint(model) else []
    for number, (epoch, folder) in enumerate(found[:-1]):
        progress(number, len(found), f"reading checkpoint {number + 1} of {len(found)}")
        yield _opened(epoch, folder, view, model, rows)
    place = {row: i for i, row in enumerate(view.rows().tolist())}
    at = np.array([place[row] for row in rows.ids.tolist()])
    layers = {site: view.vectors(site)[at] for site in _layers(view.sites)}
    yield _moment(found[-1][0] if found else 0, layers, model, rows)


def _layers(sites: tuple[str, ...]) -> tuple[str, ...]:
    """The sites of the main path between input and head, by depth."""
    return trunk(tuple(s for s in sites if s not in ("head", "embed")))


def _opened(epoch: int, folder: Path, view: CaptureView, like: "LoadedModel", rows: Rows) -> Moment:
    """A checkpoint as a model of its own: layer by layer, nets grow."""
    from backend.models.loading import load
    from backend.models.sources import from_folder
    from backend.settings import Settings

    settings = Settings(folder, device=like.device.name, max_tokens=like.max_tokens)
    model = load(from_folder(str(folder), folder, settings=settings), settings)
    layers = vectors_at(
        model, view, rows.ids, _layers(model.sites), progress=lambda *_: None, doing=""
    )
    return _moment(epoch, layers, model, rows)


def _moment(epoch: int, layers: dict[str, np.ndarray], model: "LoadedModel", rows: Rows) -> Moment:
    """With the head where the last layer is what it reads."""
    read = list(layers)[-1] in _READ
    return Moment(epoch, _different(layers), *(_head(model, rows) if read else (None, None)))


def _different(layers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without the last block where what the head reads is just its output."""
    names = list(layers)
    same = len(names) > 1 and np.array_equal(layers[names[-2]], layers[names[-1]])
    return {name: X for name, X in layers.items() if not (same and name == names[-2])}


def _head(model: "LoadedModel", rows: Rows) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Weight and bias where the head is one linear map to exactly these classes."""
    head = linear_head(model)
    if head is None or class_names(model, len(head[0])) != rows.classes:
        return None, None
    return head
