"""What changes if layers are skipped or lose bits?  The model beside itself, on the same texts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import Z95, mean_error, number, say
from backend.analyses.prompts import Prompt, choose_prompts, in_batches
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import AnalysisError
from backend.whatif.values import WhatIf

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

_KEPT = 64  # answers of the untouched model, which each toggle is held against


@dataclass(frozen=True)
class Answer:
    """What the model makes of some texts, changed or not."""

    losses: tuple[np.ndarray, ...]  # per text, nats, of each token from the second on
    next_p: np.ndarray  # float64 (vocabulary,), after the first text
    continuation: tuple[int, ...]  # of the first text


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, model: "LoadedModel",
    whatif: WhatIf, text: str, prompts: int, length: int, new: int, top: int,
) -> Body:  # fmt: skip
    """Loss, next tokens, continuation and size, of the model as it is and of the changed one."""
    from backend.whatif.sizes import sizes_of

    chosen = choose_prompts(views, model, text=text, prompts=prompts, length=length)
    usable = [p for p in chosen if len(p.ids) > 1]
    if not usable:
        raise AnalysisError("No text has two tokens.", "Give a longer text.")
    progress(0, 2, "the model as it is")
    base = _baseline(model, usable, new)
    progress(1, 2, f"with {whatif}" if whatif else "the model as it is")
    changed = _answer(model, whatif, usable, new) if whatif else base
    tables = {
        "next": _next_table(model, base, changed, top),
        "tokens": _token_table(model, usable[0], base, changed),
        "continuation": _continuation_table(model, base, changed),
    }
    scalars = _scalars(usable, base, changed) | sizes_of(model, whatif).to_json()
    scalars |= {
        "whatif": str(whatif), "text": _read(model, usable[0], length),
        "base_text": _words(model, base.continuation),
        "changed_text": _words(model, changed.continuation),
    }  # fmt: skip
    return Body(scalars, tables, _reading(scalars))


_BASE: "WeakKeyDictionary[LoadedModel, dict[tuple, Answer]]" = WeakKeyDictionary()


def _baseline(model: "LoadedModel", prompts: list[Prompt], new: int) -> Answer:
    """The untouched model's answer, computed once for the same texts."""
    kept = _BASE.setdefault(model, {})
    key = (tuple(tuple(p.ids) for p in prompts), new)
    if key not in kept:
        while len(kept) >= _KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = _answer(model, WhatIf(), prompts, new)
    return kept[key]


def _answer(model: "LoadedModel", whatif: WhatIf, prompts: list[Prompt], new: int) -> Answer:
    import torch

    from backend.models.scoring import continue_text, next_losses, text_losses
    from backend.whatif.applying import applied

    first, *rest = prompts
    with torch.inference_mode(), applied(model, whatif) as place:
        tokens, final = continue_text(model, first.ids, new, place)
        ids = torch.tensor([list(first.ids)], device=model.device.name)
        own = next_losses(model, final[None], ids, torch.ones_like(ids, dtype=torch.bool))
        p = model.head_logits(final[-1]).double().softmax(-1).cpu().numpy()
        losses = [own[0].cpu().numpy()]
        for batch in in_batches(rest):
            losses += [found.numpy() for found in text_losses(model, [b.ids for b in batch])]
    return Answer(tuple(losses), p, tuple(tokens))


def _next_table(model: "LoadedModel", base: Answer, changed: Answer, top: int) -> pa.Table:
    """The most probable next tokens of either model, the untouched one's order first."""
    best = [np.argsort(-a.next_p, kind="stable")[:top] for a in (base, changed)]
    ids = list(dict.fromkeys(np.concatenate(best).tolist()))
    return pa.table({
        "rank": np.arange(1, len(ids) + 1, dtype=np.int32),
        "token": model.tokens(ids),
        "base_probability": base.next_p[ids],
        "probability": changed.next_p[ids],
    })  # fmt: skip


def _token_table(model: "LoadedModel", prompt: Prompt, base: Answer, changed: Answer) -> pa.Table:
    """The first text, token by token: what each one costs."""
    return pa.table({
        "position": np.arange(1, len(prompt.ids), dtype=np.int32),
        "token": model.tokens(list(prompt.ids[1:])),
        "base_loss": base.losses[0].astype(np.float64),
        "loss": changed.losses[0].astype(np.float64),
    })  # fmt: skip


def _continuation_table(model: "LoadedModel", base: Answer, changed: Answer) -> pa.Table:
    longest = max(len(base.continuation), len(changed.continuation))

    def padded(answer: Answer) -> list[str | None]:
        words = model.tokens(list(answer.continuation))
        return [*words, *[None] * (longest - len(words))]

    return pa.table({
        "position": np.arange(longest, dtype=np.int32),
        "base_token": pa.array(padded(base), pa.string()),
        "token": pa.array(padded(changed), pa.string()),
    })  # fmt: skip


def _scalars(prompts: list[Prompt], base: Answer, changed: Answer) -> dict[str, Scalar]:
    """Mean losses, and the interval of their difference: over texts, of one text over tokens."""
    before, after = np.concatenate(base.losses), np.concatenate(changed.losses)
    groups = np.repeat(np.arange(len(prompts)), [len(x) for x in base.losses])
    several = len(prompts) > 1
    gap = (after - before).astype(np.float64)
    error = float(mean_error(gap, groups=groups if several else None))
    middle = float(gap.mean())
    return {
        "n": len(prompts), "tokens": len(gap),
        "base_loss": float(before.mean(dtype=np.float64)),
        "loss": float(after.mean(dtype=np.float64)),
        "change": middle, "change_low": middle - Z95 * error, "change_high": middle + Z95 * error,
        "same_first": bool(base.next_p.argmax() == changed.next_p.argmax()),
        "note": "" if several else "One text: the interval takes its tokens as independent.",
    }  # fmt: skip


def _words(model: "LoadedModel", ids: tuple[int, ...]) -> str:
    return model.inputs.tokenizer.decode(list(ids), skip_special_tokens=True)  # type: ignore[attr-defined]


def _read(model: "LoadedModel", prompt: Prompt, length: int) -> str:
    """What the model read of a text: all of it, or its first tokens."""
    return prompt.text if len(prompt.ids) < length else _words(model, prompt.ids)


def _reading(s: dict) -> str:
    if not s["whatif"]:
        return (
            f"The model as it is: {number(s['base_loss'])} nats per token over {s['tokens']} "
            f"tokens, {s['base_mb']:,.0f} MB."
        )
    change = say(s["change"], s["change_low"], s["change_high"])
    return (
        f"With {s['whatif']} the loss goes from {number(s['base_loss'])} to {number(s['loss'])} "
        f"nats per token, by {change} over {s['tokens']} tokens; the weights would take "
        f"{s['mb']:,.0f} of {s['base_mb']:,.0f} MB."
    )


SPEC = register(
    Spec(
        key="whatif",
        title="What-if",
        question="What changes in what the model says?",
        source="Csordás, Manning, Potts 2025; Dumitru et al. 2025",
        version=1,
        run=run,
        kinds=("text",),
        needs_model=True,
        compares=True,
        captures=0,
        parameters=(
            Parameter("text", str, "", "A text to read instead of rows of the data."),
            Parameter("prompts", int, 1, "Rows to read, if no text is given.", minimum=1,
                      maximum=512),
            Parameter("length", int, 128, "Tokens to read of a text.", minimum=2, maximum=4096),
            Parameter("new", int, 24, "Tokens to add to the first text.", minimum=0, maximum=256),
            Parameter("top", int, 10, "Next tokens to list.", minimum=1, maximum=50),
        ),
    )
)  # fmt: skip
