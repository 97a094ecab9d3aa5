"""What the complexity analysis reads: layers in order of depth, and what the features come from."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.inputs import sample, trunk
from backend.analyses.linear_head import class_names, linear_head
from backend.capture.view import CaptureView
from backend.complexity.readability import Split
from backend.data.dataset import Dataset
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

_HELD, _VALID = 0.25, 0.15  # shares of the rows, or of the files
GROUPS_LEAST = 12  # fewer files cannot be split
FILES_FEW = 200  # below, what looks like a feature may be one picture


@dataclass(frozen=True)
class Subject:
    """N rows at several layers, the last of which features are found in.

    From a file of arrays there is no last layer: its targets are the features.
    """

    names: tuple[str, ...]
    layers: tuple[np.ndarray, ...]  # (N, d_l) float32 each
    rows: np.ndarray  # int64 (N,) data rows
    last: np.ndarray | None = None  # (N, d) what the head reads
    targets: np.ndarray | None = None  # (N, k) features as given
    branches: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)  # skip, main, out
    weight: np.ndarray | None = None  # (C, d) of the head
    bias: np.ndarray | None = None  # (C,)
    classes: tuple[str, ...] = ()
    labels: np.ndarray | None = None  # int (N,) the class that the head predicts
    groups: np.ndarray | None = None  # int (N,) rows of one file, which go together
    notes: tuple[str, ...] = ()


def from_arrays(data: Dataset, *, at_most: int, seed: int) -> Subject:
    """Layers `layer_0` ... and `targets` of an npz file, exactly as they are.

    Raises
    ------
    AnalysisError : an array is missing, or the arrays differ in their number of rows.
    """
    from backend.data.arrays import arrays_of

    arrays = arrays_of(data)
    names = sorted((n for n in arrays if n.startswith("layer_") and n[6:].isdigit()),
                   key=lambda n: int(n[6:]))  # fmt: skip
    if not names or "targets" not in arrays:
        lost = "targets" if names else "layer_0"
        raise AnalysisError(
            f"{data.name!r} has no array {lost!r}; it has {', '.join(arrays)}.",
            "Save layer_0, layer_1, ... (N, d) and targets (N, k).",
        )
    layers = [_matrix(arrays[n], n) for n in names]
    Z = _matrix(arrays["targets"], "targets")
    counts = {n: len(a) for n, a in zip((*names, "targets"), (*layers, Z), strict=True)}
    if len(set(counts.values())) > 1:
        raise AnalysisError(f"The arrays have different numbers of rows: {counts}.",
                            "Give every array one line for each row.")  # fmt: skip
    rows = np.arange(len(Z))
    if len(rows) > at_most:
        rows = np.sort(np.random.default_rng(seed).permutation(len(rows))[:at_most])
    return Subject(tuple(names), tuple(a[rows] for a in layers), rows, targets=Z[rows])


def _matrix(values: np.ndarray, name: str) -> np.ndarray:
    out = values.reshape(len(values), -1) if values.ndim != 1 else values[:, None]
    out = np.asarray(out, dtype=np.float32)
    if not np.isfinite(out).all():
        raise AnalysisError(f"{name} has values that are not finite.", "Leave those rows out.")
    return out


def from_view(
    view: CaptureView, model: "LoadedModel | None", *, at_most: int, seed: int
) -> Subject:
    """Blocks' outputs and the last layer of a capture, with the head's weights if it is linear."""
    one = sample(view, rows=at_most, seed=seed)
    last = next((s for s in one.sites[::-1] if s in ("penultimate", "final")), one.sites[-1])
    path = [s for s in trunk(one.sites) if s not in ("embed", last)]
    names = (*path, last)
    layers = tuple(one.vectors(s) for s in names)
    branches = {
        kind: {int(s.rpartition(".")[2]): one.vectors(s) for s in one.sites if s.startswith(stem)}
        for kind, stem in (("skip", "skip."), ("main", "main."), ("out", "block."))
    }
    if not branches["skip"] or not branches["main"]:
        branches = {}
    subject = Subject(names, layers, one.rows, last=layers[-1], branches=branches)
    if (files := files_of(one.table())) is not None:
        note = f"Rows come from {files.max() + 1} files"
        note += ", which are held out whole." if files.max() + 1 >= GROUPS_LEAST else "."
        if files.max() + 1 < FILES_FEW:
            note += " So few may each make features of their own: read correlations with care."
        subject = replace(subject, groups=files, notes=(note,))
    return with_head(subject, model) if model is not None else subject


def files_of(table: pa.Table) -> np.ndarray | None:
    """Number of each row's file, int (N,), where a column `file` puts some rows together."""
    if "file" not in table.column_names:
        return None
    _, files = np.unique(np.array(table["file"].to_pylist(), str), return_inverse=True)
    return files if files.max() + 1 < len(files) else None


def with_head(subject: Subject, model: "LoadedModel") -> Subject:
    """The head's weights where it is one linear map of the last layer."""
    head = linear_head(model)
    assert subject.last is not None
    if head is None or head[0].shape[1] != subject.last.shape[1]:
        note = "The head is not one linear map of the last layer, so importance is not measured."
        return replace(subject, notes=(*subject.notes, note))
    W, b = head
    labels = _predicted(subject.last, W, b)
    return replace(subject, weight=W, bias=b, labels=labels, classes=class_names(model, len(W)))


def _predicted(X: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The class with the largest logit of each row, in pieces."""
    out = np.empty(len(X), np.int64)
    for start in range(0, len(X), 256):
        at = slice(start, start + 256)
        out[at] = (X[at] @ W.T + b).argmax(axis=1)
    return out


def split_rows(n: int, *, seed: int, groups: np.ndarray | None = None) -> Split:
    """60 % of the rows to fit on, 15 % to choose on, 25 % to report on.

    `groups` (n,) keeps rows of one file on one side, where there are `GROUPS_LEAST` files.
    """
    if n < 40:
        raise AnalysisError(f"{n} rows are too few to fit and to check probes.", "Give 40 or more.")
    own = np.arange(n) if groups is None or groups.max() + 1 < GROUPS_LEAST else groups
    count = int(own.max()) + 1
    order = np.random.default_rng(seed).permutation(count)
    held, valid = round(_HELD * count), round(_VALID * count)
    side = np.zeros(count, np.int64)
    side[order[:held]], side[order[held : held + valid]] = 2, 1
    return Split(*(np.flatnonzero(side[own] == part) for part in range(3)))
