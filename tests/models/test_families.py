"""Every family of the tiny models is recognised, described as it is, and opened the same."""

import json

import pytest
import tiny
import torch
import transformers

from backend.capture.verify import verify
from backend.errors import CaptureError
from backend.models.describe import describe
from backend.models.families import BY_TYPE, FAMILIES
from backend.models.loading import load
from backend.models.sources import from_folder
from backend.models.taps import guess_family
from tests import rigs

NAMES = {
    "llama": "Llama-like decoder", "qwen3": "Llama-like decoder",
    "gemma2": "Decoder with norms after its sublayers", "gpt2": "GPT-2",
    "gpt_neox": "GPT-NeoX and Pythia", "bert": "BERT-like encoder", "distilbert": "DistilBERT",
    "vit": "ViT", "clip_vision_model": "CLIP and SigLIP vision tower", "dinov2": "DINOv2",
    "resnet": "ResNet", "wav2vec2": "wav2vec 2.0, HuBERT, WavLM",
    "llava": "LLaVA-like, language side",
}  # fmt: skip


@pytest.mark.parametrize("kind", tiny.BUILDERS)
def test_a_family_is_found_and_described_as_it_is_loaded(kind):
    facts, model = describe(rigs.source(kind), rigs.settings()), rigs.open_model(kind)
    assert facts["family"] == NAMES[kind] == model.family.name
    assert facts["modality"] == rigs.kind_of(kind) == model.modality
    assert facts["parameters"] == sum(p.numel() for p in model.model.parameters())
    assert facts["blocks"] == model.n_blocks == (4 if kind == "resnet" else 3)
    assert facts["sites"] == list(model.sites)
    assert facts["decoder"] == model.is_decoder
    assert facts["device"] == "cpu" and facts["device_reason"]
    assert facts["weights_mb"] == round(facts["parameters"] * 4 / 1e6, 1)
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize("kind", tiny.BUILDERS)
def test_every_site_of_a_family_is_there(kind):
    sites, n = rigs.open_model(kind).sites, rigs.open_model(kind).n_blocks
    if kind == "resnet":
        stems, last = ("skip", "main", "block"), "penultimate"
    else:
        stems, last = ("resid_pre", "attn_out", "mlp_out", "resid_post"), "final"
    expected = {"embed", last} | {f"{stem}.{i}" for stem in stems for i in range(n)}
    assert expected <= set(sites)
    decoders = {"llama", "qwen3", "gemma2", "gpt2", "gpt_neox", "llava"}
    assert ("head" in sites) == (kind in decoders | {"resnet"})


def test_sites_are_listed_in_order_of_depth():
    taps = rigs.open_model("gpt2").taps
    depths = [taps[s].depth for s in taps]
    assert depths == sorted(depths)


def test_a_type_belongs_to_one_family():
    assert len(BY_TYPE) == sum(len(family.model_types) for family in FAMILIES)


def test_an_unknown_decoder_falls_back_to_its_longest_list_and_says_so(tmp_path, monkeypatch):
    folder = rigs.copy_model("llama", tmp_path / "m")
    monkeypatch.delitem(BY_TYPE, "llama")
    source = from_folder("odd", folder, settings=rigs.settings())
    facts, model = describe(source, rigs.settings()), load(source, rigs.settings())
    assert facts["family"] == "unknown" and "'layers'" in facts["family_note"]
    assert (facts["blocks"], model.n_blocks) == (3, 3)
    assert facts["decoder"] is True is model.is_decoder and facts["pooling"] == "last"
    assert facts["sites"] == list(rigs.open_model("llama").sites)
    known = rigs.open_model("llama")
    batch = model.tokenize(["the cat sleeps"])
    with torch.inference_mode():
        assert torch.equal(model.trunk(**batch)[0], known.trunk(**batch)[0])
    for site in ("embed", "attn_out.1", "mlp_out.2", "final"):
        assert type(model.taps[site].module) is type(known.taps[site].module)


def _bart():
    return transformers.BartForConditionalGeneration(transformers.BartConfig(
        vocab_size=42, d_model=16, encoder_layers=3, decoder_layers=4, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    ))  # fmt: skip


def _t5():
    return transformers.T5ForConditionalGeneration(transformers.T5Config(
        vocab_size=42, d_model=16, d_kv=8, d_ff=32, num_layers=3, num_decoder_layers=4,
        num_heads=2, pad_token_id=0, eos_token_id=2, decoder_start_token_id=0,
    ))  # fmt: skip


@pytest.mark.parametrize("build", [_bart, _t5])
def test_of_an_encoder_decoder_the_encoder_is_read(build, tmp_path):
    torch.manual_seed(0)
    build().save_pretrained(tmp_path / "m")
    tiny.write_tokenizer(tmp_path / "m")
    source = from_folder("both", tmp_path / "m", settings=rigs.settings())
    facts, model = describe(source, rigs.settings()), load(source, rigs.settings())
    assert (facts["blocks"], facts["decoder"], model.is_decoder) == (3, False, False)
    assert "head" not in facts["sites"] and facts["sites"] == list(model.sites)
    view = rigs.capture(
        model, rigs.dataset("text"), tmp_path, sites=model.sites, pooling="mean", budget=40
    )
    stored = {site: view.vectors(site) for site in view.sites}
    assert verify(model, view.dataset, view.rows(), stored, "mean").verdict == "agrees"


def test_a_model_that_puts_rows_elsewhere_is_refused(tmp_path):
    torch.manual_seed(0)
    config = transformers.XLNetConfig(vocab_size=42, d_model=16, n_layer=3, n_head=2, d_inner=32)
    transformers.XLNetModel(config).save_pretrained(tmp_path / "m")  # states (length, batch, width)
    tiny.write_tokenizer(tmp_path / "m")
    model = load(from_folder("x", tmp_path / "m", settings=rigs.settings()), rigs.settings())
    with pytest.raises(CaptureError, match="gives states of shape.*20 rows"):
        rigs.capture(
            model, rigs.dataset("text"), tmp_path, sites=("embed",), pooling="mean", budget=9999
        )


def test_a_model_without_blocks_has_no_depth():
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 2))
    assert guess_family(net, "text") is None
