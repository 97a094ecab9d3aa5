"""The two halves of a model compared; what the depth paper found; what a result says."""

import math
from collections.abc import Callable

import numpy as np

from backend.analyses.contributions import Contributions
from backend.analyses.depth_score import layer_effects
from backend.analyses.depth_tables import Mode
from backend.analyses.intervals import number, say
from backend.analyses.reductions import mean_interval, ratio_interval
from backend.analyses.result import Result, Scalar
from backend.analyses.spec import Claim, Measured

_PAPER = "Csordás, Manning, Potts 2025"
LEAST_LAYERS = 4  # of a model that has two halves to compare
_MUCH_LESS = 2 / 3  # of the first half's contribution
_MUCH_SMALLER = 1 / 2  # of the first half's effect
_MATTERS = 0.05  # change of the output, of at most 1.41


def halves(n: int) -> tuple[slice, slice]:
    """The layers of the first and of the second half; a middle one belongs to neither."""
    return slice(0, n // 2), slice(n - n // 2, n)


def half_scalars(
    found: Contributions, modes: dict[str, Mode], kl: np.ndarray, top5: np.ndarray
) -> dict[str, Scalar]:
    """What the claims compare, each with a 95 % interval over prompts; {} under four layers."""
    n = kl.shape[1] - 1
    if n < LEAST_LAYERS:
        return {}
    first, second = halves(n)
    size, cosine = found.mean["layer_relative"], found.mean["layer_cosine"]
    ratio = ratio_interval(np.median(size[:, second], 1), np.median(size[:, first], 1))
    out = _named("second_over_first", ratio)
    for name, half in (("cosine_first", first), ("cosine_second", second)):
        out |= _named(name, mean_interval(cosine[:, half].mean(axis=1)))
    out["cosine_turn"] = _turn(cosine.mean(axis=0))
    largest = np.maximum(kl.max(axis=1), 1e-12)
    out |= _named("kl_half", mean_interval(kl[:, n // 2] / largest))
    out |= _named("top5_half", mean_interval(top5[:, n // 2]))
    least = modes["current"].output
    assert least is not None
    middle, low, high = (x[second] for x in mean_interval(least.mean))
    at = int(middle.argmin())
    out |= _named("least_now", (middle[at], low[at], high[at]))
    out["least_now_layer"] = second.start + at
    if future := modes.get("future"):
        out |= _future(future, n)
    return out


def _future(mode: Mode, n: int) -> dict[str, Scalar]:
    """Second half over first half of what skipping does to future tokens.

    The last layer, which cannot do anything to them, is left out.
    """
    first, second = halves(n)
    second = slice(second.start, n - 1)
    assert mode.output is not None
    out: dict[str, Scalar] = {}
    for name, e in (("effect", layer_effects(mode.effects.mean)), ("output", mode.output.mean)):
        above, below = np.median(e[:, second], axis=1), np.median(e[:, first], axis=1)
        out |= _named(f"future_{name}_ratio", ratio_interval(above, below))
    return out


def _named(name: str, values: tuple) -> dict[str, Scalar]:
    ends = ("", "_low", "_high")
    return {f"{name}{end}": float(v) for end, v in zip(ends, values, strict=True)}


def _turn(cosine: np.ndarray) -> int | None:
    """The last layer at which the mean cosine goes from below 0 to 0 or above."""
    up = np.flatnonzero((cosine[:-1] < 0) & (cosine[1:] >= 0))
    return int(up[-1]) + 1 if len(up) else None


def _say(s: dict, name: str) -> str:
    return say(s[name], s[f"{name}_low"], s[f"{name}_high"])


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def reading(s: dict) -> str:
    """Both halves' contributions, and the depth scores beside those of layers that matter alike."""
    texts = f"{_count(s['n'], 'text')}, {_count(s['tokens'], 'token')}"
    parts = []
    if "second_over_first" in s:
        parts.append(
            f"relative to the stream, a layer of the second half adds "
            f"{_say(s, 'second_over_first')} times what one of the first half adds (medians)"
        )
    if math.isfinite(s["depth_effect"]):
        parts.append(
            f"a skipped layer is felt by future tokens at depth {_say(s, 'depth_effect')} in later "
            f"layers and {_say(s, 'depth_output')} in the output; layers that matter alike would "
            f"score {number((s['blocks'] - 1) / 2)}"
        )
    elif s["future_n"]:
        parts.append("future tokens feel no skipped layer")
    else:
        parts.append("the texts are too short for future tokens")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]} ({texts})."


def _measure(
    needs: str, text: Callable[[dict], str], agrees: Callable[[dict], bool]
) -> Callable[[Result], Measured]:
    """A claim's measure: its number as text, and whether it agrees; both from the scalars."""

    def measure(result: Result) -> Measured:
        s: dict = result.scalars
        if needs not in s:
            what = "needs four layers" if s["blocks"] < LEAST_LAYERS else "needs longer texts"
            return Measured(what, "not testable here")
        if not math.isfinite(s[needs]):
            return Measured("nothing is felt, so nothing compares", "not testable here")
        if not math.isfinite(s[f"{needs}_low"]):
            return Measured(f"{text(s)}; needs two texts", "not testable here")
        return Measured(text(s), "agrees" if agrees(s) else "differs")

    return measure


def _turn_text(s: dict) -> str:
    turn = s["cosine_turn"]
    where = "no turn" if turn is None else f"last turn to positive at layer {turn}"
    return (
        f"mean cosine {_say(s, 'cosine_first')} in the first half, {_say(s, 'cosine_second')} in "
        f"the second; {where} of {s['blocks']}"
    )


def _turns(s: dict) -> bool:
    turn, n = s["cosine_turn"], s["blocks"]
    middle = turn is not None and 0.25 * n <= turn <= 0.75 * n
    return bool(middle and s["cosine_first_low"] <= 0 < s["cosine_second_low"])


def _future_text(s: dict) -> str:
    return (
        f"second half over first: effect on later layers {_say(s, 'future_effect_ratio')}, on the "
        f"output {_say(s, 'future_output_ratio')}"
    )


def _lens_text(s: dict) -> str:
    return (
        f"at half depth KL is {_say(s, 'kl_half')} of its largest value, the shared top five "
        f"{_say(s, 'top5_half')}"
    )


CLAIMS = (
    Claim(
        "second_half", _PAPER,
        "Layers of the second half contribute much less to the stream than those of the first "
        "(here: the median over layers of the relative contribution falls to two thirds or less; "
        "the upper end of the ratio must be below 0.67).",
        _measure("second_over_first",
                 lambda s: f"second half over first: {_say(s, 'second_over_first')}",
                 lambda s: s["second_over_first_high"] < _MUCH_LESS),
    ),
    Claim(
        "future", _PAPER,
        "Skipping layers of the second half has a much smaller effect on future computations and "
        "predictions (here: on later layers and on the output, at tokens that come after the "
        "skipped ones, the median over layers is below half of the first half's, upper ends "
        "included).",
        _measure("future_effect_ratio", _future_text,
                 lambda s: max(s["future_effect_ratio_high"], s["future_output_ratio_high"])
                 < _MUCH_SMALLER),
    ),
    Claim(
        "cosine", _PAPER,
        "In the middle, what layers add turns from erasing or new to strengthening what is there "
        "(here: mean cosine with the stream not clearly above 0 in the first half, clearly above "
        "in the second, with the last change of sign between a quarter and three quarters of the "
        "depth).",
        _measure("cosine_first", _turn_text, _turns), unconfirmed=True,
    ),
    Claim(
        "now", _PAPER,
        "Each layer of the second half still matters for the present prediction (here: skipping "
        "any of them at every token changes the output distribution by 0.05 or more of at most "
        "1.41, mean over tokens, lower end).",
        _measure("least_now",
                 lambda s: f"least change {_say(s, 'least_now')}, at layer {s['least_now_layer']}",
                 lambda s: s["least_now_low"] >= _MATTERS),
        unconfirmed=True,
    ),
    Claim(
        "lens", _PAPER,
        "Read through the head, layers come near the output only from the middle on (here: at half "
        "depth KL to the output is above half of its largest value and the shared top five below "
        "half, intervals included).",
        _measure("kl_half", _lens_text,
                 lambda s: s["kl_half_low"] > 0.5 and s["top5_half_high"] < 0.5),
        unconfirmed=True,
    ),
)  # fmt: skip
