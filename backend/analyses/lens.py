"""What would the model say if it stopped here?  The logit lens (nostalgebraist 2020)."""

import math
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import (
    Z95,
    mean_error,
    median_interval,
    number,
    rank_correlation,
    say,
)
from backend.analyses.lens_tables import next_table, word_table
from backend.analyses.logits import Reading, log_probabilities, read_logits, settled_from
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import AnalysisError, ModelError

if TYPE_CHECKING:
    import torch

    from backend.models.loading import LoadedModel

_POSITIONS_AT_ONCE = 64  # x vocabulary x 4 bytes, a few copies: bounds memory
_LITERAL = -1  # the `row` of a text that was typed in


def run(
    views: tuple[CaptureView, ...],
    *,
    seed: int,
    progress: Progress,
    model: "LoadedModel",
    text: str,
    row_ids: str,
    examples: int,
    positions: str,
    length: int,
    top: int,
) -> Body:
    """Read every layer of a language model through its own head."""
    sites = lens_sites(model)
    texts = _texts(views, text=text, row_ids=row_ids, examples=examples, seed=seed)
    words, following, settled, kls, groups = [], [], [], [], []
    for index, (row, content) in enumerate(texts):
        progress(index, len(texts), f"reading text {index + 1} of {len(texts)}")
        found = _read_text(model, sites, content, positions=positions, length=length, top=top)
        if found is None:
            continue
        ids, at, actual, readings = found
        words.append(word_table(model, sites, row, ids, at, readings))
        following.append(next_table(model, sites, row, ids, at, actual, readings))
        settled.append(settled_from(np.stack([r.top[:, 0] for r in readings])))
        kls.append(np.stack([r.kl for r in readings], axis=1))
        groups.append(np.full(len(at), len(groups)))
    if not words:
        raise AnalysisError("The texts have no tokens.", "Give a text that is not empty.")
    progress(len(texts), len(texts), "done")
    scalars = _scalars(
        sites, np.concatenate(settled), np.concatenate(kls), np.concatenate(groups), model
    )
    tables = {"lens": pa.concat_tables(words), "next": pa.concat_tables(following)}
    return Body(scalars, tables, _reading(scalars))


def lens_sites(model: "LoadedModel") -> tuple[str, ...]:
    """Sites for layers 0 .. L: the embedding, after each block, and the model's own output."""
    ref = getattr(getattr(model, "source", None), "ref", "This model")
    if not getattr(model, "is_decoder", False):
        raise ModelError(
            f"{ref} does not predict next tokens, so it has no logit lens.",
            "Pick a decoder language model, such as a GPT-2, Llama, Qwen or Gemma model.",
        )
    blocks = sorted(
        (s for s in model.sites if s.startswith("resid_post.")),
        key=lambda s: int(s.rpartition(".")[2]),
    )
    if not blocks or "embed" not in model.sites:
        raise ModelError(
            f"{ref} has no readable stream between embedding and head.",
            "Pick a decoder language model, such as a GPT-2, Llama, Qwen or Gemma model.",
        )
    output = "final" if "final" in model.sites else blocks[-1]
    return ("embed", *blocks[:-1], output)


def _texts(
    views: tuple[CaptureView, ...], *, text: str, row_ids: str, examples: int, seed: int
) -> list[tuple[int, str]]:
    """(row, text) to read: the literal text, the named rows, or a few rows by chance.

    Only the data set is read: the lens needs no capture.
    """
    if text:
        return [(_LITERAL, text)]
    if not views:
        raise AnalysisError("There is nothing to read.", "Give a text, or a data set of texts.")
    data = views[0].dataset
    if data.kind != "text":
        raise AnalysisError(
            f"{data.name!r} holds {data.kind} rows, not texts.", "Give a text, or text data."
        )
    if row_ids:
        if not re.fullmatch(r"\s*\d+(\s*,\s*\d+)*\s*", row_ids):
            raise AnalysisError(
                f"row_ids={row_ids!r} is not a list of row numbers.", "Write it as in 0,5,7."
            )
        rows = np.array([int(r) for r in row_ids.split(",")], dtype=np.int64)
        if rows.max() >= data.n_rows:
            raise AnalysisError(
                f"Row {rows.max()} is not in {data.name!r}.",
                f"Rows go from 0 to {data.n_rows - 1}.",
            )
    else:
        count = min(examples, data.n_rows)
        rows = np.sort(np.random.default_rng(seed).choice(data.n_rows, count, replace=False))
    return list(zip(rows.tolist(), data.texts(rows), strict=True))


def _read_text(
    model: "LoadedModel",
    sites: tuple[str, ...],
    text: str,
    *,
    positions: str,
    length: int,
    top: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Reading]] | None:
    """Token ids (T,), positions read (t,), token that follows each (t,), one reading per layer."""
    states, mask = model.states([text], sites)
    real = mask[0].nonzero()[:, 0]
    if not len(real):
        return None
    ids = model.tokenize([text])["input_ids"][0, real]
    count = len(ids)
    at = np.arange(min(count, length)) if positions == "all" else np.array([count - 1])
    parts = [
        _read_block(model, sites, states, real, ids, at[i : i + _POSITIONS_AT_ONCE], top=top)
        for i in range(0, len(at), _POSITIONS_AT_ONCE)
    ]
    actual = np.concatenate([a for a, _ in parts])
    readings = [_join([r[layer] for _, r in parts]) for layer in range(len(sites))]
    return ids.cpu().numpy(), at, actual, readings


