"""The sweep gives what one plain forward pass per change gives, for every change and family."""

import numpy as np
import pytest
import torch

from backend.models.hooks import reading
from backend.whatif.applying import applied
from backend.whatif.replay import record
from backend.whatif.sweep import Round, Skip, plan_of, sweep
from backend.whatif.values import WhatIf
from tests import rigs

FAMILIES = ("llama", "gpt2", "gemma2", "gpt_neox", "qwen3", "llava")
TEXTS = [[5, 6, 7, 8, 9, 10, 11, 12], [13, 14, 15, 16, 17], [6, 5]]
CHANGES = (
    "skip:0", "skip:1", "skip:2", "skip:0,2", "skip:0-2", "skip-attn:1", "skip-mlp:0,1",
    "skip:1:t1-", "skip:0:t1-4+skip-mlp:2:t2-", "skip-attn:0:t1-3",
    "bits:4=0", "bits:3=1-2:g8", "bits:8=0,4=1,2=2:sym:g0", "bits:2=0-2", "skip:1+bits:3=0,2",
    "skip-attn:1+bits:4=1", "",
)  # fmt: skip


def plain(model, whatif: str, sample: list[int]) -> dict[str, torch.Tensor]:
    """States after every block and the logits, by one whole forward pass of one text."""
    seen: dict = {}
    taps = {s: model.taps[s] for s in model.taps if s.startswith("resid_post")}
    with torch.inference_mode(), applied(model, WhatIf.parse(whatif)):
        ids = torch.tensor([sample])
        with reading(taps, lambda site, hidden: seen.__setitem__(site, hidden.clone())):
            final = model.trunk(input_ids=ids)[0]
        seen["logits"] = model.head_logits(final)
    return seen


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tokens", [1, 0], ids=["one at a time", "stacked"])
def test_every_change_equals_the_plain_pass(family, tokens):
    model = rigs.open_model(family)
    replay = record(model, TEXTS)
    ends, between = {}, {}

    def observe(layer, members, before, after):
        for holders, state in zip(members, after, strict=True):
            between.update({(plan, layer): state.clone() for plan in holders})

    def end(members, hidden):
        for holders, logits in zip(members, replay.logits(hidden), strict=True):
            ends.update(dict.fromkeys(holders, logits))

    plans = [plan_of(WhatIf.parse(text)) for text in CHANGES]
    sweep(replay, plans, observe=observe, end=end, tokens=tokens)
    assert set(ends) == set(range(len(CHANGES)))
    for index, text in enumerate(CHANGES):
        for row, sample in enumerate(TEXTS):
            expected = plain(model, text, sample)
            got = ends[index][row, : len(sample)]
            assert torch.allclose(got, expected["logits"][0], atol=1e-4, rtol=0), (text, row)
            for layer in range(3):
                if (state := between.get((index, layer))) is None:
                    state = replay.states[layer + 1]
                wanted = expected[f"resid_post.{layer}"][0]
                assert torch.allclose(state[row, : len(sample)], wanted, atol=1e-4), (text, layer)


def test_runs_share_what_they_have_in_common():
    model = rigs.open_model("llama")
    replay = record(model, TEXTS)
    calls = []
    blocks = [b.register_forward_hook(lambda m, a, o: calls.append(len(o))) for b in model.blocks]
    try:
        sweep(replay, [{0: (Skip(),)}, {0: (Skip(),), 2: (Skip(),)}, {1: (Skip(),)}, {}], tokens=1)
    finally:
        for handle in blocks:
            handle.remove()
    # layer 1 once for both that skip 0; layer 2 for {0} and {1}, not for {0, 2}
    assert calls == [3, 3, 3]


def test_equal_ends_are_handed_over_once():
    replay = record(rigs.open_model("llama"), TEXTS)
    seen = []
    same = {1: (Round(4),)}
    sweep(replay, [same, same, {}], end=lambda members, hidden: seen.extend(members))
    assert sorted(seen) == [[0, 1], [2]]


