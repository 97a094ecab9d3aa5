"""Features over training: checkpoints beside a model, read in turn; the model is left as it was."""

import numpy as np
import pytest

from backend.analyses.checkpoints import find_checkpoints, weights_of
from backend.errors import AnalysisError, UserError
from backend.models.loading import SHELF
from backend.workbench import open_workbench, shutdown
from tests.pages.material import write_images


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny net trained for three epochs on pictures of three colours."""
    folder = tmp_path_factory.mktemp("learning")
    data = str(write_images(folder / "images.zip", 90))
    workbench = open_workbench(folder / "home")
    recipe = f"data={data}&label=label&epochs=3&blocks=2&width=8&features=16&seed=1"
    run = workbench.runner.wait(workbench.submit_training(recipe))
    yield workbench, run, data
    shutdown()


def last_of(run) -> str:
    return run["checkpoints"][-1]["folder"]


def test_every_checkpoint_has_its_features_and_the_last_ones_are_timed(trained):
    workbench, run, data = trained
    result = workbench.run("feature_learning", model=last_of(run), data=data, atoms=5)
    training = result.tables["training"].to_pydict()
    assert sorted(set(training["epoch"])) == [c["epoch"] for c in run["checkpoints"]]
    features = result.tables["features"]
    late = features["time_to_decode"].to_numpy()
    assert ((late >= 0) & (late <= 1)).all() and len(features) >= 1
    assert features["importance"].null_count == 0
    assert f"From epoch 0 to {run['checkpoints'][-1]['epoch']}" in result.reading
    again = workbench.run("feature_learning", model=last_of(run), data=data, atoms=5)
    assert again.key == result.key


def test_pictures_of_crops_are_held_out_whole(trained, monkeypatch):
    from backend.analyses import feature_learning

    workbench, run, data = trained
    crops = workbench.runner.wait(workbench.submit_crops(data, per_image=3))
    seen = []
    real = feature_learning.split_rows

    def split(n, *, seed, groups):
        seen.append((real(n, seed=seed, groups=groups), groups))
        return seen[-1][0]

    monkeypatch.setattr(feature_learning, "split_rows", split)
    workbench.run("feature_learning", model=last_of(run), data=crops.hash, atoms=5, at_most=120)
    ((parts, files),) = seen
    sides = [set(files[rows]) for rows in (parts.fit, parts.valid, parts.held)]
    assert not (sides[0] & sides[2] or sides[0] & sides[1] or sides[1] & sides[2])


def test_the_model_gets_its_own_weights_back(trained):
    import torch

    workbench, run, _ = trained
    source = workbench.source(workbench.describe(last_of(run)))
    model = SHELF.get(source, workbench.settings)
    before = {k: v.clone() for k, v in model.model.state_dict().items()}
    found = find_checkpoints(model)
    assert [epoch for epoch, _ in found] == [c["epoch"] for c in run["checkpoints"]]
    with weights_of(model, found[0][1]):
        now = model.model.state_dict()
        assert any(not torch.equal(now[k], before[k]) for k in before)
    after = model.model.state_dict()
    assert all(torch.equal(after[k], before[k]) for k in before)


def test_other_weights_and_a_model_alone_are_refused(trained, tmp_path):
    from safetensors.numpy import save_file

    workbench, run, _ = trained
    source = workbench.source(workbench.describe(last_of(run)))
    model = SHELF.get(source, workbench.settings)
    save_file({"other.weight": np.zeros((2, 2), np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(AnalysisError, match="another architecture"), weights_of(model, tmp_path):
        pass


def test_a_model_without_checkpoints_says_what_to_do(trained, tmp_path):
    from tests.tiny import write_model

    workbench, _, data = trained
    write_model("vit", tmp_path / "vit")
    with pytest.raises(UserError, match="no checkpoints beside it"):
        workbench.run("feature_learning", model=str(tmp_path / "vit"), data=data)
