"""Capturing one shard: the unit of progress, cancelling, retry and resuming (workers only)."""

from collections.abc import Callable

import numpy as np
import torch

from backend.capture.pooling import pool, to_sequence, unroll
from backend.capture.shard_task import ShardDone, ShardTask
from backend.data.dataset import Dataset
from backend.errors import CaptureError, DataError
from backend.models.hooks import reading
from backend.models.inputs import Batch, Prepared
from backend.models.loading import LoadedModel
from backend.models.memory import is_out_of_memory, tokens_at_once
from backend.store.vectors import write_shard

_EVERY_POSITION = ("tokens", "spatial")
_MEDIA_AT_ONCE = 32  # pictures or sounds of a shard that are decoded at a time: bounds memory


def read_items(dataset: Dataset, rows: np.ndarray, model: LoadedModel) -> list:
    """The decoded rows a model takes: texts, PIL images, or mono waves at its rate."""
    from backend.data.media import decode_audio, decode_image

    kind = model.modality
    if kind == "text":
        if dataset.text_column is None:
            raise DataError(f"{dataset.name} has no texts.", f"{model.source.ref} reads texts.")
        return dataset.texts(rows)
    if dataset.kind != kind:
        raise DataError(
            f"{dataset.name} holds {dataset.kind} rows, and {model.source.ref} takes {kind}.",
            f"Pick a data set of {kind} files, or another model.",
        )
    if kind == "image":
        return [decode_image(item) for item in dataset.media(rows)]
    return [decode_audio(item, model.inputs.rate) for item in dataset.media(rows)]  # type: ignore[attr-defined]


