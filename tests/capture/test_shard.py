"""Capturing one shard: batches, back-off, early stop, poolings, precision, memory."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
import torch

from backend.capture import shard
from backend.capture.shard import batches, capture_shard
from backend.capture.shard_task import ShardTask
from backend.data.dataset import write_dataset
from backend.errors import Cancelled, CaptureError, DataError, StoreError
from backend.store.vectors import read_shard
from tests import rigs

SITES = ("embed", "attn_out.1", "resid_post.0", "resid_post.2", "final")


def tap(model, site):
    return model.taps[site].module


@pytest.mark.parametrize("budget", [1, 7, 64, 10_000])
def test_batches_hold_every_row_once_within_the_budget(budget):
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    made = batches(lengths, budget)
    assert sorted(np.concatenate(made)) == list(range(100))
    assert all(len(b) == 1 or len(b) * lengths[b].max() <= budget for b in made)
    longest = [lengths[b].max() for b in made]
    assert longest == sorted(longest, reverse=True)


def test_equal_batches_hold_one_length():
    lengths = np.array([3, 5, 3, 5, 5, 9])
    made = batches(lengths, 10, equal=True)
    assert sorted(np.concatenate(made)) == list(range(6))
    assert all(len(set(lengths[b])) == 1 for b in made)
    assert [len(b) for b in made] == [1, 2, 1, 2]


@pytest.mark.parametrize("kind", ["llama", "bert", "vit", "resnet", "wav2vec2"])
def test_the_batch_size_does_not_change_the_vectors(kind, tmp_path):
    model, data = rigs.open_model(kind), rigs.dataset(rigs.kind_of(kind))
    sites = tuple(s for s in model.sites if s != "head")
    views = [
        rigs.capture(model, data, tmp_path / str(b), sites=sites, pooling="mean", budget=b)
        for b in (1, 100_000)
    ]
    for site in sites:
        a, b = (view.vectors(site) for view in views)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(a).max())


def test_vectors_belong_to_their_rows(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    rows = np.array([7, 3, 19, 0])
    view = rigs.capture(model, data, tmp_path, sites=("final",), pooling="last", rows=rows)
    assert view.rows().tolist() == rows.tolist()
    for row, vector in zip(rows, view.vectors("final"), strict=True):
        states, mask = model.states(data.texts(np.array([row])), ("final",))
        np.testing.assert_allclose(vector, states["final"][0, mask.sum() - 1], rtol=1e-4, atol=1e-5)


def test_out_of_memory_halves_the_batch_and_gives_the_same(tmp_path, monkeypatch):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    whole = rigs.capture(model, data, tmp_path / "a", sites=SITES, pooling="mean")
    seen = []
    forward = model.trunk.forward

    def limited(*args, input_ids, **kwargs):
        seen.append(tuple(input_ids.shape))
        if input_ids.numel() > 40:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(*args, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(model.trunk, "forward", limited)
    targets = tuple(tmp_path / f"{s}.arrow" for s in SITES)
    task = ShardTask(0, whole.rows(), SITES, targets, SITES, "mean")
    done = capture_shard(model, data, task, max_tokens=64, budget=10_000)
    assert seen[0][0] == 20 and len(seen) > 5  # all at once, then smaller
    assert done.batch_tokens <= 40
    for site, target in zip(SITES, targets, strict=True):
        np.testing.assert_allclose(
            read_shard(target).matrix, whole.vectors(site), rtol=1e-4, atol=1e-5
        )
    before = len(seen)
    capture_shard(model, data, task, max_tokens=64, budget=done.batch_tokens)
    assert all(a * b <= 40 for a, b in seen[before:])  # the next shard starts with what fitted
    assert rigs.hooks(model) == 0


def test_one_row_that_does_not_fit_is_an_error(tmp_path, monkeypatch):
    model, data = rigs.open_model("llama"), rigs.dataset("text")

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(model.trunk, "forward", full)
    with pytest.raises(MemoryError):
        rigs.capture(model, data, tmp_path, sites=("final",), pooling="mean")
    assert not list(tmp_path.iterdir()) and rigs.hooks(model) == 0


def test_layers_past_the_deepest_site_do_not_run(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    ran = []
    handles = [
        tap(model, f"resid_post.{i}").register_forward_pre_hook(lambda *_, i=i: ran.append(i))
        for i in range(3)
    ]
    try:
        rigs.capture(
            model, data, tmp_path, sites=("embed", "resid_post.0"), pooling="last", budget=9999
        )
        assert ran == [0]
        ran.clear()
        rigs.capture(model, data, tmp_path, sites=("attn_out.1",), pooling="last", budget=9999)
        assert ran == [0, 1]
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("kind", ["llama", "gemma2"])
@pytest.mark.parametrize("pooling", ["last", "cls"])
def test_the_head_is_applied_to_the_pooled_state_only(kind, pooling, tmp_path):
    model, data = rigs.open_model(kind), rigs.dataset("text")
    shapes = []
    handle = model.head.register_forward_pre_hook(lambda m, args: shapes.append(args[0].shape))
    try:
        view = rigs.capture(
            model, data, tmp_path, sites=("resid_post.0", "head"), pooling=pooling, budget=9999
        )
    finally:
        handle.remove()
    assert shapes == [(20, 16)]
    rows = view.rows()
    batch = model.tokenize(data.texts(rows))
    with torch.inference_mode():
        logits = model.model(**batch).logits
    last = batch["attention_mask"].sum(1) - 1 if pooling == "last" else torch.zeros(20, dtype=int)
    expected = logits[torch.arange(20), last]
    np.testing.assert_allclose(view.vectors("head"), expected, rtol=1e-4, atol=1e-4)
    assert view.vectors("resid_post.0").shape == (20, 16)


def test_the_head_at_every_token_is_refused(tmp_path):
    with pytest.raises(CaptureError, match="whole vocabulary per token"):
        rigs.capture(
            rigs.open_model("llama"), rigs.dataset("text"), tmp_path,
            sites=("final", "head"), pooling="tokens",
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["llama", "wav2vec2"])
def test_token_vectors_are_each_position_of_each_row(kind, tmp_path):
    model, data = rigs.open_model(kind), rigs.dataset(rigs.kind_of(kind))
    view = rigs.capture(model, data, tmp_path / "t", sites=("resid_post.1",), pooling="tokens")
    mean = rigs.capture(model, data, tmp_path / "m", sites=("resid_post.1",), pooling="mean")
    stored = read_shard(view.shards["resid_post.1"][0])
    assert stored.rows.tolist() == view.rows().tolist()
    for row, expected in zip(mean.rows(), mean.vectors("resid_post.1"), strict=True):
        here = stored.rows == row
        assert stored.positions[here].tolist() == list(range(here.sum()))
        np.testing.assert_allclose(stored.matrix[here].mean(0), expected, rtol=1e-3, atol=1e-4)


def test_spatial_vectors_are_the_patches(tmp_path):
    view = rigs.capture(
        rigs.open_model("resnet"), rigs.dataset("image"), tmp_path,
        sites=("block.0", "penultimate"), pooling="spatial",
    )  # fmt: skip
    assert view.vectors("block.0").shape == (20 * 64, 8)  # 32 pixels, halved twice: 8 x 8
    assert view.vectors("penultimate").shape == (20, 16)


def test_half_precision_is_the_rounded_float32(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    whole = rigs.capture(model, data, tmp_path / "a", sites=SITES, pooling="last")
    half = rigs.capture(model, data, tmp_path / "b", sites=SITES, pooling="last", half=True)
    for site in SITES:
        expected = whole.vectors(site).astype(np.float16).astype(np.float32)
        assert np.array_equal(half.vectors(site), expected)


def test_values_beyond_half_precision_are_refused(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    handle = tap(model, "final").register_forward_hook(lambda m, args, out: out * 1e9)
    try:
        with pytest.raises(StoreError, match="does not fit half precision"):
            rigs.capture(model, data, tmp_path, sites=("final",), pooling="last", half=True)
    finally:
        handle.remove()


def test_long_texts_are_cut_and_counted(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    rows = np.arange(20)
    task = ShardTask(0, rows, ("final",), (tmp_path / "f.arrow",), ("k",), "last")
    done = capture_shard(model, data, task, max_tokens=5)
    lengths = [len(text.split()) for text in data.texts(rows)]
    assert done.truncated == sum(n > 5 for n in lengths) > 0
    assert done.tokens == sum(min(n, 5) for n in lengths)


def test_progress_is_reported_before_each_batch_and_may_stop_it(tmp_path):
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    ticks = []
    rigs.capture(
        model, data, tmp_path, sites=("final",), pooling="last", budget=40, advance=ticks.append
    )
    assert ticks[0] == 0 and ticks == sorted(ticks) and len(ticks) > 3 and ticks[-1] < 20

    def stop(done):
        if done:
            raise Cancelled

    with pytest.raises(Cancelled):
        rigs.capture(
            model, data, tmp_path / "x", sites=("final",), pooling="last", budget=40, advance=stop
        )
    assert not (tmp_path / "x").exists() and rigs.hooks(model) == 0


def test_a_model_refuses_rows_of_another_kind(tmp_path):
    for kind, data, what in (("vit", "text", "takes image"), ("llama", "image", "has no texts")):
        with pytest.raises(DataError, match=what):
            rigs.capture(
                rigs.open_model(kind),
                rigs.dataset(data),
                tmp_path,
                sites=("final",),
                pooling="mean",
            )


def test_captions_are_texts(tmp_path):
    table = pa.table({"caption": ["the cat", "a dog runs"]})
    data = write_dataset(
        tmp_path, table, kind="image", name="c", text_column="caption",
        media=[rigs.picture(i) for i in range(2)],
    )  # fmt: skip
    view = rigs.capture(rigs.open_model("llama"), data, tmp_path, sites=("final",), pooling="mean")
    assert view.vectors("final").shape == (2, 16)


def test_pictures_are_decoded_a_few_at_a_time(tmp_path, monkeypatch):
    model, data = rigs.open_model("vit"), rigs.dataset("image")
    whole = rigs.capture(model, data, tmp_path / "a", sites=("final",), pooling="mean")
    sizes, read = [], shard.read_items
    monkeypatch.setattr(shard, "_MEDIA_AT_ONCE", 6)

    def counted(*args):
        items = read(*args)
        sizes.append(len(items))
        return items

    monkeypatch.setattr(shard, "read_items", counted)
    parts = rigs.capture(model, data, tmp_path / "b", sites=("final",), pooling="mean")
    assert sizes == [6, 6, 6, 2]
    np.testing.assert_allclose(parts.vectors("final"), whole.vectors("final"), rtol=1e-4, atol=1e-5)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """Sixty shards, one after the other, keep little more than ten: no vectors among it."""
    model, data = rigs.open_model("llama"), rigs.dataset("text")
    rows = np.arange(20)

    def peak(n_shards: int) -> int:
        tracemalloc.start()
        try:
            for i in range(n_shards):
                targets = tuple(tmp_path / f"{i}-{site}.arrow" for site in SITES)
                task = ShardTask(i, rows, SITES, targets, SITES, "last")
                capture_shard(model, data, task, max_tokens=64)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # what is imported and cached by the first
    kept_by_one = len(SITES) * len(rows) * 16 * 4  # bytes of the vectors of a shard
    assert peak(60) - peak(10) < 50 * kept_by_one / 3
