"""What the feature complexity paper found, and how a result is held against it."""

import numpy as np

from backend.analyses.intervals import number, rank_correlation, say
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured

_PAPER = "Fel, Bethune, Lampinen, Serre, Hermann 2024"


def _pair(result: Result, name: str) -> tuple[float, float, float] | None:
    """Rank correlation of complexity with another measure over features; None where it is not."""
    table = result.tables["features"]
    if name not in table.column_names or table[name].null_count == len(table):
        return None
    y = np.array([np.nan if v is None else v for v in table[name].to_pylist()], float)
    found = rank_correlation(table["complexity"].to_numpy(), y)
    return found if np.isfinite(found[0]) else None


def _leaned_on(result: Result) -> Measured:
    """Both raw and per unit of a feature's spread: scale alone makes the raw one fall."""
    raw, scaled = _pair(result, "importance"), _pair(result, "importance_per_spread")
    if raw is None or scaled is None:
        return Measured("importance was not measured here", "not testable here")
    n = len(result.tables["features"])
    text = (
        f"rank correlation with importance {say(*raw)}, per unit of a feature's spread "
        f"{say(*scaled)} over {n} features"
    )
    return Measured(text, "agrees" if raw[2] < 0 and scaled[2] < 0 else "differs")


def _rising(name: str, sign: int):
    """Agrees where the interval lies on one side of 0; sign 0: where it holds 0."""

    def measure(result: Result) -> Measured:
        found = _pair(result, name)
        if found is None:
            return Measured(f"{name} was not measured here", "not testable here")
        rho, low, high = found
        good = low <= 0 <= high if sign == 0 else (low > 0 if sign > 0 else high < 0)
        n = len(result.tables["features"])
        text = f"rank correlation with {name} {say(rho, low, high)} over {n} features"
        return Measured(text, "agrees" if good else "differs")

    return measure


def _teleported(result: Result) -> Measured:
    """Share of the final readability that the skip branch has in the first third of the blocks."""
    table = result.tables.get("flow")
    if table is None or not table.num_rows:
        return Measured("needs blocks with a skip and a main branch", "not testable here")
    rows = table.to_pylist()
    features = result.tables["features"].sort_by("complexity")["feature"].to_pylist()
    quarter = max(1, len(features) // 4)
    ends = {"simplest": set(features[:quarter]), "most complex": set(features[-quarter:])}
    blocks = sorted({r["block"] for r in rows if r["branch"] == "skip"})
    early = set(blocks[: max(1, len(blocks) // 3)])
    shares = {}
    for name, mine in ends.items():
        skip = [r for r in rows if r["branch"] == "skip" and r["feature"] in mine]
        first = np.mean([max(r["v_information"], 0) for r in skip if r["block"] in early])
        last = np.mean([max(r["v_information"], 0) for r in skip if r["block"] == blocks[-1]])
        shares[name] = float(first / last) if last > 0 else float("nan")
    text = ", ".join(f"{name} {number(v)}" for name, v in shares.items())
    good = shares["simplest"] > shares["most complex"]
    return Measured(
        f"share of the last skip's V-information that skips of the first third hold: {text}",
        "agrees" if good else "differs",
    )


CLAIMS = (
    Claim("importance", _PAPER, "In a trained net, simple features count for more than complex "
          "ones.", _leaned_on),
    Claim("sensitivity", _PAPER, "Complex features are more sensitive to noise in the input.",
          _rising("sensitivity", 1)),
    Claim("redundancy", _PAPER, "Complex features are less redundant.",
          _rising("redundancy", -1)),
    Claim("local", _PAPER, "Whether a feature is local or spread over neurons has nothing to do "
          "with its complexity.", _rising("hoyer", 0)),
    Claim("skip", _PAPER, "Simple features are handed on by skip paths early; complex ones are "
          "built up along the way.", _teleported),
)  # fmt: skip