def _read_block(
    model: "LoadedModel",
    sites: tuple[str, ...],
    states: "dict[str, torch.Tensor]",
    real: "torch.Tensor",
    ids: "torch.Tensor",
    at: np.ndarray,
    *,
    top: int,
) -> tuple[np.ndarray, list[Reading]]:
    import torch

    def log_p(site: str) -> torch.Tensor:
        hidden = states[site][0, real[torch.as_tensor(at, device=real.device)]]
        logits = model.head_logits(hidden) if site == "final" else model.lens_logits(hidden)
        return log_probabilities(logits)

    output = log_p(sites[-1])
    after = torch.as_tensor(at, device=ids.device) + 1
    follows = ids[after.clamp(max=len(ids) - 1)].to(output.device)
    actual = torch.where(after.to(output.device) < len(ids), follows, output.argmax(-1))
    k = min(top, output.shape[-1])
    readings = [read_logits(log_p(s), output, actual, k=k) for s in sites[:-1]]
    readings.append(read_logits(output, output, actual, k=k))
    return actual.cpu().numpy(), readings


def _join(parts: list[Reading]) -> Reading:
    """Readings of consecutive positions as one."""
    names = Reading.__dataclass_fields__
    return Reading(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def _scalars(
    sites: tuple[str, ...],
    settled: np.ndarray,
    kl: np.ndarray,
    groups: np.ndarray,
    model: "LoadedModel",
) -> dict[str, Scalar]:
    """Where the first choice settles, and how far each layer is from the output."""
    last = len(sites) - 1
    median, low, high = median_interval(settled)
    mean = kl.mean(axis=0)
    several = groups.max() > 0
    error = mean_error(kl, groups=groups if several else None)
    middle = last // 2
    rho, rho_low, rho_high = rank_correlation(np.arange(last + 1), mean)
    late = float((settled >= math.ceil(0.75 * last)).mean())
    half = Z95 * float(error[middle])
    return {
        "n": len(settled),
        "texts": int(groups.max()) + 1,
        "layers": last,
        "settled": median,
        "settled_low": low,
        "settled_high": high,
        "settled_late": late,
        "kl_first": float(mean[0]),
        "kl_middle": float(mean[middle]),
        "kl_middle_low": max(0.0, float(mean[middle]) - half),
        "kl_middle_high": float(mean[middle]) + half,
        "kl_rho": rho,
        "kl_rho_low": rho_low,
        "kl_rho_high": rho_high,
        "max_tokens": getattr(model, "max_tokens", None),
        "note": "" if several else "One text: intervals take its positions as independent.",
    }


def _reading(s: dict) -> str:
    kl = say(s["kl_middle"], s["kl_middle_low"], s["kl_middle_high"])
    return (
        f"The model's final first choice is already first, and stays so, from layer "
        f"{say(s['settled'], s['settled_low'], s['settled_high'])} of {s['layers']} on "
        f"(median over {s['n']} positions of {s['texts']} texts); half-way the "
        f"distribution is {kl} nats from the output, at the embedding {number(s['kl_first'])}."
    )


def _claim_gradual(result: Result) -> Measured:
    s: dict = result.scalars
    if not math.isfinite(s["kl_rho"]):
        return Measured("needs four layers", "not testable here")
    text = f"rank correlation of KL to the output with layer {_rho(s)}"
    return Measured(text, "agrees" if s["kl_rho_high"] < -0.5 else "differs")


def _rho(s: dict) -> str:
    return say(s["kl_rho"], s["kl_rho_low"], s["kl_rho_high"])


def _claim_before_end(result: Result) -> Measured:
    s: dict = result.scalars
    if s["layers"] < 4:
        return Measured("needs four layers", "not testable here")
    where = say(s["settled"], s["settled_low"], s["settled_high"])
    text = f"settled from layer {where} of {s['layers']} (median)"
    return Measured(text, "agrees" if s["settled_high"] <= 0.75 * s["layers"] else "differs")


SPEC = register(
    Spec(
        key="lens",
        title="Logit lens",
        question="What would the model say if it stopped at this layer?",
        source="nostalgebraist 2020",
        version=1,
        run=run,
        kinds=("text",),
        needs_model=True,
        captures=0,
        parameters=(
            Parameter("text", str, "", "A text to read instead of rows of the data."),
            Parameter("row_ids", str, "", "Rows to read, as in 0,5,7; empty = a few by chance."),
            Parameter("examples", int, 4, "Rows to read if none is named.", minimum=1, maximum=256),
            Parameter(
                "positions", str, "all", "Read every position or the last.", choices=("all", "last")
            ),
            Parameter("length", int, 64, "Positions to read of a text.", minimum=1, maximum=4096),
            Parameter("top", int, 5, "Tokens to list.", minimum=1, maximum=50),
        ),
        claims=(
            Claim(
                "gradual",
                "nostalgebraist 2020",
                "Read through the head, the layers' distributions converge gradually to the "
                "output's (here: rank correlation of KL with depth below -0.5).",
                _claim_gradual,
            ),
            Claim(
                "before_end",
                "nostalgebraist 2020",
                "Often the guess is there long before the end (here: for the median position "
                "within the first three quarters of the layers).",
                _claim_before_end,
            ),
        ),
    )
)
