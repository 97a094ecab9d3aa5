"""How is depth used?  What layers write, and who notices when one is skipped.

Csordás, Manning, Potts 2025. Token 0, which takes a role of its own in most models, is neither
skipped nor measured.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses import contributions as added
from backend.analyses.depth_claims import CLAIMS, half_scalars, reading
from backend.analyses.depth_score import bootstrap_mean, depth_score, layer_effects
from backend.analyses.depth_tables import (
    Mode,
    layers_table,
    lens_table,
    output_table,
    prompts_table,
    skip_table,
)
from backend.analyses.inputs import notes
from backend.analyses.prompts import Prompt, choose_prompts, in_batches
from backend.analyses.reductions import Reduced, join, reduce_tokens
from backend.analyses.result import Body, Scalar
from backend.analyses.skip_effects import (
    SHORTEST,
    Window,
    current_window,
    future_positions,
    future_windows,
    has_paper_grid,
    local_effects,
    rounding_floor,
    skip_effects,
)
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel
    from backend.whatif.replay import Replay

_LENS = 0.6  # of a sweep's time


class _Found:
    """What the batches gave so far."""

    def __init__(self) -> None:
        self.added: list[added.Contributions] = []
        self.lens: list[tuple[np.ndarray, np.ndarray]] = []
        self.modes: dict[str, list[Mode]] = defaultdict(list)
        self.floor = 0.0

    def mode(self, name: str) -> Mode:
        """A mode's prompts of all batches as one."""
        parts = self.modes[name]
        outputs = [p.output for p in parts if p.output is not None]
        return Mode(
            name, tuple(prompt for p in parts for prompt in p.prompts),
            join([p.effects for p in parts]), join(outputs) if outputs else None,
        )  # fmt: skip


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, model: "LoadedModel",
    text: str, prompts: int, length: int, part: str, local: bool, positions: int, skip_front: int,
) -> Body:  # fmt: skip
    """Contributions, effects of skipping in every mode, the lens, and the depth score."""
    from backend.whatif.replay import record

    chosen = choose_prompts(views, model, text=text, prompts=prompts, length=length)
    usable = [p for p in chosen if len(p.ids) > skip_front]
    if not usable:
        raise AnalysisError(
            f"No text has more than {skip_front} token{'s' if skip_front > 1 else ''}.",
            "Give longer texts.",
        )
    later = {
        prompt: future_positions(
            len(prompt.ids), count=positions, front=skip_front, seed=(seed, index)
        )
        for index, prompt in enumerate(usable)
    }
    found, batches = _Found(), list(in_batches(usable))
    track = _Track(progress, sum(_cost(b, later, local) for b in batches))
    for batch in batches:
        replay = record(model, [p.ids for p in batch], sublayers=True)
        _read_batch(replay, batch, later, found, track, part, local, skip_front)
    modes = {name: found.mode(name) for name in found.modes}
    kl, top5 = (np.concatenate(parts) for parts in zip(*found.lens, strict=True))
    written = added.join(found.added)
    tables = {
        "layers": layers_table(written),
        "skip": skip_table(list(modes.values()), model),
        "output": output_table(list(modes.values())),
        "lens": lens_table(kl, top5),
        "prompts": prompts_table(usable),
    }
    scalars: dict[str, Scalar] = {
        "n": len(usable), "tokens": sum(len(p.ids) - skip_front for p in usable),
        "blocks": model.n_blocks, "part": part, "skip_front": skip_front,
        **_scores(modes.get("future"), seed), **half_scalars(written, modes, kl, top5),
        "floor": found.floor, "note": _note(chosen, usable, later, found.floor),
    }  # fmt: skip
    return Body(scalars, tables, reading(scalars))


def _read_batch(
    replay: "Replay", batch: list[Prompt], later: dict[Prompt, tuple[int, ...]], found: _Found,
    track: "_Track", part: str, local: bool, front: int,
) -> None:  # fmt: skip
    """Everything of one batch."""
    lengths = np.array([len(p.ids) for p in batch])
    now = [current_window(lengths, front=front)]
    future = future_windows([later[p] for p in batch], lengths, front=front)
    size = replay.ids.numel()
    found.added.append(added.contributions(replay, now[0].measured))
    found.lens.append(_lens(replay, now[0].measured))
    track.done += _LENS * size
    if replay.states[0].element_size() < 4 and not found.floor:
        found.floor = rounding_floor(replay, part=part)  # type: ignore[arg-type]
    for name, windows in (("current", now), ("future", future)):
        if not windows:
            continue
        effects, outputs = skip_effects(
            replay, windows, part=part,  # type: ignore[arg-type]
            progress=track.step(size * len(windows), f"skipping each {part}, {name} tokens"),
        )  # fmt: skip
        found.modes[name].append(_mode(name, batch, windows, effects, outputs))
        if local:
            effects = local_effects(
                replay, windows, part=part,  # type: ignore[arg-type]
                progress=track.step(size * len(windows), f"direct effects, {name} tokens"),
            )  # fmt: skip
            found.modes[f"{name}-local"].append(_mode(f"{name}-local", batch, windows, effects))


