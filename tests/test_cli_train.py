"""Trainings and crops from the command line: what is printed, what is refused, what is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import rigs
from tests.training.made import bars

ROOT = Path(__file__).parents[1]
SMALL = ("epochs=2", "blocks=1", "width=4", "features=8", "checkpoints=3")


@pytest.fixture
def pictures(tmp_path):
    """Bars as a person brings them: a sub-folder per class."""
    table, media = bars(40)
    for i, (way, data) in enumerate(zip(table["way"].to_pylist(), media, strict=True)):
        (tmp_path / "bars" / way).mkdir(parents=True, exist_ok=True)
        (tmp_path / "bars" / way / f"{i:02d}.png").write_bytes(data)
    return str(tmp_path / "bars")


def train(data, *more):
    settings = (word for pair in SMALL for word in ("--set", pair))
    return ("train", "--data", data, "--label", "label", *settings, *more)


def test_a_training_prints_its_checkpoints_which_open_as_models(run, pictures):
    assert run("train", "--list") == (0, "", [])
    code, out, errors = run(*train(pictures))
    assert (code, errors) == (0, [])
    said, *folders = out.splitlines()
    assert said.startswith("bars: epoch 2, 3 checkpoints, test accuracy ") and said.endswith("%")
    assert [Path(folder).name for folder in folders] == ["epoch-0000", "epoch-0001", "epoch-0002"]
    asked = ("run", "feature_learning", "--model", folders[-1], "--data", pictures)
    code, out, errors = run(*asked, "--set", "atoms=4")
    assert (code, errors) == (0, []) and "From epoch 0 to 2" in out
    code, out, _ = run("train", "--list")
    key, rest = out.split(maxsplit=1)
    assert code == 0 and key == Path(folders[0]).parent.name[:12] and said in rest
    assert f"data={pictures}&label=label&epochs=2" in rest


def test_an_equal_recipe_is_answered_from_disk(run, pictures, monkeypatch):
    first = run(*train(pictures, "--set", "seed=3"))
    monkeypatch.setattr("backend.training.train._Course", lambda *a, **k: pytest.fail("trained"))
    assert first[0] == 0 and run(*train(pictures, "--set", "seed=3")) == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs pictures and their classes. Add --data REF --label COLUMN"),
        (("--data", "x"), "Add --label COLUMN"),
        (("--data", "x", "--label", "y", "--set", "lr"), "--set 'lr' has no value"),
        (("--data", "x", "--label", "y", "--set", "speed=1"), "'speed' is no part of a recipe"),
        (("--data", "x", "--label", "y", "--set", "epochs=0"), "epochs=0 is out of range"),
        (("--data", "x", "--label", "y", "--set", "data=z"), "'data' is twice in the recipe"),
    ],
)
def test_a_mistake_in_the_words_writes_nothing(run, home, words, said):
    code, out, errors = run("train", *words)
    assert (code, out) == (2, "") and len(errors) == 1 and said in errors[0]
    assert not list(home.iterdir())


def test_a_mistake_in_the_pictures_is_one_line(run, pictures, tmp_path):
    texts = rigs.write_csv(tmp_path / "texts.csv", 12)
    for words, said in (
        (("--data", texts, "--label", "topic"), "'texts' holds text, no pictures"),
        (("--data", pictures, "--label", "way"), "no column 'way'. Its columns: name, label"),
        (("--data", tmp_path / "nowhere", "--label", "way"), "nowhere"),
    ):
        code, out, errors = run("train", *words)
        assert (code, out) == (2, "") and len(errors) == 1 and said in errors[0]


def test_an_interrupt_keeps_the_checkpoints_and_the_next_call_goes_on(home, run, pictures):
    words = (*train(pictures), "--set", "seed=5")
    longer = {"epochs=2": "epochs=30", "checkpoints=3": "checkpoints=10"}
    words = tuple(longer.get(word, word) for word in words)
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, *words],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PENULTIMATE_HOME": str(home)},
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list(home.glob("models/trained/*/epoch-0002")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert errors.splitlines() == ["penultimate: cancelled; what was finished is kept."]
    code, out, _ = run("train", "--list")
    assert code == 0 and "stopped after epoch " in out
    code, out, _ = run(*words)
    assert code == 0 and out.startswith("bars: epoch 30, 10 checkpoints")


_SLOW = """
import sys, time
from backend.training import train
real = train._Course._step_through
def slow(self, number):
    time.sleep(0.1)
    real(self, number)
train._Course._step_through = slow
from backend.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_crops_are_cut_and_named_by_their_hash(run, pictures):
    code, out, errors = run("data", "crops", pictures, "--per-image", 4, "--seed", 2)
    assert (code, errors) == (0, [])
    hash, rest = out.split(maxsplit=1)
    assert len(hash) == 32 and rest == "bars, crops, 160 rows of image\n"
    assert run("data", "crops", pictures, "--per-image", 4, "--seed", 2)[1] == out
    assert run("data", "crops", pictures, "--per-image", 4)[1] != out
    code, shown, _ = run("data", "show", hash[:12])
    assert code == 0 and '"n_rows": 160' in shown and "seed 2" in shown
    assert "1,200 rows" in run("data", "crops", pictures)[1]


def test_what_cannot_be_cut_is_one_line(run, pictures, tmp_path):
    texts = rigs.write_csv(tmp_path / "texts.csv", 12)
    for words, said in (
        ((texts,), "'texts' holds text, no pictures. Give a data set of images."),
        ((), "needs a name. Add REF"),
        ((pictures, "--per-image", "2"), "2 crops with sides of 0.6, 0.4, 0.25 cannot be"),
        ((pictures, "--per-image", "2000"), "2000 crops of each picture are too many"),
        ((pictures, "--seed", "-1"), "seed=-1 is out of range"),
        ((pictures, "--per-image", "few"), "invalid int value: 'few'"),
    ):
        code, out, errors = run("data", "crops", *words)
        assert (code, out) == (2, "") and len(errors) == 1 and said in errors[0], errors
