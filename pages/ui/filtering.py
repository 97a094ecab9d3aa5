"""The bench's row filter: a column and the values that are drawn, both in the URL."""

from dataclasses import dataclass

import streamlit as st

from backend import Filter
from ui.opening import guarded, workbench

MOST = 200  # values that can be picked from


@dataclass(frozen=True)
class RowFilter:
    """Rows with one of these values in this column; without a column, all rows."""

    column: str = ""
    values: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.column and self.values)


@st.cache_resource(show_spinner=False, max_entries=64)
def values_of(hash: str, column: str) -> list[tuple]:
    """A column's values with their counts, the commonest first; asked for once."""
    return workbench().values(hash, column)


@st.cache_resource(show_spinner=False, max_entries=64)
def rows_of(hash: str, chosen: RowFilter) -> frozenset[int]:
    """The rows of a data set that pass."""
    known = {str(v): v for v, _ in values_of(hash, chosen.column)}
    wanted = [known[v] for v in chosen.values if v in known]
    rows: set[int] = set()
    if given := [v for v in wanted if v is not None]:
        rows |= set(_select(hash, Filter(chosen.column, "in", given)))
    if None in wanted:
        rows |= set(_select(hash, Filter(chosen.column, "is null")))
    return frozenset(rows)


def _select(hash: str, one: Filter) -> list[int]:
    return guarded(workbench().select, hash, [one]).tolist()  # type: ignore[attr-defined]


def row_filter(dataset) -> RowFilter:
    """Column and values, in the sidebar; nothing before the data are known."""
    columns = [c for c in dataset.columns if c != dataset.text_column] if dataset else []
    if not columns:
        return RowFilter()
    column = st.selectbox(
        "Draw only rows where",
        ["", *columns],
        key="where",
        bind="query-params",
        format_func=lambda name: name or "all rows",
        help="Hides the other points. What is computed still rests on all sampled rows.",
    )
    if not column:
        return RowFilter()
    known = [str(v) for v, _ in values_of(dataset.hash, column)[:MOST]]
    forget("is", known)
    values = st.multiselect(
        f"{column} is",
        known,
        key="is",
        bind="query-params",
        placeholder="any value",
        help=f"The {len(known)} commonest values; none picked means all.",
    )
    chosen = RowFilter(column, tuple(values))
    if chosen:
        n = len(rows_of(dataset.hash, chosen))
        st.caption(f"{n:,} of {dataset.n_rows:,} rows pass.")
    return chosen


def forget(key: str, options: list[str]) -> None:
    """Drop what a widget still holds of choices that are no longer offered."""
    held = st.session_state.get(key)
    if isinstance(held, list):
        if any(v not in options for v in held):
            st.session_state[key] = [v for v in held if v in options]
    elif held is not None and held not in options:
        del st.session_state[key]
