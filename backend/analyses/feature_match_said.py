"""What two models' features come to: numbers, what a reader must know, and one sentence."""

from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.complexity_features import LEARNED
from backend.analyses.depth_score import bootstrap_mean
from backend.analyses.feature_match_inputs import Models
from backend.analyses.inputs import notes
from backend.analyses.intervals import number, rank_correlation, say, wilson
from backend.analyses.result import Scalar
from backend.capture.view import CaptureView

if TYPE_CHECKING:
    from backend.analyses.complexity_inputs import Split
    from backend.analyses.feature_match_tables import Side
    from backend.complexity.matching import Matched


def scalars_of(
    sides: "tuple[Side, Side]", matched: "Matched", again: tuple[float, float, float],
    split: "Split", seed: int,
) -> dict[str, Scalar]:  # fmt: skip
    """Counts, and every mean with its interval as NAME, NAME_low, NAME_high; None if unknown.

    `share` of the pairs are above `threshold`, `matched` in number; `gap` (the second's complexity
    less the first's) and `rho` (their rank correlation) are over those. `further` is how much more
    complex the first's features are in the second's layers than in its own.
    """
    m, good = len(matched.r), matched.strength > matched.threshold
    out: dict[str, Scalar] = {
        "n": len(sides[0].subject.rows), "n_fit": len(split.fit), "n_held": len(split.held),
        "dictionary": sides[0].found.kind, "matched_by": "|r|" if matched.either_sign else "r",
        "pairs": m, "matched": int(good.sum()), "shuffles": len(matched.chance),
        "correlation_control": float(matched.chance.mean()), "threshold": matched.threshold,
    }  # fmt: skip
    for side in sides:
        out |= {
            f"name_{side.model}": side.name, f"features_{side.model}": len(side.alive),
            f"layers_{side.model}": len(side.subject.names),
            f"reconstruction_{side.model}": side.found.r2,
        }  # fmt: skip
    a, b = sides
    left, right = a.complexity[matched.a][good], b.complexity[matched.b][good]
    elsewhere = a.other.complexity[a.alive]
    intervals = {
        "correlation": matched.mean,
        "correlation_again": again,
        "share": (float(good.mean()), *wilson(int(good.sum()), m)),
        **{f"mean_complexity_{s.model}": bootstrap_mean(s.complexity, seed=seed) for s in sides},
        "complexity_in_other": bootstrap_mean(elsewhere, seed=seed),
        "further": bootstrap_mean(elsewhere - a.complexity, seed=seed),
        "gap": bootstrap_mean(right - left, seed=seed),
        "rho": rank_correlation(left, right),
    }
    for name, ends in intervals.items():
        out |= {f"{name}{end}": _known(v) for end, v in zip(("", "_low", "_high"), ends,
                                                            strict=True)}  # fmt: skip
    return out


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def note_of(
    sides: "tuple[Side, Side]", views: tuple[CaptureView, ...], models: Models, either_sign: bool
) -> str:
    """How the numbers were made, and what was noted of either model."""
    a, b = sides
    said = [
        "Pairs are chosen one to one by the correlation of their codes "
        + ("without its sign, " if either_sign else "")
        + "on rows that are not held out, and measured on those that are; control: the second "
        "model's rows in another order.",
        "Intervals of mean complexities are over resampled features, those of correlations over "
        "held-out rows, that of the share over pairs.",
    ]
    if a.found.kind in LEARNED:
        said.append(
            "Dictionaries are not unique: the first's own features found anew, from another start "
            "on the same rows, show how alike two dictionaries of one model are."
        )
    if a.subject.names != b.subject.names:
        said.append(
            f"The models have different layers ({len(a.subject.names)} and "
            f"{len(b.subject.names)}): each one's own complexity is on a scale of its own, while "
            "both models' features read from one model's layers compare."
        )
    if views[0].pooling != views[1].pooling:
        said.append(f"Pooling differs: {views[0].pooling} and {views[1].pooling}.")
    own = [[*s.subject.notes, *s.found.notes, *s.own.notes] for s in sides]
    for mine, model in zip(own, models, strict=True):
        if model is None:
            mine.append("The head was not read, so importance is not measured.")
    said += [f"Both: {note}" for note in own[0] if note in own[1]]
    for side, mine, others in zip(sides, own, own[::-1], strict=True):
        said += [f"{side.name}: {note}" for note in mine if note not in others]
    return notes(said)


def reading_of(s: dict) -> str:
    """How alike the features are, and how complex in either model."""
    share = "{:.0%} ({:.0%} to {:.0%})".format(*(s[f"share{end}"] for end in ("", "_low", "_high")))
    again = ""
    if s["correlation_again"] is not None:
        again = f", the first's own features found anew {_told(s, 'correlation_again')}"
    text = (
        f"{s['matched']} of {s['pairs']} pairs of features, {share}, go together more than 95 % of "
        f"the pairs of shuffled rows do (mean correlation {_told(s, 'correlation')}, shuffled "
        f"{number(s['correlation_control'])}{again}); the features of {s['name_a']} have a mean "
        f"complexity of {_told(s, 'mean_complexity_a')}, read from the layers of {s['name_b']} "
        f"{_told(s, 'complexity_in_other')}, and that model's own "
        f"{_told(s, 'mean_complexity_b')}"
    )
    if s["gap"] is not None:
        text += f"; in pairs that go together they are {_told(s, 'gap')} more complex"
    return f"{text} ({s['n']:,} rows, {s['n_held']:,} of them held out)."


def _told(s: dict, name: str) -> str:
    low, high = s[f"{name}_low"], s[f"{name}_high"]
    return number(s[name]) if low is None else say(s[name], low, high)
