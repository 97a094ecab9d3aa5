"""What the PAL paper found, and how a result is held against it."""

import numpy as np

from backend.analyses.intervals import number, say
from backend.analyses.result import Result
from backend.analyses.spec import Claim, Measured

_PAPER = "Chen, Chen, Rege, Vinayak 2024"
_CLOSE = 0.03  # accuracy
_ONE_TASTE = 0.85  # of the weight


def _several(result: Result) -> Measured:
    s = result.scalars
    if s.get("compared_k") in (None, 1):
        return Measured("needs at least two tastes to compare", "not testable here")
    text = (
        f"{s['compared_k']} tastes over one on held-out choices: "
        f"{say(s['gain'], s['gain_low'], s['gain_high'])}; with people shuffled "  # type: ignore[arg-type]
        f"{number(s['control_gain'])}"  # type: ignore[arg-type]
    )
    beyond = s["gain_low"] > max(0.0, s["control_gain"])  # type: ignore[operator,type-var]
    worth = s.get("bradley_terry_on_options")
    if worth is not None and worth > s["accuracy"]:  # type: ignore[operator]
        text += f"; but one worth per option for all predicts {number(worth)}"  # type: ignore[arg-type]
        beyond = False
    return Measured(text, "agrees" if beyond else "differs")


def _new_people(result: Result) -> Measured:
    few = result.tables["fewshot"]
    accuracy = result.tables["accuracy"]
    k, seed = result.scalars.get("k"), result.provenance.get("seed")
    known = [
        r["accuracy"] for r in accuracy.to_pylist()
        if r["k"] == k and r["split"] == "test" and r["seed"] == seed
    ]  # fmt: skip
    rows = [r for r in few.to_pylist() if 0 < r["pairs"] <= 20]
    if not rows or not known:
        return Measured("needs new people with more than a few choices", "not testable here")
    last = rows[-1]
    text = (
        f"after {last['pairs']} answers {say(last['accuracy'], last['low'], last['high'])}; known "
        f"people {number(known[0])}, one taste {number(last['accuracy_universal'])}"
    )
    return Measured(text, "agrees" if last["high"] >= known[0] - _CLOSE else "differs")


def _unseen_options(result: Result) -> Measured:
    rows = [r for r in result.tables["accuracy"].to_pylist() if r["split"] == "option"]
    by_k = {r["k"]: r for r in rows}
    k = result.scalars.get("k")
    if k not in by_k or 1 not in by_k or k == 1:
        return Measured("needs options with vectors, and several tastes", "not testable here")
    mine, one = by_k[k], by_k[1]
    text = (
        f"choices with unseen options: {say(mine['accuracy'], mine['low'], mine['high'])} with "
        f"{k} tastes, {number(one['accuracy'])} with one"
    )
    return Measured(text, "agrees" if mine["low"] > one["accuracy"] else "differs")


def _rubric(result: Result) -> Measured:
    return Measured(
        "needs choices that were collected with a rigid rubric; whether these were, the data do "
        "not say", "not testable here",
    )  # fmt: skip


def _shared(result: Result) -> Measured:
    persons = result.tables["persons"]
    k = int(result.scalars.get("k") or 1)
    if k < 2 or not result.scalars.get("live"):
        return Measured("needs several tastes with comparable weights", "not testable here")
    top = np.max([persons[f"weight_{i}_high"].to_numpy() for i in range(k)], axis=0)
    mixed = float((top < _ONE_TASTE).mean())
    text = (
        f"{number(100 * mixed)} % of the people surely have less than {_ONE_TASTE} of every taste "
        "(upper ends of their intervals; tastes as close together as the people allow)"
    )
    return Measured(text, "agrees" if mixed > 0.05 else "differs")


CLAIMS = (
    Claim("several", _PAPER,
          "Several shared prototypes predict people's choices better than one reward for all.",
          _several),
    Claim("new-people", _PAPER,
          "A few answers place a new person nearly as well as known people.", _new_people),
    Claim("unseen-options", _PAPER,
          "Tastes carry over to options that were never compared before.", _unseen_options,
          unconfirmed=True),
    Claim("mixtures", _PAPER,
          "People are mixtures of the shared tastes, not only members of one.", _shared),
    Claim("rubric", _PAPER,
          "Where a rigid rubric guided the collection, more tastes add little.", _rubric),
)  # fmt: skip
