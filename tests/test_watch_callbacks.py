"""Callbacks of other trainers: what they look at, and that they train the same with as without."""

import sys
import types

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from backend.errors import UserError
from backend.watch_callbacks import lightning_callback, trainer_callback
from backend.watched import list_watched, watched_folder


class Rows(torch.utils.data.Dataset):
    """Named rows of three classes."""

    def __len__(self):
        return 48

    def __getitem__(self, i):
        generator = torch.Generator().manual_seed(i)
        return {"x": torch.randn(5, generator=generator) + i % 3, "labels": i % 3}


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.drop, self.head = nn.Linear(5, 4), nn.Dropout(0.2), nn.Linear(4, 3)

    def forward(self, x, labels=None):
        logits = self.head(self.drop(self.body(x).tanh()))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


def test_the_hugging_face_trainer_trains_as_without(tmp_path):
    from transformers import Trainer, TrainingArguments

    def trained(*callbacks):
        arguments = TrainingArguments(
            str(tmp_path / "out"), num_train_epochs=3, per_device_train_batch_size=8, seed=3,
            report_to=[], save_strategy="no", logging_strategy="no", use_cpu=True,
            disable_tqdm=True, learning_rate=0.01,
        )  # fmt: skip
        torch.manual_seed(0)
        model = Classifier()
        Trainer(model, arguments, train_dataset=Rows(), callbacks=list(callbacks)).train()
        return model.state_dict()

    callback = trainer_callback(head="head", name="hf", store=tmp_path, every=2)
    with_it, without = trained(callback), trained()
    assert all(torch.equal(with_it[n], without[n]) for n in without)
    (run,) = list_watched(watched_folder(tmp_path))
    assert run.epochs == (0, 2, 3)  # the last one although it is not due
    last = run.moments(3)["penultimate"]
    assert last.counts.tolist() == [16, 16, 16]
    assert torch.equal(torch.from_numpy(last.head.weight).float(), without["head.weight"])


class FakeTrainer:
    """What the callback reads of Lightning's trainer; calls it as `fit` does."""

    is_global_zero = True

    def __init__(self, loader):
        self.train_dataloader, self.current_epoch = loader, 0

    def fit(self, module, callback, epochs, first=0):
        self.current_epoch = first
        callback.on_train_start(self, module)
        for self.current_epoch in range(first, epochs):
            callback.on_train_epoch_end(self, module)
        self.current_epoch += 1
        callback.on_train_end(self, module)


@pytest.fixture
def lightning(monkeypatch):
    """Stands in for the package, which is not installed: a Callback without anything."""
    package = types.ModuleType("lightning.pytorch")
    package.Callback = type("Callback", (), {})
    monkeypatch.setitem(sys.modules, "lightning", types.ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", package)
    return package


def pairs(n=30):
    y = torch.arange(n) % 3
    return TensorDataset(torch.randn(n, 5) + y[:, None], y)


def test_lightning_is_followed_epoch_by_epoch(lightning, tmp_path):
    own = torch.Generator().manual_seed(0)
    loader = DataLoader(pairs(), 8, shuffle=True, generator=own)
    callback = lightning_callback(head="head", name="l", store=tmp_path, every=2, at_most=4)
    assert isinstance(callback, lightning.Callback)
    before = own.get_state()
    FakeTrainer(loader).fit(Classifier(), callback, epochs=3)
    (run,) = list_watched(watched_folder(tmp_path))
    assert run.epochs == (0, 2, 3) and run.moments(2)["penultimate"].counts.tolist() == [4, 4, 4]
    assert torch.equal(own.get_state(), before)


def test_only_the_first_process_looks(lightning, tmp_path):
    trainer = FakeTrainer(DataLoader(pairs(), 8))
    trainer.is_global_zero = False
    trainer.fit(Classifier(), lightning_callback(head="head", name="l", store=tmp_path), epochs=2)
    assert list_watched(watched_folder(tmp_path)) == []


def test_a_training_that_goes_on_is_watched_on(lightning, tmp_path):
    trainer = FakeTrainer(DataLoader(pairs(), 8))
    for first, epochs in ((0, 2), (2, 4)):
        callback = lightning_callback(head="head", name="l", store=tmp_path, resume=True)
        trainer.fit(Classifier(), callback, epochs=epochs, first=first)
    (run,) = list_watched(watched_folder(tmp_path))
    assert run.epochs == (0, 1, 2, 3, 4)


def test_rows_that_cannot_be_read_again(lightning, tmp_path):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(pairs())

    trainer, stream = FakeTrainer(DataLoader(Stream(), 8)), DataLoader(Stream(), 8)
    callback = lightning_callback(head="head", name="l", store=tmp_path)
    with pytest.raises(UserError, match="DataLoader, whose rows cannot be read again"):
        trainer.fit(Classifier(), callback, epochs=1)
    seeded = DataLoader(pairs(), 8)
    given = lightning_callback(head="head", name="given", store=tmp_path, loader=seeded)
    FakeTrainer(stream).fit(Classifier(), given, epochs=1)
    assert list_watched(watched_folder(tmp_path))[0].epochs == (0, 1)


def test_lightning_that_is_not_there(monkeypatch):
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match="Lightning is not installed. pip install lightning"):
        lightning_callback(head="head", name="l")
