"""Features of the last layer, what they count for, and what is measured of them besides."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.complexity_inputs import Split, Subject
from backend.analyses.spec import Progress
from backend.analyses.threads import workers
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.complexity.dictionary import Dictionary
    from backend.models.loading import LoadedModel

_CLASSES = 5  # that a feature moves most
FLOW = pa.schema([("feature", pa.int32()), ("block", pa.int32()), ("branch", pa.string()),
                  ("cka", pa.float64()), ("v_information", pa.float64())])  # fmt: skip


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


@dataclass(frozen=True)
class Measures:
    """What goes with complexity; None where it is not defined."""

    places: np.ndarray  # (k, 2) on the map
    cluster: np.ndarray  # (k,)
    hoyer: np.ndarray | None
    redundancy: np.ndarray | None
    flow: pa.Table


def find(subject: Subject, split: Split, *, kind: str, atoms: int, seed: int) -> Found:
    """Features as given, or learned on the fit rows of the last layer and coded on all rows."""
    if subject.last is None:
        assert subject.targets is not None
        return Found("as given", subject.targets, ("",) * subject.targets.shape[1])
    from backend.complexity import dictionary as made

    X, fit = subject.last, subject.last[split.fit]
    signed = bool(X.min() < 0)
    if kind == "auto":
        kind = "kmeans" if signed else "nmf"
    names = None
    if kind == "nmf-per-class":
        if subject.labels is None:
            raise AnalysisError("The model names no classes.", "Choose dictionary=nmf or kmeans.")
        names = [_name(subject, c) for c in subject.labels[split.fit]]
    learn = {
        "nmf": partial(made.learn_nmf, fit, atoms, seed=seed),
        "nmf-per-class": partial(made.learn_nmf_classes, fit, names or [], atoms, seed=seed),
        "kmeans": partial(made.learn_kmeans, fit, atoms, seed=seed),
        "sparse": partial(made.learn_sparse, fit, atoms, seed=seed),
        "pca": partial(made.learn_pca, fit, min(atoms, *fit.shape), seed=seed),
        "neurons": partial(made.neurons, X.shape[1]),
        "random": partial(made.random_directions, X.shape[1], atoms, seed=seed),
    }  # fmt: skip
    learned = learn[kind]()
    learned, Z = made.without_dead(learned, made.encode(learned, X))
    notes = (f"Features: {learned.said}.",)
    if learned.dead:
        notes = (*notes, f"{learned.dead} directions code no row and were dropped.")
    return Found(kind, Z, learned.origin, learned,
                 made.reconstruction_r2(X, learned.decode(Z)), notes)  # fmt: skip


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


def measure(subject: Subject, found: Found, split: Split, *, seed: int) -> Measures:
    """Places on a map, groups, locality, redundancy, and the flow along branches."""
    from backend.complexity import clusters, measures

    D = None if found.dictionary is None else found.dictionary.D
    shape = D if D is not None else _unit_columns(found.Z).T
    redundant = None
    if subject.last is not None:
        redundant = measures.redundancy(subject.last, found.Z, seed=seed).values.mean(axis=1)
    return Measures(
        clusters.pca_map(shape), clusters.cluster(shape, seed=seed).member,
        None if D is None else measures.hoyer(D), redundant, _flow(subject, found.Z, split),
    )  # fmt: skip


def _unit_columns(Z: np.ndarray) -> np.ndarray:
    centred = Z - Z.mean(axis=0)
    return centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-12)


def _flow(subject: Subject, Z: np.ndarray, split: Split) -> pa.Table:
    """CKA and held-out V-information of every feature with each branch of each block."""
    from backend.complexity.measures import linear_cka
    from backend.complexity.readability import readability

    if not subject.branches:
        return FLOW.empty_table()
    layers, names = [], []
    for branch, blocks in subject.branches.items():
        for block, X in sorted(blocks.items()):
            layers.append((f"{branch}.{block}", X))
            names.append((branch, block))
    read = readability(layers, Z, split, draws=0, workers=workers())
    k = Z.shape[1]
    parts = [
        pa.table({
            "feature": pa.array(np.arange(k), pa.int32()),
            "block": pa.array(np.full(k, block), pa.int32()),
            "branch": pa.array([branch] * k, pa.string()),
            "cka": linear_cka(X, Z),
            "v_information": read.clipped[i],
        })
        for i, ((branch, block), (_, X)) in enumerate(zip(names, layers, strict=True))
    ]  # fmt: skip
    return pa.concat_tables(parts).combine_chunks()


def shake(
    view: CaptureView, model: "LoadedModel", subject: Subject, found: Found, *, noise: float,
    draws: int, seed: int, progress: Progress,
) -> np.ndarray | None:  # fmt: skip
    """Sensitivity of each feature to noise in the pictures; None for other inputs."""
    from backend.analyses.complexity_noise import sensitivity
    from backend.complexity.dictionary import encode

    if model.modality != "image" or found.dictionary is None:
        return None
    moved = sensitivity(
        view, model, subject.rows, subject.names[-1], partial(encode, found.dictionary),
        noise=noise, draws=draws, seed=seed, progress=progress,
    )  # fmt: skip
    return moved / np.maximum(found.Z.var(axis=0), 1e-300)
