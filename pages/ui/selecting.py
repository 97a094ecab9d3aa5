"""Which rows are selected: kept for the session, in the URL where they are few, and undone."""

from collections.abc import Sequence

import streamlit as st

from backend import figures
from ui.opening import workbench

IN_URL_MOST = 100  # rows; a longer list would make a link that mail programs cut
_REMEMBERED = 20  # earlier selections
SHOWN = 200  # selected rows in the table


def selection(data: str) -> list[int]:
    """The selected rows of a data set, ascending; those of other data do not count."""
    kept = st.session_state.get("selection")
    if kept is None and (told := st.query_params.get("selected")):
        rows = [int(part) for part in told.split(".") if part.isdecimal()][:IN_URL_MOST]
        kept = st.session_state["selection"] = {"data": data, "rows": sorted(set(rows))}
    return kept["rows"] if kept and kept["data"] == data else []


def select(rows: Sequence[int], data: str) -> None:
    """Select these rows instead of those before, which can be brought back."""
    before = selection(data)
    rows = sorted(set(rows))
    if rows == before:  # an empty lasso: the chart is drawn anew without it
        _put(rows, data)
        return
    past = st.session_state.setdefault("selected-before", [])
    past.append((data, before))
    del past[:-_REMEMBERED]
    _put(rows, data)


def undo(data: str) -> None:
    """Go back to the selection before."""
    past = st.session_state.get("selected-before", [])
    if can_undo(data):
        _put(past.pop()[1], data)


def can_undo(data: str) -> bool:
    """Whether there was another selection of this data before."""
    past = st.session_state.get("selected-before", [])
    return bool(past) and past[-1][0] == data


def turn() -> int:
    """A number that changes with each selection, so that a chart lets go of its lasso."""
    return st.session_state.get("selection-turn", 0)


def _put(rows: list[int], data: str) -> None:
    st.session_state["selection"] = {"data": data, "rows": rows}
    st.session_state["selection-turn"] = turn() + 1
    if 0 < len(rows) <= IN_URL_MOST:
        st.query_params["selected"] = ".".join(map(str, rows))
    else:
        st.query_params.pop("selected", None)


def selection_bar(bench, rows: Sequence[int]) -> None:
    """How many are selected, and what can be done with the selection."""
    count, back, clear, save = st.columns([6, 1, 1, 1], vertical_alignment="center")
    if rows:
        first = f", the first {SHOWN} in the table" if len(rows) > SHOWN else ""
        of = bench.dataset.n_rows
        count.markdown(f"**{len(rows):,} selected** of {of:,} rows{first}")
    else:
        count.caption("Draw a lasso around points, or click one, to see who they are.")
    if can_undo(bench.data):
        back.button(
            "Undo",
            key="undo",
            icon=":material/undo:",
            help="Back to the selection before.",
            on_click=undo,
            args=(bench.data,),
        )
    if rows:
        clear.button(
            "Clear",
            key="clear",
            icon=":material/deselect:",
            help="Select nothing.",
            on_click=select,
            args=([], bench.data),
        )
        save.download_button(
            "csv",
            data=lambda: figures.to_csv(workbench().rows(bench.data, list(rows))),
            file_name="selected.csv",
            mime="text/csv",
            key="selected-csv",
            icon=":material/download:",
            help="The selected rows with their metadata.",
        )
