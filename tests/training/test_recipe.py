"""Recipes: text that round-trips, limits, and the epochs that are kept."""

from dataclasses import fields, replace

import pytest

from backend.errors import UserError
from backend.training import Recipe

BASE = Recipe("demo:digits", "digit")


@pytest.mark.parametrize(
    "recipe",
    [
        BASE,
        replace(BASE, epochs=3, lr=1e-4, weight_decay=0.0, label_noise=0.25, rows=500, seed=7),
        Recipe("a folder/ü & co?x=1+2#y.zip", "the=class", size=28, features=0),
    ],
)
def test_the_text_says_it_all(recipe):
    assert Recipe.parse(str(recipe)) == recipe
    assert Recipe.parse(recipe) is recipe


def test_the_text_leaves_out_what_is_usual():
    assert str(BASE) == "data=demo:digits&label=digit"
    assert str(replace(BASE, epochs=10, lr=0.1)) == "data=demo:digits&label=digit&epochs=10&lr=0.1"


@pytest.mark.parametrize("name", [f.name for f in fields(Recipe)])
def test_every_part_is_in_the_text(name):
    other = {"data": "x", "label": "y", "size": 16}.get(name, 2 * getattr(BASE, name) or 1)
    other = 0.5 if name in ("momentum", "label_noise") else other
    changed = replace(BASE, **{name: other})
    assert str(changed) != str(BASE) and Recipe.parse(str(changed)) == changed


def test_whole_numbers_do_for_fractions():
    assert replace(BASE, lr=1) == replace(BASE, lr=1.0)
    assert str(replace(BASE, lr=1)) == str(replace(BASE, lr=1.0))
    assert Recipe.parse(f"{BASE}&lr=1").lr == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no data"),
        ("epochs", "'epochs' is no recipe"),
        ("label=a", "names no data"),
        ("data=a", "names no label"),
        (f"{BASE}&speed=9", "'speed' is no part.*weight_decay"),
        (f"{BASE}&epochs=3&epochs=4", "'epochs' is twice"),
        (f"{BASE}&epochs=many", "epochs=many is no number"),
        (f"{BASE}&epochs=2.5", "epochs=2.5 is not a whole number"),
        (f"{BASE}&epochs=0", "epochs=0 is out of range. Give 1 to"),
        (f"{BASE}&lr=nan", "lr=nan is out of range"),
        (f"{BASE}&lr=0", "lr=0 is out of range"),
        (f"{BASE}&label_noise=1.5", "label_noise=1.5 is out of range"),
        (f"{BASE}&size=7", "size=7 is too small"),
        (f"{BASE}&size=65", "size=65 is out of range"),
    ],
)
def test_what_is_wrong_is_named(text, said):
    with pytest.raises(UserError, match=said):
        Recipe.parse(text)


@pytest.mark.parametrize(
    ("epochs", "count", "kept"),
    [
        (30, 10, (0, 1, 2, 3, 4, 5, 8, 13, 20, 30)),
        (100, 3, (0, 1, 100)),
        (30, 2, (0, 30)),
        (3, 10, (0, 1, 2, 3)),
        (1, 10, (0, 1)),
        (1, 2, (0, 1)),
    ],
)
def test_epochs_are_kept_evenly_on_a_log_scale(epochs, count, kept):
    assert replace(BASE, epochs=epochs, checkpoints=count).saved_epochs == kept


def test_as_many_epochs_are_kept_as_asked_for():
    for epochs in (5, 37, 350, 1000):
        for count in (2, 5, 20, 50):
            kept = replace(BASE, epochs=epochs, checkpoints=count).saved_epochs
            assert len(kept) == min(count, epochs + 1), (epochs, count)
            assert (kept[0], kept[-1]) == (0, epochs)