def _mode(
    name: str, batch: list[Prompt], windows: Sequence[Window], effects: np.ndarray,
    outputs: np.ndarray | None = None,
) -> Mode:  # fmt: skip
    """A batch's effects, reduced; prompts of which nothing was measured are left out."""
    measured = np.stack([w.measured for w in windows])
    has = np.flatnonzero(measured.any(axis=(0, 2)))

    def reduced(values: np.ndarray) -> Reduced:
        return reduce_tokens(values[..., has, :], measured[:, has])

    own = tuple(batch[i] for i in has)
    return Mode(name, own, reduced(effects), None if outputs is None else reduced(outputs))


def _lens(replay: "Replay", measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """KL and top-5 overlap of each prompt, (rows, layers + 1): means over tokens."""
    import torch

    from backend.analyses.outputs import read_layers

    at = torch.as_tensor(measured, device=replay.ids.device)
    out = []
    for values in read_layers(replay, at):
        spread = np.zeros((1, len(values), *measured.shape))
        spread[0][:, measured] = values.cpu().numpy()
        out.append(reduce_tokens(spread, measured[None]).mean)
    return out[0], out[1]


class _Track:
    """How far the work is, in tokens that were swept."""

    def __init__(self, progress: Progress, total: float):
        self.progress, self.total, self.done = progress, total, 0.0

    def step(self, size: float, what: str) -> Callable[[int, int], None]:
        """A report of one sweep, which adds `size` in the end."""
        start = self.done
        self.done += size

        def tell(done: int, total: int) -> None:
            self.progress(round(start + size * done / total), round(self.total), what)

        return tell


def _cost(batch: list[Prompt], later: dict[Prompt, tuple[int, ...]], local: bool) -> float:
    windows = 1 + max(len(later[p]) for p in batch)
    return len(batch) * len(batch[0].ids) * (_LENS + windows * (2 if local else 1))


def _scores(future: Mode | None, seed: int) -> dict[str, Scalar]:
    """The depth score of each prompt from the largest effects, as in the paper; mean over prompts,
    with bootstrap intervals."""
    out: dict[str, Scalar] = {"future_n": 0 if future is None else len(future.prompts)}
    for name in ("effect", "output"):
        scores = np.empty(0)
        if future is not None and future.output is not None:
            e = layer_effects(future.effects.largest)
            scores = depth_score(e if name == "effect" else future.output.largest)
        ends = zip(("", "_low", "_high"), bootstrap_mean(scores, seed=seed), strict=True)
        out |= {f"depth_{name}{end}": value for end, value in ends}
    return out


def _note(
    chosen: Sequence[Prompt], usable: Sequence[Prompt], later: dict[Prompt, tuple[int, ...]],
    floor: float,
) -> str:  # fmt: skip
    said = []
    if dropped := len(chosen) - len(usable):
        said.append(f"Texts too short to measure, left out: {dropped}.")
    if len(usable) == 1:
        said.append("One text: there are no intervals.")
    lengths = [len(p.ids) for p in usable if later[p]]
    if short := len(usable) - len(lengths):
        said.append(f"Texts of under {SHORTEST} tokens, without future tokens: {short}.")
    if other := sum(not has_paper_grid(n) for n in lengths):
        said.append(
            f"Texts of 12 tokens or fewer, whose future begins at every second token instead of "
            f"the paper's every eighth: {other}."
        )
    if floor:
        said.append(
            f"Computed in half precision: without any skip, effects up to {floor:.1g} appear by "
            "rounding."
        )
    return notes(said)


SPEC = register(
    Spec(
        key="depth",
        title="Use of depth",
        question="What does each layer write, and who notices when it is gone?",
        source="Csordás, Manning, Potts 2025",
        version=1,
        run=run,
        kinds=("text",),
        needs_model=True,
        captures=0,
        parameters=(
            Parameter("text", str, "", "Texts to use instead of rows, parted by lines of ---."),
            Parameter("prompts", int, 10, "Rows to read.", minimum=1, maximum=512),
            Parameter("length", int, 64, "Tokens to keep of each.", minimum=2, maximum=2048),
            Parameter("part", str, "layer", "What of a layer is skipped.",
                      choices=("layer", "attention", "mlp")),
            Parameter("local", bool, False, "Measure direct effects of layers on layers too."),
            Parameter("positions", int, 4, "Where the future begins, positions of each text.",
                      minimum=1, maximum=16),
            Parameter("skip_front", int, 1, "First tokens, never skipped nor measured.",
                      minimum=0, maximum=64),
        ),
        claims=CLAIMS,
    )
)  # fmt: skip
