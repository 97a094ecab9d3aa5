"""Builders of the demos out of R packages that Debian carries: surveys and a listening test."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.demo.build import Material
from backend.demo.debian import version_of
from backend.demo.rfiles import RValue, read_lazy, read_rda
from backend.errors import DataError

Files = Mapping[str, Path]

# The four goals as the questionnaire of 1999 words them (the package's manual page has them).
_GOALS = {
    "order": "Maintaining order in the nation",
    "decisions": "Giving people more say in important government decisions",
    "prices": "Fighting rising prices",
    "freedom": "Protecting freedom of speech",
}
_MODES = {
    "Mono": "Mono", "PhantomMono": "Phantom mono", "Stereo": "Stereo",
    "WideStereo": "Wide-angle stereo", "Matrix": "4-channel matrix", "Upmix1": "5-channel upmix 1",
    "Upmix2": "5-channel upmix 2", "Original": "5-channel original",
}  # fmt: skip
_PIECES = {"Beethoven": "Beethoven", "Rachmaninov": "Rachmaninov", "SteelyDan": "Steely Dan",
           "Sting": "Sting"}  # fmt: skip
_WHOLE = ("birthyear", "eduage", "income")


def national_goals(files: Files, seed: int = 0) -> Material:
    """Which of two national goals 3584 Europeans put first, with who they are."""
    path = files["r-cran-psychotree"] / "EuropeanValuesStudy.rda"
    frame = read_rda(path.read_bytes())["EuropeanValuesStudy"].columns()
    who, first, second, choice = _choices(frame["paircomp"], _GOALS, seed)
    columns: dict[str, object] = {
        "person": [f"person {i + 1}" for i in who],
        "option_a": first,
        "option_b": second,
        "choice": choice,
    }
    frame["country_group"] = frame["country2"]
    for name in ("country", "country_group", "gender", "birthyear", "eduage", "marital",
                 "employment", "occupation", "income"):  # fmt: skip
        values = frame[name].integers() if name in _WHOLE else frame[name].texts()
        columns[name] = [values[i] for i in who]
    return Material(pa.table(columns))


def listening(files: Files, seed: int = 0) -> Material:
    """Which of two ways to play one piece of music 40 listeners preferred."""
    path = files["r-cran-psychotools"] / "SoundQuality.rda"
    frame = read_rda(path.read_bytes())["SoundQuality"].columns()
    who, first, second, choice = _choices(frame["preference"], _MODES, seed)
    listener, piece = frame["id"].texts(), frame["progmat"].texts()
    time, repetition = frame["time"].texts(), frame["repet"].texts()
    columns = {
        "person": [f"listener {listener[i]}" for i in who],
        "option_a": first,
        "option_b": second,
        "choice": choice,
        "prompt": [_PIECES[str(piece[i])] for i in who],
        "phase": [time[i] for i in who],
        "repetition": [repetition[i] for i in who],
    }
    return Material(pa.table(columns))


def _choices(
    value: RValue, words: Mapping[str, str], seed: int
) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
    """Row, options a and b, and the choice, of an R object of the class "paircomp".

    Its cells are 1 where the first option of a pair was preferred, -1 the second, missing where
    the person did not say. Which option is a is a coin's toss.
    """
    labels = [words[str(label)] for label in value.attributes["labels"].texts()]
    shape = tuple(int(v) for v in np.asarray(value.attributes["dim"].values))
    cells = np.asarray(value.values).reshape(shape, order="F")
    names = value.attributes["dimnames"].values[1].texts()  # type: ignore[index]
    pairs = np.array([[int(i) - 1 for i in name.split(":")] for name in names])  # such as "1:3"
    who, column = np.nonzero(np.abs(cells) == 1)
    turned = np.random.default_rng(seed).random(len(who)) < 0.5
    sides = np.where(turned[:, None], pairs[column][:, ::-1], pairs[column])
    choice = np.where((cells[who, column] == 1) != turned, "a", "b")
    return who, [labels[i] for i in sides[:, 0]], [labels[i] for i in sides[:, 1]], choice


def personality(files: Files) -> Material:
    """How well 135 statements fit 4000 people, 1 (very inaccurate) to 6 (very accurate).

    Raises
    ------
    DataError : the package's version holds other items or answers than 1 to 6.
    """
    folder = files["r-cran-psychtools"]

    def read(name: str) -> RValue:
        return read_lazy(folder / "Rdata.rdx", folder / "Rdata.rdb", name)

    frame, dictionary = read("spi").columns(), read("spi.dictionary").columns()
    words = {str(key): i for i, key in enumerate(dictionary["item_id"].texts())}
    text, big, little = (dictionary[name].texts() for name in ("item", "B5", "L27"))
    items = [name for name in frame if name.startswith("q_")]
    given = np.column_stack([np.asarray(frame[name].values) for name in items])  # (persons, items)
    if not set(items) <= set(words) or given.min() < 1 or given.max() > 6:
        raise DataError(
            f"Debian's r-cran-psychtools {version_of(folder)} holds other answers than this demo "
            "was written for.",
            "Use another demo.",
        )
    keys = read("spi.keys").columns()
    reverse = {key.lstrip("-") for name in set(little) - {None}
               for key in map(str, keys[str(name)].texts()) if key.startswith("-")}  # fmt: skip
    n_persons, n_items = given.shape
    spread = {
        "item": items,
        "text": [text[words[name]] for name in items],
        "scale": [big[words[name]] for name in items],
        "facet": [little[words[name]] for name in items],
        "keyed": ["reverse" if name in reverse else "forward" for name in items],
    }
    sex = [{1: "male", 2: "female"}.get(code) for code in frame["sex"].integers()]
    person = np.repeat(np.arange(n_persons), n_items)
    columns = {name: pa.array(values * n_persons) for name, values in spread.items()}
    columns |= {
        "rater": pa.array([f"person {i + 1}" for i in range(n_persons)]).take(pa.array(person)),
        "rating": pa.array(given.ravel()),
        "age": pa.array(frame["age"].integers()).take(pa.array(person)),
        "sex": pa.array(sex).take(pa.array(person)),
    }
    order = ("item", "rater", "rating", "text", "scale", "facet", "keyed", "age", "sex")
    notes = (f"Read from version {version_of(folder)} of the package.",)
    return Material(pa.table({name: columns[name] for name in order}), notes=notes)
