"""What the head makes of states: how far output distributions move, and the lens (workers only).

Logits of many tokens fill memory fast, so tokens go through the head a few at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from backend.whatif.replay import Replay

TOP = 5  # the paper's overlap


def output_changes(replay: Replay, clean: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
    """L2 distance of the output distributions, float32 (k, n), 0 to sqrt 2; equal states give 0.

    Parameters
    ----------
    clean : (n, width) states after the last block, of the model as it is.
    changed : (k, n, width) states of the same tokens in k changed runs.
    """
    import torch

    from backend.models.scoring import head_chunks, head_room

    out = torch.zeros(changed.shape[:2], device=clean.device)
    with torch.inference_mode():
        for tokens in head_chunks(replay.model, len(clean)):
            p = replay.logits(clean[tokens]).softmax(-1)
            room = max(1, head_room(replay.model) // len(p))
            for k in range(0, len(changed), room):
                part = changed[k : k + room, tokens]
                q = replay.logits(part.flatten(0, 1)).softmax(-1)
                moved = (q.view(len(part), *p.shape) - p).norm(dim=-1)
                same = (part == clean[tokens]).all(-1)  # else rounding would show
                out[k : k + room, tokens] = moved.masked_fill(same, 0)
    return out


def read_layers(replay: Replay, measured: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Each layer's input through the model's own head, against the model's output.

    Parameters
    ----------
    measured : bool (rows, length); n tokens are True.

    Returns
    -------
    KL(layer || output) in nats, float64 (layers + 1, n), and the share of the five most probable
    tokens that are among the output's five, float32 (layers + 1, n). The last line is the output
    itself: exactly 0 and 1.

    Source: Csordás, Manning, Potts 2025, logit lens; they end one layer before the output.
    """
    import torch

    from backend.models.scoring import head_chunks

    n, layers = int(measured.sum()), replay.n_blocks
    kl = torch.zeros(layers + 1, n, dtype=torch.float64, device=measured.device)
    top = torch.ones(layers + 1, n, device=measured.device)
    with torch.inference_mode():
        states = [replay.states[layer][measured] for layer in range(layers + 1)]
        for tokens in head_chunks(replay.model, n):
            log_q = replay.logits(states[-1][tokens]).log_softmax(-1)
            best = log_q.topk(min(TOP, log_q.shape[-1])).indices
            for layer in range(layers):
                log_p = replay.logits(states[layer][tokens]).log_softmax(-1)
                own = log_p.topk(best.shape[-1]).indices
                top[layer, tokens] = (own[:, :, None] == best[:, None]).any(-1).float().mean(-1)
                p = log_p.exp()
                # 0 * -inf is nan where a logit was masked; such tokens add nothing
                gap = torch.where(p > 0, p * (log_p - log_q), 0)
                kl[layer, tokens] = gap.sum(-1, dtype=torch.float64).clamp(min=0)
    return kl, top
