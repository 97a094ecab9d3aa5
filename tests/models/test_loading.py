"""Opening models: heads, decoders, GGUF, base models, positions, and the shelf."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
import transformers

from backend.errors import ModelError
from backend.models.describe import describe
from backend.models.inputs import count_positions
from backend.models.loading import ModelShelf, choose_device, load
from backend.models.sources import find_source
from tests import rigs


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    """The tiny Llama as a GGUF file, in float32."""
    import gguf

    model = rigs.open_model("llama").model
    config, weights = model.config, model.state_dict()
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(16)
    writer.add_block_count(3)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(8)
    writer.add_vocab_size(config.vocab_size)
    words = ["<pad>", "<s>", "</s>", "<unk>", *(f"▁{word}" for word in tiny.WORDS)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * len(words))
    writer.add_token_types([1] * len(words))
    for name, tensor in _as_gguf(weights).items():
        writer.add_tensor(name, np.ascontiguousarray(tensor.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _as_gguf(weights: dict) -> dict:
    """Hub names and order of rotary halves into GGUF's."""
    inside = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    out = {
        "token_embd.weight": weights["model.embed_tokens.weight"],
        "output_norm.weight": weights["model.norm.weight"],
        "output.weight": weights["lm_head.weight"],
    }
    for i in range(3):
        for ours, theirs in inside.items():
            tensor = weights[f"model.layers.{i}.{ours}.weight"]
            if theirs in ("attn_q", "attn_k"):
                heads = tensor.shape[0] // 8
                tensor = tensor.reshape(heads, 2, 4, 16).swapaxes(1, 2).reshape(tensor.shape)
            out[f"blk.{i}.{theirs}.weight"] = tensor
    return out


def test_a_gguf_file_opens_as_the_language_model_that_it_holds(gguf_file):
    source = find_source(str(gguf_file), settings=rigs.settings())
    facts, model = describe(source, rigs.settings()), load(source, rigs.settings())
    known = rigs.open_model("llama")
    assert facts["decoder"] is True and facts["sites"] == list(known.sites) == list(model.sites)
    assert facts["parameters"] == describe(rigs.source("llama"), rigs.settings())["parameters"]
    assert "dequantised" in facts["notes"][0]
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        torch.testing.assert_close(model.model(ids).logits, known.model(ids).logits)
    assert find_source(str(gguf_file), settings=rigs.settings()).model_id == source.model_id


def test_a_base_model_without_head_is_opened_and_is_no_decoder(tmp_path):
    base = rigs.open_model("llama").model.model
    base.save_pretrained(tmp_path)
    tiny.write_tokenizer(tmp_path)
    model = load(find_source(str(tmp_path), settings=rigs.settings()), rigs.settings())
    assert not model.is_decoder and "head" not in model.sites
    with pytest.raises(ModelError, match="has no output head"):
        model.head_logits(torch.zeros(1, 16))


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2", "gpt_neox", "llava"])
def test_the_head_alone_gives_the_models_own_logits(kind):
    model = rigs.open_model(kind)
    texts = ["the cat runs", "paris is the capital of france"]
    states, mask = model.states(texts, ("final", "resid_post.2"))
    with torch.inference_mode():
        whole = model.model(**model.tokenize(texts)).logits
    torch.testing.assert_close(model.head_logits(states["final"])[mask], whole[mask])
    # the lens of the last block is the model's own output
    torch.testing.assert_close(model.lens_logits(states["resid_post.2"])[mask], whole[mask])


def test_gemma_caps_its_logits():
    model = rigs.open_model("gemma2")
    cap = model.model.config.final_logit_softcapping
    assert model.head_logits(1e6 * torch.ones(1, 16)).abs().max() <= cap


def test_tokens_are_words_and_texts_come_back():
    model = rigs.open_model("llama")
    ids = model.tokenize(["the cat sleeps"])["input_ids"][0].tolist()
    assert [word.strip() for word in model.tokens(ids)] == ["the", "cat", "sleeps"]
    with pytest.raises(ModelError, match="no tokenizer"):
        rigs.open_model("vit").tokens([1])


def test_texts_are_cut_at_the_positions_that_the_model_has(tmp_path):
    folder = rigs.copy_model("gpt2", tmp_path / "m")
    file = folder / "tokenizer_config.json"  # a tokenizer that does not know the model's length
    file.write_text(file.read_text().replace('"model_max_length": 64', '"model_max_length": 1e30'))
    model = load(find_source(str(folder), settings=rigs.settings()), rigs.settings())
    prepared = model.inputs.prepare(["the cat " * 60, "the dog"], max_tokens=512)
    assert prepared.lengths.tolist() == [64, 2] and prepared.truncated == 1
    with torch.inference_mode():
        model.trunk(**model.inputs.collate(prepared.samples).inputs)


@pytest.mark.parametrize(
    ("config", "n"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ({"model_type": "bloom"}, None),
        ({"model_type": "llava", "text_config": {"max_position_embeddings": 77}}, 77),
    ],
)
def test_how_many_positions_a_config_promises(config, n):
    assert count_positions(config) == n


def test_an_empty_text_is_one_token():
    prepared = rigs.open_model("llama").inputs.prepare(["", "the cat"], max_tokens=9)
    assert prepared.lengths.tolist() == [1, 2]


def test_frames_of_a_short_sound_are_one_and_padded():
    from backend.models.inputs import FrameInputs

    inputs = FrameInputs(frame=8, hop=4, seconds=1.0, rate=16)
    prepared = inputs.prepare(
        [np.ones(3, np.float32), np.arange(40.0, dtype=np.float32)], max_tokens=0
    )
    assert prepared.lengths.tolist() == [1, 3] and prepared.truncated == 1
    batch = inputs.collate(prepared.samples)
    assert batch.spans == [1, 3] and batch.inputs["frames"].shape == (4, 8)
    np.testing.assert_allclose(batch.inputs["frames"].mean(1), 0, atol=1e-6)


def test_the_cpu_computes_in_float32_and_says_why():
    device = choose_device("cpu", torch.bfloat16)
    assert (device.name, device.dtype) == ("cpu", torch.float32) and device.reason


def test_the_shelf_keeps_two_models_and_closes_the_longest_unused():
    opened = []
    shelf = ModelShelf(2, lambda source, settings: opened.append(source.model_id) or object())
    sources = [SimpleNamespace(model_id=name) for name in "abc"]
    a = shelf.get(sources[0], rigs.settings())
    shelf.get(sources[1], rigs.settings())
    assert shelf.get(sources[0], rigs.settings()) is a
    shelf.get(sources[2], rigs.settings())  # b goes
    assert shelf.get(sources[0], rigs.settings()) is a
    shelf.get(sources[1], rigs.settings())
    assert opened == ["a", "b", "c", "b"]


def test_opening_prints_nothing(tmp_path, capfd):
    rigs.model_folder("qwen3")
    capfd.readouterr()
    load(rigs.source("qwen3"), rigs.settings())
    assert capfd.readouterr() == ("", "")


def test_a_loaded_model_computes_no_gradients():
    model = rigs.open_model("llama").model
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert isinstance(model, transformers.PreTrainedModel) and "torch" in sys.modules
