"""Prompts of one, two and three hops from made-up package contents."""

import json
from collections import Counter

import numpy as np
import pytest

from backend.demo.hops import hops, read_countries

ASKED = ("capital", "currency", "language", "continent")


def write(root, *countries):
    """Package files: each country is name, code, capital, currency, language, borders, size."""
    folder = root / "countryinfo" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for name, code, capital, currency, language, borders, size in countries:
        values = {
            "name": name, "ISO": {"alpha3": code}, "capital": capital, "currencies": [currency],
            "languages": [language], "borders": borders, "region": "Europe",
            "area": size, "population": 1_000_000 * size,
        }  # fmt: skip
        (folder / f"{code}.json").write_text(json.dumps(values))
    return {"countryinfo": root}


def rows_of(files, **more):
    return hops(files, **more).table.to_pylist()


IBERIA = (
    ("Portugal", "PRT", "Lisbon", "EUR", "pt", ["ESP"], 9),
    ("Spain", "ESP", "Madrid", "EUR", "es", ["PRT"], 50),
)
SOUTH = (  # the Netherlands' neighbours differ in size, and its currency is its own
    ("Netherlands", "NLD", "Amsterdam", "PLN", "nl", ["BEL", "DEU"], 4),
    ("Belgium", "BEL", "Brussels", "EUR", "nl", ["NLD", "DEU"], 3),
    ("Germany", "DEU", "Berlin", "EUR", "de", ["NLD", "BEL"], 35),
)


def test_one_fact_is_asked_in_one_two_and_three_hops(tmp_path):
    rows = rows_of(write(tmp_path, *IBERIA))
    madrid = [row for row in rows if row["answer"] == "Madrid"]
    assert [row["text"] for row in madrid] == [
        "The capital of Spain is",
        "The capital of the only country that borders Portugal is",
        "The capital of the only country that borders the country whose capital is Lisbon is",
    ]
    assert madrid[2] == {
        "text": madrid[2]["text"], "answer": "Madrid", "hops": 3, "relation": "capital",
        "chain": "capital -> country -> only neighbour -> capital",
        "subject": "Lisbon", "country": "Spain",
    }  # fmt: skip
    assert [row["chain"] for row in madrid[:2]] == [
        "country -> capital", "country -> only neighbour -> capital"
    ]  # fmt: skip


def test_a_key_is_one_hop_and_the_largest_neighbour_another(tmp_path):
    files = write(tmp_path, *SOUTH)
    assert read_countries(tmp_path / "countryinfo" / "data")["NLD"].neighbour == (
        "largest neighbour", "DEU"
    )  # fmt: skip
    texts = [r["text"] for r in rows_of(files) if r["country"] == "Germany"]
    assert "Germany is on the continent of" in texts
    assert "The country whose capital is Berlin is on the continent of" in texts
    assert (
        "The largest country that borders the country whose currency is the zloty is on the "
        "continent of"
    ) in texts
    assert "The official language of Germany is" not in texts  # it holds "German"


def test_names_stand_in_a_sentence_with_their_article(tmp_path):
    world = [("Netherlands", "NLD", "Amsterdam", "EUR", "nl", ["DEU"], 4),
             ("Germany", "DEU", "Berlin", "EUR", "de", ["NLD"], 35)]  # fmt: skip
    texts = [row["text"] for row in rows_of(write(tmp_path, *world))]
    assert "The capital of the Netherlands is" in texts
    assert "The capital of the only country that borders the Netherlands is" in texts
    assert "The Netherlands is on the continent of" in texts


@pytest.mark.parametrize(
    "third",
    [
        ("Andorra", "AND", "Lisbon", "ALL", "ca", [], 1),  # a capital of the same name
        ("Andorra", "AND", "lísbon", "ALL", "ca", [], 1),  # or nearly so
    ],
)
def test_a_shared_capital_describes_nobody(tmp_path, third):
    write(tmp_path, *IBERIA, third)
    known = read_countries(tmp_path / "countryinfo" / "data")
    assert "capital" not in known["PRT"].keys
    assert known["PRT"].facts["capital"] == "Lisbon"
    assert known["ESP"].keys == {"capital": "Madrid"}  # the euro is shared


def test_a_currency_counts_by_its_word_not_its_code(tmp_path):
    manats = [("Azerbaijan", "AZE", "Baku", "AZN", "az", [], 9),
              ("Turkmenistan", "TKM", "Ashgabat", "TMT", "tk", [], 9),
              ("Russia", "RUS", "Moscow", "RUB", "ru", [], 9),
              ("Belarus", "BLR", "Minsk", "BYR", "be", [], 9)]  # fmt: skip
    write(tmp_path, *manats)
    known = read_countries(tmp_path / "countryinfo" / "data")
    assert all("currency" not in country.keys for country in known.values())
    assert known["AZE"].facts["currency"] == "manat"


