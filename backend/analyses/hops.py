"""Do harder questions use deeper layers?  The depth score against the number of hops.

Csordás, Manning, Potts 2025: questions of known difficulty with their answers; all tokens before
the answer but the first are skipped, layer by layer, and what the answer's tokens notice is
weighed by depth.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.depth_score import (
    bootstrap_mean,
    bootstrap_slope,
    depth_score,
    layer_effects,
)
from backend.analyses.inputs import notes
from backend.analyses.intervals import number, say, wilson
from backend.analyses.prompts import Prompt, in_batches, text_data, with_answer
from backend.analyses.reductions import reduce_tokens
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.skip_effects import future_windows, skip_effects
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.capture.request import stored_order
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel
    from backend.whatif.replay import Replay

ANSWER = "answer"
FRONT = 1  # token 0 is never skipped
MEASURES = ("effect", "output")
_MOST_GROUPS = 20
_GROWTH = 0.05  # of the depth, from the easiest group to the hardest: less is no growth


@dataclass(frozen=True)
class Question:
    """A question with its answer as tokens, where the answer begins, and its group's number."""

    prompt: Prompt
    start: int
    group: int


@dataclass(frozen=True)
class Scores:
    """What was measured of each question, arrays (questions,)."""

    group: np.ndarray
    effect: np.ndarray  # depth score by later layers, NaN where nothing is felt
    output: np.ndarray  # depth score by the output
    answered: np.ndarray  # bool: the answer's first token is the model's first choice


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, model: "LoadedModel",
    group: str, prompts: int, length: int, reduce: str,
) -> Body:  # fmt: skip
    """The depth score of each group of questions, and its slope."""
    model.check_decoder()
    groups, table = _chosen(views, group, prompts)
    questions = _questions(model, groups, table, length)
    counts = np.bincount([q.group for q in questions], minlength=len(groups))
    if not counts.all():
        raise AnalysisError(
            f"No question of {group} {groups[int(counts.argmin())]} can be measured with "
            f"length={length}.",
            "Allow more tokens, or leave that group out of the data.",
        )
    scores = _scores(model, questions, reduce, progress)
    scalars: dict[str, Scalar] = {
        "n": len(questions), "tokens": sum(len(q.prompt.ids) - q.start for q in questions),
        "blocks": model.n_blocks, "group": group, "groups": len(groups), "reduce": reduce,
        **_slopes(groups, scores, seed), **_shares(scores.answered),
        "note": _note(len(table) - len(questions), groups, scores),
    }  # fmt: skip
    return Body(scalars, {"scores": _table(groups, scores, seed)}, _reading(scalars))


def _chosen(
    views: tuple[CaptureView, ...], group: str, prompts: int
) -> tuple[list[str], list[dict]]:
    """The groups in order, and of each its first rows in the stored order.

    Rows as mappings with `row`, `text`, `answer` and `group`.
    """
    data = text_data(views)
    names = ", ".join(data.columns)
    for name in (ANSWER, group):
        if name not in data.columns:
            raise AnalysisError(
                f"{data.name!r} has no column {name!r}.",
                f"Its columns: {names}. Answers go in {ANSWER!r}; set `group` to the column that "
                "says how hard a question is.",
            )
    order = stored_order(data.n_rows)[: views[0].n]
    found = data.take(order)
    columns = {"text": data.text_column, ANSWER: ANSWER, "group": group}
    values = {key: found[name].cast(pa.string()).to_pylist() for key, name in columns.items()}
    lines = [dict(zip(("row", *values), line, strict=True))
             for line in zip(order.tolist(), *values.values(), strict=True)]  # fmt: skip
    lines = [x for x in lines if (x[ANSWER] or "").strip() and (x["group"] or "").strip()]
    groups = sorted({x["group"] for x in lines}, key=lambda g: (_value(g), g))
    if not 2 <= len(groups) <= _MOST_GROUPS:
        raise AnalysisError(
            f"The column {group!r} of {data.name!r} has {len(groups)} "
            f"group{'s' if len(groups) != 1 else ''} of questions with answers.",
            f"Name a column with 2 to {_MOST_GROUPS} groups. Columns: {names}.",
        )
    own = [[x for x in lines if x["group"] == g][:prompts] for g in groups]
    return groups, [line for part in own for line in part]


