"""Studies: five variants with the decay where it belongs, and seeds counted up."""

from dataclasses import replace

import pytest

from backend.errors import UserError
from backend.training import Recipe
from backend.training.studies import repeated, weight_decay_study

BASE = Recipe("demo:digits", "digit", net="mlp", head_decay=3.0, seed=5)


def test_the_weight_decay_study_varies_the_decay_alone():
    study = weight_decay_study(BASE)
    found = {name: (r.head_decay, r.body_decay) for name, (r,) in study.items()}
    assert found == {"base": (1, 1), "head x2": (2, 1), "body x2": (1, 2), "head 0": (0, 1),
                     "body 0": (1, 0)}  # fmt: skip
    plain = {replace(r, head_decay=1.0, body_decay=1.0) for (r,) in study.values()}
    assert plain == {replace(BASE, head_decay=1.0)}
    assert len({str(r) for (r,) in study.values()}) == 5


def test_seeds_are_counted_up_from_the_recipes_own():
    assert [r.seed for r in repeated(BASE, 3)] == [5, 6, 7]
    study = weight_decay_study(BASE, seeds=3)
    assert [[r.seed for r in variants] for variants in study.values()] == [[5, 6, 7]] * 5


def test_studies_that_cannot_be():
    with pytest.raises(UserError, match="weight_decay=0 leaves nothing"):
        weight_decay_study(replace(BASE, weight_decay=0.0))
    for seeds in (0, 101):
        with pytest.raises(UserError, match=f"{seeds} seeds cannot be trained. Give 1 to 100"):
            repeated(BASE, seeds)
