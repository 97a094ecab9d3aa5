"""Where is one prompt used?  Erase each token at each depth, and attribute the answer to it.

Csordás, Manning, Potts 2025, figures of single examples. Both maps are of one prompt with one
answer, whose tokens are predicted each after the true ones before it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.attribution import SITES, Attribution, attribution_map
from backend.analyses.erasure import erasure_map, mean_states
from backend.analyses.inputs import notes
from backend.analyses.intervals import median_interval, rank_correlation
from backend.analyses.maps_claims import CLAIMS, PAPER, note, reading
from backend.analyses.one_prompt import Asked, ask
from backend.analyses.prompts import choose_prompts, in_batches
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    import torch

    from backend.models.loading import LoadedModel
    from backend.whatif.replay import Replay

_MATTERS = 0.1  # of the map's largest effect
_CLOSE = 0.1  # of f(x) - f(x0) that attributions may miss without a note
_SHARE = {"erasure": 0.3, "attribution": 0.7}  # of the time, where both are made


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, model: "LoadedModel",
    text: str, row: int, answer: str, map: str, site: str, steps: int, background: int,
    length: int,
) -> Body:  # fmt: skip
    """Residual erasure and integrated gradients of one prompt."""
    from backend.whatif.replay import record

    model.check_decoder()
    asked = ask(views, model, text=text, row=row, answer=answer, length=length)
    track = _Track(progress, map)
    blank, about = None, {}
    if map != "attribution":
        blank, about = _blank(views, model, asked, background)
    replay = record(model, [asked.ids])
    words = model.tokens(list(asked.ids))
    tables: dict[str, pa.Table] = {}
    scalars = _about(model, asked, replay, map) | about
    if blank is not None:
        effects = erasure_map(replay, blank, asked.predicts, progress=track.step("erasure"))
        tables["erasure"] = _cells(effects, words, "effect")
        tables["tokens"] = _tokens(effects, words, asked)
        scalars |= _used(tables["tokens"], asked, float(effects.max()))
    if map != "erasure":
        found = attribution_map(
            replay, asked.predicts, asked.answer, site=site, steps=steps,  # type: ignore[arg-type]
            progress=track.step("attribution"),
        )  # fmt: skip
        tables["attribution"] = _cells(found.values, words, "value")
        tables["completeness"] = _completeness(found)
        scalars |= {"site": site, "steps": steps} | _missed(found)
    scalars["note"] = notes([asked.note, note(scalars)])
    return Body(scalars, tables, reading(scalars))


def _blank(
    views: tuple[CaptureView, ...], model: "LoadedModel", asked: Asked, background: int
) -> "tuple[torch.Tensor, dict[str, Scalar]]":
    """The uninformative states, from other rows of the data, and how many those are."""
    from backend.whatif.replay import record

    wide = choose_prompts(
        views, model, text="", prompts=background + 1, length=model.max_tokens
    )  # fmt: skip
    others = [
        p for p in wide if p.row != asked.row and p.text != asked.text and p.text.strip()
    ][:background]  # fmt: skip
    if not others:
        raise AnalysisError(
            f"{views[0].dataset.name!r} has no text but the prompt itself.",
            "Erasing takes the mean state of other texts; give data with more rows, or set map "
            "to attribution.",
        )
    batches = in_batches(others)
    blank = mean_states(record(model, [p.ids for p in batch]) for batch in batches)
    tokens = sum(len(p.ids) for p in others)
    return blank, {"background": len(others), "background_tokens": tokens}


class _Track:
    """Progress over the maps that are made, in hundredths."""

    def __init__(self, progress: Progress, map: str) -> None:
        self.progress, self.done = progress, 0.0
        self.shares = _SHARE if map == "both" else {map: 1.0}

    def step(self, name: str) -> Callable[[int, int], None]:
        doing = {"erasure": "erasing each token", "attribution": "attributing the answer"}[name]
        start, share = self.done, self.shares[name]
        self.done += share

        def tell(done: int, total: int) -> None:
            self.progress(round(100 * (start + share * done / total)), 100, doing)

        return tell


def _cells(values: np.ndarray, words: list[str], name: str) -> pa.Table:
    """A map (layers, length) as a table, layer by layer."""
    layers, length = values.shape
    return pa.table({
        "layer": np.repeat(np.arange(layers, dtype=np.int32), length),
        "position": np.tile(np.arange(length, dtype=np.int32), layers),
        "token": pa.array(words * layers, pa.string()),
        name: values.ravel(),
    })  # fmt: skip


def _tokens(effects: np.ndarray, words: list[str], asked: Asked) -> pa.Table:
    """Of each token the deepest erasure that the answer notices, and how much it matters early.

    `used_until` is -1 for a token that is never noticed; `early` is the mean effect over depths
    0 to L/2.
    """
    noticed = effects > _MATTERS * effects.max()
    depth = np.arange(len(effects), dtype=np.int32)[:, None]
    position = np.arange(len(words), dtype=np.int32)
    return pa.table({
        "position": position,
        "token": pa.array(words, pa.string()),
        "predicts": np.isin(position, asked.predicts),
        "used_until": np.where(noticed, depth, -1).max(axis=0).astype(np.int32),
        "early": effects[: (len(effects) - 1) // 2 + 1].mean(axis=0),
        "largest": effects.max(axis=0),
    })  # fmt: skip


def _completeness(found: Attribution) -> pa.Table:
    return pa.table({
        "layer": np.arange(len(found.values), dtype=np.int32),
        "attributed": found.values.sum(axis=1),
        "difference": found.difference,
    })  # fmt: skip


def _about(model: "LoadedModel", asked: Asked, replay: "Replay", map: str) -> dict[str, Scalar]:
    """What was asked, and how probable the model finds it."""
    import torch

    with torch.inference_mode():
        p = replay.logits(replay.states[-1][0, list(asked.predicts)]).softmax(-1).cpu()
    own = p[range(len(asked.answer)), list(asked.answer)].double()
    return {
        "n": len(asked.ids), "inputs": len(asked.inputs), "blocks": model.n_blocks, "map": map,
        "row": asked.row, "text": asked.text,
        "answer": model.inputs.tokenizer.decode(list(asked.answer)),  # type: ignore[attr-defined]
        "answer_tokens": len(asked.answer), "answer_probability": float(own.mean()),
        "answered": p.argmax(-1).tolist() == list(asked.answer),
    }  # fmt: skip


def _used(tokens: pa.Table, asked: Asked, largest: float) -> dict[str, Scalar]:
    """How deep the input tokens are used, and how alike they matter before mid-network."""
    found: dict[str, Scalar] = {"largest_effect": largest}
    at = np.array(asked.inputs)
    if not len(at):
        return found
    used, early = (tokens[name].to_numpy()[at] for name in ("used_until", "early"))
    low, high = np.quantile(early, (0.25, 0.75))
    last = int(at[used.argmax()])
    found |= dict(zip(("used", "used_low", "used_high"), median_interval(used), strict=True))
    found |= {
        "used_first": int(used.min()), "used_last": int(used.max()),
        "used_last_position": last, "used_last_token": tokens["token"][last].as_py(),
        "early_low": float(low), "early_high": float(high),
        "early_ratio": float(low / high) if high > 0 else float("nan"),
    }  # fmt: skip
    rho = rank_correlation(at.astype(np.float64), used.astype(np.float64))
    return found | dict(zip(("later", "later_low", "later_high"), rho, strict=True))


def _missed(found: Attribution) -> dict[str, Scalar]:
    """By how much attributions miss f(x) - f(x0), as shares of it, over layers."""
    gap = np.abs(found.values.sum(axis=1) - found.difference)
    size = np.abs(found.difference)
    share = np.where(gap == 0, 0.0, gap / np.maximum(size, 1e-12))
    return {
        "missed": float(np.median(share)), "missed_most": float(share.max()),
        "missed_layer": int(share.argmax()), "missed_layers": int((share > _CLOSE).sum()),
    }  # fmt: skip


SPEC = register(
    Spec(
        key="maps",
        title="Where one prompt is used",
        question="Down to which layer does each token of a prompt matter?",
        source=f"{PAPER}; Sundararajan, Taly, Yan 2017",
        version=1,
        run=run,
        kinds=("text",),
        needs_model=True,
        captures=0,
        parameters=(
            Parameter("text", str, "", "The prompt; empty takes a row of the data."),
            Parameter("row", int, -1, "Row to take the prompt from, if no text is given.",
                      minimum=-1),
            Parameter("answer", str, "", "Its answer; empty takes the row's answer, else the "
                      "model's own first choice."),
            Parameter("map", str, "both", "Which maps to make.",
                      choices=("both", "erasure", "attribution")),
            Parameter("site", str, "layer", "What the answer is attributed to.", choices=SITES),
            Parameter("steps", int, 32, "Points of the integral; the paper takes 256.", minimum=1,
                      maximum=4096),
            Parameter("background", int, 10, "Other rows whose mean state stands for no token.",
                      minimum=1, maximum=1024),
            Parameter("length", int, 64, "Tokens of the prompt, at the most.", minimum=1,
                      maximum=1024),
        ),
        claims=CLAIMS,
    )
)  # fmt: skip
