"""Training a small net from a recipe, checkpoint by checkpoint (workers only)."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from backend.data.dataset import Dataset, full_disk_is_said
from backend.errors import UserError
from backend.training.collapsing import Seen
from backend.training.nets import Net, build, freeze, loss_of, optimiser, train_mode, with_layer
from backend.training.pictures import Labelled, read_labelled, scaled
from backend.training.recipe import Recipe
from backend.training.run import Run, checkpoint_folder, read_run, run_folder, write_run

Progress = Callable[[int, int, str], None]
_AT_ONCE = 512  # rows of one pass without gradients
_TITLES = {"residual": "Residual CNN", "mlp": "MLP"}
_STATE = "state.safetensors"  # the net and its momentum, to go on from; removed at the end


def train(
    recipe: Recipe,
    dataset: Dataset,
    root: Path,
    *,
    device: str = "cpu",
    progress: Progress = lambda done, total, what: None,
) -> Run:
    """Train as a recipe says, or hand back the run that did so before.

    Each of the recipe's saved epochs becomes a model folder `root/KEY/epoch-0003`; epoch 0 is the
    net before its first step. A run that was stopped goes on from its last checkpoint and ends
    with the same weights; so does an equal recipe on a machine with as many threads. The record
    of the run on disk is renewed after every epoch.

    Losses (see `Recipe`) are means over rows and accuracies shares, both in evaluation mode; those
    of the training rows are against the classes that the net was given.

    Parameters
    ----------
    root : the folder of all runs.
    progress : called with (steps done, steps in all, what); it may raise to stop.

    Raises
    ------
    DataError : the pictures or their classes do not do.
    UserError : the loss became infinite.
    StoreError : the disk is full.
    """
    folder = run_folder(root, recipe, dataset.hash)
    before = read_run(folder)
    if before is not None and before.finished:
        return before
    data = read_labelled(recipe, dataset, progress=progress)
    with full_disk_is_said(root), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
        folder.mkdir(parents=True, exist_ok=True)
        course = _Course(recipe, dataset, data, folder, device=device, progress=progress)
        course.go_on()
        for epoch in range(len(course.history), recipe.total_epochs + 1):
            course.epoch(epoch)
        (folder / _STATE).unlink(missing_ok=True)
        run = write_run(folder, course.facts(finished=True))
    steps = recipe.total_epochs * course.n_steps
    progress(steps, steps, f"trained, {course.accuracy} of the test rows right")
    return run


class _Course:
    """One call of `train`: the net, its optimiser, and what was measured so far."""

    def __init__(
        self, recipe: Recipe, dataset: Dataset, data: Labelled, folder: Path, *,
        device: str, progress: Progress,
    ):  # fmt: skip
        self.recipe, self.dataset, self.data, self.folder = recipe, dataset, data, folder
        self.device, self.progress = torch.device(device), progress
        self.about, self.history = _about(data), []
        # Up to 1.5 times as fast for maps on a CPU.
        maps = recipe.net == "residual"
        self.layout = torch.channels_last if maps else torch.contiguous_format
        self.n_steps = -(-len(data.train) // recipe.batch)
        if not maps and len(data.train) % recipe.batch == 1:
            self.n_steps -= 1  # a batch norm over one row would be none; another epoch has that row
        self._begin_with(1 if recipe.layerwise else recipe.blocks)

    def _begin_with(self, layers: int) -> None:
        """An untrained net of so many blocks, the last of which is trained if layer by layer."""
        net = build(self.recipe, self.data.X.shape[1:], self.data.classes, layers=layers)
        self._take(freeze(net) if self.recipe.layerwise else net)

    def _take(self, net: Net) -> None:
        self.net = net.to(self.device, memory_format=self.layout)
        self.optimiser = optimiser(self.net, self.recipe)

    def epoch(self, number: int) -> None:
        """Train once over the rows (not in epoch 0), measure, and keep what is to be kept."""
        started = monotonic()
        if number:
            self._step_through(number)
        with Seen(self.net.classifier, len(self.data.train)) as seen:
            measured = self._measure("train")
        measured |= self._measure("test")
        y = self.data.given[torch.from_numpy(self.data.train)]
        collapse = seen.measures(y, len(self.data.classes)) if np.isfinite(
            list(measured.values())
        ).all() else {}  # fmt: skip
        took = {"seconds": round(monotonic() - started, 3)}
        self.history.append({"epoch": number} | measured | collapse | took)
        if not np.isfinite(list(measured.values())).all():
            raise UserError(
                f"The loss became infinite in epoch {number}.", "Train with a smaller lr."
            )
        if number in self.recipe.saved_epochs:
            self._save_checkpoint(number)
            self._save_state()
        write_run(self.folder, self.facts(finished=False))

    def _step_through(self, number: int) -> None:
        if len(self.net.blocks) < self.recipe.layers_at(number):
            self._take(with_layer(self.net, self.recipe))
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.lr_at(number)
        order = np.random.default_rng([self.recipe.seed, 1, number]).permutation(self.data.train)
        train_mode(self.net)
        in_all = self.recipe.total_epochs
        for step in range(self.n_steps):
            done = (number - 1) * self.n_steps + step
            said = f"epoch {number} of {in_all}, {self.accuracy} of the test rows right"
            self.progress(done, in_all * self.n_steps, said)
            at = torch.from_numpy(order[step * self.recipe.batch : (step + 1) * self.recipe.batch])
            y = self.data.given[at].to(self.device)
            loss = loss_of(self.recipe.loss, self._logits(at), y, reduction="mean")
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()

    @property
    def accuracy(self) -> str:
        """The share of the test rows that was right when it was last measured."""
        return f"{100 * self.history[-1]['test_accuracy']:.1f} %"

    def _logits(self, at: torch.Tensor) -> torch.Tensor:
        return self.net(scaled(self.data.X[at].to(self.device, memory_format=self.layout)))

    @torch.inference_mode()
    def _measure(self, part: str) -> dict[str, float]:
        """Mean loss and accuracy over the training or the test rows, in evaluation mode."""
        self.net.eval()
        where = torch.from_numpy(getattr(self.data, part))
        loss, right = 0.0, 0
        for at in where.split(_AT_ONCE):
            logits, y = self._logits(at), self.data.given[at].to(self.device)
            loss += float(loss_of(self.recipe.loss, logits, y, reduction="sum"))
            right += int((logits.argmax(1) == y).sum())
        return {f"{part}_loss": loss / len(where), f"{part}_accuracy": right / len(where)}

    def _save_checkpoint(self, number: int) -> None:
        """The net as a folder that opens as a model; an unfinished one never has that name."""
        target = checkpoint_folder(self.folder, number)
        part = target.with_name(f".part-{target.name}")
        for old in (part, target):
            shutil.rmtree(old, ignore_errors=True)
        part.mkdir()
        told = {"recipe": str(self.recipe), "epoch": number, "data": self.dataset.hash}
        title = f"{_TITLES[self.recipe.net]} on {self.dataset.name}, epoch {number}"
        note = f"Trained here: {self.recipe}; {self.accuracy} of its test rows are right."
        _write_json(part / "config.json", self.net.config | {"training": told})
        _write_json(part / "demo.json", {"title": title, "notes": [note]})
        labels = "".join(" ".join(name.split()) + "\n" for name in self.data.classes)
        (part / "labels.txt").write_text(labels, encoding="utf-8")
        save_file(_on_cpu(self.net.state_dict()), part / "model.safetensors")
        os.replace(part, target)

    def _save_state(self) -> None:
        """What training goes on from if it is stopped: weights, momentum, and the history."""
        tensors = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        for name, parameter in self.net.named_parameters():
            speed = self.optimiser.state[parameter].get("momentum_buffer")
            if speed is not None:
                tensors[f"momentum.{name}"] = speed
        temporary = self.folder / f".{_STATE}"
        metadata = {"history": json.dumps(self.history)}
        save_file(_on_cpu(tensors), temporary, metadata=metadata)
        os.replace(temporary, self.folder / _STATE)

    def go_on(self) -> None:
        """Take up the state that an earlier call left, if its checkpoints are all there."""
        try:
            with safe_open(self.folder / _STATE, "pt") as file:
                history = json.loads(file.metadata()["history"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError, KeyError):
            return  # nothing to go on from: begin anew
        wanted = [e for e in self.recipe.saved_epochs if e < len(history)]
        if not all(checkpoint_folder(self.folder, e).is_dir() for e in wanted):
            return
        self._begin_with(self.recipe.layers_at(len(history) - 1))
        prefix = "net."
        self.net.load_state_dict(
            {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        )
        for name, parameter in self.net.named_parameters():
            if (speed := tensors.get(f"momentum.{name}")) is not None:
                self.optimiser.state[parameter]["momentum_buffer"] = speed.to(self.device)
        self.history = history

    def facts(self, *, finished: bool) -> dict:
        """What run.json holds; see `Run`."""
        return {
            "recipe": str(self.recipe), "data": self.dataset.hash, "data_name": self.dataset.name,
            **self.about,
            "parameters": sum(p.numel() for p in self.net.parameters()),
            "history": self.history, "device": str(self.device), "torch": torch.__version__,
            "seconds": round(sum(e["seconds"] for e in self.history), 3), "finished": finished,
        }  # fmt: skip


def _about(data: Labelled) -> dict:
    """What run.json says of the rows; the same in every epoch."""
    noisy, pictures = data.noisy, data.X.ndim == 4
    shape = {"size": data.X.shape[-1], "channels": data.X.shape[1]} if pictures else {
        "width": data.X.shape[1]
    }  # fmt: skip
    return {
        "classes": list(data.classes), **shape,
        "train": data.rows[data.train].tolist(), "test": data.rows[data.test].tolist(),
        "noisy": {"row": data.rows[noisy].tolist(),
                  "label": [data.classes[i] for i in data.given[noisy].tolist()]},
    }  # fmt: skip


def _on_cpu(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _write_json(path: Path, values: dict) -> None:
    path.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