def _value(group: str) -> float:
    """A group's number; words come after all numbers."""
    try:
        value = float(group)
    except ValueError:
        return math.inf
    return value if math.isfinite(value) else math.inf


def _questions(
    model: "LoadedModel", groups: list[str], table: list[dict], length: int
) -> list[Question]:
    """The questions that fit and of which at least one token can be skipped."""
    out = []
    for line in table:
        found = with_answer(model, line["text"], line[ANSWER], length=length)
        if found is not None and FRONT < found[1] < len(found[0]):
            prompt = Prompt(line["row"], line["text"], found[0])
            out.append(Question(prompt, found[1], groups.index(line["group"])))
    return out


def _scores(
    model: "LoadedModel", questions: list[Question], reduce: str, progress: Progress
) -> Scores:
    from backend.whatif.replay import record

    by_prompt = {q.prompt: q for q in questions}
    batches = list(in_batches(list(by_prompt)))
    found: dict[Question, tuple[float, float, bool]] = {}
    for at, batch in enumerate(batches):
        own = [by_prompt[p] for p in batch]

        def tell(done: int, total: int, at=at) -> None:
            progress(at * total + done, len(batches) * total, "skipping each layer")

        replay = record(model, [p.ids for p in batch])
        found |= dict(zip(own, _measure(replay, own, reduce, tell), strict=True))
    columns = zip(*(found[q] for q in questions), strict=True)
    return Scores(np.array([q.group for q in questions]), *(np.array(c) for c in columns))


def _measure(
    replay: "Replay", questions: Sequence[Question], reduce: str, tell: Callable[[int, int], None]
) -> list[tuple[float, float, bool]]:
    """Depth scores by effect and by output, and whether the answer is the first choice."""
    import torch

    lengths = np.array([len(q.prompt.ids) for q in questions])
    windows = future_windows([[q.start] for q in questions], lengths, front=FRONT)
    measured = np.stack([w.measured for w in windows])
    effects, changes = (
        reduce_tokens(values, measured) for values in skip_effects(replay, windows, progress=tell)
    )
    which = "largest" if reduce == "max" else "mean"
    by_effect = depth_score(layer_effects(getattr(effects, which)))
    by_output = depth_score(getattr(changes, which))
    rows, start = np.arange(len(questions)), np.array([q.start for q in questions])
    with torch.inference_mode():
        said = replay.logits(replay.states[-1][rows, start - 1]).argmax(-1).cpu().numpy()
    answered = said == replay.ids[rows, start].cpu().numpy()
    return list(zip(by_effect.tolist(), by_output.tolist(), answered.tolist(), strict=True))


def _table(groups: list[str], scores: Scores, seed: int) -> pa.Table:
    """One line for each group and measure; intervals of scores by bootstrap over questions."""
    lines = []
    for index, name in enumerate(groups):
        own = scores.group == index
        for measure in MEASURES:
            score, low, high = bootstrap_mean(getattr(scores, measure)[own], seed=seed)
            lines.append({"group": name, "measure": measure, "n": int(own.sum()), "score": score,
                          "low": low, "high": high, **_shares(scores.answered[own])})  # fmt: skip
    table = pa.Table.from_pylist(lines)
    at = table.column_names.index("n")
    return table.set_column(at, "n", table["n"].cast(pa.int32()))


def _shares(answered: np.ndarray) -> dict[str, float]:
    """Share of questions answered right first, with Wilson's interval."""
    low, high = wilson(float(answered.sum()), len(answered))
    return {"answered": float(answered.mean()), "answered_low": low, "answered_high": high}


