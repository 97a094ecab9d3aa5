"""Assignments as torchao reads them, and rounded models as folders that open again."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

from backend.errors import StoreError, UserError
from backend.models.loading import load
from backend.models.sources import from_folder
from backend.whatif.applying import applied
from backend.whatif.quantized_export import ASSIGNMENT, export_folder, fqn_config
from backend.whatif.torchao_quantizer import available
from backend.whatif.values import WhatIf, quantize, skip
from tests import rigs

needs_torchao = pytest.mark.skipif(bool(available()), reason=available() or "torchao is there")
BITS = quantize({0: 4, 2: 3}, group=8)
TEXT = "the capital of italy is rome ."


class Net(nn.Module):
    """Two layers of two linear modules, and a head that no assignment names."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleDict({"up": nn.Linear(64, 128), "down": nn.Linear(128, 64)}) for _ in range(2)
        )
        self.head = nn.Linear(64, 10)


NAMES = {i: [f"layers.{i}.up", f"layers.{i}.down"] for i in range(2)}


@needs_torchao
@pytest.mark.parametrize("group", [32, 0])
@pytest.mark.parametrize("symmetric", [False, True])
def test_torchao_reads_the_assignment_as_it_would_write_it(group, symmetric):
    from torchao.core.config import config_from_dict, config_to_dict
    from torchao.quantization import FqnToConfig, IntxWeightOnlyConfig, PerAxis, PerGroup
    from torchao.quantization.quant_primitives import MappingType

    net = Net()
    edit = quantize({1: 3, 0: 4}, group=group, symmetric=symmetric).assignment()
    record = fqn_config(edit, net, [*net.layers])
    found = config_from_dict(json.loads(json.dumps(record)))
    kind = MappingType.SYMMETRIC if symmetric else MappingType.ASYMMETRIC
    expected = {
        name: IntxWeightOnlyConfig(
            weight_dtype=torch.int3 if layer else torch.int4,
            granularity=PerGroup(group) if group else PerAxis(0),
            mapping_type=kind,
        )
        for layer, names in NAMES.items()
        for name in names
    }
    assert isinstance(found, FqnToConfig) and dict(found.fqn_to_config) == expected
    assert list(found.fqn_to_config) == [*NAMES[0], *NAMES[1]]
    assert config_from_dict(config_to_dict(found)) == found


@needs_torchao
def test_the_assignment_changes_the_named_modules_and_no_other():
    from torchao.core.config import config_from_dict
    from torchao.quantization import quantize_

    net = Net()
    edit = quantize({1: 2}, group=64).assignment()
    config = config_from_dict(fqn_config(edit, net, [*net.layers]))
    quantize_(net, config, filter_fn=None)
    rounded = [
        name
        for name, module in net.named_modules()
        if type(getattr(module, "weight", None)).__module__.startswith("torchao")
    ]
    assert rounded == NAMES[1]
    levels = net.layers[1]["up"].weight.dequantize()
    assert max(len(row.unique()) for row in levels) <= 4


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert", "vit"])
def test_a_rounded_model_opens_again_and_answers_the_same(kind, tmp_path):
    model = rigs.open_model(kind)
    folder = export_folder(model, BITS, tmp_path / "deep" / "rounded")
    assert [p.name for p in folder.parent.iterdir()] == ["rounded"]
    again = load(from_folder(str(folder), folder, settings=rigs.settings()), rigs.settings())
    item = Image.open(io.BytesIO(rigs.picture())) if kind == "vit" else TEXT
    batch = model.inputs.collate(model.inputs.prepare([item], max_tokens=64).samples).inputs
    with torch.inference_mode():
        with applied(model, BITS):
            expected = model.model(**batch)[0]
        assert torch.equal(again.model(**batch)[0], expected)
        assert not torch.equal(model.model(**batch)[0], expected)
    assert type(again.model) is type(model.model) and again.source.model_id != model.source.model_id


def test_what_was_done_is_written_beside_the_weights(tmp_path):
    model = rigs.open_model("llama")
    folder = export_folder(model, BITS, tmp_path / "rounded")
    record = json.loads((folder / ASSIGNMENT).read_text())
    names = list(record["_data"]["fqn_to_config"])
    assert len(names) == 14 and names[0] == "model.layers.0.self_attn.q_proj"
    assert all(model.model.get_submodule(name) is not None for name in names)
    assert record["whatif"] == str(BITS) == "bits:4=0,3=2:g8"
    source = from_folder("x", folder, settings=rigs.settings())
    assert source.title == "llama (bits:4=0,3=2:g8)"
    said = " ".join(source.notes)
    assert "4 bits: layers 0; 3 bits: layers 2." in said and "groups of 8 weights" in said
    kept = {p.name for p in model.source.folder.iterdir() if not p.name.startswith(".")}
    assert {p.name for p in folder.glob("[!.]*")} == kept | {ASSIGNMENT, "demo.json"}
    config = (folder / "config.json").read_text()
    assert config == (model.source.folder / "config.json").read_text()


