"""Training through the workbench: one job, checkpoints that are models, answers that stay."""

from dataclasses import replace

import pytest

from backend import CaptureAsk, UserError, Workbench
from backend.errors import Cancelled
from backend.settings import Settings
from tests.training.made import bars, recipe

SITES = "block.0,main.0,skip.0,penultimate,head"


@pytest.fixture
def bench(tmp_path):
    opened = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path):
    """Bars as a person brings them: a sub-folder per class."""
    table, media = bars(60)
    for i, (way, data) in enumerate(zip(table["way"].to_pylist(), media, strict=True)):
        (tmp_path / "bars" / way).mkdir(parents=True, exist_ok=True)
        (tmp_path / "bars" / way / f"{i:02d}.png").write_bytes(data)
    return str(tmp_path / "bars")


def trained(bench, asked):
    return bench.runner.wait(bench.submit_training(asked))


def test_checkpoints_are_models_that_can_be_captured(bench, folder):
    assert bench.trainings() == []
    made = trained(bench, recipe(data=folder, label="label"))
    assert bench.trainings() == [made] and made["finished"]
    assert made["classes"] == ["lying", "standing"]
    assert made["history"][-1]["test_accuracy"] > 0.6
    assert [c["epoch"] for c in made["checkpoints"]] == [0, 1, 2, 3]
    views = []
    for checkpoint in made["checkpoints"][::3]:
        ask = CaptureAsk(checkpoint["folder"], folder, sites=SITES)
        views.append(bench.capture(ask))
        report = bench.oracle(bench.resolve(ask))
        assert report["verdict"] == "agrees" and set(report["sites_checked"]) == set(
            SITES.split(",")
        )
        facts = bench.model(checkpoint["folder"])
        assert facts["title"] == f"Residual CNN on bars, epoch {checkpoint['epoch']}"
        assert "of its test rows are right" in facts["notes"][0]
    first, last = (view.vectors("penultimate") for view in views)
    assert first.shape == (60, 16) and (last >= 0).all() and abs(first - last).max() > 0.1
    said = views[1].vectors("head").argmax(1)
    names = [made["classes"][i] for i in said]
    right = [n == t for n, t in zip(names, views[1].table()["label"].to_pylist(), strict=True)]
    share = 0.8 * made["history"][-1]["train_accuracy"] + 0.2 * made["history"][-1]["test_accuracy"]
    assert sum(right) / 60 == pytest.approx(share, abs=1e-6)


def test_an_equal_recipe_is_answered_from_disk(bench, folder, monkeypatch):
    first = trained(bench, recipe(data=folder, label="label", epochs=1))
    monkeypatch.setattr("backend.training.train._Course", lambda *a, **k: pytest.fail("trained"))
    hash = bench.dataset(folder).hash
    for again in (folder, hash):  # the same pictures by another name
        assert trained(bench, recipe(data=again, label="label", epochs=1)) == first
    assert len(bench.trainings()) == 1


def test_a_stopped_job_keeps_its_checkpoints_and_goes_on(bench, folder, monkeypatch):
    from backend.jobs.ticks import Ticker

    asked = recipe(data=folder, label="label")
    real = Ticker.progress

    def stop(self, done, total, message=""):
        if message.startswith("epoch 3"):
            bench.cancel(self.job)
        real(self, done, total, message)

    with monkeypatch.context() as patch:
        patch.setattr(Ticker, "progress", stop)
        job = bench.submit_training(asked)
        with pytest.raises(Cancelled):
            bench.runner.wait(job)
    (left,) = bench.trainings()
    assert job.state == "cancelled" and not left["finished"]
    assert [c["epoch"] for c in left["checkpoints"]] == [0, 1, 2]
    done = trained(bench, str(asked))
    assert bench.trainings() == [done] and done["finished"] and done["key"] == left["key"]


def test_the_job_is_remembered_with_its_recipe(bench, folder):
    asked = recipe(data=folder, label="label", epochs=1)
    trained(bench, asked)
    record = next(j for j in bench.jobs() if j["kind"] == "train")
    assert record["state"] == "done" and record["request"] == {"recipe": str(asked)}
    trained(bench, recipe(data=bench.dataset(folder).hash, label="label", epochs=1))
    assert bench.jobs()[0]["title"] == "Train on bars (label)"  # known by then


