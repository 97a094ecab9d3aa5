"""Recipes: text that round-trips, limits, and the epochs that are kept."""

from dataclasses import fields, replace

import pytest

from backend.errors import UserError
from backend.training import Recipe

BASE = Recipe("demo:digits", "digit")
OTHERS = {
    "data": "x", "label": "y", "size": 16, "momentum": 0.5, "label_noise": 0.5, "net": "mlp",
    "loss": "mse", "drop": "1/3", "head_bias": 0, "layerwise": 1,
}  # fmt: skip


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
    base = replace(BASE, net="mlp") if name == "layerwise" else BASE
    other = OTHERS[name] if name in OTHERS else 2 * getattr(BASE, name) or 1
    changed = replace(base, **{name: other})
    assert str(changed) != str(base) and Recipe.parse(str(changed)) == changed


def test_texts_of_before_mean_the_same():
    old = "data=d&label=l&epochs=3&batch=8&lr=0.1&blocks=2&features=0&seed=3&label_noise=0.3&rows=9"
    recipe = Recipe.parse(old)
    assert str(recipe) == old and (recipe.net, recipe.loss, recipe.drop) == ("residual", "ce", "")
    assert (recipe.head_bias, recipe.head_decay, recipe.body_decay, recipe.layerwise) == (
        1,
        1,
        1,
        0,
    )


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
        (f"{BASE}&net=vgg", "net='vgg' is not known. Choose residual or mlp"),
        (f"{BASE}&loss=hinge", "loss='hinge' is not known. Choose ce or mse"),
        (f"{BASE}&head_bias=2", "head_bias=2 is out of range"),
        (f"{BASE}&head_decay=-1", "head_decay=-1 is out of range"),
        (f"{BASE}&drop=1/3,2", "drop='1/3,2' holds '2'"),
        (f"{BASE}&drop=4/3", "holds '4/3'"),
        (f"{BASE}&drop=1/0", "holds '1/0'"),
        (f"{BASE}&drop=1e-99999999", "holds '1e-99999999'. Give up to 10 shares"),
        (f"{BASE}&drop={','.join(f'1/{n}' for n in range(2, 13))}", "holds 11 parts"),
        (f"{BASE}&layerwise=1", "layerwise=1 adds hidden layers of an MLP. Add net=mlp"),
        (f"{BASE}&net=mlp&features=9", "features=9 means nothing to an MLP"),
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


def test_equal_drops_are_written_the_same():
    recipe = replace(BASE, drop=" 2/3, 0.5,1/3 , 1/2")
    assert recipe.drop == "1/3,1/2,2/3" and str(recipe).endswith("drop=1/3%2C1/2%2C2/3")
    assert Recipe.parse(f"{BASE}&drop=.5") == replace(BASE, drop="1/2")


@pytest.mark.parametrize(
    ("epochs", "drop", "tenths"),
    [
        (6, "1/3,2/3", [0, 0, 1, 1, 2, 2]),
        (7, "1/3,2/3", [0, 0, 0, 1, 1, 2, 2]),  # 7/3 epochs are over after the third
        (4, "", [0, 0, 0, 0]),
        (4, "0.9", [0, 0, 0, 0]),
        (2, ".01", [0, 1]),
    ],
)
def test_lr_is_divided_when_a_share_of_the_epochs_is_over(epochs, drop, tenths):
    recipe = replace(BASE, epochs=epochs, drop=drop)
    found = [recipe.lr_at(epoch) for epoch in range(1, epochs + 1)]
    assert found == [recipe.lr / 10**n for n in tenths]


def test_layer_by_layer_every_layer_has_its_epochs():
    recipe = replace(BASE, net="mlp", blocks=3, epochs=4, drop="1/2", layerwise=1, checkpoints=2)
    assert recipe.total_epochs == 12 and recipe.saved_epochs == (0, 4, 8, 12)
    assert [recipe.layers_at(e) for e in range(13)] == [1] * 5 + [2] * 4 + [3] * 4
    high, low = recipe.lr, recipe.lr / 10
    assert [recipe.lr_at(e) for e in range(1, 13)] == [high, high, low, low] * 3
    whole = replace(recipe, layerwise=0)
    assert whole.total_epochs == 4 and whole.layers_at(1) == 3 and whole.saved_epochs == (0, 4)
