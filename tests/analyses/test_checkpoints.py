"""A row of checkpoints: found by their names, read as their library reads them, put back."""

import shutil
from functools import cache
from types import SimpleNamespace

import pytest

from backend import Workbench
from backend.analyses.checkpoints import find_checkpoints, list_checkpoints, weights_of
from backend.errors import AnalysisError
from backend.models.loading import load
from backend.models.sources import from_folder
from backend.settings import Settings
from tests import rigs
from tests.pages.material import write_images
from tests.rigs import write_csv

CLASSES = {"vit": "ViTForImageClassification", "bert": "BertModel", "gpt2": "GPT2LMHeadModel"}
STEPS = (1, 500, 1000)


@cache
def checkpoints(kind: str):
    """Folders as a Hugging Face trainer leaves them: checkpoint-1, -500 and -1000, and the rest."""
    import torch
    import transformers

    root, source = rigs.shared() / f"{kind}-checkpoints", rigs.model_folder(kind)
    config = transformers.AutoConfig.from_pretrained(source, num_labels=3)
    for step in STEPS:
        folder = root / f"checkpoint-{step}"
        torch.manual_seed(step)
        getattr(transformers, CLASSES[kind])(config).save_pretrained(folder)
        for file in source.iterdir():
            if file.name not in ("config.json", "model.safetensors", ".penultimate.json"):
                shutil.copy(file, folder)
        for left in ("optimizer.pt", "rng_state.pth", "training_args.bin"):
            (folder / left).write_bytes(b"\x80\x04 a pickle, never opened")
    (root / "runs").mkdir()  # what else lies there
    return root


def opened(folder):
    settings = Settings(home=rigs.shared() / "home", scheduler="inline")
    return load(from_folder(str(folder), folder, settings=settings), settings)


def named(folder):
    """As much of a model as finding its checkpoints asks for."""
    return SimpleNamespace(source=SimpleNamespace(folder=folder, ref=str(folder)))


def empty(root, *names):
    for name in names:
        (root / name).mkdir()
        (root / name / "model.safetensors").touch()
    return root


@pytest.mark.parametrize("kind", list(CLASSES))
def test_each_checkpoint_is_read_as_its_library_reads_it(kind):
    """Also where the file names tensors otherwise than the module does (ViT), or ties (GPT-2)."""
    import torch

    root = checkpoints(kind)
    model = opened(root / "checkpoint-1000")
    before = {k: v.clone() for k, v in model.model.state_dict().items()}
    found = find_checkpoints(model)
    assert [number for number, _ in found] == list(STEPS)
    for _, folder in found:
        wanted = opened(folder).model.state_dict()
        with weights_of(model, folder):
            now = model.model.state_dict()
            assert now.keys() == wanted.keys()
            assert all(torch.equal(now[name], wanted[name]) for name in wanted)
    with weights_of(model, found[0][1]):
        assert any(not torch.equal(model.model.state_dict()[k], v) for k, v in before.items())
    after = model.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("kind", ["vit", "bert"])
def test_features_over_checkpoints_of_ones_own(kind, tmp_path):
    root = checkpoints(kind)
    if kind == "vit":
        data = str(write_images(tmp_path / "images.zip", 60))
    else:
        data = str(write_csv(tmp_path / "texts.csv", 60))
    bench = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    last = bench.checkpoints(str(root))[-1]
    assert last["epoch"] == 1000
    asked = {"model": last["folder"], "data": data, "atoms": 4}
    result = bench.run("feature_learning", **asked)
    assert sorted(set(result.tables["training"]["epoch"].to_pylist())) == list(STEPS)
    s = result.scalars
    assert (s["first_epoch"], s["last_epoch"], s["checkpoints"]) == (1, 1000, 3)
    assert result.reading.startswith("From checkpoint 1 to 1000 the mean complexity")
    weighed = result.tables["features"]["importance"].null_count == 0
    assert weighed == (kind == "vit")  # which has a linear head
    assert 0 <= s["all_first_mean"] <= 1 and s["all_first_mean"] != s["all_last_mean"]
    bench.close()


def test_only_those_up_to_the_named_one(tmp_path):
    root = empty(tmp_path, "epoch-2", "epoch-10", "epoch-003", "best", "epoch-x")
    assert [n for n, _ in list_checkpoints(root)] == [2, 3, 10]
    assert [n for n, _ in find_checkpoints(named(root / "epoch-003"))] == [2, 3]
    with pytest.raises(AnalysisError, match="epoch-2 has no checkpoint before it"):
        find_checkpoints(named(root / "epoch-2"))


def test_who_names_the_folder_around_or_one_beside_is_led_to_the_last(tmp_path):
    root = empty(tmp_path, "checkpoint-500", "checkpoint-1500", "final")
    for folder in (root, root / "final"):
        with pytest.raises(AnalysisError, match=r"Name the last one, .*checkpoint-1500\."):
            find_checkpoints(named(folder))
    with pytest.raises(AnalysisError, match="Train a net here"):
        find_checkpoints(named(root / "final" / "inner"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "holds no checkpoints"),
        (("epoch-1", "final"), "holds one checkpoint with"),
        (("epoch-1", "epoch-2", "checkpoint-500"), "epoch-2 and checkpoint-500 .* one row"),
        (("epoch-1", "epoch-01", "epoch-2"), "epoch-01 and epoch-1 .* one row"),
    ],
)
def test_what_is_no_row_of_checkpoints(tmp_path, names, said):
    with pytest.raises(AnalysisError, match=said):
        list_checkpoints(empty(tmp_path, *names))
    with pytest.raises(AnalysisError, match=said):
        Workbench.checkpoints(str(tmp_path))


def test_other_shapes_and_damaged_files_are_refused(tmp_path):
    import torch
    import transformers

    source = checkpoints("bert") / "checkpoint-1000"
    model = opened(source)
    config = transformers.AutoConfig.from_pretrained(source)
    for change in ({"intermediate_size": 24}, {"num_hidden_layers": 4}):
        other = transformers.AutoConfig.from_pretrained(source, **change)
        transformers.BertModel(other).save_pretrained(tmp_path / "other")
        said = "other holds weights of another architecture"
        with pytest.raises(AnalysisError, match=said), weights_of(model, tmp_path / "other"):
            pass
    torch.manual_seed(3)
    transformers.BertModel(config).save_pretrained(tmp_path / "cut")
    file = tmp_path / "cut" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    said = "cut/model.safetensors cannot be read"
    with pytest.raises(AnalysisError, match=said), weights_of(model, tmp_path / "cut"):
        pass


def test_rounded_weights_are_not_a_checkpoints(tmp_path):
    data = str(write_csv(tmp_path / "texts.csv", 60))
    bench = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    last = str(checkpoints("bert") / "checkpoint-1000")
    with pytest.raises(AnalysisError, match="bits:4=0 rounds weights"):
        bench.run("feature_learning", model=last, data=data, atoms=4, whatif="bits:4=0")
    bench.close()
