"""The sums and the word problems, which are made here."""

import re
from collections import Counter

import pytest

from backend.demo import build
from backend.demo.build import ensure
from backend.demo.catalogue import find
from backend.demo.problems import problems, sums
from backend.settings import Settings

EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
OPERATION = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}  # fmt: skip
WORDS = {"two": 2, "three": 3, "half": 2}  # numbers that a problem gives in words
WORKED = problems({}).table.to_pylist()


def terms_of(row):
    return [int(number) for number in row["text"].removesuffix(" =").split(" + ")]


def test_sums_are_right():
    rows = sums({}).table.to_pylist()
    assert len(rows) == 180 and len({row["text"] for row in rows}) == 180
    for row in rows:
        terms = terms_of(row)
        assert sum(terms) == int(row["answer"])
        assert len(terms) == row["terms"] == row["hops"] + 1
        assert min(terms) >= 1 and max(terms) <= 12
        assert row["answer"] not in row["text"]
        assert re.fullmatch(r"\d+( \+ \d+)+ =", row["text"])


def test_lengths_have_the_same_answers():
    rows = sums({}).table.to_pylist()
    counts = Counter((row["terms"], int(row["answer"])) for row in rows)
    assert counts == {(n, total): 5 for n in (2, 3, 4) for total in range(6, 18)}
    assert [row["terms"] for row in rows[:6]] == [2, 3, 4, 2, 3, 4]


def test_the_seed_decides_the_sums():
    assert sums({}).table.equals(sums({}).table)
    assert not sums({}, seed=1).table.equals(sums({}).table)


def test_problems_have_one_to_four_steps_in_turn():
    assert [row["steps"] for row in WORKED] == [1, 2, 3, 4] * 6
    assert len({row["problem"] for row in WORKED}) == len({row["answer"] for row in WORKED}) == 24


@pytest.mark.parametrize("row", WORKED, ids=lambda row: " ".join(row["problem"].split()[:3]))
def test_problem(row):
    instruction, problem, worked = row["text"].split("\n\n")
    assert instruction.endswith('"The final answer is [answer]."')
    assert problem == f"Problem: {row['problem']}" and problem.endswith("?")
    reasoning, ending = worked.split("\n")
    assert ending == f"The final answer is {row['answer']}."
    assert 60 <= len(row["text"].split()) <= 110
    equations = EQUATION.findall(reasoning)
    assert len(equations) == row["steps"] == reasoning.count("=")
    given = {int(number) for number in re.findall(r"\d+", row["problem"])}
    assert int(row["answer"]) not in given
    words = re.findall(r"\w+", row["problem"].casefold())
    known = given | {number for word, number in WORDS.items() if word in words}
    used = set()
    for a, sign, b, result in equations:
        assert OPERATION[sign](int(a), int(b)) == int(result)
        assert {int(a), int(b)} <= known
        used |= {int(a), int(b)}
        known.add(int(result))
    assert equations[-1][-1] == row["answer"]
    assert given <= used  # no number of the problem is beside the point


@pytest.mark.parametrize("name, rows", [("sums", 180), ("problems", 24)])
def test_nothing_is_fetched(name, rows, tmp_path, monkeypatch):
    def refuse(package, *, target, progress):
        raise AssertionError(f"{package} was fetched")

    monkeypatch.setattr(build, "fetch", refuse)
    dataset = ensure(name, Settings(home=tmp_path))
    assert dataset.n_rows == rows and dataset.text_column == "text"
    assert dataset.licence == "Apache-2.0" and "this program" in dataset.source
    assert find(name).download_bytes == 0