def batches(lengths: np.ndarray, budget: int, *, equal: bool = False) -> list[np.ndarray]:
    """Indices grouped by length, each group within a budget of padded tokens.

    Longest first, so that memory fails at once if it fails. With `equal` a batch holds one length.
    """
    order = np.argsort(-lengths, kind="stable")
    out, start = [], 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        stop = start + max(1, budget // longest)
        chunk = order[start:stop]
        if equal:
            chunk = chunk[lengths[chunk] == lengths[chunk[0]]]
        out.append(chunk)
        start += len(chunk)
    return out


class Collector:
    """Receives hidden states in the hooks and keeps only what will be stored."""

    def __init__(self, sites: tuple[str, ...], n_rows: int, pooling: str):
        self.sites, self.n_rows, self.pooling = sites, n_rows, pooling
        self.pooled: dict[str, np.ndarray] = {}
        self.ragged: dict[str, list] = {s: [None] * n_rows for s in sites}
        self.batch, self.members = Batch({}), np.empty(0, dtype=np.int64)

    def begin(self, batch: Batch, members: np.ndarray) -> None:
        """The rows (positions in the shard) that the next forward pass holds."""
        self.batch, self.members = batch, members

    def keep(self, site: str, hidden: torch.Tensor) -> None:
        """Pool one site's state of the current batch into its place."""
        sequence, mask = to_sequence(hidden, self.batch.mask, self.batch.spans)
        if self.pooling in _EVERY_POSITION:
            for i, part in zip(self.members, unroll(sequence, mask), strict=True):
                self.ragged[site][i] = part.cpu().numpy().copy()  # the model may add in place
            return
        vectors = pool(sequence, mask, self.pooling).cpu().numpy()
        if len(vectors) != len(self.members):
            raise CaptureError(
                f"At {site} this model gives states of shape {tuple(hidden.shape)} for a batch of "
                f"{len(self.members)} rows.",
                "Its architecture is not one that can be read; pick another model or site.",
            )
        if site not in self.pooled:
            self.pooled[site] = np.empty((self.n_rows, vectors.shape[1]), dtype=np.float32)
        self.pooled[site][self.members] = vectors

    def result(
        self, site: str, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Row ids, matrix (n, width) and positions (or None) of one site."""
        if site not in self.pooled and any(part is None for part in self.ragged[site]):
            raise CaptureError(
                f"The model never came by {site}.", "Leave it out, or pick another model."
            )
        if self.pooling not in _EVERY_POSITION:
            return rows, self.pooled[site], None
        parts = self.ragged[site]
        counts = [len(p) for p in parts]
        positions = np.concatenate([np.arange(c, dtype=np.int32) for c in counts])
        return np.repeat(rows, counts), np.concatenate(parts), positions


@torch.inference_mode()
def run_batch(model: LoadedModel, batch: Batch, collector: Collector) -> None:
    """One forward pass, stopped after the deepest site that is wanted."""
    inputs = {k: v.to(model.device.name) for k, v in batch.inputs.items()}
    for name, value in inputs.items():
        if value.is_floating_point():
            inputs[name] = value.to(model.device.dtype)
    if batch.mask is not None:
        batch.mask = batch.mask.to(model.device.name)
    wanted = collector.sites
    if "head" in wanted and model.is_decoder:  # the head at one position, not at all of them
        taps = {s: model.taps[s] for s in (*wanted, "final") if s != "head"}
        with reading(taps, lambda s, h: _keep_with_head(model, collector, s, h)):
            model.trunk(**inputs)
        return
    run = model.model if "head" in wanted else model.trunk
    with reading({s: model.taps[s] for s in wanted}, collector.keep, stop=True):
        run(**inputs)


def _keep_with_head(
    model: LoadedModel, collector: Collector, site: str, hidden: torch.Tensor
) -> None:
    if site in collector.sites:
        collector.keep(site, hidden)
    if site == "final":
        sequence, mask = to_sequence(hidden, collector.batch.mask, collector.batch.spans)
        pooled = pool(sequence, mask, collector.pooling)
        logits = model.head_logits(pooled.to(hidden.dtype))
        only = Batch({}, None)
        whole, collector.batch = collector.batch, only
        collector.keep("head", logits)
        collector.batch = whole


def run_rows(
    model: LoadedModel,
    prepared: Prepared,
    sites: tuple[str, ...],
    pooling: str,
    *,
    budget: int | None = None,
    advance: Callable[[int], None] = lambda done: None,
    into: Collector | None = None,
    first: int = 0,
) -> tuple[Collector, int]:
    """Run prepared rows at some sites; halves the batch when memory runs out.

    Parameters
    ----------
    advance : called before each batch with the rows that are done; may raise to stop.
    into, first : a collector that holds more rows, and where these begin in it.

    Returns
    -------
    The collector with everything kept, and the budget (padded tokens) that fitted.
    """
    if "head" in sites and pooling in _EVERY_POSITION and model.is_decoder:
        raise CaptureError(
            "The head at every token would store the whole vocabulary per token.",
            "Use last or mean pooling for `head`, or leave it out.",
        )
    budget = budget or tokens_at_once(model.device.name)
    collector = into or Collector(sites, len(prepared.samples), pooling)
    equal = model.modality == "audio"
    todo = batches(prepared.lengths, budget, equal=equal)
    while todo:
        members = todo[0]
        batch = model.inputs.collate([prepared.samples[i] for i in members])
        collector.begin(batch, members + first)
        advance(first + len(prepared.samples) - sum(map(len, todo)))
        try:
            run_batch(model, batch, collector)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or len(members) == 1:
                raise
            budget = max(1, int(prepared.lengths[members].max()) * (len(members) // 2))
            rest = np.concatenate(todo)
            todo = [rest[c] for c in batches(prepared.lengths[rest], budget, equal=equal)]
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        todo.pop(0)
    return collector, budget


def capture_shard(
    model: LoadedModel,
    dataset: Dataset,
    task: ShardTask,
    *,
    max_tokens: int,
    budget: int | None = None,
    advance: Callable[[int], None] = lambda done: None,
) -> ShardDone:
    """Run one shard and write one file per site; `advance` as in `run_rows`."""
    collector = Collector(task.sites, len(task.rows), task.pooling)
    at_once = len(task.rows) if model.modality == "text" else _MEDIA_AT_ONCE
    tokens = truncated = 0
    for first in range(0, len(task.rows), at_once):
        items = read_items(dataset, task.rows[first : first + at_once], model)
        prepared = model.inputs.prepare(items, max_tokens=max_tokens)
        collector, budget = run_rows(
            model, prepared, task.sites, task.pooling, budget=budget, advance=advance,
            into=collector, first=first,
        )  # fmt: skip
        tokens += int(prepared.lengths.sum())
        truncated += prepared.truncated
    files = []
    for site, key, target in zip(task.sites, task.keys, task.targets, strict=True):
        rows, matrix, positions = collector.result(site, task.rows)
        meta = {"key": key, "site": site, "shard": str(task.shard)}
        files.append(
            write_shard(
                target, rows=rows, matrix=matrix, positions=positions, half=task.half, meta=meta
            )
        )
    return ShardDone(
        task.shard,
        task.sites,
        task.keys,
        tuple(files),
        tokens,
        truncated,
        budget or 0,
    )
