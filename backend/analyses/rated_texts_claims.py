"""What the paper on faceted Rasch and multitask learning found, held against a prediction here."""

import math

from backend.analyses.intervals import say
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured

EXPLAINED = 0.8  # of the sum of squares around the mean score
_PAPER = "Kennedy, Bacon, Sahn, von Vacano 2020"


def reading(s: dict) -> str:
    """The head's agreement, beside direct regression on raw means and shuffled vectors."""
    unit = "criterion" if s["criteria"] == 1 else "criteria"
    return (
        f"At {s['site']} the score built from {s['criteria']} predicted {unit} agrees with the "
        f"debiased measures of {s['n']:,} held-out items at r {_of(s, 'r')}, RMSE "
        f"{s['rmse']:.2f} logits; direct regression on raw means reaches {_of(s, 'direct_raw_r')} "
        f"(the score's gain in r is {_of(s, 'gain_raw')}), and vectors dealt to the wrong items "
        f"{_of(s, 'control_r')}."
    )


def _of(s: dict, name: str) -> str:
    return say(s[name], s[f"{name}_low"], s[f"{name}_high"])


def _claim_predicts(result: Result) -> Measured:
    s: dict = result.scalars
    if not math.isfinite(s["over_control_low"]):
        return Measured("a prediction does not vary", "not testable here")
    text = (
        f"the score's r less that of shuffled vectors: {_of(s, 'over_control')}, over {s['n']} "
        "items"
    )
    if s["over_control_low"] > 0:
        return Measured(text, "agrees")
    if s["over_control_high"] < 0:
        return Measured(text, "differs")
    return Measured(f"{text}; too uncertain", "not testable here")


def _claim_explained(result: Result) -> Measured:
    s: dict = result.scalars
    if s["criteria"] < 2:
        return Measured("needs two criteria", "not testable here")
    text = f"share of the scores' spread that contributions add up to: {_of(s, 'explained')}"
    if s["explained_low"] > EXPLAINED:
        return Measured(text, "agrees")
    if s["explained_high"] < EXPLAINED:
        return Measured(text, "differs")
    return Measured(f"{text}; too uncertain", "not testable here")


def _claim_severity(result: Result) -> Measured:
    s: dict = result.scalars
    if not s["severity_input"]:
        return Measured("needs severity as an input", "not testable here")
    text = f"change of the predicted score for a rater stricter by one logit: {_of(s, 'slope')}"
    if s["slope_high"] < 0:
        return Measured(text, "agrees")
    return Measured(text, "differs" if s["slope_low"] > 0 else "not testable here")


CLAIMS = (
    Claim(
        "predicts",
        _PAPER,
        "Labels of a construct's components, predicted from a text model and passed through the "
        "Rasch scale, give the debiased continuous score of new texts (here: better than the same "
        "training on shuffled vectors).",
        _claim_predicts,
    ),
    Claim(
        "explained",
        _PAPER,
        "Each continuous prediction is explained by its predicted components (here: first-order "
        f"contributions of the criteria make up more than {100 * EXPLAINED:.0f} % of the spread "
        "of the predicted scores).",
        _claim_explained,
    ),
    Claim(
        "severity",
        _PAPER,
        "Given a rater's severity as an input, the network tells how a strict or a lenient rater "
        "would label a text (here: a stricter one gives a lower score).",
        _claim_severity,
        unconfirmed=True,
    ),
)
