"""Country prompts of one, two and three hops that end in the same answer.

A set is one fact (the capital of Spain) asked three times: of the country itself, of a country
described by one fact more (the only neighbour of Portugal), and by two (the only neighbour of the
country whose capital is Lisbon). Every description holds for one country of the package only.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.demo.build import Material
from backend.demo.texts import answers_of, countries_in
from backend.demo.words import CURRENCIES

_QUESTIONS = {
    "capital": "The capital of {} is",
    "currency": "The official currency of {} is the",
    "language": "The official language of {} is",
    "continent": "{} is on the continent of",
}
_KEYS = {
    "capital": "the country whose capital is {}",
    "currency": "the country whose currency is the {}",
}
_NEIGHBOURS = {
    "only neighbour": "the only country that borders {}",
    "largest neighbour": "the largest country that borders {}",
}
# Currencies that only keep others from being unique: words for codes that the facts leave out.
_ALSO_MONEY = {"BYR": "ruble", "CLP": "peso", "SVC": "colón", "ZMK": "kwacha"}
_TERRITORIES = {"ESH", "GLP", "HKG", "MAC", "MTQ", "PRI", "REU"}
_TWO_CONTINENTS = {"ARM", "AZE", "CYP", "EGY", "GEO", "IDN", "KAZ", "RUS", "TLS", "TUR"}
_DISPUTED = {"ISR", "MKD", "PSE", "SWZ", "TWN"}  # in status, or renamed since
# What is no longer so, or only half the truth, by ISO code.
_DOUBTFUL = {
    "capital": _DISPUTED | {"BDI", "BOL", "GNQ", "KAZ", "LKA", "ZAF"},
    "currency": _DISPUTED | {"BGR", "HRV", "ZWE"},
    "language": _DISPUTED | {"DZA", "ETH", "GNQ", "MAR", "MLI", "NER", "PER", "PHL", "PNG", "TLS"},
    "continent": _DISPUTED,
    "borders": _DISPUTED | {"LKA"},
}
_SMALLEST = 300_000  # people; nearly all below are territories
_LARGER = 1.15  # so much larger than the second largest, by area and by population
_SETS_PER_QUESTION = 30


@dataclass(frozen=True)
class Country:
    """What the prompts say of one country."""

    code: str
    name: str
    facts: Mapping[str, str]  # question -> answer; only those that are sure
    keys: Mapping[str, str]  # fact -> value that no other country shares
    neighbour: tuple[str, str] | None  # (which, code) of a neighbour that can be only one


@dataclass(frozen=True)
class _Step:
    """A description of one country: its words, the chain of facts, what it starts from."""

    words: str
    chain: tuple[str, ...]
    subject: str


def hops(files: Mapping[str, Path], seed: int = 0) -> Material:
    """Matched prompts: three rows a set, of one, two and three hops."""
    known = read_countries(files["countryinfo"] / "countryinfo" / "data")
    return Material(pa.Table.from_pylist(list(_rows(known, seed))), text_column="text")


def read_countries(folder: Path) -> dict[str, Country]:
    """The countries of the package by code, with the facts and descriptions that are sure."""
    raw = {entry["ISO"]["alpha3"]: (name, entry) for name, entry in countries_in(folder)}
    money = {code: _money(entry) for code, (_, entry) in raw.items()}
    capitals = Counter(_fold(str(entry.get("capital"))) for _, entry in raw.values())
    users = Counter(_fold(word) for words in money.values() for word in words)
    found = {}
    for code, (name, entry) in raw.items():
        if entry["population"] < _SMALLEST or code in _TERRITORIES:
            continue
        facts = dict(answers_of(entry)) | {"continent": _continent(code, entry)}
        if len(money[code]) != 1:
            facts.pop("currency", None)
        sure = {q: facts[q] for q in _QUESTIONS if facts.get(q) and code not in _DOUBTFUL[q]}
        shared = {"capital": capitals, "currency": users}
        keys = {
            fact: sure[fact] for fact, count in shared.items()
            if fact in sure and count[_fold(sure[fact])] == 1 and not _alike(sure[fact], name)
        }  # fmt: skip
        found[code] = Country(code, name, sure, keys, _neighbour(code, raw))
    return found


def _money(entry: dict) -> set[str]:
    words = CURRENCIES | _ALSO_MONEY
    return {words[code] for code in entry.get("currencies", ()) if code in words}


def _continent(code: str, entry: dict) -> str:
    """One of five continents; empty where there may be two answers."""
    if entry["region"] == "Americas":
        south = entry.get("intermediateregion") == "South America"
        return "South America" if south else "North America"
    sure = entry["region"] in ("Africa", "Asia", "Europe") and code not in _TWO_CONTINENTS
    return entry["region"] if sure else ""


def _neighbour(code: str, raw: Mapping[str, tuple[str, dict]]) -> tuple[str, str] | None:
    """The only land neighbour, or one that is clearly the largest; None if borders are unsure.

    Borders are unsure where two entries contradict each other.
    """
    listed = raw[code][1]["borders"]
    listing = {other for other, (_, entry) in raw.items() if code in entry["borders"]}
    if code in _DOUBTFUL["borders"] or listing != set(listed):
        return None
    if len(listed) == 1:
        return "only neighbour", listed[0]
    size = {c: (raw[c][1]["area"] or 0, raw[c][1]["population"]) for c in listed}
    for first in listed:
        rest = [size[c] for c in listed if c != first]
        if all(size[first][i] > _LARGER * max(s[i] for s in rest) for i in (0, 1)):
            return "largest neighbour", first
    return None


def _rows(known: Mapping[str, Country], seed: int) -> Iterator[dict]:
    """Sets of three rows, the questions taking turns."""
    rng = np.random.default_rng(seed)
    used: Counter[tuple[str, ...]] = Counter()
    queues = {question: _in_turn(known, question, rng) for question in _QUESTIONS}
    for turn in range(_SETS_PER_QUESTION):
        for question, queue in queues.items():
            if turn < len(queue):
                yield from _set(queue[turn], question, known, used)


def _in_turn(
    known: Mapping[str, Country], question: str, rng: np.random.Generator
) -> list[Country]:
    """Countries that a full set can ask about, shuffled; every answer once a round."""
    by_answer: dict[str, list[Country]] = {}
    for code in sorted(known):
        if question in known[code].facts and all(_paths(known[code], question, known)):
            by_answer.setdefault(known[code].facts[question], []).append(known[code])
    queues = [[group[i] for i in rng.permutation(len(group))] for group in by_answer.values()]
    queues = [queues[i] for i in rng.permutation(len(queues))]
    rounds = max((len(queue) for queue in queues), default=0)
    return [queue[i] for i in range(rounds) for queue in queues if i < len(queue)]


def _set(
    country: Country, question: str, known: Mapping[str, Country], used: Counter[tuple[str, ...]]
) -> Iterator[dict]:
    """One fact asked in one, two and three hops, by the descriptions least used so far."""
    for n_hops, paths in enumerate(_paths(country, question, known), start=1):
        path = min(paths, key=lambda step: (used[step.chain], step.words))
        used[path.chain] += 1
        yield {
            "text": _ask(question, path), "answer": country.facts[question], "hops": n_hops,
            "chain": " -> ".join((*path.chain, question)), "relation": question,
            "subject": path.subject, "country": country.name,
        }  # fmt: skip


def _paths(country: Country, question: str, known: Mapping[str, Country]) -> list[list[_Step]]:
    """Descriptions of a country by hops (1, 2, 3) that do not hold the answer."""
    one = [_Step(country.name, ("country",), country.name)]
    two = [step for step in _described(country) if step.chain[0] != question]
    three = []
    for between in known.values():
        if between.neighbour and between.neighbour[1] == country.code:
            which = between.neighbour[0]
            for start in ([_Step(between.name, ("country",), between.name)], _described(between)):
                for step in start:
                    words = _NEIGHBOURS[which].format(step.words)
                    longer = _Step(words, (*step.chain, which), step.subject)
                    (two if len(longer.chain) == 2 else three).append(longer)
    answer = country.facts[question]
    return [[s for s in steps if not _holds(_ask(question, s), answer)]
            for steps in (one, two, three)]  # fmt: skip


def _described(country: Country) -> list[_Step]:
    return [_Step(_KEYS[fact].format(value), (fact, "country"), value)
            for fact, value in country.keys.items()]  # fmt: skip


def _ask(question: str, step: _Step) -> str:
    text = _QUESTIONS[question].format(step.words)
    return text[0].upper() + text[1:]


def _fold(text: str) -> str:
    """Lower case without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


def _words(text: str) -> Sequence[str]:
    return [word for word in _fold(text).replace("-", " ").split() if len(word) > 3]


def _alike(key: str, name: str) -> bool:
    """Whether spelling gives the country away (Canadian dollar, Tunis, Mexico City)."""
    return any(a[:4] == b[:4] for a in _words(key) for b in _words(name))


def _holds(text: str, answer: str) -> bool:
    """Whether a prompt holds its answer, or a word of it."""
    return _fold(answer) in _fold(text) or bool(set(_words(answer)) & set(_words(text)))
