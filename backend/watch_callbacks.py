"""`backend.watch` as a callback of the Hugging Face Trainer and of Lightning.

    Trainer(..., callbacks=[trainer_callback(head="classifier", name="my run")])
    Trainer(..., callbacks=[lightning_callback(head="fc", name="my run")])

Neither library is needed before its callback is asked for.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from backend.errors import UserError
from backend.watch import Watcher, watch

if TYPE_CHECKING:
    from torch import nn


def trainer_callback(*, head: str, name: str, loader: Iterable | None = None, **options: Any):  # type: ignore[no-untyped-def]
    """A transformers.TrainerCallback that looks before training, after epochs and at the end.

    Parameters
    ----------
    head : dotted name of the linear head in the model, such as "classifier".
    loader : what is read; by default the training rows, in their own order.
    options : of `backend.watch.watch`.
    """
    from transformers import TrainerCallback

    looking = _Looking(head, name, loader, options)

    class Watching(TrainerCallback):
        def on_train_begin(  # type: ignore[no-untyped-def,override]
            self, args, state, control, model=None, train_dataloader=None, **_
        ):
            if state.is_world_process_zero:
                looking.begin(model, train_dataloader, round(state.epoch or 0))

        def on_epoch_end(self, args, state, control, **_):  # type: ignore[no-untyped-def,override]
            if state.is_world_process_zero:
                looking.at(round(state.epoch))

        def on_train_end(self, args, state, control, **_):  # type: ignore[no-untyped-def,override]
            if state.is_world_process_zero:
                looking.end()

    return Watching()


def lightning_callback(*, head: str, name: str, loader: Iterable | None = None, **options: Any):  # type: ignore[no-untyped-def]
    """A Lightning Callback that looks before training, after epochs and at the end.

    Parameters are those of `trainer_callback`.

    Raises
    ------
    UserError : Lightning is not installed.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        try:
            from pytorch_lightning import Callback
        except ImportError:
            raise UserError("Lightning is not installed.", "pip install lightning") from None
    looking = _Looking(head, name, loader, options)

    class Watching(Callback):
        def on_train_start(self, trainer, pl_module):  # type: ignore[no-untyped-def]
            if trainer.is_global_zero:
                looking.begin(pl_module, trainer.train_dataloader, trainer.current_epoch)

        def on_train_epoch_end(self, trainer, pl_module):  # type: ignore[no-untyped-def]
            if trainer.is_global_zero:
                looking.at(trainer.current_epoch + 1)

        def on_train_end(self, trainer, pl_module):  # type: ignore[no-untyped-def]
            if trainer.is_global_zero:
                looking.end()

    return Watching()


class _Looking:
    """A watcher that is made when training begins, with the model and its rows."""

    def __init__(self, head: str, name: str, loader: Iterable | None, options: dict[str, Any]):
        self.head, self.name, self.loader, self.options = head, name, loader, options
        self.watcher: Watcher | None = None
        self.reached, self.looked = 0, False

    def begin(self, model: "nn.Module", training: Any, epoch: int) -> None:
        """`epoch` is 0, or the last one of a training that goes on."""
        self.watcher = watch(model, head=self.head, name=self.name, **self.options)
        self.rows = self.loader if self.loader is not None else _in_order(training)
        self.at(epoch)

    def at(self, epoch: int, *, force: bool = False) -> None:
        assert self.watcher is not None
        self.reached, self.looked = epoch, self.watcher.epoch(epoch, self.rows, force=force)

    def end(self) -> None:
        """The last epoch is looked at even when it is not due."""
        if not self.looked:
            self.at(self.reached, force=True)


def _in_order(training: Any) -> Iterable:
    """The rows of a training's loader one after the other, through a loader of its own.

    To read the training's own loader would move its samplers on.
    """
    from torch.utils.data import DataLoader, IterableDataset

    rows = getattr(training, "dataset", None)
    if rows is None or isinstance(rows, IterableDataset):
        raise UserError(
            f"The training reads {type(training).__name__}, whose rows cannot be read again.",
            "Give `loader`, one that reads the same rows each time.",
        )
    return DataLoader(rows, batch_size=training.batch_size or 32, collate_fn=training.collate_fn)
