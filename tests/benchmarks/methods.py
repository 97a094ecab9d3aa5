"""Ways to get the last token's state after every block: ours, the bare model, and the peers.

Each method is a class whose `run()` takes all texts once; `answer()` gives what it found, float32
(sites, rows, width), nothing for the bare model. All run the same padded batches, except that
the peers take mixed texts as they arrive, as their users would. The peers are called as their own
documentation shows it, on the model with its head; both pool each batch before the next.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from material import BUDGET, Texts

from backend.capture.shard import batches, capture_shard
from backend.capture.shard_task import ShardTask
from backend.models.inputs import Batch
from backend.models.loading import LoadedModel
from backend.store.vectors import read_shard


class Bare:
    """The base model's forward pass on batches made beforehand: the floor."""

    def __init__(self, model: LoadedModel, texts: Texts, folder: Path):
        self.model, self.batches = model, _batches(model, texts, by_length=True)

    @torch.inference_mode()
    def run(self) -> None:
        for batch in self.batches:
            self.model.trunk(**batch.inputs)

    def answer(self) -> None:
        return None


class Ours:
    """A capture of one shard, from texts on disk to a stored file per site."""

    def __init__(self, model: LoadedModel, texts: Texts, folder: Path):
        self.model, self.texts = model, texts
        sites = ("embed", *(f"resid_post.{i}" for i in range(model.n_blocks)))
        rows = np.arange(texts.dataset.n_rows)
        self.task = ShardTask(
            0, rows, sites, tuple(folder / f"{s}.arrow" for s in sites), sites, "last"
        )

    def run(self) -> None:
        capture_shard(
            self.model, self.texts.dataset, self.task, max_tokens=self.texts.max_tokens,
            budget=BUDGET,
        )  # fmt: skip

    def answer(self) -> np.ndarray:
        return np.stack([read_shard(path).matrix for path in self.task.targets])


class TransformerLens:
    """`run_with_cache` with a filter for the residual stream, then the last real position."""

    def __init__(self, model: LoadedModel, texts: Texts, folder: Path):
        from transformer_lens.model_bridge import TransformerBridge

        self.bridge = TransformerBridge.boot_transformers(
            str(model.source.folder), hf_model=_plain(model), device="cpu", dtype=torch.float32,
            tokenizer=model.inputs.tokenizer,
        )  # fmt: skip
        self.names = ["blocks.0.hook_in", *(f"blocks.{i}.hook_out" for i in range(model.n_blocks))]
        self.batches = _batches(model, texts, by_length=False)

    @torch.inference_mode()
    def run(self) -> None:
        out: list[np.ndarray] = []
        for batch in self.batches:
            _, cache = self.bridge.run_with_cache(
                batch.inputs["input_ids"], attention_mask=batch.inputs["attention_mask"],
                names_filter=self.names, return_cache_object=False,
            )  # fmt: skip
            out.append(torch.stack([_last(cache[n], batch) for n in self.names]).numpy())
        self.found = np.concatenate(out, axis=1)

    def answer(self) -> np.ndarray:
        return self.found


class NNsight:
    """A trace that pools inside, so that only the last position is saved."""

    def __init__(self, model: LoadedModel, texts: Texts, folder: Path):
        from nnsight import TransformersModel

        self.model = TransformersModel(
            _plain(model), task="text-generation", tokenizer=model.inputs.tokenizer
        )
        self.n_blocks = model.n_blocks
        self.batches = _batches(model, texts, by_length=False)

    @torch.inference_mode()
    def run(self) -> None:
        import nnsight

        out: list[np.ndarray] = []
        for batch in self.batches:
            last = batch.inputs["attention_mask"].sum(1) - 1
            at = (torch.arange(len(last)), last)
            with self.model.trace(dict(batch.inputs)):
                kept = nnsight.save([])
                layers = self.model.model.layers
                kept.append(layers[0].input[at])
                for layer in layers:
                    state = layer.output
                    kept.append((state[0] if isinstance(state, tuple) else state)[at])
            out.append(torch.stack(kept).numpy())
        self.found = np.concatenate(out, axis=1)

    def answer(self) -> np.ndarray:
        return self.found


METHODS: dict[str, Callable] = {
    "bare": Bare, "ours": Ours, "TransformerLens": TransformerLens, "nnsight": NNsight,
}  # fmt: skip


def check(answers: dict[str, np.ndarray]) -> None:
    """Refuse to time methods that do not give the same numbers."""
    ours = answers.pop("ours")
    scale = np.sqrt(np.mean(ours**2, axis=(1, 2), keepdims=True))
    for name, theirs in answers.items():
        far = float((np.abs(ours - theirs) / scale).max())
        if not far < 1e-2:
            raise RuntimeError(f"{name} and Penultimate differ by {far:.3g} of a site's deviation.")


def _plain(model: LoadedModel) -> torch.nn.Module:
    """The same weights as the library opens them; the peers put their wrappers into it."""
    from transformers import AutoModelForCausalLM

    opened = AutoModelForCausalLM.from_pretrained(model.source.folder, dtype=torch.float32).eval()
    for parameter in opened.parameters():  # mapped weights are not the method's memory
        parameter.sum()
    return opened


def _batches(model: LoadedModel, texts: Texts, *, by_length: bool) -> list[Batch]:
    """Padded batches: as a capture forms them, or a fixed number of texts as they come."""
    n = texts.dataset.n_rows
    items = texts.dataset.texts(np.arange(n))
    prepared = model.inputs.prepare(items, max_tokens=texts.max_tokens)
    groups = [np.arange(i, min(i + texts.batch, n)) for i in range(0, n, texts.batch)]
    if by_length:
        groups = batches(prepared.lengths, BUDGET)
    return [model.inputs.collate([prepared.samples[i] for i in g]) for g in groups]


def _last(hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(batch, positions, width) -> (batch, width) at the last real position."""
    last = batch.inputs["attention_mask"].sum(1) - 1
    return hidden[torch.arange(len(last)), last]
