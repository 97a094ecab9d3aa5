"""A training run as values, with a text form that is part of its key."""

import math
import re
from dataclasses import dataclass, fields
from fractions import Fraction
from urllib.parse import parse_qsl, quote, urlencode

from backend.errors import UserError

_SIDE = (8, 64)  # pixels
# Field -> the smallest and the largest value.
_LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 10_000),
    "batch": (2, 65_536),
    "lr": (1e-8, 100.0),
    "momentum": (0.0, 0.9999),
    "weight_decay": (0.0, 1.0),
    "blocks": (1, 64),
    "width": (1, 1024),
    "features": (0, 4096),
    "size": (0, _SIDE[1]),
    "seed": (0, 2**31 - 1),
    "checkpoints": (2, 200),
    "label_noise": (0.0, 1.0),
    "rows": (0, 10**9),
    "head_bias": (0, 1),
    "head_decay": (0.0, 100.0),
    "body_decay": (0.0, 100.0),
    "layerwise": (0, 1),
}
_CHOICES = {"net": ("residual", "mlp"), "loss": ("ce", "mse")}
_SHARE = re.compile(r"\d{1,4}/\d{1,4}|\d?\.\d{1,6}")
_MOST_DROPS = 10


@dataclass(frozen=True)
class Recipe:
    """How a small net is trained on labelled pictures, with plain stochastic gradient descent.

    `net` is "residual" (see `backend.models.residual`) or "mlp" (`backend.models.mlp`: `blocks`
    hidden layers of `width` units with batch norm, no `features`), which also takes arrays.

    `loss` is "ce", the cross-entropy in nats, or "mse", half the squared distance between the
    logits and the one-hot target, summed over classes. Both are means over rows.

    Raises
    ------
    UserError : a value is of another type or beyond its limits; the message names both.
    """

    data: str  # a data set's reference: demo:NAME, a path or a hash
    label: str  # the column that holds the classes
    epochs: int = 30
    batch: int = 64
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    blocks: int = 4
    width: int = 32
    features: int = 64  # width of the layer before the head; 0 = none
    size: int = 0  # pixels of a side, 8 to 64; 0 = the pictures' own, within these
    seed: int = 0
    checkpoints: int = 10  # how many epochs are kept, see `saved_epochs`
    label_noise: float = 0.0  # share of the training rows that are given a wrong class
    rows: int = 0  # a random sample of so many rows; 0 = all
    net: str = "residual"
    loss: str = "ce"
    head_bias: int = 1  # 0 = the head has none
    head_decay: float = 1.0  # what weight_decay is multiplied by for the head
    body_decay: float = 1.0  # the same for everything else
    drop: str = ""  # after these shares of the epochs lr is divided by 10, such as 1/3,2/3
    layerwise: int = 0  # 1 = hidden layers are added one by one, `epochs` for each

    def __post_init__(self) -> None:
        for name in ("data", "label"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise UserError(f"The recipe names no {name}.", f"Give {name}=NAME.")
        for name, (low, high) in _LIMITS.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), low, high))
        if 0 < self.size < _SIDE[0]:
            raise UserError(
                f"size={self.size} is too small a picture.", f"Give {_SIDE[0]} to {_SIDE[1]}."
            )
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                told = f"{name}={getattr(self, name)!r} is not known."
                raise UserError(told, f"Choose {' or '.join(known)}.")
        object.__setattr__(self, "drop", ",".join(map(str, _shares(self.drop))))
        self._check_net()

    def _check_net(self) -> None:
        """UserError for a part that the net does not have."""
        usual = {f.name: f.default for f in fields(self)}
        if self.net == "mlp" and self.features != usual["features"]:
            raise UserError(
                f"features={self.features} means nothing to an MLP.",
                "Its last hidden layer is the one before the head: set width instead.",
            )
        if self.layerwise and self.net != "mlp":
            raise UserError("layerwise=1 adds hidden layers of an MLP.", "Add net=mlp.")

    @property
    def total_epochs(self) -> int:
        """Epochs in all: layer by layer, every added layer has its `epochs`."""
        return self.epochs * (self.blocks if self.layerwise else 1)

    def layers_at(self, epoch: int) -> int:
        """Blocks that the net has in an epoch; layer by layer it begins with one."""
        return max(1, -(-epoch // self.epochs)) if self.layerwise else self.blocks

    def lr_at(self, epoch: int) -> float:
        """lr of an epoch (from 1 on), divided by 10 for every share of the epochs that is over."""
        over = (epoch - 1) % self.epochs
        return self.lr / 10 ** sum(share * self.epochs <= over for share in _shares(self.drop))

    @property
    def saved_epochs(self) -> tuple[int, ...]:
        """Epochs that are kept: 0, before any step, then evenly on a log scale up to the last.

        Layer by layer: 0, then the last epoch of every layer; `checkpoints` is not looked at.
        """
        if self.layerwise:
            return tuple(range(0, self.total_epochs + 1, self.epochs))
        steps = self.checkpoints - 2
        wanted = {0, self.epochs}
        if steps:
            wanted |= {round(self.epochs ** (k / steps)) for k in range(steps)}
        for epoch in range(1, self.epochs):  # rounding makes early ones fall together
            if len(wanted) >= self.checkpoints:
                break
            wanted.add(epoch)
        return tuple(sorted(wanted))

    def __str__(self) -> str:
        """`data=demo:digits&label=digit&epochs=10`; what has its default value is left out."""
        told = [
            (f.name, str(getattr(self, f.name)))
            for f in fields(self)
            if getattr(self, f.name) != f.default
        ]
        return urlencode(told, quote_via=quote, safe="/:")

    @classmethod
    def parse(cls, text: "Recipe | str") -> "Recipe":
        """The recipe of a text; a recipe passes unchanged.

        Raises
        ------
        UserError : a part is not known, given twice, or no number.
        """
        if isinstance(text, cls):
            return text
        try:
            parts = parse_qsl(str(text), strict_parsing=True, keep_blank_values=True)
        except ValueError:
            raise UserError(
                f"{str(text)[:200]!r} is no recipe.",
                "Write it like data=demo:digits&label=digit&epochs=10.",
            ) from None
        kinds = {f.name: f.type for f in fields(cls)}
        values: dict[str, object] = {}
        for name, value in parts:
            if name not in kinds or name in values:
                why = "twice in the recipe" if name in values else "no part of a recipe"
                raise UserError(f"{name!r} is {why}.", f"Parts: {', '.join(kinds)}.")
            values[name] = value if kinds[name] is str else _number(name, value)
        missing = {"data": "", "label": ""} | values
        return cls(**missing)  # type: ignore[arg-type]


def _shares(text: object) -> tuple[Fraction, ...]:
    """The shares of a comma list, exact and in order; UserError where there is none of 0 to 1."""
    parts = [p.strip() for p in text.split(",") if p.strip()] if isinstance(text, str) else [text]
    wrong = next((p for p in parts if not _is_share(p)), None)
    if wrong is not None or len(parts) > _MOST_DROPS:
        told = f"holds {wrong!r}" if wrong is not None else f"holds {len(parts)} parts"
        raise UserError(
            f"drop={text!r} {told}.",
            f"Give up to {_MOST_DROPS} shares of the epochs between 0 and 1, such as 1/3,2/3.",
        )
    return tuple(sorted({Fraction(p) for p in parts}))


def _is_share(part: object) -> bool:
    if not isinstance(part, str) or not _SHARE.fullmatch(part) or part.endswith("/0"):
        return False
    return 0 < Fraction(part) < 1


def _number(name: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise UserError(f"{name}={text} is no number.", "Give a number.") from None


def _checked(name: str, value: object, low: float, high: float) -> int | float:
    """The value as the field's own type; UserError where it is of another or out of range."""
    whole = isinstance(low, int)
    wanted = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise UserError(
            f"{name}={value!r} is not a {'whole ' if whole else ''}number.", "Give one."
        )
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(f"{name}={value} is out of range.", f"Give {low:g} to {high:g}.")
    return value if whole else float(value)
