"""Surveys out of R packages, from made-up files."""

import numpy as np
import pytest
from demo import rwriter as r

from backend.demo import surveys
from backend.demo.debian import DebianPackage
from backend.errors import DataError

NA = r.NO_INTEGER


def paircomp(cells, labels, pairs):
    """An R object of class paircomp; cells persons x pairs."""
    cells = np.asarray(cells)
    return r.integers(
        cells.ravel(order="F"),
        dim=r.integers(cells.shape),
        dimnames=r.members([r.NIL, r.texts(pairs)]),
        labels=r.texts(labels),
    )


def factor(values, *levels):
    return r.integers(values, levels=r.texts(levels))


@pytest.fixture
def values_study(tmp_path):
    cells = [[1, 1, 1, NA], [-1, NA, 1, 1], [0, NA, NA, NA]]
    frame = r.table(
        country=factor([1, 2, 2], "France", "Italy"), gender=factor([2, NA, 1], "male", "female"),
        birthyear=r.reals([1950, np.nan, 1960]), eduage=r.reals([18, 20, 20]),
        marital=factor([1, 1, 1], "married"), employment=factor([1, 1, 1], "student"),
        occupation=factor([1, NA, 1], "farmer"), income=factor([1, NA, 2], "1", "2"),
        paircomp=paircomp(cells, ["order", "decisions", "prices", "freedom"],
                          ["1:2", "1:3", "2:4", "3:4"]),
        country2=factor([1, 2, 2], "1", "2"),
    )  # fmt: skip
    (tmp_path / "EuropeanValuesStudy.rda").write_bytes(r.saved(EuropeanValuesStudy=frame))
    return {"r-cran-psychotree": tmp_path}


def test_national_goals(values_study):
    rows = surveys.national_goals(values_study).table.to_pylist()
    assert [row["person"] for row in rows] == ["person 1"] * 3 + ["person 2"] * 3
    won = [(row["option_a"], row["option_b"])[:: 1 if row["choice"] == "a" else -1] for row in rows]
    order, decisions = surveys._GOALS["order"], surveys._GOALS["decisions"]
    prices, freedom = surveys._GOALS["prices"], surveys._GOALS["freedom"]
    assert won == [(order, decisions), (order, prices), (decisions, freedom),
                   (decisions, order), (decisions, freedom), (prices, freedom)]  # fmt: skip
    assert rows[0]["country"] == "France" and rows[0]["country_group"] == "1"
    assert (rows[0]["gender"], rows[3]["gender"]) == ("female", None)
    assert (rows[0]["birthyear"], rows[3]["birthyear"]) == (1950, None)
    assert (rows[0]["income"], rows[3]["income"]) == (1, None)


def test_the_coin_turns_sides_and_never_the_outcome(values_study):
    tables = [surveys.national_goals(values_study, seed=seed).table for seed in range(20)]
    assert len({tuple(t["choice"].to_pylist()) for t in tables}) > 5
    winners = {
        tuple(row[f"option_{row['choice']}"] for row in table.to_pylist()) for table in tables
    }
    assert len(winners) == 1
    assert tables[3].equals(surveys.national_goals(values_study, seed=3).table)


def test_listening(tmp_path):
    labels = list(surveys._MODES)[:2]
    frame = r.table(
        id=factor([1, 2], "04", "05"), time=factor([1, 2], "before", "after"),
        progmat=factor([2, 1], "Beethoven", "SteelyDan"), repet=factor([1, 3], "1", "2", "3"),
        session=r.reals([1, 1]), preference=paircomp([[-1], [1]], labels, ["1:2"]),
    )  # fmt: skip
    (tmp_path / "SoundQuality.rda").write_bytes(r.saved(SoundQuality=frame))
    first, second = surveys.listening({"r-cran-psychotools": tmp_path}).table.to_pylist()
    assert first["person"] == "listener 04" and first["prompt"] == "Steely Dan"
    assert first[f"option_{first['choice']}"] == "Phantom mono"
    assert second[f"option_{second['choice']}"] == "Mono"
    assert (second["phase"], second["repetition"]) == ("after", "3")


def personality_files(folder, answers):
    frame = r.table(age=r.integers([20, 30]), sex=r.reals([2, np.nan]),
                    q_1=r.integers(answers[0]), q_2=r.integers(answers[1]))  # fmt: skip
    dictionary = r.table(
        item_id=r.texts(["age", "q_2", "q_1"]), item=r.texts(["age", "Am two.", "Am one."]),
        B5=r.texts([None, None, "Agree"]), L27=r.texts([None, "Trust", "Honesty"]),
    )  # fmt: skip
    keys = r.members([r.texts(["-q_1"]), r.texts(["q_1"]), r.texts(["-q_2"])],
                     names=r.texts(["Agree", "Honesty", "Trust"]))  # fmt: skip
    r.lazy(folder, {"spi": frame, "spi.dictionary": dictionary, "spi.keys": keys})
    (folder / "version.txt").write_text("2.2.9-1")
    return {"r-cran-psychtools": folder}


def test_personality(tmp_path):
    material = surveys.personality(personality_files(tmp_path, [[5, 1], [6, 2]]))
    rows = material.table.to_pylist()
    assert rows[0] == {
        "item": "q_1", "rater": "person 1", "rating": 5, "text": "Am one.", "scale": "Agree",
        "facet": "Honesty", "keyed": "forward", "age": 20, "sex": "female",
    }  # fmt: skip
    assert [(x["rater"], x["item"], x["rating"]) for x in rows[1:]] == [
        ("person 1", "q_2", 6), ("person 2", "q_1", 1), ("person 2", "q_2", 2),
    ]  # fmt: skip
    assert rows[1]["keyed"] == "reverse" and rows[1]["scale"] is None
    assert (rows[2]["age"], rows[2]["sex"]) == (30, None)
    assert material.notes == ("Read from version 2.2.9-1 of the package.",)


def test_other_answers_are_refused(tmp_path):
    with pytest.raises(DataError, match="psychtools 2.2.9-1 holds other answers"):
        surveys.personality(personality_files(tmp_path, [[5, 1], [6, NA]]))


def test_the_packages_are_debians():
    from backend.demo.catalogue import find

    for name in ("national-goals", "listening", "personality"):
        assert all(isinstance(p, DebianPackage) for p in find(name).packages)