def test_spans_of_their_own_for_each_row():
    model = rigs.open_model("llama")
    replay = record(model, TEXTS[:2])
    last: list = []
    plan = {1: (Skip("attention", ((1, 3), (2, None))),)}
    sweep(replay, [plan], end=lambda members, hidden: last.append(hidden[0]))
    for row, text in enumerate(("skip-attn:1:t1-3", "skip-attn:1:t2-")):
        wanted = plain(model, text, TEXTS[row])["resid_post.2"][0]
        assert torch.allclose(last[0][row, : len(wanted)], wanted, atol=1e-5)


def test_less_memory_means_smaller_stacks(monkeypatch):
    model = rigs.open_model("llama")
    replay = record(model, TEXTS)
    plans = [plan_of(WhatIf.parse(t)) for t in ("skip:0", "skip:0:t1-", "bits:4=0", "skip-mlp:0")]
    whole: list = []
    sweep(replay, plans, end=lambda m, h: whole.append(replay.logits(h)))
    run, sizes = model.blocks[1].forward, []

    def narrow(hidden, *args, **kwargs):
        sizes.append(len(hidden))
        if len(hidden) > 6:
            raise RuntimeError("out of memory")
        return run(hidden, *args, **kwargs)

    monkeypatch.setattr(model.blocks[1], "forward", narrow)
    pieces: list = []
    sweep(replay, plans, end=lambda m, h: pieces.append(replay.logits(h)))
    assert sizes[0] == 12 and max(sizes[1:]) == 6
    assert np.allclose(torch.cat(pieces).flatten(0, 1), torch.cat(whole).flatten(0, 1), atol=1e-5)


def test_prefix_reuse_is_exact_and_the_recorded_pass_is_the_models():
    model = rigs.open_model("llama")
    replay = record(model, [TEXTS[0]], sublayers=True)
    state = replay.states[0]
    for layer in range(3):
        whole = replay.attention[layer] + replay.mlp[layer]
        assert torch.allclose(state + whole, replay.states[layer + 1], rtol=1e-5, atol=1e-5)
        with torch.inference_mode():
            state = replay.run_block(layer, state)
    assert torch.equal(state, replay.states[3])
    with torch.inference_mode():
        expected = model.model(input_ids=torch.tensor([TEXTS[0]])).logits
    assert torch.equal(replay.logits(replay.states[3]), expected)
    loss = torch.nn.functional.cross_entropy(expected[0, :-1], torch.tensor(TEXTS[0][1:]))
    ours = replay.losses(replay.states[3][None])
    assert ours.shape == (1, 1, 7) and float(ours.mean()) == pytest.approx(float(loss), rel=1e-6)


@pytest.mark.parametrize("rows", [1, 2])
def test_slopes_for_each_head_are_stacked_too(tmp_path, rows):
    import tiny
    import transformers

    from backend.models.loading import load
    from backend.models.sources import from_folder

    torch.manual_seed(0)
    config = transformers.BloomConfig(vocab_size=42, hidden_size=16, n_layer=3, n_head=2)
    transformers.BloomForCausalLM(config).save_pretrained(tmp_path / "m")
    tiny.write_tokenizer(tmp_path / "m")
    model = load(from_folder("bloom", tmp_path / "m", settings=rigs.settings()), rigs.settings())
    replay, ends = record(model, TEXTS[:rows]), {}

    def end(members, hidden):
        for holders, logits in zip(members, replay.logits(hidden), strict=True):
            ends.update(dict.fromkeys(holders, logits))

    texts = ("skip:0", "skip:0:t1-", "bits:4=0", "bits:3=0-1")
    sweep(replay, [plan_of(WhatIf.parse(t)) for t in texts], end=end)
    for index, text in enumerate(texts):
        for row, sample in enumerate(TEXTS[:rows]):
            expected = plain(model, text, sample)["logits"][0]
            assert torch.allclose(ends[index][row, : len(sample)], expected, atol=1e-4), text


@pytest.mark.parametrize("text", ["skip:1", "skip:1:t1-3", "skip-attn:1", "skip-mlp:0:t2-"])
def test_a_pass_under_a_what_if_is_recorded_with_what_its_layers_add(text):
    model = rigs.open_model("llama")
    with applied(model, WhatIf.parse(text)):
        replay = record(model, TEXTS, sublayers=True)
    for layer in range(3):
        whole = replay.states[layer + 1] - replay.states[layer]
        assert torch.allclose(replay.attention[layer] + replay.mlp[layer], whole, atol=1e-5)
