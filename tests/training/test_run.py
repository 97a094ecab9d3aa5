"""Runs on disk: their names, what a damaged one is, and when one counts as finished."""

import json
from dataclasses import replace

from backend.training import Recipe, list_runs, read_run, run_folder
from backend.training.run import checkpoint_folder, write_run

RECIPE = Recipe("demo:digits", "digit", epochs=2)
FACTS = {"recipe": str(RECIPE), "finished": True, "history": []}


def made(root, recipe=RECIPE, epochs=(0, 1, 2)):
    folder = run_folder(root, recipe, "hash")
    for epoch in epochs:
        checkpoint_folder(folder, epoch).mkdir(parents=True)
        (checkpoint_folder(folder, epoch) / "model.safetensors").write_bytes(b"weights")
    return write_run(folder, FACTS | {"recipe": str(recipe)})


def test_a_run_is_named_by_recipe_and_content(tmp_path):
    first = run_folder(tmp_path, RECIPE, "hash")
    assert run_folder(tmp_path, replace(RECIPE, data="the same, elsewhere"), "hash") == first
    for other in (replace(RECIPE, seed=1), replace(RECIPE, label="x")):
        assert run_folder(tmp_path, other, "hash") != first
    assert run_folder(tmp_path, RECIPE, "another") != first


def test_a_run_is_read_back(tmp_path):
    run = made(tmp_path)
    assert read_run(run.folder) == run and run.finished and run.recipe == RECIPE
    told = run.to_json()
    assert [c["epoch"] for c in told["checkpoints"]] == [0, 1, 2] and told["finished"]
    assert told["key"] == run.folder.name
    assert json.loads(json.dumps(told)) == told


def test_a_run_without_one_of_its_checkpoints_is_not_finished(tmp_path):
    run = made(tmp_path, epochs=(0, 2))
    assert not run.finished and not run.to_json()["finished"]
    assert [c.epoch for c in run.checkpoints] == [0, 2]


def test_damaged_records_are_passed_over(tmp_path):
    good = made(tmp_path)
    wrong = ("{", "[1]", "{}", '{"recipe": "data=a&label=b&speed=9", "finished": true}')
    for number, text in enumerate(wrong):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "run.json").write_text(text)
        assert read_run(folder) is None, text
    assert list_runs(tmp_path) == [good]
    assert list_runs(tmp_path / "nothing") == []