def test_the_open_model_is_left_as_it_was(tmp_path):
    model = rigs.open_model("llama")
    config = model.model.config.to_dict()
    settings, weights = model.model.generation_config, dict(model.model.named_parameters())
    before = settings.to_dict()
    export_folder(model, BITS, tmp_path / "rounded")
    assert model.model.config.to_dict() == config
    assert model.model.generation_config is settings and settings.to_dict() == before
    now = dict(model.model.named_parameters())
    assert all(now[name] is weight for name, weight in weights.items())


def test_tied_weights_and_the_sources_dtype_are_kept(tmp_path):
    folder = rigs.copy_model("gpt2", tmp_path / "half")
    import transformers

    tied = transformers.GPT2LMHeadModel.from_pretrained(folder, dtype=torch.bfloat16)
    assert tied.lm_head.weight is tied.transformer.wte.weight
    tied.save_pretrained(folder)
    model = load(from_folder("half", folder, settings=rigs.settings()), rigs.settings())
    assert next(model.model.parameters()).dtype == torch.float32
    out = export_folder(model, BITS, tmp_path / "out")
    with safe_open(out / "model.safetensors", "pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
        assert kinds == {torch.bfloat16} and "lm_head.weight" not in file.keys()  # noqa: SIM118
    again = from_folder("out", out, settings=rigs.settings())
    assert "computed more finely" in again.notes[-2] and "torchao cannot apply" in again.notes[-1]
    batch = model.tokenize([TEXT])
    with torch.inference_mode(), applied(model, BITS):
        expected = model.model(**batch).logits
        found = load(again, rigs.settings()).model(**batch).logits
    assert torch.allclose(found, expected, atol=0.05 * float(expected.std()))


def test_a_model_from_a_gguf_file_gets_config_and_tokenizer(tmp_path):
    model = rigs.open_model("llama")
    (tmp_path / "source").mkdir()
    source = replace(model.source, folder=tmp_path / "source", file="model.gguf")
    out = export_folder(replace(model, source=source), BITS, tmp_path / "out")
    assert '"use_cache": false' not in "".join(p.read_text() for p in out.glob("*.json"))
    again = load(from_folder("out", out, settings=rigs.settings()), rigs.settings())
    batch = again.tokenize([TEXT])
    assert torch.equal(batch["input_ids"], model.tokenize([TEXT])["input_ids"])
    with torch.inference_mode(), applied(model, BITS):
        assert torch.equal(again.model(**batch).logits, model.model(**batch).logits)


@needs_torchao
def test_torchaos_weights_are_written_as_numbers(tmp_path):
    model, whatif = rigs.open_model("llama"), quantize({1: 4}, group=8, quantizer="torchao")
    out = export_folder(model, whatif, tmp_path / "out")
    again = load(from_folder("out", out, settings=rigs.settings()), rigs.settings())
    batch = model.tokenize([TEXT])
    with torch.inference_mode(), applied(model, whatif):
        expected = model.model(**batch).logits
    assert torch.allclose(again.model(**batch).logits, expected, atol=1e-5)


def test_a_target_that_exists_is_refused(tmp_path):
    (tmp_path / "there").write_text("mine")
    with pytest.raises(UserError, match="there exists already"):
        export_folder(rigs.open_model("llama"), BITS, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"


@pytest.mark.parametrize(
    ("whatif", "said"),
    [
        (WhatIf(), "not one assignment"),
        (skip([1]), "not one assignment"),
        (BITS + skip([1]), "not one assignment"),
        (quantize({3: 4}), "names layer 3"),
    ],
)
def test_other_what_ifs_are_refused_and_nothing_is_written(whatif, said, tmp_path):
    with pytest.raises(UserError, match=said):
        export_folder(rigs.open_model("llama"), whatif, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_models_without_linear_weights_are_refused(tmp_path):
    with pytest.raises(UserError, match="no linear weights"):
        export_folder(rigs.open_model("resnet"), quantize({0: 4}), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(path: Path, *rest: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backend.whatif.quantized_export.shutil.copyfile", full)
    with pytest.raises(StoreError, match="No space left"):
        export_folder(rigs.open_model("llama"), BITS, tmp_path / "out")
    assert not list(tmp_path.iterdir())
