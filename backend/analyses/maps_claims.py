"""What the maps of one prompt say, and what the paper found."""

import numpy as np

from backend.analyses.intervals import number, say
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured

PAPER = "Csordás, Manning, Potts 2025"
_EQUAL = 0.5  # lower over upper quartile of the tokens' effects
_FEWEST = 4  # input tokens that a claim needs


def note(s: dict) -> str:
    """What to bear in mind with these scalars."""
    said = []
    if "used" in s:
        said.append("One prompt: the interval takes its tokens as independent.")
    if s.get("missed_layers"):
        said.append(
            f"At {s['missed_layers']} of {s['blocks']} layers the attributions miss more than a "
            f"tenth of what they should add up to, at layer {s['missed_layer']} "
            f"{s['missed_most']:.0%}; more steps than {s['steps']} bring them closer (the paper "
            "takes 256)."
        )
    if not s["answered"]:
        said.append("The answer is not what the model finds most probable.")
    return " ".join(said)


def reading(s: dict) -> str:
    """How deep tokens are used, and how well attributions add up."""
    parts = []
    tokens = f"{s['inputs']} token{'' if s['inputs'] == 1 else 's'}"
    if s.get("used_last", -1) >= 0:
        parts.append(
            "erasing a token still changes the answer by more than a tenth of the largest effect "
            f"({number(s['largest_effect'])}) up to depth "
            f"{say(s['used'], s['used_low'], s['used_high'])} of {s['blocks']} (median over "
            f"{tokens} between the first and the answer), at the deepest {s['used_last']} "
            f"({s['used_last_token']!r}, position {s['used_last_position']})"
        )
    elif "largest_effect" in s:
        parts.append(
            f"none of the {tokens} between the first and the answer changes it, erased, by more "
            f"than a tenth of the largest effect ({number(s['largest_effect'])})"
        )
    if "missed" in s:
        parts.append(
            f"attributions of a layer add up to what the answer {s['answer']!r} gains over the "
            f"mean state within {s['missed']:.1%} (median over {s['blocks']} layers, at most "
            f"{s['missed_most']:.1%})"
        )
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _claim_equal(result: Result) -> Measured:
    s: dict = result.scalars
    if s["inputs"] < _FEWEST or not np.isfinite(s.get("early_ratio", np.nan)):
        return Measured(_lacks(s), "not testable here")
    text = (
        f"quartiles of {s['inputs']} tokens' mean effect up to half depth: "
        f"{number(s['early_low'])} and {number(s['early_high'])}, ratio {number(s['early_ratio'])}"
    )
    return Measured(text, "agrees" if s["early_ratio"] >= _EQUAL else "differs")


def _claim_later(result: Result) -> Measured:
    s: dict = result.scalars
    if s["inputs"] < _FEWEST or s.get("used_last", -1) < 0:
        return Measured(_lacks(s), "not testable here")
    if s["used_first"] == s["used_last"]:
        return Measured(f"all {s['inputs']} tokens up to depth {s['used_last']}", "agrees")
    rho = say(s["later"], s["later_low"], s["later_high"])
    text = f"rank correlation of position with the depth of use {rho}, {s['inputs']} tokens"
    return Measured(text, "agrees" if s["later_low"] <= 0 else "differs")


def _lacks(s: dict) -> str:
    if "largest_effect" not in s:
        return "needs the erasure map"
    if s["inputs"] < _FEWEST:
        return "needs four tokens between the first and the answer"
    return "no token matters more than a tenth of the largest effect"


CLAIMS = (
    Claim(
        "equal", PAPER,
        "All input tokens matter about equally until mid-network (here: over the tokens "
        "between the first and the answer, the lower quartile of the effect of erasing, "
        "mean over depths up to half, is at least half of the upper quartile).",
        _claim_equal, unconfirmed=True,
    ),
    Claim(
        "later", PAPER,
        "Later steps of a prompt are not handled deeper (here: the deepest erasure that "
        "changes the answer by more than a tenth of the largest effect does not clearly "
        "rise with the token's position: lower end of the rank correlation at most 0).",
        _claim_later, unconfirmed=True,
    ),
)  # fmt: skip
