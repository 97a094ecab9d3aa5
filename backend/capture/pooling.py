"""From a module's tensor to one vector per row, on the device (workers only)."""

import torch

from backend.errors import CaptureError

POOLINGS = ("last", "mean", "cls", "max", "tokens", "spatial")


def to_sequence(
    hidden: torch.Tensor, mask: torch.Tensor | None, spans: list[int] | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Any module output as (batch, positions, width) with its mask (batch, positions) or None.

    Feature maps (batch, channels, height, width) become height x width positions. Frames of audio,
    one per batch element, are averaged over their map and become the positions of their row.
    """
    if spans is not None:
        frames = hidden.flatten(2).mean(2) if hidden.ndim > 2 else hidden  # (frames, width)
        rows = torch.split(frames, spans)
        out = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        steps = torch.arange(out.shape[1], device=out.device)
        return out, steps[None] < torch.tensor(spans, device=out.device)[:, None]
    if hidden.ndim == 4:
        return hidden.flatten(2).transpose(1, 2), None
    if hidden.ndim == 2:
        return hidden[:, None], None
    fits = mask is not None and mask.shape[1] == hidden.shape[1]
    return hidden, mask if fits else None


def pool(hidden: torch.Tensor, mask: torch.Tensor | None, how: str) -> torch.Tensor:
    """One vector per row: (batch, positions, width) -> (batch, width), float32.

    Parameters
    ----------
    how : `last` real position, `mean` or `max` over real positions, `cls` = the first position.
    """
    if how == "cls":
        return hidden[:, 0].float()
    if mask is None:
        if how == "last":
            return hidden[:, -1].float()
        return hidden.float().mean(1) if how == "mean" else hidden.amax(1).float()
    if how == "last":
        last = mask.sum(1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last].float()
    if how == "mean":
        weights = mask.to(hidden.dtype)[:, None]  # (batch, 1, positions)
        sums = torch.bmm(weights.float(), hidden.float())[:, 0]
        if not torch.isfinite(sums).all():  # 0 x NaN: padding that the model left without a number
            sums = hidden.masked_fill(~mask[..., None], 0).float().sum(1)
        return sums / mask.sum(1, keepdim=True).float()
    if how == "max":
        return hidden.masked_fill(~mask[..., None], -torch.inf).amax(1).float()
    raise CaptureError(f"Unknown pooling {how!r}.", f"Choose from: {', '.join(POOLINGS)}.")


def unroll(hidden: torch.Tensor, mask: torch.Tensor | None) -> list[torch.Tensor]:
    """Every real position of every row: a list of (positions, width) float32."""
    if mask is None:
        return list(hidden.float())
    return [h[m].float() for h, m in zip(hidden, mask, strict=True)]