def test_checkpoints_in_a_folder_are_listed(bench, folder, tmp_path):
    made = trained(bench, recipe(data=folder, label="label", epochs=2))
    run = made["checkpoints"][0]["folder"].rpartition("/")[0]
    assert bench.checkpoints(run) == made["checkpoints"]
    with pytest.raises(UserError, match="no folder .*nowhere"):
        bench.checkpoints(str(tmp_path / "nowhere"))


def test_an_mlp_is_captured_as_it_was_trained(bench, folder):
    asked = recipe(data=folder, label="label", net="mlp", features=64, loss="mse")
    made = trained(bench, asked)
    last = made["checkpoints"][-1]["folder"]
    ask = CaptureAsk(last, folder, sites="block.0,penultimate,head")
    view = bench.capture(ask)
    assert bench.oracle(bench.resolve(ask))["verdict"] == "agrees"
    assert bench.model(last)["title"] == "MLP on bars, epoch 3"
    assert view.vectors("penultimate").shape == (60, 8)
    names = [made["classes"][i] for i in view.vectors("head").argmax(1)]
    right = [n == t for n, t in zip(names, view.table()["label"].to_pylist(), strict=True)]
    end = made["history"][-1]
    share = 0.8 * end["train_accuracy"] + 0.2 * end["test_accuracy"]
    assert sum(right) / 60 == pytest.approx(share, abs=1e-6)


def test_several_recipes_are_one_job(bench, folder):
    asked = recipe(data=folder, label="label", epochs=1, net="mlp", features=64)
    chosen = [str(replace(asked, seed=seed, body_decay=times)) for seed in (0, 1)
              for times in (1.0, 0.0)]  # fmt: skip
    job = bench.submit_training(chosen)
    made = bench.runner.wait(job)
    assert [m["recipe"] for m in made] == chosen
    assert {m["key"] for m in made} == {m["key"] for m in bench.trainings()}
    assert job.request == {"recipe": chosen} and job.title.endswith("(label), 4 recipes")
    again = bench.submit_training(job.request["recipe"])  # as after a restart
    assert bench.runner.wait(again) == made


def test_a_recipe_names_the_model_it_ends_with(bench, folder, computed):
    asked = recipe(data=folder, label="label", epochs=2, net="mlp", features=64)
    ref = f"train:{asked}"
    assert bench.model(ref) is None
    result = bench.run("collapse", model=ref, bootstrap=0)  # trains first, on its own data
    (made,) = bench.trainings()
    assert made["recipe"] == str(asked) and made["finished"]
    assert bench.model(ref)["ref"] == made["checkpoints"][-1]["folder"]
    assert result.scalars["last_epoch"] == 2
    before = list(computed)
    assert bench.run("collapse", model=ref, data=folder, bootstrap=0).key == result.key
    assert computed == before
    with pytest.raises(UserError, match="'speed' is no part of a recipe"):
        bench.run("collapse", model="train:data=a&label=b&speed=1")


def test_watched_trainings_are_listed(bench):
    import torch

    from backend.watch import watch

    assert bench.watched() == []
    head = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(3, 2))
    watcher = watch(head, head="1", name="elsewhere", store=bench.settings.home)
    watcher.epoch(0, [(torch.eye(3).repeat(2, 1), torch.tensor([0, 1, 0, 1, 0, 1]))])
    (told,) = bench.watched()
    assert (told["name"], told["epochs"], told["layers"]) == ("elsewhere", [0], ["penultimate"])
    result = bench.watched_collapse(told["key"])
    (line,) = result.tables["trajectory"].to_pylist()
    assert (line["run"], line["epoch"], line["n"], line["width"]) == ("elsewhere", 0, 6, 3)
    assert bench.watched_collapse(told["key"]).key == result.key
    with pytest.raises(UserError, match="'other' was watched. There are: elsewhere"):
        bench.watched_collapse("other")
