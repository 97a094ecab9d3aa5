"""Features of the last layer, what they count for, and what is measured of them besides."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.complexity_inputs import Split, Subject
from backend.analyses.spec import Progress
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.complexity.dictionary import Dictionary
    from backend.models.loading import LoadedModel

KEPT = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0)  # shares of features in the ablation
_RANDOM_ORDERS = 5
_MASKS = (0.1, 0.5, 0.9)  # shares of neurons that redundancy keeps
_MASK_DRAWS = 8
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


def weigh(subject: Subject, found: Found, *, rule: str, seed: int) -> Weighed | None:
    """Importance of each feature for a class's logit; None without a linear head or directions.

    `predicted`: of the class that the row is given; `origin`: of the class that the feature was
    learned on, else the predicted one; `max`: of the class that the feature moves most.

    Source: Fel et al. 2024 (gradient times input; for a linear head d_i . w_c exactly).
    """
    W, D = subject.weight, found.D
    if W is None or D is None or subject.labels is None:
        return None
    effect = D @ W.T  # (k, C): what a unit of a feature adds to each class's logit
    mine = effect[:, subject.labels].T  # (N, k) of the row's predicted class
    if rule == "max":
        mine = np.broadcast_to(effect[np.arange(len(D)), np.abs(effect).argmax(axis=1)], mine.shape)
    elif rule == "origin" and any(found.origin):
        at = {name: i for i, name in enumerate(subject.classes)}
        own = np.array([at.get(name, -1) for name in found.origin])
        known = effect[np.arange(len(D)), np.maximum(own, 0)]
        mine = np.where(own[None] >= 0, known[None], mine)
    signed = (found.Z * mine).mean(axis=0)
    absolute = np.abs(found.Z * mine).mean(axis=0)
    same = _agreement(subject, found, np.ones(len(D), bool))
    return Weighed(absolute, signed, same, _ablation(subject, found, absolute, same, seed))


def _agreement(subject: Subject, found: Found, keep: np.ndarray) -> float:
    """Share of rows whose predicted class stays when only some features are kept."""
    assert found.dictionary is not None and subject.weight is not None
    X = (found.Z * keep) @ found.dictionary.decoder + found.dictionary.centre
    stays = 0
    for start in range(0, len(X), 512):
        at = slice(start, start + 512)
        guess = (X[at] @ subject.weight.T + subject.bias).argmax(axis=1)
        stays += int((guess == subject.labels[at]).sum())  # type: ignore[index]
    return stays / len(X)


def _ablation(
    subject: Subject, found: Found, importance: np.ndarray, whole: float, seed: int
) -> pa.Table:
    """Predictions that stay when the most important, or random, features alone are kept."""
    k = len(importance)
    orders = {"importance": np.argsort(-importance)}
    rng = np.random.default_rng(seed)
    orders |= {f"random-{i}": rng.permutation(k) for i in range(_RANDOM_ORDERS)}
    rows = []
    for name, order in orders.items():
        for share in KEPT:
            keep = np.zeros(k, bool)
            keep[order[: max(1, round(share * k))]] = True
            value = whole if share == 1 else _agreement(subject, found, keep)
            rows.append({"order": name, "kept": share, "accuracy": value})
    return pa.Table.from_pylist(rows)


def measure(subject: Subject, found: Found, split: Split, *, seed: int) -> Measures:
    """Places on a map, groups, locality, redundancy, and the flow along branches."""
    D = None if found.dictionary is None else found.dictionary.D
    shape = D if D is not None else _unit_columns(found.Z).T
    centred = shape - shape.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(shape), 2))
    places[:, : min(2, len(axes))] = centred @ axes[:2].T
    return Measures(
        places, _groups(shape, seed), None if D is None else _hoyer(D),
        None if subject.last is None else _redundancy(subject.last, found.Z, seed),
        _flow(subject, found.Z, split),
    )  # fmt: skip


def _unit_columns(Z: np.ndarray) -> np.ndarray:
    centred = Z - Z.mean(axis=0)
    return centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-12)


def _groups(shape: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    count = max(1, min(150, len(shape) // 4))
    return KMeans(count, n_init=3, random_state=seed).fit_predict(shape)


def _hoyer(D: np.ndarray) -> np.ndarray:
    """1 for a single neuron, 0 for all alike (Hoyer 2004)."""
    root = np.sqrt(D.shape[1])
    ratio = np.abs(D).sum(axis=1) / np.maximum(np.linalg.norm(D, axis=1), 1e-12)
    return (root - ratio) / (root - 1)


def cka(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Linear CKA of one feature each with a layer: |X'z|^2 / (|X'X| |z|^2), (k,).

    Source: Kornblith et al. 2019; for one column.
    """
    A = np.asarray(X, np.float64) - X.mean(axis=0, dtype=np.float64)
    B = Z - Z.mean(axis=0)
    G = A.T @ A if A.shape[1] <= len(A) else A @ A.T
    size = np.linalg.norm(G) * np.square(B).sum(axis=0)
    return np.square(A.T @ B).sum(axis=0) / np.maximum(size, 1e-300)


def _redundancy(X: np.ndarray, Z: np.ndarray, seed: int) -> np.ndarray:
    """CKA with a random part of the neurons over CKA with all, mean over shares and draws, (k,)."""
    rng = np.random.default_rng(seed)
    whole, out = np.maximum(cka(X, Z), 1e-300), np.zeros(Z.shape[1])
    for share in _MASKS:
        for _ in range(_MASK_DRAWS):
            keep = rng.permutation(X.shape[1])[: max(1, round(share * X.shape[1]))]
            out += cka(X[:, keep], Z) / whole
    return out / (len(_MASKS) * _MASK_DRAWS)


def _flow(subject: Subject, Z: np.ndarray, split: Split) -> pa.Table:
    """CKA and held-out V-information of every feature with each branch of each block."""
    from backend.complexity.readability import readability

    if not subject.branches:
        return FLOW.empty_table()
    layers, names = [], []
    for branch, blocks in subject.branches.items():
        for block, X in sorted(blocks.items()):
            layers.append((f"{branch}.{block}", X))
            names.append((branch, block))
    read = readability(layers, Z, split, draws=0)
    k = Z.shape[1]
    parts = [
        pa.table({
            "feature": pa.array(np.arange(k), pa.int32()),
            "block": pa.array(np.full(k, block), pa.int32()),
            "branch": pa.array([branch] * k, pa.string()),
            "cka": cka(X, Z),
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
