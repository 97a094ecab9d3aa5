"""Choices between two options as codes: who, between what, and which was taken."""

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backend.errors import DataError

SIDES = {"a": -1, "b": 1, "left": -1, "right": 1, "option_a": -1, "option_b": 1}
_TIES = ("tie", "both", "neither", "equal", "same")
_KNOWN = {"row", "person", "option_a", "option_b", "choice", "prompt", "probability", "source_row"}
_ATTRIBUTE = re.compile(r"([ab])_(.+)")


@dataclass(frozen=True)
class Choices:
    """n choices of N persons between M items; an item is an option, under its prompt if any.

    `y` is -1 where a (the left one) was taken, +1 where b was.
    """

    persons: np.ndarray  # str (N,)
    items: np.ndarray  # str (M,) the options' names
    u: np.ndarray  # int64 (n,) person
    left: np.ndarray  # int64 (n,) item a
    right: np.ndarray  # int64 (n,) item b
    y: np.ndarray  # int8 (n,)
    prompts: np.ndarray | None = None  # str (Q,)
    q: np.ndarray | None = None  # int64 (n,) prompt
    item_prompt: np.ndarray | None = None  # int64 (M,) prompt of each item
    attributes: np.ndarray | None = None  # float64 (M, d)
    attribute_names: tuple[str, ...] = ()
    probability: np.ndarray | None = None  # (n,) with which b is taken, where it is known
    covariates: dict[str, np.ndarray] = field(default_factory=dict)  # name -> (N,)
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Choices":
        """The choices in these rows; persons and items keep their numbers."""
        return replace(
            self, u=self.u[rows], left=self.left[rows], right=self.right[rows], y=self.y[rows],
            q=None if self.q is None else self.q[rows],
            probability=None if self.probability is None else self.probability[rows],
        )  # fmt: skip


def read_choices(table: pa.Table) -> Choices:
    """Codes of a table with the columns person, option_a, option_b, choice (and prompt, ...).

    Ties and choices of an option against itself are left out, with a note. Number columns a_NAME
    with b_NAME are attributes of the options. Other columns that do not vary within a person are
    covariates of the person.

    Raises
    ------
    DataError : a choice that names no side, or nothing left to learn from.
    """
    notes: list[str] = []
    sides = _sides(table["choice"])
    ties = sides == 0
    same = pc.equal(_text(table["option_a"]), _text(table["option_b"])).to_numpy()
    names = _attribute_names(table)
    if names:  # one name may stand for several offers
        same = same & np.all([_equal(table, name) for name in names], axis=0)
    keep = ~(ties | same.astype(bool))
    if ties.any():
        notes.append(f"{int(ties.sum())} ties were left out: they say nothing about the order.")
    if (same & ~ties).any():
        notes.append(f"{int((same & ~ties).sum())} choices of an option against itself left out.")
    if not keep.any():
        raise DataError(
            "No choice is left: all are ties, or between an option and itself.",
            "Give choices with a or b between two options.",
        )
    table, sides = table.filter(pa.array(keep)), sides[keep]
    persons, u = _codes(_text(table["person"]))
    found = _items(table, names)
    choices = Choices(
        persons, found["items"], u, found["left"], found["right"], sides.astype(np.int8),
        found["prompts"], found["q"], found["item_prompt"], found["attributes"], tuple(names),
        _probability(table), _covariates(table, u, len(persons), names), tuple(notes),
    )  # fmt: skip
    counts = np.bincount(u, minlength=len(persons))
    if (lonely := int((counts == 1).sum())) > 0:
        more = f"{lonely} of {len(persons)} persons made one choice: they say little of taste."
        choices = replace(choices, notes=(*choices.notes, more))
    return choices


def _sides(column: pa.ChunkedArray) -> np.ndarray:
    """-1 for a, +1 for b, 0 for a tie, int (n,)."""
    encoded = pc.dictionary_encode(_text(column)).combine_chunks()
    values = [str(v).strip().lower() for v in encoded.dictionary.to_pylist()]
    known = {**SIDES, **dict.fromkeys(_TIES, 0)}
    if unknown := [v for v in values if v not in known]:
        raise DataError(
            f"The choice {unknown[0]!r} names no side.", "Write a or b in column choice."
        )
    return np.array([known[v] for v in values])[encoded.indices.to_numpy()]


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values in the order in which they appear, and each row's number."""
    encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
    labels = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return labels, encoded.indices.to_numpy().astype(np.int64)


def _attribute_names(table: pa.Table) -> list[str]:
    """NAME for each pair of number columns a_NAME and b_NAME."""
    kinds = dict(zip(table.column_names, table.schema.types, strict=True))
    numeric = {n for n, k in kinds.items() if pa.types.is_integer(k) or pa.types.is_floating(k)}
    names = [m[2] for n in table.column_names if (m := _ATTRIBUTE.fullmatch(n)) and m[1] == "a"]
    return [n for n in names if {f"a_{n}", f"b_{n}"} <= numeric]


def _equal(table: pa.Table, name: str) -> np.ndarray:
    return pc.equal(table[f"a_{name}"], table[f"b_{name}"]).fill_null(False).to_numpy()


def _items(table: pa.Table, names: list[str]) -> dict:
    """Distinct options (with their attributes, under their prompts) and the rows' codes."""
    n = table.num_rows
    options, code = _codes(pa.chunked_array(
        [*_text(table["option_a"]).chunks, *_text(table["option_b"]).chunks]
    ))  # fmt: skip
    parts = [code]
    prompts = q = None
    if "prompt" in table.column_names:
        prompts, q = _codes(pc.fill_null(_text(table["prompt"]), ""))
        parts.append(np.concatenate([q, q]))
    values = None
    if names:
        values = np.column_stack([
            np.concatenate([_numbers(table[f"{side}_{name}"]) for side in "ab"]) for name in names
        ])  # fmt: skip
        _, distinct = np.unique(values, axis=0, return_inverse=True)
        parts.append(distinct.ravel())
    _, first, index = np.unique(
        np.column_stack(parts), axis=0, return_index=True, return_inverse=True
    )
    index = index.ravel()
    return {
        "items": options[code[first]], "left": index[:n], "right": index[n:],
        "prompts": prompts, "q": q,
        "item_prompt": None if q is None else parts[1][first],
        "attributes": None if values is None else values[first],
    }  # fmt: skip


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    values = column.cast(pa.float64()).to_numpy()
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"An attribute is missing in row {row}.", "Fill it in, or drop the row.")
    return values


def _probability(table: pa.Table) -> np.ndarray | None:
    if "probability" not in table.column_names:
        return None
    values = table["probability"].cast(pa.float64()).to_numpy()
    return (
        values
        if np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()
        else None
    )


def _covariates(table: pa.Table, u: np.ndarray, persons: int, names: list[str]) -> dict:
    """Columns that do not vary within a person, one value each."""
    attributes = {f"{side}_{name}" for side in "ab" for name in names}
    out = {}
    first = np.full(persons, -1)
    first[u[::-1]] = np.arange(len(u))[::-1]
    for name in table.column_names:
        if name in _KNOWN | attributes:
            continue
        labels, code = _codes(table[name])
        if (code == code[first][u]).all() and len(labels) > 1:
            out[name] = labels[code[first]]
    return out
