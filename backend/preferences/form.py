"""Which PAL model is meant: its variant, its map, its distance, its loss."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from backend.errors import AnalysisError

IDEALS = ("Pw", "f(P)w", "f(Pw)", "B")
MAPS = ("identity", "linear", "mlp1", "mlp2")
DISTANCES = ("squared", "norm")
LOSSES = ("logistic", "hinge")
SCALE_B = float(np.log(1 / 0.07))  # CLIP's first logit scale, 14.29, in logarithm
SCALE_MOST = 100.0


@dataclass(frozen=True)
class Form:
    """A PAL model with K prototypes.

    `ideal` says how a person's point a comes about from the prototypes and the weights w:
    `Pw` = sum_k w_k p_k in the mapped space; `f(P)w` = sum_k w_k f(p_k) and `f(Pw)` =
    f(sum_k w_k p_k) with p_k in the options' space; these are PAL-A, with reward -|f(x) - a|^2
    (`squared`) or -|f(x) - a| (`norm`). `B` is PAL-B: reward c cos(f(x), sum_k w_k g_k(prompt)).

    Source: Chen, Chen, Rege, Vinayak 2024; options as in the authors' code.
    """

    k: int
    ideal: Literal["Pw", "f(P)w", "f(Pw)", "B"] = "Pw"
    map: Literal["identity", "linear", "mlp1", "mlp2"] = "identity"
    distance: Literal["squared", "norm"] = "squared"
    loss: Literal["logistic", "hinge"] = "logistic"
    activation: Literal["relu", "gelu"] = "relu"
    residual: bool = False

    def __post_init__(self) -> None:
        for name, known in (("ideal", IDEALS), ("map", MAPS), ("distance", DISTANCES),
                            ("loss", LOSSES), ("activation", ("relu", "gelu"))):  # fmt: skip
            if getattr(self, name) not in known:
                raise AnalysisError(
                    f"{name}={getattr(self, name)!r} is not known.", f"Choose: {', '.join(known)}."
                )
        if self.k < 1:
            raise AnalysisError(f"k={self.k} prototypes are none.", "Give at least 1.")

    def with_k(self, k: int) -> "Form":
        """The same model with another number of prototypes."""
        return replace(self, k=k)

    @property
    def is_convex(self) -> bool:
        """Whether the gradient is smooth and the net small enough for L-BFGS on all data."""
        return self.map in ("identity", "linear") and self.loss == "logistic"

    @property
    def is_linear_in_weights(self) -> bool:
        """Whether a margin is sum_k w_k times the margin under prototype k alone."""
        straight = self.map in ("identity", "linear") and not self.residual
        return self.distance == "squared" and (
            self.ideal in ("Pw", "f(P)w") or (self.ideal == "f(Pw)" and straight)
        )


PAPER_A = Form(2, ideal="f(Pw)", map="mlp2", distance="norm", loss="hinge", residual=True)
PAPER_B = Form(2, ideal="B", map="mlp2", activation="gelu")