def test_spelling_that_gives_a_country_away_is_no_key(tmp_path):
    write(
        tmp_path,
        ("Mexico", "MEX", "Mexico City", "MXN", "es", [], 9),
        ("Tunisia", "TUN", "Tunis", "TND", "ar", [], 9),
        ("Canada", "CAN", "Ottawa", "CAD", "en", [], 9),
    )
    known = read_countries(tmp_path / "countryinfo" / "data")
    assert known["MEX"].keys == {"currency": "peso"}
    assert known["TUN"].keys == {"currency": "dinar"}
    assert known["CAN"].keys == {"capital": "Ottawa"}


@pytest.mark.parametrize("people", [100_000, 1_000_000])
def test_small_countries_are_not_asked_about_but_still_count(tmp_path, people):
    files = write(tmp_path, *IBERIA, ("Andorra", "AND", "Lisbon", "ALL", "ca", ["PRT"], 1))
    path = tmp_path / "countryinfo" / "data" / "AND.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"population": people}))
    known = read_countries(tmp_path / "countryinfo" / "data")
    assert ("AND" in known) == (people == 1_000_000)
    assert "capital" not in known["PRT"].keys
    assert known["PRT"].neighbour is None  # Andorra says it borders Portugal, which does not
    assert not [row for row in rows_of(files) if row["country"] == "Spain"]


@pytest.mark.parametrize("second, sure", [(30, True), (31, False), (35, False)])
def test_the_largest_neighbour_must_lead_clearly(tmp_path, second, sure):
    write(tmp_path, SOUTH[0], ("Belgium", "BEL", "Brussels", "EUR", "nl", ["NLD", "DEU"], second),
          SOUTH[2])  # fmt: skip
    found = read_countries(tmp_path / "countryinfo" / "data")["NLD"].neighbour
    assert found == (("largest neighbour", "DEU") if sure else None)


def test_the_largest_in_area_must_have_most_people_too(tmp_path):
    write(tmp_path, *SOUTH)
    path = tmp_path / "countryinfo" / "data" / "BEL.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"population": 90_000_000}))
    assert read_countries(tmp_path / "countryinfo" / "data")["NLD"].neighbour is None


def test_dated_facts_are_neither_asked_nor_used(tmp_path):
    write(tmp_path, ("Croatia", "HRV", "Zagreb", "HRK", "hr", [], 4),
          ("Burundi", "BDI", "Bujumbura", "BIF", "fr", [], 9))  # fmt: skip
    known = read_countries(tmp_path / "countryinfo" / "data")
    assert "currency" not in known["HRV"].facts and known["HRV"].keys == {"capital": "Zagreb"}
    assert "capital" not in known["BDI"].facts and "capital" not in known["BDI"].keys


@pytest.fixture
def large_world(tmp_path):
    """40 pairs of neighbours: capitals and currencies of their own, few languages."""
    money = ["PLN", "HUF", "CZK", "THB", "JPY", "KHR", "LAK", "MMK", "VND", "MNT"]
    world = []
    for i in range(40):
        code, other = f"A{i:02}", f"B{i:02}"
        coin = money[i // 4] if i % 4 == 0 else "EUR"
        world.append((f"Land{i:02}", code, f"Town{i:02}", coin, "es", [other], 5))
        language = ("fr", "en", "en", "en")[i % 4]
        world.append((f"Coast{i:02}", other, f"Port{i:02}", "USD", language, [code], 9))
    return write(tmp_path, *world)


def test_sets_match_and_are_balanced(large_world):
    rows = rows_of(large_world)
    assert Counter(row["hops"] for row in rows) == {1: 120, 2: 120, 3: 120}
    assert Counter((r["relation"], r["hops"]) for r in rows) == {
        (asked, n): 30 for asked in ASKED for n in (1, 2, 3)
    }  # fmt: skip
    for i in range(0, len(rows), 3):
        one, two, three = rows[i : i + 3]
        assert [one["hops"], two["hops"], three["hops"]] == [1, 2, 3]
        assert len({(r["country"], r["relation"], r["answer"]) for r in (one, two, three)}) == 1
    assert [rows[i]["relation"] for i in range(0, 12, 3)] == list(ASKED)
    languages = Counter(r["answer"] for r in rows if r["relation"] == "language")
    assert languages == {"Spanish": 30, "French": 30, "English": 30}
    assert len({row["text"] for row in rows}) == len(rows)


def test_no_prompt_holds_its_answer(large_world):
    for row in rows_of(large_world):
        assert row["answer"].casefold() not in row["text"].casefold()
        assert row["text"] == row["text"].strip() and row["text"][0].isupper()
        assert row["chain"].count("->") == row["hops"]
        assert row["subject"].casefold() in row["text"].casefold()


def test_the_seed_decides(large_world):
    assert hops(large_world).table.equals(hops(large_world).table)
    assert not hops(large_world, seed=1).table.equals(hops(large_world).table)


def test_no_country_is_asked_twice_by_the_same_question(large_world):
    rows = rows_of(large_world, seed=int(np.random.default_rng(0).integers(99)))
    seen = Counter((row["country"], row["relation"], row["hops"]) for row in rows)
    assert set(seen.values()) == {1}


def test_a_package_without_neighbours_gives_no_rows(tmp_path):
    files = write(tmp_path, ("Iceland", "ISL", "Reykjavik", "ISK", "is", [], 9))
    assert rows_of(files) == []
