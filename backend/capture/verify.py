"""The oracle: stored vectors held against the library's own plain forward pass (workers only).

The reference runs one row at a time, unpadded and to the end, with `output_hidden_states` where
the library has it, and pools with its own few lines of numpy: nothing is shared with the capture.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch.utils.hooks import RemovableHandle

from backend.capture.shard import read_items
from backend.data.dataset import Dataset
from backend.models.hooks import tensor_of
from backend.models.loading import LoadedModel
from backend.models.taps import Tap

# Largest difference allowed, as a share of the site's root mean square, per compute precision.
# 1e-3 in float32 is ten times what padding and batching alone change in 30-layer models; half
# precision carries 8 to 11 bits, so its sums over the width differ in the second digit.
TOLERANCE = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1}


@dataclass(frozen=True)
class Check:
    """How far stored vectors are from the plain forward pass.

    `largest` is the largest absolute difference over the site's root mean square, worst site;
    `top1` the share of rows whose predicted class or token is the same (None without a head).
    """

    rows: int
    sites: int
    largest: float
    worst_site: str
    top1: float | None
    verdict: str  # "agrees", "close" (up to ten times the tolerance), "differs", "not checked"
    tolerance: float
    how: str

    def to_json(self) -> dict:
        return asdict(self)


def pool_plain(states: np.ndarray, how: str) -> np.ndarray:
    """Pool (positions, width) of one unpadded row; written apart from the capture's pooling."""
    pooled = {
        "last": lambda x: x[-1],
        "cls": lambda x: x[0],
        "mean": lambda x: x.astype(np.float64).mean(0),
        "max": lambda x: x.max(0),
    }
    return pooled[how](states) if how in pooled else states


@torch.inference_mode()
def plain_states(model: LoadedModel, item: object, sites: tuple[str, ...]) -> tuple[dict, object]:
    """Unpooled (positions, width) states of one row at each site, and the model's output."""
    prepared = model.inputs.prepare([item], max_tokens=model.max_tokens)
    inputs = {
        k: v.to(model.device.name, model.device.dtype if v.is_floating_point() else v.dtype)
        for k, v in model.inputs.collate(prepared.samples).inputs.items()
    }
    seen: dict[str, torch.Tensor] = {}
    handles = [
        _watch(model.taps[s], s, seen)
        for s in {*sites, *(["final"] if "final" in model.taps else [])}
    ]
    try:
        whole = model.model if model.is_decoder or "head" in sites else model.trunk
        is_library = hasattr(whole, "config") and not model.family.convolutional
        output = whole(**inputs, **({"output_hidden_states": True} if is_library else {}))
    finally:
        for handle in handles:
            handle.remove()
    library = getattr(output, "hidden_states", None)
    if library is not None and len(library) == model.n_blocks + 1:
        last = _last_names(model, library[-1], seen.get("final"))
        seen |= _library_states(library, model.n_blocks, sites, last=last)
    if "head" in sites and getattr(output, "logits", None) is not None:
        seen["head"] = output.logits
    return {s: _as_positions(h) for s, h in seen.items() if s in sites}, output


def _watch(tap: Tap, site: str, seen: dict[str, torch.Tensor]) -> RemovableHandle:
    """Note what passes a module on the way through the plain pass."""
    if tap.side == "output":
        return tap.module.register_forward_hook(
            lambda m, args, out: seen.__setitem__(site, tensor_of(out).clone())
        )
    return tap.module.register_forward_pre_hook(
        lambda m, args, kwargs: seen.__setitem__(
            site, tensor_of(args or tuple(kwargs.values())).clone()
        ),
        with_kwargs=True,
    )


def _last_names(
    model: LoadedModel, library: torch.Tensor, final: torch.Tensor | None
) -> tuple[str, ...]:
    """Which sites the library's last hidden state is: after the final norm, before it, or both."""
    before = f"resid_post.{model.n_blocks - 1}"
    if final is None or final.shape != library.shape or not torch.equal(final, library):
        return (before,)
    return ("final",) if model.family.final else (before, "final")


