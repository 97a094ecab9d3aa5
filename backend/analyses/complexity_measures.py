"""What is measured of features besides complexity: places, groups, spread, flow, sensitivity."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.complexity_features import Found
from backend.analyses.complexity_inputs import Split, Subject
from backend.analyses.result import Scalar
from backend.analyses.spec import Progress
from backend.analyses.threads import workers
from backend.capture.view import CaptureView

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

UMAP_LEAST = 8  # features
_NEIGHBOURS, _MIN_DIST, _EPOCHS = 15, 0.1, 500
FLOW = pa.schema([("feature", pa.int32()), ("block", pa.int32()), ("branch", pa.string()),
                  ("cka", pa.float64()), ("v_information", pa.float64())])  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """What goes with complexity; None where it is not defined or was not asked for."""

    layout: str  # of the map: pca or umap
    places: np.ndarray  # (k, 2) on the map
    cluster: np.ndarray  # (k,)
    branches: np.ndarray  # (levels, k) of the tree
    hoyer: np.ndarray | None
    redundancy: np.ndarray | None
    flow: pa.Table
    sensitivity: np.ndarray | None = None
    stability: np.ndarray | None = None  # NaN where a feature has no partner
    notes: tuple[str, ...] = ()

    def tree(self, alive: np.ndarray, complexity: np.ndarray, *, seed: int) -> dict[str, Scalar]:
        """How much of the variance of complexity lies between the branches of one level.

        It is the last level with four features to a branch or more, on average. `complexity` is
        that of the features `alive`; by chance: dealt out among them at random.
        """
        from backend.complexity.clusters import between

        counts = [len(np.unique(level[alive])) for level in self.branches]
        wide = [i for i, count in enumerate(counts) if 4 * count <= len(alive)]
        if not wide:
            return {}
        share, chance, high = between(self.branches[wide[-1], alive], complexity, seed=seed)
        out: dict[str, Scalar] = {
            "tree_level": wide[-1] + 1, "tree_share": share, "tree_chance": chance,
            "tree_chance_high": high,
        }  # fmt: skip
        if np.isfinite(share):
            out["tree_reading"] = (
                f"Between the {counts[wide[-1]]} branches of level {wide[-1] + 1} lies {share:.0%} "
                f"of the variance of complexity over {len(alive)} features; with complexities "
                f"dealt out at random {chance:.0%} on average, below {high:.0%} in 95 % of draws."
            )
        return out


def measure(
    subject: Subject, found: Found, split: Split, *, layout: str, seed: int, progress: Progress
) -> Measures:
    """Places on a map, groups and their tree, locality, redundancy, and the flow along branches.

    The map and the groups are of the directions; of features as given, of their values over rows.
    """
    from backend.complexity import clusters, measures

    D = None if found.dictionary is None else found.dictionary.D
    shape = D if D is not None else _unit_columns(found.Z).T
    redundant = None
    if subject.last is not None:
        redundant = measures.redundancy(subject.last, found.Z, seed=seed).values.mean(axis=1)
    places, notes = clusters.pca_map(shape), ()
    if layout == "umap" and len(shape) < UMAP_LEAST:
        layout = "pca"
        notes = (f"The map is by PCA: UMAP takes {UMAP_LEAST} features, here are {len(shape)}.",)
    if layout == "umap":
        progress(0, 0, "laying out the map")
        places = _umap(shape, places, seed)
    groups = clusters.cluster(shape, seed=seed)
    return Measures(
        layout, places, groups.member, clusters.branches(shape, groups=groups),
        None if D is None else measures.hoyer(D), redundant, _flow(subject, found.Z, split),
        notes=notes,
    )  # fmt: skip


def _umap(shape: np.ndarray, start: np.ndarray, seed: int) -> np.ndarray:
    """UMAP of the directions (k, d) by their angles, begun from the PCA map and turned onto it."""
    from backend.analyses.layout import procrustes, standardise, umap_layout

    begun, radius = standardise(start)
    if radius == 0:
        return start
    made = umap_layout(
        shape, start=begun, neighbours=min(_NEIGHBOURS, len(shape) - 1), min_dist=_MIN_DIST,
        epochs=_EPOCHS, seed=seed,
    )  # fmt: skip
    return procrustes(standardise(made)[0], begun)


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
