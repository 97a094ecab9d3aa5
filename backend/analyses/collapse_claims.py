"""What the papers found about collapse, and how a result is held against it."""

from collections.abc import Callable

import pyarrow.compute as pc

from backend.analyses.intervals import number, say
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured

_PAPYAN = "Papyan, Han, Donoho 2020"
_TIRER = "Tirer, Huang, Niles-Weed 2022/23"


def _falls(name: str) -> Callable[[Result], Measured]:
    """Agrees where the last interval lies below the first checkpoint without an error."""

    def measure(result: Result) -> Measured:
        s = result.scalars
        start, end = s[f"{name}_start"], s[f"{name}_end"]
        if s["zero_epoch"] is None or s["start_epoch"] == s["last_epoch"] or end is None:
            return Measured("needs checkpoints past zero training error", "not testable here")
        if start is None:
            return Measured(f"{name} is not defined at epoch {s['start_epoch']}",
                            "not testable here")  # fmt: skip
        first, last = (said(s, name, when) for when in ("start", "end"))
        high = s[f"{name}_end_high"] if s[f"{name}_end_high"] is not None else end
        low = s[f"{name}_start_low"] if s[f"{name}_start_low"] is not None else start
        text = f"{first} at epoch {s['start_epoch']}, {last} at epoch {s['last_epoch']}"
        return Measured(text, "agrees" if high < low else "differs")  # type: ignore[operator]

    return measure


def said(s: dict, name: str, when: str) -> str:
    """A measure at the `start` or the `end`, with its interval where it has one."""
    value, low, high = (s[f"{name}_{when}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return "undefined"
    return number(value) if low is None else say(value, low, high)


def _nearest_centre(result: Result) -> Measured:
    s = result.scalars
    if s["zero_epoch"] is None or s["nc4_end"] is None:
        return Measured("needs checkpoints past zero training error", "not testable here")
    text = f"{number(s['nc4_end'])} of {s['n']:,} rows are decided otherwise"
    return Measured(text, "agrees" if s["nc4_end"] <= 0.005 else "differs")  # type: ignore[operator]


def _by_depth(result: Result) -> Measured:
    """NC1~ of the last checkpoint, layer by layer."""
    table, s = result.tables["trajectory"], result.scalars
    mine = table.filter(
        pc.and_(
            pc.equal(table["part"], s["part"]),  # type: ignore[attr-defined]
            pc.equal(table["epoch"], s["last_epoch"]),
        )
    )  # type: ignore[attr-defined]
    values = mine.sort_by("index")["nc1_ratio"].to_pylist()
    if len(values) < 3 or None in values or s["zero_epoch"] is None:
        return Measured("needs three layers of a net past zero training error",
                        "not testable here")  # fmt: skip
    falls = sum(b < a for a, b in zip(values, values[1:], strict=False))
    text = f"{number(values[0])} to {number(values[-1])}; {falls} of {len(values) - 1} steps fall"
    return Measured(text, "agrees" if falls == len(values) - 1 else "differs")


CLAIMS = (
    Claim("nc1", _PAPYAN, "Past zero training error the spread within classes (NC1) goes on "
          "falling.", _falls("nc1")),
    Claim("nc2", _PAPYAN, "Class means go on towards a simplex (NC2).", _falls("nc2")),
    Claim("nc3", _PAPYAN, "Head rows and class means become alike (NC3).", _falls("nc3")),
    Claim("nc4", _PAPYAN, "The head comes to decide as the nearest class mean does (NC4; here: "
          "on 99.5 % of the rows).", _nearest_centre),
    Claim("depth", _TIRER, "Spread over distance (NC1~) falls from layer to layer.", _by_depth),
)  # fmt: skip
