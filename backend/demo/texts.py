"""Builders of the text demos: package files in, a table out."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.demo.build import Material
from backend.demo.frames import read_packaged
from backend.demo.words import CURRENCIES, LANGUAGES, NOT_COUNTRIES, WITH_ARTICLE

_RELATIONS = {
    "capital": "The capital of {} is",
    "currency": "The official currency of {} is the",
    "language": "The official language of {} is",
    "region": "{} is on the continent of",
    "subregion": "{} lies in the region of",
}


def news(files: Mapping[str, Path]) -> Material:
    """The 300 articles of the Lee background corpus, one a line."""
    path = files["gensim"] / "gensim" / "test" / "test_data" / "lee_background.cor"
    texts = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    texts = [text for text in texts if text]
    columns = {
        "text": texts,
        "opening": [" ".join(text.split()[:8]) for text in texts],
        "words": [len(text.split()) for text in texts],
    }
    return Material(pa.table(columns), text_column="text")


def facts(files: Mapping[str, Path]) -> Material:
    """Prompts about countries, each ending just before its answer."""
    rows = [
        {"text": _prompt(relation, name), "subject": name, "relation": relation,
         "answer": answer, "region": country["region"]}
        for name, country in sorted(countries_in(files["countryinfo"] / "countryinfo" / "data"))
        for relation, answer in answers_of(country)
    ]  # fmt: skip
    return Material(pa.Table.from_pylist(rows), text_column="text")


def _prompt(relation: str, name: str) -> str:
    text = _RELATIONS[relation].format(name)
    return text[0].upper() + text[1:]


def countries_in(folder: Path) -> Iterator[tuple[str, dict]]:
    """Countries and territories by the name that a sentence would use; each once."""
    seen = set()
    for path in sorted(folder.glob("*.json")):
        country = json.loads(path.read_text(encoding="utf-8"))
        name, code = country["name"], country["ISO"]["alpha3"]
        # Names such as "Virgin Islands, British" do not fit a sentence.
        odd = "," in name or "(" in name or name in NOT_COUNTRIES
        if odd or code in seen or not country.get("population") or not country.get("region"):
            continue
        seen.add(code)
        name = name.removeprefix("The ")
        yield (f"the {name}" if name in WITH_ARTICLE else name), country


def answers_of(country: dict) -> Iterator[tuple[str, str]]:
    """Relation and answer for what the package knows of a country."""
    if country.get("capital") and isinstance(country["capital"], str):
        yield "capital", country["capital"]
    currencies = [CURRENCIES[code] for code in country.get("currencies", ()) if code in CURRENCIES]
    if currencies:
        yield "currency", currencies[0]
    languages = country.get("languages", ())
    if len(languages) == 1 and languages[0] in LANGUAGES:
        yield "language", LANGUAGES[languages[0]]
    yield "region", country["region"].replace("Americas", "America")
    if country.get("subregion"):
        yield "subregion", country["subregion"]


def films(files: Mapping[str, Path]) -> Material:
    """Film titles with year, genres, mean rating (0.5 to 5 stars) and number of ratings."""
    ratings = read_packaged(files, "dslabs/movielens")
    film, first, of, count = np.unique(
        ratings["movieId"].astype(np.int64), return_index=True, return_inverse=True,
        return_counts=True,
    )  # fmt: skip
    total = np.bincount(of, weights=ratings["rating"].astype(np.float64))
    rows, dropped = [], 0
    for i in range(len(film)):
        title, genres = ratings["title"][first[i]], ratings["genres"][first[i]]
        if not isinstance(title, str) or not title.strip():
            dropped += 1
            continue
        year = float(ratings["year"][first[i]])
        known = [] if genres == "(no genres listed)" else str(genres).split("|")
        rows.append({
            "text": title if np.isnan(year) else f"{title} ({year:.0f})",
            "title": title,
            "year": None if np.isnan(year) else int(year),
            "genre": known[0] if known else None,
            "genres": ", ".join(known) or None,
            "mean_rating": round(float(total[i] / count[i]), 3),
            "n_ratings": int(count[i]),
        })  # fmt: skip
    notes = (f"{dropped} films without a title were left out.",) if dropped else ()
    return Material(pa.Table.from_pylist(rows), text_column="text", notes=notes)
