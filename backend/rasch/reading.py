"""From a table of ratings to codes; every decision on the user's behalf is said in a note."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backend.errors import DataError
from backend.rasch.hate_speech import incomplete, is_hate_speech, melt
from backend.rasch.ratings import CRITERION, ITEM, RATER, Ratings, is_nested, tidy
from backend.rasch.scales import code_values, parse_collapse

NEEDED = (ITEM, RATER, "rating")


def read_ratings(
    table: pa.Table,
    *,
    levels: str = "",
    collapse: str = "",
    facet: str = "",
    columns: Sequence[str] = (),
    shared: bool = False,
) -> Ratings:
    """Codes of a table of ratings.

    Parameters
    ----------
    table : `item, rater, rating`, perhaps `criterion`, further columns; or the public Measuring
        Hate Speech table as it is.
    levels : words from low to high, as in "no,perhaps,yes", where ratings are words.
    collapse : new categories from old ones, as in "respect:0,1,1,2,3; *:0,0,1,2"; old ones count
        from a criterion's lowest rating. A falling list turns a criterion round.
    facet : a column that becomes a fourth facet.
    columns : columns kept aside, for interactions.
    shared : one scale for all criteria (rating scale model).

    Raises
    ------
    DataError : a column is missing, ratings are words without levels, or nothing can be scaled.
    """
    notes: list[str] = []
    table = _long(table, notes)
    for name in (*NEEDED, *filter(None, (facet, *columns))):
        if name not in table.column_names:
            raise DataError(
                f"The ratings have no column {name!r}.",
                f"Their columns: {', '.join(table.column_names)}.",
            )
    values = rating_values(table["rating"], levels)
    table, values = _complete(table, values, facet, notes)
    codes, aside, labels = _all_codes(table, facet, columns)
    order = np.argsort(codes[CRITERION], kind="stable")
    codes = {name: c[order] for name, c in codes.items()}
    aside = {name: c[order] for name, c in aside.items()}
    counts = np.bincount(codes[CRITERION], minlength=len(labels[CRITERION]))
    starts = np.concatenate([[0], np.cumsum(counts)])
    maps = parse_collapse(collapse, labels[CRITERION])
    x, categories, more = code_values(
        values[order], starts, labels[CRITERION], maps=maps, words=_words(levels), shared=shared
    )
    notes += [*more, _repeats(codes, labels)]
    ratings = Ratings(codes, labels, x, starts, categories, aside, shared).say(*notes)
    return tidy(_dummy(ratings, facet))


def _all_codes(
    table: pa.Table, facet: str, columns: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Codes of the facets and of further columns, and the names of all of them."""
    codes, aside, labels = {}, {}, {}
    for name in (ITEM, RATER, *([facet] if facet and facet != CRITERION else [])):
        codes[name], labels[name] = _encoded(table[name])
    if CRITERION in table.column_names:
        codes[CRITERION], labels[CRITERION] = _encoded(table[CRITERION])
    else:
        codes[CRITERION] = np.zeros(table.num_rows, dtype=np.intp)
        labels[CRITERION] = np.array(["rating"], dtype=object)
    for name in dict.fromkeys(columns):
        if name not in codes:
            aside[name], labels[name] = _encoded(table[name])
    return codes, aside, labels


def rating_values(column: pa.ChunkedArray, levels: str = "") -> np.ndarray:
    """Ratings as float64 (n,), NaN where one is missing; words by their place in `levels`."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if levels:
        return _by_levels(column, _words(levels))
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _numbers_from_text(column)
    elif not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DataError(f"The column rating holds {column.type}.", "Give numbers or words.")
    values = pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy()
    if np.isinf(values).any():
        raise DataError("A rating is infinite.", "Give finite numbers.")
    return values


def _numbers_from_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)
    for value in pc.unique(text).to_pylist():
        try:
            float(value or 0)
        except ValueError:
            raise DataError(
                f"The rating {value!r} is a word.",
                "Say the order of the words, low to high: levels=no,perhaps,yes.",
            ) from None
    return text.cast(pa.float64())


def _by_levels(column: pa.ChunkedArray, words: tuple[str, ...]) -> np.ndarray:
    place = {word.casefold(): i for i, word in enumerate(words)}
    if len(place) < 2 or len(place) < len(words):
        raise DataError(
            f"levels={','.join(words)!r} does not name two or more different levels.",
            "Name each once, low to high, with commas between.",
        )
    encoded = pc.utf8_trim_whitespace(column.cast(pa.string())).combine_chunks().dictionary_encode()
    values = np.full(len(encoded.dictionary) + 1, np.nan)
    for i, word in enumerate(encoded.dictionary.to_pylist()):
        if word == "":
            continue
        if word.casefold() not in place:
            raise DataError(
                f"The rating {word!r} is not among the levels.", f"Levels: {', '.join(words)}."
            )
        values[i] = place[word.casefold()]
    return values[pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy()]


def _words(levels: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in levels.split(",") if word.strip())


def _long(table: pa.Table, notes: list[str]) -> pa.Table:
    if not is_hate_speech(table):
        return table
    lost = int(incomplete(table).sum())
    notes.append("Measuring Hate Speech: recoded and merged as its authors do (Kennedy 2020).")
    if lost:
        notes.append(f"Rows left out, as one of the ten answers is missing: {lost}.")
    return melt(table)


def _complete(
    table: pa.Table, values: np.ndarray, facet: str, notes: list[str]
) -> tuple[pa.Table, np.ndarray]:
    """Rows with a rating and a name in every facet."""
    whole = ~np.isnan(values)
    for name in (ITEM, RATER, CRITERION, facet):
        if name and name in table.column_names:
            whole &= pc.is_valid(table[name]).to_numpy().astype(bool)
    if not whole.any():
        raise DataError("No row has an item, a rater and a rating.", "Fill them in.")
    if whole.all():
        return table, values
    notes.append(f"Ratings left out, as a value is missing: {int((~whole).sum())}.")
    return table.filter(pa.array(whole)), values[whole]


def _encoded(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n,) and names of a column, in the order of their first row; nulls are named ""."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    flat = column.combine_chunks()
    flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
    names = [_name(value) for value in flat.dictionary.to_pylist()]
    codes = pc.fill_null(flat.indices, len(names)).to_numpy().astype(np.intp)
    if flat.null_count:
        names.append("")
    unique = {name: i for i, name in enumerate(dict.fromkeys(names))}
    if len(unique) < len(names):
        codes = np.array([unique[name] for name in names], dtype=np.intp)[codes]
    return codes, np.array(list(unique), dtype=object)


def _name(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _repeats(codes: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> str:
    cell = np.zeros(len(codes[ITEM]), dtype=np.int64)
    for name, own in codes.items():
        cell = cell * len(labels[name]) + own
    cell.sort()
    twice = int((cell[1:] == cell[:-1]).sum())
    return f"Ratings that repeat an item, rater and criterion, all kept: {twice}." if twice else ""


def _dummy(ratings: Ratings, facet: str) -> Ratings:
    """A fourth facet that raters or items are nested in cannot be told from them: set aside."""
    if facet not in ratings.codes or facet in (ITEM, RATER, CRITERION):
        return ratings
    for inner in (RATER, ITEM):
        if is_nested(ratings.codes[inner], ratings.codes[facet]):
            ratings.columns[facet] = ratings.codes.pop(facet)
            return ratings.say(
                f"Each {inner} has one {facet}, so {facet} has no effect of its own beside "
                f"{inner}; it serves interactions only."
            )
    return ratings
