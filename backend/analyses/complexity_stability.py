"""Are the same features found again?  A dictionary learned anew from other random starts."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.analyses.complexity_features import LEARNED, Found, learn
from backend.analyses.complexity_inputs import Split, Subject
from backend.analyses.complexity_means import mean_interval
from backend.analyses.intervals import say
from backend.analyses.result import Scalar
from backend.analyses.spec import Progress


@dataclass(frozen=True)
class Steadiness:
    """Mean cosine of each feature's direction with its partner, and of partners by chance."""

    cosine: np.ndarray  # (k,) NaN for one that never has a partner
    chance: np.ndarray  # (k,)
    seeds: int

    def table(self, alive: np.ndarray) -> pa.Table:
        """`stability`(feature, cosine, chance) of the features `alive`."""
        return pa.table({
            "feature": pa.array(alive.astype(np.int32)),
            "cosine": pa.array(self.cosine[alive], from_pandas=True),
            "chance": pa.array(self.chance[alive], from_pandas=True),
        })  # fmt: skip

    def scalars(self, alive: np.ndarray) -> dict[str, Scalar]:
        """The means over features with their intervals, and both in words."""
        out: dict[str, Scalar] = {"stability_seeds": self.seeds}
        said = []
        for name, values in (("stability", self.cosine), ("stability_chance", self.chance)):
            mean, low, high = mean_interval(values[alive])
            out |= {name: mean, f"{name}_low": low, f"{name}_high": high}
            said.append(say(mean, low, high))
        out["stability_reading"] = (
            f"Learned again from {self.seeds} random starts, the {len(alive)} features have "
            f"partners at a mean cosine of {said[0]}; with the entries of each neuron dealt out "
            f"at random over the directions it would be {said[1]}."
        )
        return out


def steadiness(
    subject: Subject, found: Found, split: Split, *, atoms: int, starts: int, seed: int,
    progress: Progress,
) -> tuple[Steadiness | None, str]:  # fmt: skip
    """How well each feature is found again from `starts` random starts; None and why not.

    Each dictionary is learned on the same rows and matched to the features one to one. By chance:
    the same with every coordinate's entries dealt out anew over the directions.
    """
    from backend.complexity.dictionary import dealt_out, encode, stability, without_dead

    if found.kind not in LEARNED or found.dictionary is None or subject.last is None:
        return None, (
            f"Stability is not measured: features of the kind {found.kind!r} are not learned from "
            f"a random start, as those of {', '.join(LEARNED)} are."
        )
    fit, others = subject.last[split.fit], []
    for start in range(1, starts + 1):
        progress(start - 1, starts, "learning the features again")
        again = learn(subject, split, kind=found.kind, atoms=atoms, seed=seed + start,
                      init="random")  # fmt: skip
        others.append(without_dead(again, encode(again, fit))[0].D)
    D = found.dictionary.D
    chance = [dealt_out(other, seed=seed + i) for i, other in enumerate(others, start=1)]
    return Steadiness(stability(D, others), stability(D, chance), starts), ""
