"""Sets of recipes that belong together: a study's variants, and seeds repeated."""

from dataclasses import replace

from backend.errors import UserError
from backend.training.recipe import Recipe

# Name -> what the weight decay of head and body is multiplied by.
WEIGHT_DECAYS: dict[str, tuple[float, float]] = {
    "base": (1.0, 1.0),
    "head x2": (2.0, 1.0),
    "body x2": (1.0, 2.0),
    "head 0": (0.0, 1.0),
    "body 0": (1.0, 0.0),
}
_MOST_SEEDS = 100


def weight_decay_study(recipe: Recipe, *, seeds: int = 1) -> dict[str, tuple[Recipe, ...]]:
    """Five variants of a recipe by name, each with `seeds` seeds, counted up from the recipe's own.

    A recipe's own multipliers are replaced. A seed also draws the rows that are held out.

    Source: Tirer, Huang, Niles-Weed 2023, section 6 and figure 3.

    Raises
    ------
    UserError : the recipe has no weight decay, so that all five would be the same.
    """
    if recipe.weight_decay == 0:
        raise UserError("weight_decay=0 leaves nothing to vary.", "Give one, such as 0.0005.")
    return {
        name: repeated(replace(recipe, head_decay=head, body_decay=body), seeds)
        for name, (head, body) in WEIGHT_DECAYS.items()
    }


def repeated(recipe: Recipe, seeds: int) -> tuple[Recipe, ...]:
    """The recipe with `seeds` seeds, counted up from its own."""
    if not 1 <= seeds <= _MOST_SEEDS:
        raise UserError(f"{seeds} seeds cannot be trained.", f"Give 1 to {_MOST_SEEDS}.")
    return tuple(replace(recipe, seed=recipe.seed + i) for i in range(seeds))
