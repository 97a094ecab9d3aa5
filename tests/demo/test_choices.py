"""Demos of choices: from made-up package contents, and the simulated ones as they are."""

from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pytest

from backend.demo import build, choices
from backend.demo.build import ensure
from backend.preferences.choices import read_choices
from backend.settings import Settings

SIMULATED = ("two-tastes", "three-tastes", "mixed-tastes")


@pytest.fixture
def movielens(monkeypatch):
    """Five films, three viewers; viewer 3 rates too few, and film 9 has too few ratings."""
    ratings = [(1, 10, 5.0), (1, 11, 3.0), (1, 12, 3.0), (1, 13, 1.0), (2, 10, 1.0), (2, 11, 4.0),
               (2, 12, 2.0), (2, 13, 2.0), (3, 10, 3.0), (3, 9, 5.0)]  # fmt: skip
    films = {
        9: ("Rare", 1999, "War"),
        10: ("Ten", 2000, "Comedy|Drama"),
        11: ("Eleven", 2001, "War"),
        12: ("Twelve", np.nan, "(no genres listed)"),
        13: ("Ten", 2000, "Film-Noir"),
    }
    users, ids, stars = (np.array(column) for column in zip(*ratings, strict=True))
    raw = {
        "movieId": ids, "userId": users, "rating": stars,
        "timestamp": 1_000_000_000 + 10_000_000 * np.arange(len(ids)),
        "title": np.array([films[i][0] for i in ids], dtype=object),
        "year": np.array([films[i][1] for i in ids], dtype=float),
        "genres": np.array([films[i][2] for i in ids], dtype=object),
    }  # fmt: skip
    monkeypatch.setattr(
        choices, "read_packaged", lambda files, name: {"dslabs/movielens": raw}[name]
    )
    monkeypatch.setattr(choices, "_FILMS_EACH", 3)
    monkeypatch.setattr(choices, "_RATINGS_EACH", 2)
    return raw


def test_films_are_told_apart(movielens):
    films = choices.films_rated({}, least=2)
    assert films.names == ["Ten (2000)", "Eleven (2001)", "Twelve", "Ten (2000) [13]"]
    assert films.texts == [
        "Ten (2000), Comedy, Drama", "Eleven (2001), War", "Twelve", "Ten (2000) [13], Film-Noir",
    ]  # fmt: skip
    assert films.years == [2000, 2001, None, 2000]
    assert len(films.film) == 9 and films.film.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    movielens["title"][:] = None
    assert choices.films_rated({}, least=2).names == []


def test_film_choices_follow_the_stars(movielens):
    material = choices.film_choices({})
    rows = material.table.to_pylist()
    assert Counter(row["person"] for row in rows) == {"viewer 1": 5, "viewer 2": 5}
    stars = {("viewer 1", "Ten (2000), Comedy, Drama"): 5, ("viewer 1", "Eleven (2001), War"): 3,
             ("viewer 1", "Twelve"): 3, ("viewer 1", "Ten (2000) [13], Film-Noir"): 1,
             ("viewer 2", "Ten (2000), Comedy, Drama"): 1, ("viewer 2", "Eleven (2001), War"): 4,
             ("viewer 2", "Twelve"): 2, ("viewer 2", "Ten (2000) [13], Film-Noir"): 2}  # fmt: skip
    seen = set()
    for row in rows:
        a, b = (stars[row["person"], row[f"option_{side}"]] for side in "ab")
        assert a != b and row["choice"] == ("a" if a > b else "b")
        assert row["stars_between"] == abs(a - b)
        seen.add((row["person"], frozenset((row["option_a"], row["option_b"]))))
        assert row["a_war"] == ("War" in row["option_a"])
        assert row["b_film-noir"] == ("Noir" in row["option_b"])
    assert len(seen) == len(rows)
    assert (rows[0]["films_rated"], rows[0]["mean_rating"], rows[0]["first_year"]) == (4, 3.0, 2001)
    assert material.notes == (
        "1 of 3 viewers were left out: fewer than 3 films among those with 2 ratings or more.",
    )
    read = read_choices(material.table)
    assert read.attribute_names == ("comedy", "drama", "film-noir", "war")
    assert set(read.covariates) == {"mean_rating", "first_year"}  # both rated 4 films


def test_film_choices_toss_a_coin_and_stop_at_a_number(movielens, monkeypatch):
    sides = {tuple(choices.film_choices({}, seed=s).table["choice"].to_pylist()) for s in range(9)}
    assert len(sides) > 3
    assert choices.film_choices({}).table.equals(choices.film_choices({}).table)
    monkeypatch.setattr(choices, "_PAIRS_EACH", 2)
    assert choices.film_choices({}).table.num_rows == 4


def test_trains(monkeypatch):
    raw = {
        "id": np.array([1, 1]), "choiceid": np.array([1, 2]),
        "choice": np.array(["choice1", "choice2"], dtype=object),
        "price1": np.array([2450, 4000]), "time1": np.array([150, 65]),
        "change1": np.array([0, 2]), "comfort1": np.array([1, 0]),
        "price2": np.array([4000, 3200]), "time2": np.array([50, 130]),
        "change2": np.array([1, 0]), "comfort2": np.array([2, 1]),
    }  # fmt: skip
    monkeypatch.setattr(choices, "read_packaged", lambda files, name: {"Ecdat/Train": raw}[name])
    table = choices.trains({}).table
    first, second = table.to_pylist()
    assert first == {
        "person": "traveller 1", "choice": "a", "question": 1,
        "option_a": "24.50 guilders, 2 h 30 min, no change, middle comfort",
        "option_b": "40.00 guilders, 0 h 50 min, 1 change, least comfort",
        "a_price": 24.5, "a_time": 150, "a_change": 0, "a_comfort": 1,
        "b_price": 40.0, "b_time": 50, "b_change": 1, "b_comfort": 2,
    }  # fmt: skip
    assert second["choice"] == "b"
    assert second["option_a"] == "40.00 guilders, 1 h 05 min, 2 changes, best comfort"
    assert read_choices(table).attribute_names == ("price", "time", "change", "comfort")


@pytest.mark.parametrize("name", SIMULATED)
def test_simulated_choices_need_no_download(name, tmp_path, monkeypatch):
    def refuse(package, *, target, progress):
        raise AssertionError(f"{package} was fetched")

    monkeypatch.setattr(build, "fetch", refuse)
    dataset = ensure(name, Settings(home=tmp_path))
    assert dataset.kind == "choices" and dataset.n_rows == 6000 and dataset.text_column is None
    read = read_choices(dataset.table())
    assert (len(read.persons), read.n) == (60, 6000)
    assert read.attributes.shape == (1000, 8)
    assert read.attribute_names == tuple(f"x{i}" for i in range(8))
    agree = np.mean((read.probability > 0.5) == (read.y > 0))
    assert f"{agree:.1%}" in dataset.notes[-1] and 0.9 < agree < 0.95


def test_the_truth_about_simulated_persons():
    tastes = choices.two_tastes({}).table
    persons = dict(zip(tastes["person"].to_pylist(), tastes["taste"].to_pylist(), strict=True))
    assert Counter(persons.values()) == {"taste 1": 30, "taste 2": 30}
    assert pc.count_distinct(choices.three_tastes({}).table["taste"]).as_py() == 3
    mixed = choices.mixed_tastes({}).table
    total = pc.add(mixed["true_weight_0"], mixed["true_weight_1"]).to_numpy()
    np.testing.assert_allclose(total, 1)
    assert "taste" not in mixed.column_names