def _slopes(groups: list[str], scores: Scores, seed: int) -> dict[str, Scalar]:
    """Layers that the score grows by, from the easiest group to the hardest, and per unit.

    Groups that are no numbers are counted 0, 1, 2 in the order of their names.
    """
    values = np.array([_value(g) for g in groups])
    if not np.isfinite(values).all():
        values = np.arange(len(groups), dtype=np.float64)
    out: dict[str, Scalar] = {"span": float(np.ptp(values))}
    for measure in MEASURES:
        found = bootstrap_slope(values[scores.group], getattr(scores, measure), seed=seed)
        for end, value in zip(("", "_low", "_high"), found, strict=True):
            out[f"slope_{measure}{end}"] = value
    return out


def _note(left_out: int, groups: list[str], scores: Scores) -> str:
    said = []
    if left_out:
        said.append(
            f"Questions left out, as they do not fit the length or are one token long: {left_out}."
        )
    if not all(math.isfinite(_value(g)) for g in groups):
        said.append("The groups are no numbers; slopes count them in the order of their names.")
    if mute := int(np.isnan(scores.effect).sum()):
        said.append(f"Questions whose answer feels no skipped layer, without a score: {mute}.")
    return notes(said)


def _reading(s: dict) -> str:
    rise = ", ".join(
        f"{say(*(s[f'slope_{m}{end}'] for end in ('', '_low', '_high')))} by {what}"
        for m, what in (("effect", "the effect on later layers"), ("output", "the output"))
    )
    share = say(100 * s["answered"], 100 * s["answered_low"], 100 * s["answered_high"])
    return (
        f"From one {s['group']} to the next the depth score changes by {rise}, in layers of "
        f"{s['blocks']}; the model's first choice is the answer's first token for {share} % of "
        f"{s['n']} questions."
    )


def _claim_flat(result: Result) -> Measured:
    s: dict = result.scalars
    if not all(math.isfinite(s[f"slope_{m}_high"]) for m in MEASURES):
        return Measured("needs two questions in each group", "not testable here")
    grown = {m: [s["span"] * s[f"slope_{m}{end}"] for end in ("", "_low", "_high")]
             for m in MEASURES}  # fmt: skip
    most = _GROWTH * (s["blocks"] - 1)
    text = (
        f"from the easiest to the hardest group by {say(*grown['effect'])} layers (effect), "
        f"{say(*grown['output'])} (output), of {s['blocks']}; no growth is below {number(most)}"
    )
    if all(high < most for _, _, high in grown.values()):
        return Measured(text, "agrees")
    if any(low > 0 for _, low, _ in grown.values()):
        return Measured(text, "differs")
    return Measured(f"{text}: too uncertain", "not testable here")


SPEC = register(
    Spec(
        key="hops",
        title="Depth and difficulty",
        question="Do harder questions use deeper layers?",
        source="Csordás, Manning, Potts 2025",
        version=1,
        run=run,
        kinds=("text",),
        needs_model=True,
        captures=0,
        parameters=(
            Parameter("group", str, "hops", "Column that says how hard a question is."),
            Parameter("prompts", int, 20, "Questions of each group.", minimum=1, maximum=512),
            Parameter("length", int, 128, "Tokens of question and answer, at the most.",
                      minimum=4, maximum=2048),
            Parameter("reduce", str, "max", "Over the answer's tokens: max, as in the paper, or "
                      "mean.", choices=("max", "mean")),
        ),
        claims=(
            Claim(
                "flat", "Csordás, Manning, Potts 2025",
                "Questions of more hops do not use more depth (here: from the easiest group to the "
                "hardest the depth score grows by less than 5 % of the depth, by either measure, "
                "upper ends included; it differs when a score clearly grows by more).",
                _claim_flat,
            ),
        ),
    )
)  # fmt: skip
