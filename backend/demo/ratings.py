"""Builders of the demos of ratings: who gave what how much."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.demo.build import Material
from backend.demo.choices import films_rated
from backend.demo.frames import read_packaged
from backend.demo.raters import simulate_ratings
from backend.errors import DataError
from backend.rasch.hate_speech import CRITERIA

Files = Mapping[str, Path]

_LEAST_RATINGS = 5  # of a film
# The questionnaire's situations, as De Boeck and Wilson 2004 print them; the package has codes.
_SITUATIONS = {
    "S1": "A bus fails to stop for me.",
    "S2": "I miss a train because a clerk gave me faulty information.",
    "S3": "The grocery store closes just as I am about to enter.",
    "S4": "The operator disconnects me when I had used up my last 10 cents for a call.",
}
_ANSWERS = ("no", "perhaps", "yes")


def verbal_aggression(files: Files) -> Material:
    """316 persons who say of 24 reactions whether they would show them: 0 no, 1 perhaps, 2 yes.

    Raises
    ------
    DataError : an item or an answer that the questionnaire does not have.
    """
    raw = read_packaged(files, "lme4/VerbAgg")
    if unknown := set(raw["resp"]) - set(_ANSWERS):
        raise DataError(f"VerbAgg holds the answer {sorted(map(str, unknown))[0]!r}.")
    items = [f"{label[:2]} {mode} {act}" for label, mode, act in
             zip(raw["item"], raw["mode"], raw["btype"], strict=True)]  # fmt: skip
    columns = {
        "item": items,
        "rater": [f"person {i}" for i in raw["id"]],
        "rating": [_ANSWERS.index(answer) for answer in raw["resp"]],
        "text": [_reaction(item) for item in items],
        "reaction": raw["btype"],
        "blame": raw["situ"],
        "mode": raw["mode"],
        "gender": [{"F": "woman", "M": "man"}[g] for g in raw["Gender"]],
        "anger": raw["Anger"],
    }
    return Material(pa.table(columns))


def _reaction(item: str) -> str:
    """The sentence of an item such as "S1 want curse"."""
    situation, mode, act = item.split()
    if situation not in _SITUATIONS or mode not in ("want", "do"):
        raise DataError(f"VerbAgg holds the item {item!r}, which the questionnaire does not have.")
    would = "would want to" if mode == "want" else "would"
    return f"{_SITUATIONS[situation]} I {would} {act}."


def lectures(files: Files) -> Material:
    """Lecturers rated by students, 1 (poor) to 5 (very good)."""
    raw = read_packaged(files, "lme4/InstEval")
    columns = {
        "item": [f"lecturer {i}" for i in raw["d"]],
        "rater": [f"student {i}" for i in raw["s"]],
        "rating": raw["y"],
        **{name: raw[name] for name in ("studage", "lectage", "service", "dept")},
    }
    return Material(pa.table(columns))


def film_ratings(files: Files) -> Material:
    """Films rated by viewers, 0.5 to 5 stars; films with fewer than 5 ratings are left out."""
    films = films_rated(files, least=_LEAST_RATINGS)
    columns = {
        "item": [films.names[i] for i in films.film],
        "rater": [f"viewer {i}" for i in films.person],
        "rating": films.rating,
        "text": [films.texts[i] for i in films.film],
        "genre": [(films.genres[i] or [None])[0] for i in films.film],
        "year": [films.years[i] for i in films.film],
    }
    return Material(pa.table(columns))


def simulated_raters(files: Files, seed: int = 0) -> Material:
    """300 items on 10 criteria, each by 8 of 40 raters; the truth stands in its own columns."""
    found = simulate_ratings(seed=seed)
    made = found.made
    columns = {
        "item": [f"comment {i + 1}" for i in made.item],
        "rater": [f"rater {j + 1}" for j in made.rater],
        "criterion": [CRITERIA[c].name for c in made.criterion],
        "rating": made.x,
        "panel": np.array(["lenient", "severe"])[found.panel[made.item]],
        "true_location": made.theta[made.item],
        "true_severity": made.severity[made.rater],
        "erratic": np.where(made.rater == found.erratic, "yes", "no"),
    }
    return Material(pa.table(columns))