def _library_states(
    library: tuple, n_blocks: int, sites: tuple[str, ...], *, last: tuple[str, ...]
) -> dict:
    """What the library itself calls the hidden states, by our names.

    `last` names its last one. Where the library has no state of its own for a site, what the
    module returned in the plain pass stays.
    """
    names = {"embed": 0} | dict.fromkeys(last, n_blocks)
    names |= {f"resid_pre.{i}": i for i in range(n_blocks)}
    names |= {f"resid_post.{i}": i + 1 for i in range(n_blocks - 1)}
    return {s: library[names[s]] for s in sites if s in names}


def _as_positions(hidden: torch.Tensor) -> np.ndarray:
    """One row's state as float32 (positions, width)."""
    array = hidden.float().cpu().numpy()
    if array.ndim == 4:
        array = array.reshape(*array.shape[:2], -1).swapaxes(1, 2)
        return array[0] if len(array) == 1 else array.mean(1)  # frames: average over the map
    return array[0] if array.ndim == 3 else array


def verify(
    model: LoadedModel,
    dataset: Dataset,
    rows: np.ndarray,
    stored: dict[str, np.ndarray],
    pooling: str,
    *,
    half: bool = False,
) -> Check:
    """Compare stored vectors (site -> (n, width), one per row) with the plain forward pass.

    With `half` the vectors were rounded to float16, so one step of float16 is no difference.
    """
    # A decoder's head is captured of the pooled state, which only one position's logits equal.
    whole = not model.is_decoder or pooling in ("last", "cls")
    sites = tuple(s for s in stored if s != "head" or whole)
    sums = {s: [0.0, 0.0, 0] for s in sites}  # largest difference, sum of squares, count
    agree: list[bool] = []
    for i, item in enumerate(read_items(dataset, rows, model)):
        states, output = plain_states(model, item, sites)
        for site in states:
            expected = pool_plain(states[site], pooling)
            difference = np.abs(stored[site][i].astype(np.float64) - expected)
            if half:
                step = np.spacing(np.abs(expected).astype(np.float16)).astype(np.float64)
                difference = np.maximum(difference - step, 0.0)
            total = sums[site]
            total[0] = max(total[0], float(np.nan_to_num(difference, nan=np.inf).max()))
            total[1] += float(np.square(expected, dtype=np.float64).sum())
            total[2] += expected.size
        same = _same_prediction(model, stored, i, output, pooling)
        agree += [] if same is None else [same]
    relative = {
        s: big / max(np.sqrt(squares / count), 1e-30)
        for s, (big, squares, count) in sums.items()
        if count
    }
    return judge(relative, agree, n_rows=len(rows), dtype=str(model.device.dtype))


def _same_prediction(
    model: LoadedModel, stored: dict, i: int, output: object, pooling: str
) -> bool | None:
    """Whether the stored last state predicts the same token as the model itself."""
    logits = getattr(output, "logits", None)
    last = f"resid_post.{model.n_blocks - 1}"
    if logits is None or pooling != "last" or not model.is_decoder:
        return None
    if "final" in stored:
        ours = model.head_logits(torch.from_numpy(stored["final"][i]).to(model.device.name))
    elif last in stored:
        state = torch.from_numpy(stored[last][i]).to(model.device.name, model.device.dtype)
        ours = model.lens_logits(state)
    else:
        return None
    return int(ours.argmax()) == int(logits[0, -1].argmax())


def judge(relative: dict[str, float], agree: list[bool], *, n_rows: int, dtype: str) -> Check:
    """Turn differences and agreements into a verdict."""
    how = "plain forward pass of the library, one row at a time, unpadded"
    tolerance = TOLERANCE.get(dtype.removeprefix("torch."), 1e-3)
    if not relative:
        return Check(0, 0, 0.0, "", None, "not checked", tolerance, how)
    worst = max(relative, key=lambda s: relative[s] if np.isfinite(relative[s]) else np.inf)
    largest, top1 = relative[worst], float(np.mean(agree)) if agree else None
    verdict = "agrees" if largest <= tolerance else "close"
    other_token = top1 is not None and top1 < 1 and dtype == "torch.float32"
    if not largest <= 10 * tolerance or other_token:
        verdict = "differs"
    return Check(n_rows, len(relative), largest, worst, top1, verdict, tolerance, how)
