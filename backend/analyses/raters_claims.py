"""Findings on raters, held against a many-facet fit. Kennedy et al. 2020: the abstract only."""

import math

import numpy as np

from backend.analyses.intervals import number, rank_correlation, say
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured

PAPER = "Kennedy, Bacon, Sahn, von Vacano 2020"
_ALIKE = 0.99  # a correlation above this is called nearly unchanged
_ENOUGH = 5  # criteria of the paper that a result needs for its order


def claim_severity(result: Result) -> Measured:
    """Whether raters differ more than chance: fixed chi-square, reliability beside it."""
    s: dict = result.scalars
    if s["raters"] < 2 or s["rater_p"] is None:
        return Measured("needs two raters", "not testable here")
    p = s["rater_p"]
    chance = "p below 1e-12" if p < 1e-12 else f"p {p:.2g}"
    text = (
        f"{s['raters']} raters: chi-square {number(s['rater_chi2'])} on {s['rater_df']} degrees "
        f"of freedom, {chance}; reliability of their differences "
        f"{number(s['rater_reliability'])}"
    )
    return Measured(text, "agrees" if s["rater_p"] < 0.01 else "differs")


def claim_debiased(result: Result) -> Measured:
    """Whether severity is a part of the spread of raw scores."""
    s: dict = result.scalars
    ends = [s[f"severity_share{end}"] for end in ("", "_low", "_high")]
    if s["raters"] < 2 or any(x is None or not math.isfinite(x) for x in ends):
        return Measured("needs two raters and items that vary", "not testable here")
    text = (
        f"share of the variance of raw scores that raters' severity makes {say(*ends)}; taking it "
        f"out moves {s['moved']} of {s['items']} items by more than their standard error"
    )
    return Measured(text, "agrees" if ends[1] > 0 else "differs")


def claim_ruler(result: Result) -> Measured:
    """Whether the criteria's difficulties lie in the published order."""
    from backend.rasch.hate_speech import CRITERIA

    known = {c.name: c.difficulty for c in CRITERIA}
    table = result.tables["criteria"]
    names = [name.strip().lower() for name in table["criterion"].to_pylist()]
    both = [i for i, name in enumerate(names) if name in known]
    if len(both) < _ENOUGH:
        return Measured("needs the criteria of the paper", "not testable here")
    here = table["difficulty"].to_numpy()[both]
    rho, low, high = rank_correlation(here, np.array([known[names[i]] for i in both]))
    text = f"rank correlation of {len(both)} difficulties with the authors' {say(rho, low, high)}"
    return Measured(text, "agrees" if low > 0 else "differs")


def claim_quality(result: Result) -> Measured:
    """Whether raters that answer against all others are found; and what leaving them out does."""
    s: dict = result.scalars
    if s.get("before_after") is None:
        return Measured("needs refit, and a rater outside the bounds", "not testable here")
    ends = [s[f"before_after{end}"] for end in ("", "_low", "_high")]
    text = (
        f"{s['dropped']} of {s['dropped'] + s['raters']} raters left out; items' measures "
        f"before and after correlate {say(*ends)}"
    )
    return Measured(text, "differs" if ends[1] > _ALIKE else "agrees")


CLAIMS = (
    Claim(
        "severity", PAPER,
        "Raters read the same questions with different severity (here: the chi-square that all "
        "are equally severe is significant at 0.01).",
        claim_severity,
    ),
    Claim(
        "debiased", PAPER,
        "A scale that knows the raters takes their bias out of the items' scores (here: their "
        "severity is a part above 0 of the variance of raw scores, lower end included).",
        claim_debiased,
    ),
    Claim(
        "ruler", PAPER,
        "The components of hate speech lie on one ruler, from sentiment to genocide, in the order "
        "of the authors' item anchors.",
        claim_ruler, unconfirmed=True,
    ),
    Claim(
        "quality", PAPER,
        "Removing raters of low response quality changes the measures (here: the correlation "
        "before and after is not surely above 0.99).",
        claim_quality, unconfirmed=True,
    ),
)  # fmt: skip
