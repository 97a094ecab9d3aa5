"""Where models come from: what is accepted, what is refused in which words, what names them."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from backend.errors import ModelError
from backend.models.describe import describe
from backend.models.loading import load
from backend.models.sources import ModelSource, find_source, from_folder
from backend.settings import Settings
from tests import rigs


def find(path) -> ModelSource:
    return find_source(str(path), settings=rigs.settings())


def refused(path) -> str:
    """The one sentence and the remedy of the refusal."""
    with pytest.raises(ModelError) as caught:
        find(path)
    assert caught.value.remedy and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    return rigs.copy_model("llama", tmp_path / "tiny-llama")


def test_a_folder_is_named_by_its_content(folder, tmp_path):
    found = find(folder)
    assert (found.title, found.folder) == ("tiny-llama", folder)
    assert find(rigs.copy_model("llama", tmp_path / "other")).model_id == found.model_id
    assert ModelSource.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_one_weight_changes_the_content_id(folder):
    before = find(folder).model_id
    file = folder / "model.safetensors"
    weights = load_file(file)
    name = next(iter(weights))
    weights[name].flat[0] += np.float32(1e-3)
    save_file(weights, file, metadata={"format": "pt"})
    assert find(folder).model_id != before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_what_prepares_the_inputs_is_part_of_the_content(folder, name):
    before = find(folder).model_id
    record = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(record | {"note": 1}))
    assert find(folder).model_id != before


def test_the_content_is_hashed_once(folder, monkeypatch):
    before = find(folder).model_id
    monkeypatch.setattr("backend.models.sources.digest_file", lambda _: pytest.fail("hashed again"))
    assert find(folder).model_id == before


@pytest.mark.parametrize("memory", ["", "{", "[]", '{"stamp": 1}'])
def test_a_damaged_memory_of_the_hash_does_no_harm(folder, memory):
    before = find(folder).model_id
    (folder / ".penultimate.json").write_text(memory)
    assert find(folder).model_id == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_opened(folder):
    folder.chmod(0o500)
    try:
        assert find(folder).model_id
    finally:
        folder.chmod(0o700)


def test_folders_that_hold_no_model(folder):
    (folder / "config.json").rename(folder / "moved.json")
    assert "has no config.json" in refused(folder)
    for text in ("{", "[1]", '"text"', "\xff"):
        (folder / "config.json").write_bytes(text.encode("latin-1"))
        assert "JSON" in refused(folder)


def test_pickles_are_never_opened(folder):
    (folder / "model.safetensors").unlink()
    assert "holds no weights" in refused(folder)
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n")
    said = refused(folder)
    assert "only pytorch_model.bin, which would have to be unpickled" in said
    assert "safe_serialization" in said


def test_code_of_the_folder_is_not_run(folder):
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    assert "PENULTIMATE_TRUST_REMOTE_CODE=1" in refused(folder)
    trusting = Settings(home=folder, trust_remote_code=True)
    assert from_folder("x", folder, settings=trusting).model_id


def test_a_tokenizer_with_code_is_neither_run_nor_asked_about(folder, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    record = {"tokenizer_class": "EvilTokenizer", "auto_map": {"AutoTokenizer": ["evil.T", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(record))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    try:  # either another class reads its tokenizer.json, or it is refused
        load(find(folder), rigs.settings())
    except ModelError as error:
        assert "inputs" in str(error)


def test_single_files(tmp_path):
    assert "no file" in refused(tmp_path / "absent.gguf")
    (tmp_path / "fake.gguf").write_bytes(b"PK\x03\x04 something else")
    assert "is not a GGUF file" in refused(tmp_path / "fake.gguf")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert "single file that is not GGUF" in refused(tmp_path / "model.safetensors")


def test_a_cut_gguf_file_is_refused_with_one_sentence(tmp_path):
    file = tmp_path / "cut.gguf"
    file.write_bytes(b"GGUF\x03\x00\x00\x00")
    source = find(file)
    assert source.file == "cut.gguf" and "GGUF" in source.notes[0]
    with pytest.raises(ModelError, match="cut.gguf cannot be opened") as caught:
        describe(source, rigs.settings())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ref", ["nowhere", "a/b/c", "org/", "org/na me", "../x/y"])
def test_references_that_are_nothing(ref):
    assert "neither a folder" in refused(ref)


def test_an_empty_reference_is_not_this_folder():
    assert "No model was named" in refused("")


def test_a_type_that_the_library_does_not_know(folder):
    config = json.loads((folder / "config.json").read_text())
    for name in ("Missing", "pipeline", "AutoModel"):  # only model classes are called
        config |= {"model_type": "zetanet", "architectures": [name]}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match="'zetanet', which this version of transformers"):
            describe(find(folder), rigs.settings())


def test_weights_that_do_not_fit_the_config(folder):
    file = folder / "model.safetensors"
    weights = load_file(file)
    lost = next(name for name in weights if "down_proj" in name)
    save_file({k: v for k, v in weights.items() if k != lost}, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lacks 1 of the weights.*down_proj"):
        load(find(folder), rigs.settings())
    file.write_bytes(b"cut short")
    with pytest.raises(ModelError, match="cannot be opened"):
        load(find(folder), rigs.settings())


def test_a_folder_without_tokenizer_says_which_file_is_missing(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="cannot prepare its text inputs.*") as caught:
        load(find(folder), rigs.settings())
    assert caught.value.remedy == "Add its tokenizer.json to the folder."
