"""Demos of ratings: from made-up package contents, and the simulated one as it is."""

import numpy as np
import pytest

from backend.demo import build, ratings
from backend.demo.build import ensure
from backend.demo.choices import Films
from backend.errors import DataError
from backend.settings import Settings


def packaged(monkeypatch, name, columns):
    raw = {key: np.array(values, dtype=object if isinstance(values[0], str) else None)
           for key, values in columns.items()}  # fmt: skip
    monkeypatch.setattr(ratings, "read_packaged", lambda files, wanted: {name: raw}[wanted])
    return raw


AGGRESSION = {
    "id": [1, 2], "item": ["S1WantCurse", "S4DoShout"], "btype": ["curse", "shout"],
    "situ": ["other", "self"], "mode": ["want", "do"], "resp": ["perhaps", "no"],
    "Gender": ["F", "M"], "Anger": [20, 11],
}  # fmt: skip


def test_verbal_aggression(monkeypatch):
    packaged(monkeypatch, "lme4/VerbAgg", AGGRESSION)
    first, second = ratings.verbal_aggression({}).table.to_pylist()
    assert first == {
        "item": "S1 want curse", "rater": "person 1", "rating": 1,
        "text": "A bus fails to stop for me. I would want to curse.",
        "reaction": "curse", "blame": "other", "mode": "want", "gender": "woman", "anger": 20,
    }  # fmt: skip
    assert second["item"] == "S4 do shout" and second["rating"] == 0
    assert second["text"].endswith("for a call. I would shout.")


def test_items_whose_label_is_spelled_otherwise_are_one_item(monkeypatch):
    packaged(monkeypatch, "lme4/VerbAgg", AGGRESSION | {
        "item": ["S4wantCurse", "S4WantCurse"], "mode": ["want", "want"],
        "btype": ["curse", "curse"]})  # fmt: skip
    assert set(ratings.verbal_aggression({}).table["item"].to_pylist()) == {"S4 want curse"}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"resp": ["perhaps", "often"]}, "the answer 'often'"),
        ({"item": ["S1WantCurse", "S5DoShout"]}, "the item 'S5 do shout'"),
        ({"mode": ["wish", "do"]}, "the item 'S1 wish curse'"),
    ],
)
def test_another_questionnaire_is_refused(monkeypatch, change, said):
    packaged(monkeypatch, "lme4/VerbAgg", AGGRESSION | change)
    with pytest.raises(DataError, match=said):
        ratings.verbal_aggression({})


def test_lectures(monkeypatch):
    packaged(monkeypatch, "lme4/InstEval", {
        "s": [1, 2], "d": [1002, 7], "y": [5, 1], "studage": [2, 8], "lectage": [1, 6],
        "service": [0, 1], "dept": [2, 15]})  # fmt: skip
    assert ratings.lectures({}).table.to_pylist()[0] == {
        "item": "lecturer 1002", "rater": "student 1", "rating": 5, "studage": 2, "lectage": 1,
        "service": 0, "dept": 2,
    }  # fmt: skip


def test_film_ratings(monkeypatch):
    films = Films(
        ["Ten (2000)", "Twelve"], ["Ten (2000), War", "Twelve"], [["War"], []], [2000, None],
        np.array([1, 0, 0]), np.array([4, 4, 5]), np.array([0.5, 5.0, 3.5]),
        np.zeros(3, "datetime64[s]"),
    )  # fmt: skip
    asked = []
    monkeypatch.setattr(
        ratings, "films_rated", lambda files, *, least: asked.append(least) or films
    )
    rows = ratings.film_ratings({}).table.to_pylist()
    assert asked == [5]
    assert rows[0] == {"item": "Twelve", "rater": "viewer 4", "rating": 0.5, "text": "Twelve",
                       "genre": None, "year": None}  # fmt: skip
    assert rows[2] == {"item": "Ten (2000)", "rater": "viewer 5", "rating": 3.5,
                       "text": "Ten (2000), War", "genre": "War", "year": 2000}  # fmt: skip


def test_simulated_raters_need_no_download(tmp_path, monkeypatch):
    def refuse(package, *, target, progress):
        raise AssertionError(f"{package} was fetched")

    monkeypatch.setattr(build, "fetch", refuse)
    dataset = ensure("simulated-raters", Settings(home=tmp_path))
    assert dataset.kind == "ratings" and dataset.n_rows == 24_000 and dataset.text_column is None
    rows = dataset.table().to_pylist()
    assert len({row["item"] for row in rows}) == 300
    assert len({row["criterion"] for row in rows}) == 10
    erratic = {row["rater"]: row["true_severity"] for row in rows if row["erratic"] == "yes"}
    assert len(erratic) == 1 and abs(*erratic.values()) < 0.1
    severity = {row["rater"]: row["true_severity"] for row in rows}
    assert len(severity) == 40 and sum(severity.values()) == pytest.approx(0)
    lenient = np.mean([row["rating"] for row in rows if row["panel"] == "lenient"])
    assert lenient > np.mean([row["rating"] for row in rows if row["panel"] == "severe"])
