"""One reading of a loader by a watched model, which leaves the training as it was."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from backend.errors import UserError
from backend.models.hooks import tensor_of
from backend.watched import LAST

if TYPE_CHECKING:
    from backend.watch import Blocks, Pool, Watcher

HELD_BYTES = 1 << 28  # of states, so that the model runs once
_LABELS = ("labels", "label")


@contextmanager
def undisturbed(model: nn.Module, loader: Iterable) -> Iterator[Callable[[], None]]:
    """Evaluation mode without gradients; modes and random numbers come back at the end.

    Gives a function that puts the random numbers back to where they were at the beginning.
    """
    modes = [(module, module.training) for module in model.modules()]
    generators = _generators(loader)
    states = [generator.get_state() for generator in generators]
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None

    def again() -> None:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)

    try:
        with torch.no_grad():
            model.eval()
            yield again
    finally:
        model.train(modes[0][1])  # for modules that do more than note their mode
        for module, training in modes:
            module.training = training
        again()


def _generators(loader: Iterable) -> list[torch.Generator]:
    """The random generators of a loader and of what draws its rows."""
    batches = getattr(loader, "batch_sampler", None)
    holders = (loader, getattr(loader, "sampler", None), batches, getattr(batches, "sampler", None))
    found = {id(g): g for h in holders if (g := getattr(h, "generator", None)) is not None}
    return list(found.values())


class Readings:
    """Calls of `read`, each of which gives the same blocks; held after the first if they are small.

    Held on the CPU, since a device is full of the training.
    """

    def __init__(self, read: "Callable[[], Blocks]"):
        self.read, self.is_held, self.held, self.bytes = read, False, [], 0

    def __call__(self) -> "Blocks":
        if self.is_held:
            yield from self.held
            return
        first = not self.bytes
        for states, labels in self.read():
            self.bytes += sum(state.nbytes for state in states.values())
            if self.bytes > HELD_BYTES:
                self.held = []
            elif first:
                self.held.append(({k: v.cpu() for k, v in states.items()}, labels))
            yield states, labels
        self.is_held = self.bytes <= HELD_BYTES


def watched_blocks(
    watcher: "Watcher", loader: Iterable, run: Callable[[Any], Any] | None
) -> "Blocks":
    """Layer -> states (n, d) of the rows that are wanted, and their labels (n,), batch by batch."""
    device = next(watcher.model.parameters()).device
    counts = np.zeros(watcher.n_classes, np.int64)
    for batch in loader:
        if watcher.at_most and (counts >= watcher.at_most).all():
            return
        with _taps(watcher) as seen:
            if run is not None:
                labels = as_numbers(run(batch))
            else:
                args, options, given = _unpacked(batch)
                labels = as_numbers(given)
                if not len(first_of_classes(labels, counts.copy(), watcher.at_most)):
                    continue
                watcher.model(*_to(args, device), **_to(options, device))
        if missing := {*watcher.modules, LAST} - seen.keys():
            raise UserError(
                f"The model ran without calling {missing.pop()}.",
                "Name a module that it calls itself; give the model without compile or wrapper.",
            )
        for layer, state in seen.items():
            if len(state) != len(labels):
                raise UserError(
                    f"At {layer} there are {len(state)} rows for {len(labels)} labels.",
                    "Give one label a row, or a `pool` that gives one vector a row.",
                )
        at = first_of_classes(labels, counts, watcher.at_most)
        yield {layer: state[at] for layer, state in seen.items()}, labels[at]


@contextmanager
def _taps(watcher: "Watcher") -> Iterator[dict[str, torch.Tensor]]:
    """What the head reads and the inner modules give while the model runs inside the context.

    Copies, because what follows a module may work in its output's place.
    """
    seen: dict[str, torch.Tensor] = {}
    with ExitStack() as hooks:
        for layer, module in watcher.modules.items():

            def keep(module: nn.Module, args: tuple, output: Any, layer: str = layer) -> None:
                seen[layer] = _one_a_row(layer, tensor_of(output), watcher.pool).clone()

            hooks.callback(module.register_forward_hook(keep).remove)

        def before(module: nn.Module, args: tuple, options: dict) -> None:
            state = tensor_of(args or tuple(options.values()))
            seen[LAST] = _one_a_row(LAST, state, watcher.pool).clone()

        hooks.callback(watcher.head.register_forward_pre_hook(before, with_kwargs=True).remove)
        yield seen


def first_of_classes(labels: np.ndarray, counts: np.ndarray, at_most: int) -> np.ndarray:
    """Positions of the rows that are still wanted, at most so many of a class; adds to `counts`.

    Labels that are no class are passed on: the statistics refuse them by name.
    """
    if not at_most:
        return np.arange(len(labels))
    inside = (labels >= 0) & (labels < len(counts))
    y = np.where(inside, labels, -1)
    order = np.argsort(y, kind="stable")
    ranks = np.empty(len(y), np.int64)  # of each row within its class
    ranks[order] = np.arange(len(y)) - np.searchsorted(y[order], y[order])
    kept = ~inside | (counts[y] + ranks < at_most)
    counts += np.bincount(labels[kept & inside], minlength=len(counts))
    return np.flatnonzero(kept)


def as_numbers(labels: Any) -> np.ndarray:
    """Labels (n,) as a numpy array of whole numbers; UserError for anything else."""
    found = labels.detach().cpu().numpy() if isinstance(labels, torch.Tensor) else labels
    found = np.asarray(found)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise UserError(
            f"Labels are {found.dtype} of shape {found.shape}.",
            "Give one whole number a row, the class counted from 0.",
        )
    return found.astype(np.int64)


def _unpacked(batch: Any) -> tuple[list, dict, Any]:
    """Positional and named inputs of the model, and the labels."""
    if isinstance(batch, Mapping):
        name = next((n for n in _LABELS if n in batch), None)
        if name is not None:
            return [], {k: v for k, v in batch.items() if k != name}, batch[name]
    elif isinstance(batch, list | tuple) and len(batch) > 1:
        return list(batch[:-1]), {}, batch[-1]
    parts = f" with {', '.join(map(str, batch))}" if isinstance(batch, Mapping) else ""
    raise UserError(
        f"A batch is {type(batch).__name__}{parts}, and which are its labels is not said.",
        "Give `run`, a function of the batch that calls the model and returns the labels.",
    )


def _to(value: Any, device: torch.device) -> Any:
    """Tensors of a batch on the model's device."""
    if isinstance(value, Mapping):
        return {k: _to(v, device) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_to(v, device) for v in value]
    return value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value


def _one_a_row(layer: str, state: torch.Tensor, pool: "Pool | None") -> torch.Tensor:
    """A state as one vector a row (n, d)."""
    if callable(pool) and state.ndim != 2:
        state = pool(state)
    elif state.ndim > 3:
        state = state.flatten(2).mean(2)
    elif state.ndim == 3 and pool is not None:
        state = {"first": state[:, 0], "last": state[:, -1]}.get(pool, state.mean(1))  # type: ignore[arg-type]
    if state.ndim != 2:
        raise UserError(
            f"The state at {layer} has the shape {tuple(state.shape)}, not one vector a row.",
            'Give pool="first", "last" or "mean", or a function that returns (n, d).',
        )
    return state
