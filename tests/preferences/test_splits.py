"""What is held out: shares, no leaks, new people apart, whole options apart."""

import numpy as np
import pytest

from backend.preferences.splits import split, split_items
from tests.preferences.worlds import SEEDS, choices_of, coded, crowd, world


def pairs_of(choices, rows):
    """Person and unordered pair of each row."""
    sides = np.sort(np.stack([choices.left[rows], choices.right[rows]], axis=1), axis=1)
    return set(zip(choices.u[rows].tolist(), *sides.T.tolist(), strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_is_in_one_part_and_new_people_are_in_no_other(seed):
    choices = choices_of(world())
    part = split(choices, seed=seed)
    together = np.concatenate([part.train, part.test, part.new])
    assert sorted(together.tolist()) == list(range(choices.n))
    new, known = set(choices.u[part.new]), set(choices.u[part.train])
    assert len(new) == 12 and len(known) == 48 and not new & known
    assert not new & set(choices.u[part.test])


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_the_share_is_held_out_of_every_person(share):
    choices = choices_of(world())
    part = split(choices, seed=0, test_share=share, new_share=0.0)
    assert not len(part.new)
    held = np.bincount(choices.u[part.test], minlength=60)
    distinct = [len(pairs_of(choices, np.flatnonzero(choices.u == i))) for i in range(60)]
    assert np.abs(held - share * 100).max() <= 1 + (100 - min(distinct))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_repeated_pair_does_not_leak(seed):
    choices, _, _ = crowd(900, items=6)  # 15 pairs: each person judges each many times
    part = split(choices, seed=seed, new_share=0.0)
    train, test = pairs_of(choices, part.train), pairs_of(choices, part.test)
    assert train and test and not train & test
    assert len(test) == 6 * 3  # a fifth of the fifteen pairs of each person


def test_nobody_is_new_among_few_people():
    few, _, _ = crowd(200, persons=9)
    many, _, _ = crowd(200, persons=10)
    assert len(split(few, seed=0, new_share=0.5).new) == 0
    assert len(set(many.u[split(many, seed=0, new_share=0.5).new])) == 5


def test_someone_with_one_choice_keeps_it_to_learn_from():
    choices = coded([0, 1, 1, 1, 1, 1], [0] * 6, [1, 1, 2, 3, 4, 5], [1] * 6)
    part = split(choices, seed=0)
    assert 0 in part.train and len(part.test) == 1


def test_the_seed_decides_the_split():
    choices = choices_of(world())
    a, b, c = (split(choices, seed=s) for s in (1, 1, 2))
    assert a.train.tolist() == b.train.tolist() and a.new.tolist() == b.new.tolist()
    assert a.train.tolist() != c.train.tolist() and set(choices.u[a.new]) != set(choices.u[c.new])


@pytest.mark.parametrize("seed", SEEDS)
def test_held_out_options_are_in_no_row_to_learn_from(seed):
    choices = choices_of(world())
    train, test = split_items(choices, seed=seed, share=0.1)
    assert sorted([*train, *test]) == list(range(choices.n))
    seen = set(choices.left[train]) | set(choices.right[train])
    assert len(seen) <= 900
    unseen = [(a not in seen) or (b not in seen)
              for a, b in zip(choices.left[test], choices.right[test], strict=True)]  # fmt: skip
    assert all(unseen)
    assert len(test) / choices.n == pytest.approx(1 - 0.9**2, abs=0.03)


def test_one_option_at_least_is_held_out():
    choices = coded([0, 0, 0], [0, 1, 0], [1, 2, 2], [1, 1, 1])
    train, test = split_items(choices, seed=0, share=0.01)
    assert len(train) == 1 and len(test) == 2
