"""Do two models have the same features, equally deep?  Features paired by how they go together.

Fel, Bethune, Lampinen, Serre, Hermann 2024 (complexity); Li et al. 2016 (one-to-one matching).
"""

from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.complexity_inputs import Split, Subject, split_rows
from backend.analyses.feature_match_inputs import (
    groups_of,
    kind_of,
    names_of,
    same_space,
    subjects,
)
from backend.analyses.feature_match_said import note_of, reading_of, scalars_of
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.analyses.threads import one_thread, workers
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.analyses.complexity_features import Found
    from backend.analyses.feature_match_tables import Side
    from backend.complexity.matching import Matched
    from backend.complexity.readability import Readability
    from backend.models.loading import LoadedModel

KINDS = ("auto", "nmf", "nmf-per-class", "kmeans", "sparse", "pca", "neurons", "random")


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, dictionary: str, atoms: int,
    rule: str, at_most: int, bootstrap: int, shuffles: int, top: int,
    model: "LoadedModel | None" = None, second: "LoadedModel | None" = None,
) -> Body:  # fmt: skip
    """Find both models' features, read each from both models' layers, and pair them.

    `model` and `second` are the models of the two captures; a second capture of the first model
    needs no `second`.
    """
    from backend.analyses import feature_match_tables as tables
    from backend.complexity.matching import match_codes

    if second is None and len({view.model_id for view in views}) == 1:
        second = model
    a, b = subjects(views, (model, second), at_most=at_most, seed=seed)
    split = split_rows(len(a.rows), seed=seed, groups=a.groups)
    sides = _sides(
        (a, b), names_of(views), split, kind=kind_of(dictionary, a, b), atoms=atoms, rule=rule,
        draws=bootstrap, seed=seed, progress=progress,
    )  # fmt: skip
    progress(0, 0, "pairing features")
    Z = [side.found.Z[:, side.alive] for side in sides]
    with one_thread():
        matched = match_codes(
            *Z, np.r_[split.fit, split.valid], split.held, groups=groups_of(a), draws=bootstrap,
            either_sign=any(codes.min() < 0 for codes in Z), shuffles=shuffles, seed=seed,
        )  # fmt: skip
        said, cosines, partner = _directions(sides, matched, shuffles=shuffles, seed=seed)
        again = _again(sides[0], split, atoms=atoms, draws=bootstrap, seed=seed)
    made = tables.build(*sides, matched, cosines, partner, top=top)
    scalars = scalars_of(sides, matched, again, split, seed) | said
    scalars["changed"] = "a" if views[0].whatif else "b"
    scalars["note"] = note_of(sides, views, (model, second), matched.either_sign)
    progress(1, 1, "done")
    return Body(scalars, made, reading_of(scalars))


def _sides(
    pair: tuple[Subject, Subject], names: tuple[str, str], split: Split, *, kind: str, atoms: int,
    rule: str, draws: int, seed: int, progress: Progress,
) -> "tuple[Side, Side]":  # fmt: skip
    """Both models' features, their readability from both, and what they count for."""
    from backend.analyses.complexity_features import find, weigh
    from backend.analyses.feature_match_tables import Side

    if kind == "nmf-per-class" and any(subject.labels is None for subject in pair):
        raise AnalysisError("Not both models name classes.", "Choose dictionary=nmf or kmeans.")
    progress(0, 0, "finding features")
    with one_thread():
        found = [find(subject, split, kind=kind, atoms=atoms, seed=seed) for subject in pair]
    sides = []
    for i, letter in enumerate("ab"):
        own, other = (
            _read(pair[j], found[i], split, draws, seed, progress) for j in (i, 1 - i)
        )  # fmt: skip
        alive = np.flatnonzero(np.isfinite(own.complexity) & np.isfinite(other.complexity))
        if not len(alive):
            raise AnalysisError(f"No feature of {names[i]} varies over these rows.",
                                "Give more rows.")  # fmt: skip
        weighed = weigh(pair[i], found[i], own.complexity, rule=rule, seed=seed)
        importance = None if weighed is None else weighed.absolute
        sides.append(Side(letter, names[i], pair[i], found[i], own, other, importance, alive))
    return sides[0], sides[1]


