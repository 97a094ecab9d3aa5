"""Reading module inputs and outputs while a model runs (workers only)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from backend.models.taps import Tap


class Stop(Exception):
    """Raised by the deepest tap when nothing after it is wanted."""


def tensor_of(value: object) -> torch.Tensor:
    """The hidden state in what a module took or gave: the tensor, or the first of a tuple."""
    while isinstance(value, tuple | list):
        value = value[0]
    if isinstance(value, torch.Tensor):
        return value
    for name in ("last_hidden_state", "pooler_output", "logits"):
        inner = getattr(value, name, None)
        if inner is not None:
            return inner
    raise TypeError(f"a module gave {type(value).__name__}, which holds no tensor")


@contextmanager
def reading(
    taps: dict[str, Tap], keep: Callable[[str, torch.Tensor], None], *, stop: bool = False
) -> Iterator[None]:
    """Call `keep(site, tensor)` at each tap while the model runs inside the context.

    With `stop` the forward pass is cut short after the deepest tap. Hooks are removed on the way
    out, whatever happened.
    """
    deepest = max(taps, key=lambda s: taps[s].depth) if taps else ""
    handles = []

    def after(site: str) -> None:
        if stop and site == deepest:
            raise Stop

    for site, tap in taps.items():
        if tap.side == "output":

            def hook(module, args, output, site=site):
                keep(site, tensor_of(output))
                after(site)

            handles.append(tap.module.register_forward_hook(hook))
        else:

            def prehook(module, args, kwargs, site=site):
                first = args[0] if args else next(iter(kwargs.values()))
                keep(site, tensor_of(first))
                after(site)

            handles.append(tap.module.register_forward_pre_hook(prehook, with_kwargs=True))
    try:
        yield
    except Stop:
        return
    finally:
        for handle in handles:
            handle.remove()
