"""How well a language model predicts the tokens of its texts (workers only)."""

from collections.abc import Iterator, Sequence

import torch

from backend.models.loading import LoadedModel

_LOGITS = 1 << 23  # held at a time, in each of a few copies; 32 MiB in float32


def head_room(model: LoadedModel) -> int:
    """Tokens whose logits are held at a time, so that a large vocabulary does not fill memory."""
    vocabulary = next(model.head.parameters()).shape[0] if model.head is not None else 1
    return max(1, _LOGITS // vocabulary)


def head_chunks(model: LoadedModel, n: int) -> Iterator[slice]:
    """n tokens in pieces that the head takes at once."""
    step = head_room(model)
    return (slice(i, i + step) for i in range(0, n, step))


def next_losses(
    model: LoadedModel, final: torch.Tensor, ids: torch.Tensor, real: torch.Tensor
) -> torch.Tensor:
    """Loss of every next token in nats, float32 (rows, length - 1).

    Parameters
    ----------
    final : (rows, length, width) states after the final norm.
    ids, real : (rows, length) tokens, and which of them are no padding. Where the next position
        is padding the loss is 0.
    """
    states, wanted = final[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
    parts = [
        torch.nn.functional.cross_entropy(
            model.head_logits(states[part]), wanted[part], reduction="none"
        )
        for part in head_chunks(model, len(states))
    ]
    found = torch.cat(parts) if parts else final.new_zeros(0, dtype=torch.float32)
    return found.view(len(ids), -1) * real[:, 1:]


@torch.inference_mode()
def text_losses(model: LoadedModel, samples: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """For each token sequence the losses of its tokens from the second on, nats, on the CPU.

    One batch; padded on the right, where causal attention keeps it out of the real positions.
    """
    batch = model.inputs.collate([list(s) for s in samples])
    ids = batch.inputs["input_ids"].to(model.device.name)
    real = batch.mask.to(model.device.name)  # type: ignore[union-attr]
    final = model.trunk(input_ids=ids)[0]
    found = next_losses(model, final, ids, real).cpu()
    return [row[: len(s) - 1] for row, s in zip(found, samples, strict=True)]


@torch.inference_mode()
def continue_text(
    model: LoadedModel, ids: Sequence[int], n: int, seen: list[int] | None = None
) -> tuple[list[int], torch.Tensor]:
    """The n tokens that the model finds most probable, one after the other.

    Parameters
    ----------
    seen : a list of one number, set before each step to how many positions the cache holds; what
        changes single positions reads it.

    Returns
    -------
    The tokens (fewer when the model ends its text), and the states after the final norm of the
    given ids, (length, width).
    """
    place = seen if seen is not None else [0]
    step, done, cache, first = list(ids), list(ids), None, None
    for _ in range(max(n, 1)):
        place[0] = len(done) - len(step)
        out = model.trunk(
            input_ids=torch.tensor([step], device=model.device.name),
            past_key_values=cache, use_cache=True,
        )  # fmt: skip
        final = out.last_hidden_state[0]
        first = final if first is None else first
        if len(done) == len(ids) + n:
            break
        token = int(model.head_logits(final[-1]).argmax())
        done.append(token)
        if token in _ends(model):
            break
        cache = getattr(out, "past_key_values", None)
        step = [token] if cache is not None else list(done)
    place[0] = 0
    assert first is not None
    return done[len(ids) :], first


def _ends(model: LoadedModel) -> set[int]:
    """The tokens with which the model ends a text."""
    for config in (getattr(model.model, "generation_config", None), model.model.config):
        found = getattr(config, "eos_token_id", None)
        if found is not None:
            return set(found) if isinstance(found, list | tuple) else {found}
    return set()