def _read(
    layers: Subject, found: "Found", split: Split, draws: int, seed: int, progress: Progress
) -> "Readability":
    from backend.complexity.readability import readability

    return readability(
        list(zip(layers.names, layers.layers, strict=True)), found.Z, split, draws=draws,
        groups=layers.groups, workers=workers(), seed=seed, progress=progress,
    )  # fmt: skip


def _again(
    side: "Side", split: Split, *, atoms: int, draws: int, seed: int
) -> tuple[float, float, float]:
    """Mean correlation, with its interval, of a model's features with those of another start.

    What a perfect copy would reach, since dictionaries are not unique; NaN where features do not
    come from a start.
    """
    from backend.analyses.complexity_features import LEARNED, learn
    from backend.complexity.dictionary import encode
    from backend.complexity.matching import match_codes

    kind, chosen = side.found.kind, np.r_[split.fit, split.valid]
    if kind not in LEARNED:
        return (float("nan"),) * 3
    init = "random" if kind.startswith("nmf") else None
    other = learn(side.subject, split, kind=kind, atoms=atoms, seed=seed + 1, init=init)
    Z = encode(other, side.subject.layers[-1])
    there = (np.ptp(Z[split.fit], axis=0) > 0) & (np.ptp(Z[split.held], axis=0) > 0)
    return match_codes(
        side.found.Z[:, side.alive], Z[:, there], chosen, split.held,
        groups=groups_of(side.subject), draws=draws, shuffles=0, seed=seed,
    ).mean  # fmt: skip


def _directions(
    sides: "tuple[Side, Side]", matched: "Matched", *, shuffles: int, seed: int
) -> tuple[dict[str, Scalar], np.ndarray | None, np.ndarray | None]:
    """The match by cosine, where both last layers have the same coordinates; else Nones."""
    from backend.complexity.dictionary import unit
    from backend.complexity.matching import match_directions

    a, b = sides
    names = ("cosine", "cosine_control", "same_partner")
    if not same_space(a.subject, b.subject):
        return dict.fromkeys(names), None, None
    A, B = (unit(s.found.dictionary.D[s.alive]) for s in sides)  # type: ignore[union-attr]
    partner, mean, control = match_directions(A, B, shuffles=shuffles, seed=seed)
    same = float((partner[matched.a] == matched.b).mean())
    cosines = (A[matched.a] * B[matched.b]).sum(axis=1)
    return dict(zip(names, (mean, control, same), strict=True)), cosines, partner


SPEC = register(
    Spec(
        key="feature_match",
        title="Features of two models",
        question="Do two models have the same features, equally deep?",
        source="Fel, Bethune, Lampinen, Serre, Hermann 2024; Li, Yosinski, Clune, Lipson, "
        "Hopcroft 2016",
        version=1,
        run=run,
        captures=2,
        needs_model=True,
        sites="all,last",
        parameters=(
            Parameter("dictionary", str, "auto", "How features are found in each last layer.",
                      choices=KINDS),
            Parameter("atoms", int, 64, "Features to find in each model.", minimum=2,
                      maximum=2000),
            Parameter("rule", str, "predicted", "Class whose logit importance is measured on.",
                      choices=("predicted", "origin", "max")),
            Parameter("at_most", int, 6000, "Rows, at the most.", minimum=40, maximum=100_000),
            Parameter("bootstrap", int, 200, "Draws for the intervals.", minimum=0, maximum=2000),
            Parameter("shuffles", int, 20, "Shuffles for the control.", minimum=20, maximum=1000),
            Parameter("top", int, 24, "Top rows kept of each feature.", minimum=1, maximum=200),
        ),
    )
)  # fmt: skip
