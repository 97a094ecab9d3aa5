"""Tables of judgements: choices between options, ratings by raters, vectors of options.

They are told by the names of their columns, in any case and order; further columns are kept.
"""

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backend.data.tables import TableRead, keep_rows, list_rejected
from backend.errors import DataError

JudgedKind = Literal["choices", "ratings", "vectors"]

COLUMNS: dict[JudgedKind, tuple[str, ...]] = {
    "choices": ("person", "option_a", "option_b", "choice"),
    "ratings": ("item", "rater", "rating"),
    "vectors": ("item", "x0"),
}
# The public Measuring Hate Speech table: one row per comment and annotator, ten criteria beside
# each other. It is kept as it is; what reads ratings takes it apart.
WIDE_RATINGS = ("comment_id", "annotator_id", "sentiment", "respect", "hatespeech")
_VECTOR = re.compile(r"x\d+")


def judged_kind(names: list[str]) -> JudgedKind | None:
    """What a table with these columns holds, or None where it is no table of judgements."""
    plain = {_plain(name) for name in names}
    if set(WIDE_RATINGS) <= plain:
        return "ratings"
    return next((kind for kind, needed in COLUMNS.items() if set(needed) <= plain), None)


def take_judgements(read: TableRead, kind: JudgedKind, *, where: str) -> TableRead:
    """The table with its telling columns named as here, without rows that lack a value there.

    Raises
    ------
    DataError : two columns of one name, no complete row, or vectors that are not numbers.
    """
    plain = [_plain(name) for name in read.table.column_names]
    needed = WIDE_RATINGS[:2] if set(WIDE_RATINGS) <= set(plain) else COLUMNS[kind]
    known = {*needed, "criterion", "prompt", "text", "probability"}
    named = [
        new if new in known or (kind == "vectors" and _VECTOR.fullmatch(new)) else old
        for new, old in zip(plain, read.table.column_names, strict=True)
    ]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise DataError(f"{where} has two columns named {twice[0]!r}.", "Give each its own name.")
    table = read.table.rename_columns(named)
    if kind == "vectors":
        needed = ("item", *_vector_columns(table, where=where))
    whole = np.ones(table.num_rows, bool)
    for name in needed:
        whole &= _is_given(table[name])
    if not whole.any():
        raise DataError(
            f"{where} has no row with a value in each of: {', '.join(needed)}.",
            "Fill them in, one judgement a row.",
        )
    notes, rejected = [*read.notes, _what_it_is(kind)], list(read.rejected)
    if not whole.all():
        missing = np.flatnonzero(~whole)
        rejected += list_rejected([(f"row {row}", "a value is missing") for row in missing])
        notes.append(f"{len(missing)} of {len(whole)} rows were left out: a value is missing.")
        table = keep_rows(table, whole)
    return replace(read, table=table, notes=tuple(notes), rejected=tuple(rejected))


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _is_given(column: pa.ChunkedArray) -> np.ndarray:
    """Where a column has a value that is neither null nor blank, bool (n,)."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
        return column.fill_null(False).to_numpy().astype(bool)
    return pc.is_valid(column).to_numpy().astype(bool)


def _vector_columns(table: pa.Table, *, where: str) -> list[str]:
    """x0, x1, ... in order; DataError where one is missing or holds no numbers."""
    names = [name for name in table.column_names if _VECTOR.fullmatch(name)]
    wanted = [f"x{i}" for i in range(len(names))]
    if set(names) != set(wanted):
        lost = next(name for name in wanted if name not in names)
        raise DataError(f"{where} has no column {lost!r}.", "Number the vectors' columns from x0.")
    for name in wanted:
        kind = table[name].type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise DataError(f"Column {name!r} of {where} holds {kind}.", "Give it numbers.")
    return wanted


def _what_it_is(kind: JudgedKind) -> str:
    if kind == "choices":
        return "Read as choices between two options, by its columns. Name a text column for texts."
    if kind == "ratings":
        return "Read as ratings of items by raters, by its columns. Name a text column for texts."
    return "Read as vectors of options or items, by its columns."


def texts_of(table: pa.Table, kind: str) -> pa.Table:
    """What a model reads of a table of judgements: one row per distinct option or item.

    Returns
    -------
    Columns `text`, `item` (its name, as text) and `role`. Options are their own text. Where
    choices have a `prompt`, there are rows for the prompts, the options, and each prompt with
    each of its options below it (`item` is then the option, and `prompt` says which).
    """
    if kind == "ratings":
        return _item_texts(table)
    options = pa.chunked_array([*_as_text(table["option_a"]).chunks,
                                *_as_text(table["option_b"]).chunks])  # fmt: skip
    names = pc.unique(options)
    if "prompt" not in table.column_names:
        return pa.table({"text": names, "item": names, "role": ["option"] * len(names)})
    prompts = pc.fill_null(_as_text(table["prompt"]), "")
    both = pa.table({"prompt": pa.chunked_array([*prompts.chunks] * 2), "item": options})
    pairs = both.group_by(["prompt", "item"], use_threads=False).aggregate([])
    text = pc.binary_join_element_wise(pairs["prompt"], pairs["item"], "\n")
    asked = pc.unique(prompts)
    blank = pa.nulls(len(names), pa.string())
    parts = [
        pa.table({"text": text, "item": pairs["item"], "prompt": pairs["prompt"],
                  "role": ["pair"] * len(text)}),
        pa.table({"text": names, "item": names, "prompt": blank, "role": ["option"] * len(names)}),
        pa.table({"text": asked, "item": pa.nulls(len(asked), pa.string()), "prompt": asked,
                  "role": ["prompt"] * len(asked)}),
    ]  # fmt: skip
    return pa.concat_tables([p.cast(parts[0].schema) for p in parts]).combine_chunks()


def _item_texts(table: pa.Table) -> pa.Table:
    """The items of ratings by name, with the first text that the table gives for each."""
    column = "item" if "item" in table.column_names else WIDE_RATINGS[0]
    names = _as_text(table[column])
    text = _as_text(table["text"]) if "text" in table.column_names else names
    both = pa.table({"item": names, "text": pc.fill_null(text, "")})
    first = both.group_by("item", use_threads=False).aggregate([("text", "first")])
    shown = pc.if_else(pc.equal(first["text_first"], ""), first["item"], first["text_first"])
    return pa.table({"text": shown, "item": first["item"], "role": ["item"] * len(first)})


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())
