"""What two models' features are compared on: the same rows of both, names, one way to find them."""

import re
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.complexity_inputs import GROUPS_LEAST, Subject, from_view
from backend.analyses.inputs import paired
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

Models = tuple["LoadedModel | None", "LoadedModel | None"]
_HASH = re.compile(r"[0-9a-f]{16,}")


def subjects(
    views: tuple[CaptureView, ...], models: Models, *, at_most: int, seed: int
) -> tuple[Subject, Subject]:
    """Both models' layers on the same rows, in the same order.

    Raises
    ------
    AnalysisError : there is one model, or the rows of the two cannot be paired.
    """
    if len(views) != 2:
        raise AnalysisError(
            f"{views[0].model} alone leaves nothing to compare.",
            "Name a second model; under a what-if it may be the same one, taken as it is.",
        )
    paired(*views, rows=at_most, seed=seed)
    n = min(view.n for view in views)
    a, b = (
        from_view(replace(view, n=n), model, at_most=at_most, seed=seed)
        for view, model in zip(views, models, strict=True)
    )
    if np.array_equal(a.rows, b.rows):
        return a, b
    _, at_a, at_b = np.intersect1d(a.rows, b.rows, return_indices=True)
    order = np.argsort(at_a)
    return _take(a, at_a[order]), _take(b, at_b[order])


def _take(subject: Subject, at: np.ndarray) -> Subject:
    """The subject with some of its rows; branches, which nothing here reads, are left behind."""
    layers = tuple(X[at] for X in subject.layers)
    groups, labels = (None if v is None else v[at] for v in (subject.groups, subject.labels))
    return replace(
        subject, layers=layers, rows=subject.rows[at], last=layers[-1], labels=labels,
        groups=None if groups is None else np.unique(groups, return_inverse=True)[1], branches={},
    )  # fmt: skip


def groups_of(subject: Subject) -> np.ndarray | None:
    """Files (N,) whose rows are resampled and shuffled together; None where they are too few."""
    groups = subject.groups
    return None if groups is None or groups.max() + 1 < GROUPS_LEAST else groups


def kind_of(asked: str, a: Subject, b: Subject) -> str:
    """The dictionary for both: what was asked, or NMF where both last layers are at least 0."""
    if asked != "auto":
        return asked
    lasts = [subject.last for subject in (a, b) if subject.last is not None]
    return "kmeans" if any(X.min() < 0 for X in lasts) else "nmf"


def same_space(a: Subject, b: Subject) -> bool:
    """Whether the models have the same layers of the same widths, so that directions compare."""
    widths = [[X.shape[1] for X in subject.layers] for subject in (a, b)]
    return a.names == b.names and widths[0] == widths[1]


def names_of(views: tuple[CaptureView, ...]) -> tuple[str, str]:
    """What to call the two: the last two parts of the reference, and what tells them apart."""
    refs = [_short(view.model) for view in views]
    if refs[0] == refs[1]:
        refs = [view.model for view in views]
    changes = [view.whatif for view in views]
    if refs[0] != refs[1]:
        changes = [f", {change}" if change else "" for change in changes]
    elif changes[0] != changes[1]:
        changes = [f", {change or 'as it is'}" for change in changes]
    else:
        changes = [", first", ", second"]
    return refs[0] + changes[0], refs[1] + changes[1]


def _short(ref: str) -> str:
    parts = PurePath(ref).parts[-2:]
    return "/".join(part[:7] if _HASH.fullmatch(part) else part for part in parts)
