"""A clean forward pass of one batch, kept so that any block can be run again from any state.

Only for language models that read from left to right: texts are padded on the right, and causal
attention keeps the padding out of every real position, so no mask is needed (workers only).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch.utils.hooks import RemovableHandle

from backend.errors import ModelError
from backend.models.hooks import reading, tensor_of
from backend.models.loading import LoadedModel
from backend.models.scoring import next_losses


@dataclass
class Replay:
    """One batch of texts through the clean model.

    `states[l]` is the input of block l and `states[n_blocks]` the output of the last one, each
    (rows, length, width); `real` (rows, length) says which positions hold tokens.
    """

    model: LoadedModel
    ids: torch.Tensor
    real: torch.Tensor
    states: list[torch.Tensor]
    attention: list[torch.Tensor] = field(default_factory=list)  # what each block's attention adds
    mlp: list[torch.Tensor] = field(default_factory=list)
    calls: list[tuple[tuple, dict]] = field(default_factory=list, repr=False)

    @property
    def n_blocks(self) -> int:
        return len(self.calls)

    def run_block(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        """A block's output for other states (k * rows, length, width), k stacked copies."""
        args, kwargs = self.calls[layer]
        copies = len(hidden) // len(self.ids)
        args, kwargs = self._stacked(args, copies), self._stacked(kwargs, copies)
        if args:
            args = (hidden, *args[1:])
        else:
            kwargs = kwargs | {next(iter(kwargs)): hidden}
        return tensor_of(self.model.blocks[layer](*args, **kwargs))

    def _stacked(self, value, copies: int):
        """A recorded argument for so many copies of the batch."""
        if isinstance(value, tuple | list):
            return type(value)(self._stacked(item, copies) for item in value)
        if isinstance(value, dict):
            return {name: self._stacked(item, copies) for name, item in value.items()}
        if copies > 1 and isinstance(value, torch.Tensor) and self._per_row(value):
            return value.repeat(copies, *[1] * (value.ndim - 1))
        return value

    def _per_row(self, value: torch.Tensor) -> bool:
        """Whether a tensor has an entry for each row, or for each head of each row (BLOOM)."""
        rows = len(self.ids)
        config = getattr(self.model.model, "config", None)
        heads = getattr(config, "n_head", 0) or getattr(config, "num_attention_heads", 0) or 0
        each_row = value.ndim > 1 and rows > 1 and len(value) == rows
        return each_row or (value.ndim == 3 and heads > 1 and len(value) == rows * heads)

    def final(self, hidden: torch.Tensor) -> torch.Tensor:
        """States after the last block through the final norm."""
        return self.model.final_norm(hidden)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (..., vocabulary) of states after the last block, float32."""
        return self.model.head_logits(self.final(hidden))

    def losses(self, hidden: torch.Tensor) -> torch.Tensor:
        """Loss of every next token in nats, float32 (k, rows, length - 1).

        `hidden` are states after the last block, (k, rows, length, width). Where the next position
        holds no token the loss is 0; `self.real[:, 1:]` says where it counts.
        """
        k = len(hidden)
        final = self.final(hidden).flatten(0, 1)
        ids, real = self.ids.repeat(k, 1), self.real.repeat(k, 1)
        return next_losses(self.model, final, ids, real).view(k, len(self.ids), -1)


@torch.inference_mode()
def record(
    model: LoadedModel, samples: Sequence[Sequence[int]], *, sublayers: bool = False
) -> Replay:
    """Run some token sequences once and keep what each block was given.

    Parameters
    ----------
    sublayers : whether what attention and MLP add to the stream is kept too.

    Raises
    ------
    ModelError : the model does not predict next tokens, or its blocks cannot be run on their own.
    """
    model.check_decoder()
    batch = model.inputs.collate([list(s) for s in samples])
    ids = batch.inputs["input_ids"].to(model.device.name)
    real = batch.mask.to(model.device.name)  # type: ignore[union-attr]
    replay = Replay(model, ids, real, [])
    taps = {s: model.taps[s] for s in _sublayer_sites(model)} if sublayers else {}
    seen: dict[str, torch.Tensor] = {}
    handles = list(_listen(model, replay))
    try:
        with reading(taps, lambda site, hidden: seen.__setitem__(site, hidden.clone())):
            output = model.trunk(input_ids=ids)
    finally:
        for handle in handles:
            handle.remove()
    if len(replay.states) != model.n_blocks + 1:
        raise ModelError(
            f"{model.source.ref} runs {len(replay.states) - 1} of its {model.n_blocks} blocks.",
            "Its blocks cannot be run on their own; pick another model.",
        )
    _check_end(replay, tensor_of(output))
    if sublayers:
        _keep_sublayers(replay, seen)
    return replay


def _listen(model: LoadedModel, replay: Replay) -> Iterator[RemovableHandle]:
    """Note each block's input, its other arguments, and the last block's output."""

    def before(module, args: tuple, kwargs: dict) -> None:
        replay.states.append(tensor_of(args or tuple(kwargs.values())).clone())
        replay.calls.append((args, kwargs))

    def after(module, args: tuple, output: object) -> None:
        replay.states.append(tensor_of(output).clone())

    for block in model.blocks:
        yield block.register_forward_pre_hook(before, with_kwargs=True)
    yield model.blocks[-1].register_forward_hook(after)


def _check_end(replay: Replay, output: torch.Tensor) -> None:
    """ModelError when the last block and the final norm do not give what the model gives."""
    ours = replay.final(replay.states[-1])
    if ours.shape != output.shape or not torch.allclose(ours, output, rtol=1e-3, atol=1e-3):
        raise ModelError(
            f"What follows the last block of {replay.model.source.ref} is not known, so its "
            "layers cannot be swept.",
            "Pick a model of a listed family.",
        )


def _sublayer_sites(model: LoadedModel) -> list[str]:
    return [s for s in model.taps if s.startswith(("attn_out.", "mlp_out."))]


def _keep_sublayers(replay: Replay, seen: dict[str, torch.Tensor]) -> None:
    """What attention and MLP add: their modules' outputs, or differences where one has no module.

    Raises ModelError when h + a + m is not the next state: then the family's row is wrong.
    """
    model = replay.model
    scale = getattr(getattr(model.model, "config", None), "residual_multiplier", 1.0) or 1.0
    for layer in range(replay.n_blocks):
        whole = replay.states[layer + 1] - replay.states[layer]
        a, m = seen.get(f"attn_out.{layer}"), seen.get(f"mlp_out.{layer}")
        if a is None or model.family.sublayers_add:
            raise ModelError(
                f"{model.source.ref} ({model.family.name}) does not show what its attention adds "
                "to the stream.",
                "Pick a model of another family, such as a Llama-like one.",
            )
        a = a.reshape(whole.shape) * scale
        m = whole - a if m is None else m.reshape(whole.shape) * scale
        still = (whole == 0).all(-1, keepdim=True)  # a what-if skips the layer here
        a, m = a.masked_fill(still, 0), m.masked_fill(still, 0)
        gap = (a + m - whole).norm() / whole.norm().clamp(min=1e-6)
        if not float(gap) <= (1e-3 if whole.dtype == torch.float32 else 5e-2):
            raise ModelError(
                f"In layer {layer} of {model.source.ref} attention and MLP do not add up to what "
                f"the block adds (off by {float(gap):.1e}).",
                "Pick a model of another family, such as a Llama-like one.",
            )
        replay.attention.append(a)
        replay.mlp.append(m)
