"""Features of the last layer, as given or learned, and what they count for."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.complexity_inputs import Split, Subject
from backend.analyses.threads import one_thread
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.complexity.dictionary import Dictionary

_CLASSES = 5  # that a feature moves most
LEARNED = ("nmf", "nmf-per-class", "kmeans", "sparse")  # from a random start


@dataclass(frozen=True)
class Found:
    """Features Z (N, k); where they come from a dictionary, what a unit of each adds (k, d)."""

    kind: str
    Z: np.ndarray
    origin: tuple[str, ...]
    dictionary: "Dictionary | None" = None
    r2: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def D(self) -> np.ndarray | None:
        return None if self.dictionary is None else self.dictionary.decoder


@dataclass(frozen=True)
class Weighed:
    """What features count for: mean of z_i (d_i . w_c), absolute and signed, (k,) each."""

    absolute: np.ndarray
    signed: np.ndarray
    relative_accuracy: float  # of the features' reconstruction: predictions that stay
    ablation: pa.Table
    top_classes: np.ndarray  # (k, count) that it moves most
    top_values: np.ndarray  # (k, count) by how much, on average


def find(subject: Subject, split: Split, *, kind: str, atoms: int, seed: int) -> Found:
    """Features as given, or learned on the fit rows of the last layer and coded on all rows."""
    if subject.last is None:
        assert subject.targets is not None
        return Found("as given", subject.targets, ("",) * subject.targets.shape[1])
    from backend.complexity import dictionary as made

    X = subject.last
    if kind == "auto":
        kind = "kmeans" if X.min() < 0 else "nmf"
    with one_thread():
        learned = learn(subject, split, kind=kind, atoms=atoms, seed=seed)
        learned, Z = made.without_dead(learned, made.encode(learned, X))
    notes = (f"Features: {learned.said}.",)
    if learned.dead:
        notes = (*notes, f"{learned.dead} directions code no row and were dropped.")
    return Found(kind, Z, learned.origin, learned,
                 made.reconstruction_r2(X, learned.decode(Z)), notes)  # fmt: skip


def learn(
    subject: Subject, split: Split, *, kind: str, atoms: int, seed: int, init: str | None = None
) -> "Dictionary":
    """Directions of one kind from the fit rows of the last layer.

    `init` "random" is for NMF and the sparse dictionary, which start from singular vectors.

    Raises
    ------
    AnalysisError : the kind needs classes that the model does not name, or see `learn_nmf`.
    """
    from backend.complexity import dictionary as made

    assert subject.last is not None
    fit = subject.last[split.fit]
    names = None
    if kind == "nmf-per-class":
        if subject.labels is None:
            raise AnalysisError("The model names no classes.", "Choose dictionary=nmf or kmeans.")
        names = [_name(subject, c) for c in subject.labels[split.fit]]
    ways = {
        "nmf": partial(made.learn_nmf, fit, atoms, seed=seed, init=init),
        "nmf-per-class": partial(made.learn_nmf_classes, fit, names or [], atoms, seed=seed,
                                 init=init),
        "kmeans": partial(made.learn_kmeans, fit, atoms, seed=seed),
        "sparse": partial(made.learn_sparse, fit, atoms, seed=seed, init=init),
        "pca": partial(made.learn_pca, fit, min(atoms, *fit.shape), seed=seed),
        "neurons": partial(made.neurons, fit.shape[1]),
        "random": partial(made.random_directions, fit.shape[1], atoms, seed=seed),
    }  # fmt: skip
    return ways[kind]()


def _name(subject: Subject, label: int) -> str:
    return subject.classes[label] if subject.classes else str(label)


def weigh(
    subject: Subject, found: Found, complexity: np.ndarray, *, rule: str, seed: int
) -> Weighed | None:
    """Importance of each feature for a class's logit; None without a linear head or directions.

    `predicted`: of the class that the row is given; `origin`: of the class that the feature was
    learned on (`predicted` where it was learned on none); `max`: of the class it moves most.
    """
    from backend.complexity import importance as heads

    W, made, labels = subject.weight, found.dictionary, subject.labels
    if W is None or made is None or labels is None:
        return None
    assert subject.bias is not None and subject.last is not None
    head = heads.Head.of(made.decoder, W, subject.bias, made.centre)
    classes: np.ndarray | None = labels
    if rule == "origin" and all(found.origin):
        at = {name: i for i, name in enumerate(subject.classes)}
        classes = np.array([at[name] for name in found.origin])
    elif rule == "origin":
        rule = "predicted"
    weighed = heads.importance(head, found.Z, rule=rule, classes=classes)  # type: ignore[arg-type]
    same = heads.relative_accuracy(subject.last, made.decode(found.Z), W, subject.bias)
    rows = [
        {"order": name, "kept": share, "accuracy": float(value)}
        for name, order in heads.orders(complexity, weighed.absolute,
                                        seeds=range(seed, seed + 5)).items()
        for share, value in zip(
            heads.SHARES, heads.ablation(head, found.Z, labels, order, whole=1.0), strict=True
        )
    ]  # fmt: skip
    top = heads.top_classes(head, found.Z, count=_CLASSES)
    return Weighed(weighed.absolute, weighed.signed, same, pa.Table.from_pylist(rows), *top)
