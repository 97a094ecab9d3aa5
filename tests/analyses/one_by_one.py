"""Skipping done the plain way: one text, one layer, one forward pass at a time, with bare hooks."""

from contextlib import contextmanager

import numpy as np
import torch


def sublayer(model, layer: int, part: str):
    """The module that gives what attention or MLP adds."""
    return model.taps[f"{'attn_out' if part == 'attention' else 'mlp_out'}.{layer}"].module


@contextmanager
def changed(model, layer: int, part: str, start: int, stop: int):
    """One layer, or a part of it, writes nothing at positions start to stop - 1."""
    came = []

    def before(module, args, kwargs):
        came[:] = [(args or tuple(kwargs.values()))[0].clone()]

    def hold(module, args, output):
        hidden = output[0] if isinstance(output, tuple) else output
        out = hidden.clone()
        out[:, start:stop] = came[0][:, start:stop]
        return (out, *output[1:]) if isinstance(output, tuple) else out

    def silence(module, args, output):
        hidden = output[0] if isinstance(output, tuple) else output
        out = hidden.clone()
        out[:, start:stop] = 0
        return (out, *output[1:]) if isinstance(output, tuple) else out

    block = model.blocks[layer]
    if part == "layer":
        handles = [block.register_forward_pre_hook(before, with_kwargs=True),
                   block.register_forward_hook(hold)]  # fmt: skip
    else:
        handles = [sublayer(model, layer, part).register_forward_hook(silence)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def forward(model, ids) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Contributions of all blocks (length, width), and the output's probabilities."""
    states, handles = [], []

    def before(module, args, kwargs):
        states.append((args or tuple(kwargs.values()))[0].clone())

    def after(module, args, output):
        states.append((output[0] if isinstance(output, tuple) else output).clone())

    for block in model.blocks:
        handles.append(block.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(block.register_forward_hook(after))
    try:
        logits = model.model(input_ids=torch.tensor([list(ids)])).logits[0]
    finally:
        for handle in handles:
            handle.remove()
    added = [b[0] - a[0] for a, b in zip(states[::2], states[1::2], strict=True)]
    return added, logits.float().softmax(-1)


def compare(clean: list, other: list) -> np.ndarray:
    """E of all layers and tokens (layers, length)."""
    rows = [(o - c).norm(dim=-1) / c.norm(dim=-1).clamp(min=1e-6)
            for c, o in zip(clean, other, strict=True)]  # fmt: skip
    return torch.stack(rows).numpy()


def effects(model, ids, part: str, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """E (skipped, layer, length) and O (skipped, length) of one text."""
    clean, p = forward(model, ids)
    E, changes = [], []
    for layer in range(model.n_blocks):
        with changed(model, layer, part, start, stop):
            other, q = forward(model, ids)
        E.append(compare(clean, other))
        changes.append((p - q).norm(dim=-1).numpy())
    return np.stack(E), np.stack(changes)


@torch.inference_mode()
def local(model, ids, part: str, start: int, stop: int) -> np.ndarray:
    """E (skipped, layer, length) with every later block's output put back, less what is skipped.

    One forward pass for each skipped layer, as the paper's code has it.
    """
    clean, parts = _parts(model, ids, part)
    out = np.zeros((model.n_blocks, model.n_blocks, len(ids)), np.float32)
    added = [b - a for a, b in zip(clean, clean[1:], strict=False)]
    for skipped in range(model.n_blocks):
        gone = torch.zeros_like(clean[0])
        gone[start:stop] = parts[skipped][start:stop]
        found: dict[int, torch.Tensor] = {}

        def put_back(layer, gone=gone, found=found, skipped=skipped):
            def hook(module, args, kwargs, output):
                hidden = output[0] if isinstance(output, tuple) else output
                found[layer] = (hidden - (args or tuple(kwargs.values()))[0])[0].clone()
                if layer < skipped:
                    return output
                new = (clean[layer + 1] - gone)[None]
                return (new, *output[1:]) if isinstance(output, tuple) else new

            return hook

        handles = [b.register_forward_hook(put_back(i), with_kwargs=True)
                   for i, b in enumerate(model.blocks)]  # fmt: skip
        try:
            model.trunk(input_ids=torch.tensor([list(ids)]))
        finally:
            for handle in handles:
                handle.remove()
        other = [found[i] for i in range(model.n_blocks)]
        other[skipped] = added[skipped] - gone
        out[skipped] = compare(added, other)
    return out


def _parts(model, ids, part: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """States before and after all blocks, and what each layer (or part of it) adds."""
    sites = ["embed", *(f"resid_post.{i}" for i in range(model.n_blocks))]
    stem = {"attention": "attn_out", "mlp": "mlp_out"}.get(part)
    wanted = [f"{stem}.{i}" for i in range(model.n_blocks)] if stem else []
    seen: dict[str, torch.Tensor] = {}
    handles = []

    def keep(site):
        def hook(module, args, *rest):
            hidden = rest[-1]
            seen[site] = (hidden[0] if isinstance(hidden, tuple) else hidden).clone()

        return hook

    def embed(module, args, kwargs):
        seen["embed"] = (args or tuple(kwargs.values()))[0].clone()

    for site in [*sites[1:], *wanted]:
        handles.append(model.taps[site].module.register_forward_hook(keep(site)))
    handles.append(model.blocks[0].register_forward_pre_hook(embed, with_kwargs=True))
    try:
        model.trunk(input_ids=torch.tensor([list(ids)]))
    finally:
        for handle in handles:
            handle.remove()
    states = [seen[s][0] for s in sites]
    if stem:
        return states, [seen[s].reshape(1, *states[0].shape)[0] for s in wanted]
    return states, [b - a for a, b in zip(states, states[1:], strict=False)]
