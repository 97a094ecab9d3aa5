"""A training run as values, with a text form that is part of its key."""

import math
from dataclasses import dataclass, fields
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
}


@dataclass(frozen=True)
class Recipe:
    """How a residual net is trained on labelled pictures, with plain stochastic gradient descent.

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

    @property
    def saved_epochs(self) -> tuple[int, ...]:
        """Epochs that are kept: 0, before any step, then evenly on a log scale up to the last."""
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
