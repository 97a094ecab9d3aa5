"""Builders of the demos of choices: who took which of two options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.demo.build import Material
from backend.demo.frames import read_packaged
from backend.preferences.simulate import Simulated, simulate

Files = Mapping[str, Path]

_PAIRS_EACH = 40  # of one person, at most
_FILMS_EACH = 20  # rated by a person, at least
_RATINGS_EACH = 20  # of a film, at least
_COMFORT = ("best comfort", "middle comfort", "least comfort")


@dataclass(frozen=True)
class Films:
    """The ratings of films that were rated often enough: m ratings of n films."""

    names: list[str]  # (n,) title and year; no two alike
    texts: list[str]  # (n,) name and genres
    genres: list[list[str]]  # (n,)
    years: list[int | None]  # (n,)
    film: np.ndarray  # int64 (m,) which film
    person: np.ndarray  # int64 (m,) the viewer's number in the data
    rating: np.ndarray  # float64 (m,) 0.5 to 5 stars
    when: np.ndarray  # datetime64[s] (m,)


def films_rated(files: Files, *, least: int) -> Films:
    """MovieLens (small) without the films that have no title or fewer than `least` ratings."""
    raw = read_packaged(files, "dslabs/movielens")
    _, first, of, count = np.unique(
        raw["movieId"].astype(np.int64), return_index=True, return_inverse=True, return_counts=True
    )
    titled = [isinstance(raw["title"][i], str) and bool(raw["title"][i].strip()) for i in first]
    kept = (count >= least) & np.array(titled)
    rows = kept[of]
    names, texts, genres, years = [], [], [], []
    for i in first[kept]:
        year = float(raw["year"][i])
        name = raw["title"][i] if np.isnan(year) else f"{raw['title'][i]} ({year:.0f})"
        if name in names:  # two films of one year and title
            name = f"{name} [{raw['movieId'][i]}]"
        known = str(raw["genres"][i]).split("|")
        known = [] if known == ["(no genres listed)"] else known
        names.append(name)
        texts.append(", ".join([name, *known]))
        genres.append(known)
        years.append(None if np.isnan(year) else int(year))
    number = np.cumsum(kept) - 1
    return Films(
        names, texts, genres, years, number[of][rows], raw["userId"].astype(np.int64)[rows],
        raw["rating"].astype(np.float64)[rows], raw["timestamp"].astype("datetime64[s]")[rows],
    )  # fmt: skip


def film_choices(files: Files, seed: int = 0) -> Material:
    """Pairs of films that one viewer rated differently; the better rated one counts as chosen.

    Options carry their genres as 0/1 attributes. Which film is a and which is b is a coin's toss.
    """
    films = films_rated(files, least=_RATINGS_EACH)
    rng = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    persons: list[dict[str, object]] = []
    viewers = np.unique(films.person)
    for viewer in viewers:
        own = np.flatnonzero(films.person == viewer)
        pairs = _untied(films.rating[own], rng) if len(own) >= _FILMS_EACH else np.empty((0, 2))
        if len(pairs) == 0:
            continue
        parts.append(own[pairs])
        person = {"person": f"viewer {viewer}", "films_rated": len(own),
                  "mean_rating": round(float(films.rating[own].mean()), 1),
                  "first_year": int(str(films.when[own].min())[:4])}  # fmt: skip
        persons += [person] * len(pairs)
    rows = np.concatenate(parts)
    a, b = films.film[rows].T
    gap = films.rating[rows] @ [-1, 1]
    columns = {
        "person": [person["person"] for person in persons],
        "option_a": [films.texts[i] for i in a],
        "option_b": [films.texts[i] for i in b],
        "choice": np.where(gap > 0, "b", "a"),
        "stars_between": np.abs(gap),
        **{name: [person[name] for person in persons] for name in list(persons[0])[1:]},
        **_genre_columns(films.genres, a, b),
    }
    left_out = len(viewers) - len(parts)
    notes = (
        f"{left_out} of {len(viewers)} viewers were left out: fewer than {_FILMS_EACH} films "
        f"among those with {_RATINGS_EACH} ratings or more.",
    )
    return Material(pa.table(columns), notes=notes if left_out else ())


def _untied(rating: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some pairs of unlike ratings, each pair once and in random order within, int (n, 2)."""
    first, second = np.triu_indices(len(rating), k=1)
    unlike = np.flatnonzero(rating[first] != rating[second])
    drawn = rng.choice(unlike, size=min(_PAIRS_EACH, len(unlike)), replace=False)
    pairs = np.column_stack([first[drawn], second[drawn]])
    return rng.permuted(pairs, axis=1)


