"""Watch the layer before the last collapse in your own PyTorch loop.

    watcher = watch(model, head=model.fc, name="my run")
    for epoch in range(1, 101):
        train_one_epoch()
        watcher.epoch(epoch, loader)

Each epoch that is looked at becomes one small file below PENULTIMATE_HOME/watched, which the
dashboard shows while training goes on. For Lightning and the Hugging Face Trainer see
`backend.watch_callbacks`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from backend.collapse.moments import Moments
from backend.collapse.streaming import ClassStatistics
from backend.errors import ModelError, UserError
from backend.settings import default_home
from backend.watched import LAST, begin_watched, watched_folder, write_record

if TYPE_CHECKING:
    import torch
    from torch import nn

    Pool = Literal["mean", "first", "last"] | Callable[[torch.Tensor], torch.Tensor]

_POOLS = ("first", "last", "mean")
_GROWTH = 350 ** (1 / 67)  # from one epoch to the next, near the protocol of Papyan et al. 2020
Blocks = Iterator[tuple[dict[str, Any], np.ndarray]]  # layer -> states (n, d), and labels (n,)


def watch(
    model: "nn.Module", *, head: "nn.Module | str", name: str, store: Path | str | None = None,
    modules: "Mapping[str, nn.Module | str] | None" = None, every: int | Literal["log"] = "log",
    at_most: int = 0, pool: "Pool | None" = None, classes: Sequence[str] = (), resume: bool = False,
) -> "Watcher":  # fmt: skip
    """A watcher of a model; nothing is hooked or run before it is asked to look.

    Parameters
    ----------
    head : the linear layer whose input is watched, or its dotted name in the model.
    name : of the training on the dashboard; a taken one is counted up.
    store : the data folder; by default PENULTIMATE_HOME, or where the dashboard keeps its data.
    modules : name -> inner module (or its dotted name) whose output is watched too.
    every : look every so many epochs, or "log": evenly on a log scale, at 51 of the first 350.
    at_most : rows of each class that are looked at, the first that come; 0 = all. A pass over all
        training rows takes about a third of an epoch's time, over a tenth of them a twentieth.
    pool : how a sequence (n, length, d) becomes one vector a row: "first", "last" or "mean"
        position (padding counts too), or a function of the tensor. Maps (n, d, height, width) are
        averaged over their positions unless it is a function.
    classes : their names in the order of the head's outputs; by default their numbers.
    resume : go on with the training of that name, if there is one.

    Raises
    ------
    UserError : the model has no such module, the head is not linear, or the name cannot be one.
    """
    root = watched_folder(Path(store).expanduser() if store is not None else default_home())
    last = _find(model, head)
    inner = {told: _find(model, module) for told, module in (modules or {}).items()}
    if LAST in inner:
        raise UserError(f"{LAST!r} is what the head reads.", "Name the module otherwise.")
    weight = getattr(last, "weight", None)
    if weight is None or weight.ndim != 2 or len(weight) < 2:
        raise ModelError(
            f"The head is {type(last).__name__}, no linear layer with an output for each class.",
            "Name the last linear layer, such as model.fc.",
        )
    if at_most < 0 or at_most == 1 or (every != "log" and every < 1):
        raise UserError(
            f"at_most={at_most}, every={every} cannot be looked at.",
            'Give at_most=0 or 2 and more rows a class, and every=1 and more epochs or "log".',
        )
    if not (pool is None or callable(pool) or pool in _POOLS):
        raise UserError(f"pool={pool!r} is not known.", f"Give one of {', '.join(_POOLS)}.")
    names = list(map(str, classes)) or [str(k) for k in range(len(weight))]
    if len(names) != len(weight):
        raise UserError(
            f"{len(names)} classes are named, and the head has {len(weight)} outputs.",
            "Name each of them, or none.",
        )
    run = begin_watched(
        root, name, layers=[*inner, LAST], classes=names, at_most=at_most, resume=resume
    )
    return Watcher(model, last, inner, run.folder, every=every, at_most=at_most, pool=pool)


class Watcher:
    """Statistics of what a model's head reads, one record an epoch; made by `watch`."""

    def __init__(
        self, model: "nn.Module", head: "nn.Module", modules: "dict[str, nn.Module]", folder: Path,
        *, every: int | Literal["log"], at_most: int, pool: "Pool | None",
    ):  # fmt: skip
        self.model, self.head, self.modules, self.folder = model, head, modules, folder
        self.every, self.at_most, self.pool = every, at_most, pool
        self.n_classes = len(head.weight)  # type: ignore[arg-type]
        self._held: list[tuple[dict[str, Any], np.ndarray]] = []
        self._counts = np.zeros(self.n_classes, np.int64)  # of the rows held

    def is_due(self, epoch: int) -> bool:
        """Whether an epoch is one that is looked at; 0, before any training, always is."""
        if self.every != "log":
            return epoch % self.every == 0
        if epoch < 1:
            return epoch == 0
        step = round(math.log(epoch) / math.log(_GROWTH))
        return any(round(_GROWTH**k) == epoch for k in (step - 1, step, step + 1))

    def epoch(
        self, epoch: int, loader: Iterable, *, run: Callable[[Any], Any] | None = None,
        force: bool = False,
    ) -> bool:  # fmt: skip
        """Look at an epoch if it is due, or `force`; whether it was.

        The model runs without gradients and in evaluation mode. The loader is read once if the
        states fit into 256 MB, else twice, for exact class means before the spread around them.
        Afterwards every module's mode and the random numbers of Python, numpy and torch (CPU and
        CUDA, the loader's own too) are as they were.

        Parameters
        ----------
        loader : of (inputs..., labels), or mappings with `labels` or `label`, the same rows each
            time; training rows without augmentation, to see what the papers mean.
        run : what to do with another kind of batch: call the model, and return the labels.

        Raises
        ------
        UserError : batches, states or labels are not what they should be, a class has fewer than
            two rows, or the two readings differ.
        StoreError : the disk is full.
        """
        from backend.watch_pass import Readings, undisturbed, watched_blocks

        if not (force or self.is_due(epoch)):
            return False
        with undisturbed(self.model, loader) as again:

            def read() -> Blocks:
                again()
                return watched_blocks(self, loader, run)

            write_record(self.folder, epoch, self._statistics(Readings(read)))
        return True

    def batch(self, features: "torch.Tensor | Mapping[str, torch.Tensor]", labels: Any) -> None:
        """Rows of your own evaluation pass, held until `end`.

        Parameters
        ----------
        features : (n, d), what the head reads, or layer -> (n, d) with "penultimate" among them.
            They are copied to the CPU: rows x width x 4 bytes in float32.
        labels : (n,) classes from 0.
        """
        from backend.watch_pass import as_numbers, first_of_classes

        given = features if isinstance(features, Mapping) else {LAST: features}
        if set(given) != {*self.modules, LAST}:
            raise UserError(
                f"Features of {', '.join(given)} are not those of the layers watched.",
                f"Give {', '.join([*self.modules, LAST])}.",
            )
        y = as_numbers(labels)
        at = first_of_classes(y, self._counts, self.at_most)
        kept = {layer: given[layer].detach().cpu()[at].clone() for layer in (*self.modules, LAST)}
        self._held.append((kept, y[at]))

    def end(self, epoch: int) -> None:
        """Write the record of the rows that `batch` was given since the last one."""
        held, self._held = self._held, []
        self._counts[:] = 0
        write_record(self.folder, epoch, self._statistics(lambda: iter(held)))

    def _statistics(self, blocks: Callable[[], Blocks]) -> dict[str, Moments]:
        weight, bias = self.head.weight, getattr(self.head, "bias", None)
        found = {layer: ClassStatistics(self.n_classes) for layer in self.modules}
        found[LAST] = ClassStatistics(self.n_classes, weight=weight, bias=bias)
        for _ in zip(*(each.passes() for each in found.values()), strict=True):
            for states, labels in blocks():
                for layer, state in states.items():
                    found[layer].add(state, labels)
        return {layer: each.moments for layer, each in found.items()}


def _find(model: "nn.Module", module: "nn.Module | str") -> "nn.Module":
    """The module itself, or the one of that dotted name; ModelError where it is not the model's."""
    names = {name: part for name, part in model.named_modules() if name}
    found = names.get(module) if isinstance(module, str) else module
    if found is None or not any(found is part for part in names.values()):
        told = repr(module) if isinstance(module, str) else type(module).__name__
        last = ", ".join(list(names)[-5:])
        raise ModelError(f"The model has no module {told}.", f"Its last ones are: {last}.")
    return found