def _genre_columns(genres: list[list[str]], a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    """a_GENRE and b_GENRE, 1 where the film is of that genre, int8 (n,)."""
    names = sorted({name for known in genres for name in known})
    has = np.array([[name in known for name in names] for known in genres], dtype=np.int8)
    return {
        f"{side}_{name.lower()}": has[films, i]
        for side, films in (("a", a), ("b", b))
        for i, name in enumerate(names)
    }


def trains(files: Files) -> Material:
    """Choices between two train journeys by price (guilders), time (minutes), changes, comfort.

    Comfort counts downwards as in the source: 0 is the best class, 2 the least.
    """
    raw = read_packaged(files, "Ecdat/Train")
    columns: dict[str, object] = {
        "person": [f"traveller {i}" for i in raw["id"]],
        **{f"option_{side}": _journeys(raw, z) for side, z in (("a", "1"), ("b", "2"))},
        "choice": np.where(raw["choice"] == "choice1", "a", "b"),
        "question": raw["choiceid"],
    }
    for side, z in (("a", "1"), ("b", "2")):
        columns[f"{side}_price"] = raw[f"price{z}"] / 100
        for name in ("time", "change", "comfort"):
            columns[f"{side}_{name}"] = raw[f"{name}{z}"]
    return Material(pa.table(columns))


def _journeys(raw: Mapping[str, np.ndarray], z: str) -> list[str]:
    """Offers in words, such as "35.00 guilders, 2 h 30 min, no change, best comfort"."""
    offers = zip(*(raw[f"{name}{z}"].tolist() for name in ("price", "time", "change", "comfort")),
                 strict=True)  # fmt: skip
    return [
        f"{price / 100:.2f} guilders, {time // 60} h {time % 60:02d} min, "
        f"{ {0: 'no change', 1: '1 change'}.get(change, f'{change} changes') }, {_COMFORT[comfort]}"
        for price, time, change, comfort in offers
    ]


def two_tastes(files: Files, seed: int = 0) -> Material:
    """60 simulated persons of two tastes, 100 choices each."""
    return _told(simulate(seed=seed), partition=True)


def three_tastes(files: Files, seed: int = 0) -> Material:
    """60 simulated persons of three tastes, 100 choices each."""
    return _told(simulate(n_tastes=3, seed=seed), partition=True)


def mixed_tastes(files: Files, seed: int = 0) -> Material:
    """60 simulated persons, each somewhere between two tastes, 100 choices each."""
    return _told(simulate(population="mixture", seed=seed), partition=False)


def _told(made: Simulated, *, partition: bool) -> Material:
    """A simulation as a table: the truth about a person stands in columns of its own."""
    columns: dict[str, object] = {
        "person": [f"person {i + 1}" for i in made.u],
        "option_a": [f"option {i + 1}" for i in made.left],
        "option_b": [f"option {i + 1}" for i in made.right],
        "choice": np.where(made.y > 0, "b", "a"),
        "probability": made.probability,
    }
    if partition:
        columns["taste"] = [f"taste {k + 1}" for k in made.W.argmax(1)[made.u]]
    else:
        columns |= {f"true_weight_{k}": w[made.u] for k, w in enumerate(made.W.T)}
    for side, items in (("a", made.left), ("b", made.right)):
        columns |= {f"{side}_x{i}": x[items] for i, x in enumerate(made.X.T)}
    notes = (f"The truth itself predicts {made.oracle:.1%} of these choices.",)
    return Material(pa.table(columns), notes=notes)
