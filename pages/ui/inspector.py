"""The cloud that can be lassoed, and the panel that says who was selected."""

from collections.abc import Sequence

import streamlit as st

from ui.bench import Bench
from ui.drawing import show
from ui.opening import guarded, workbench
from ui.points import cloud_figure


def cloud(bench_: Bench, projection, site: str, colour: str | None, *, key: str) -> None:
    """Draw a layer's points; what is lassoed here is selected everywhere."""
    fig = cloud_figure(bench_, projection, site, colour)
    st.session_state["cloud-data"] = bench_.data
    show(
        fig,
        key=key,
        select=lambda: _take_selection(key),
        alt=f"{bench_.model} at {site}: {projection.reading}",
    )


def _take_selection(key: str) -> None:
    """Remember which rows were lassoed; an empty lasso lets go of them."""
    points = st.session_state[key].selection.points
    rows = [int(_row_of(p)) for p in points if _row_of(p) is not None]
    st.session_state["selected"] = sorted(set(rows))


def _row_of(point: dict):
    data = point.get("customdata")
    return data[0] if isinstance(data, list | tuple) else data


def inspector(bench_: Bench, rows: Sequence[int], sites: Sequence[str]) -> None:
    """The selected rows: what they are, and who their neighbours are at each of some sites."""
    found = workbench()
    dataset = found.dataset(bench_.data)
    if dataset is None or not len(rows):
        st.caption("Draw a lasso around points, or click one, to see who they are.")
        return
    count, clear = st.columns([6, 1], vertical_alignment="center")
    count.markdown(f"**{len(rows):,} selected**")
    if clear.button("Clear", key="clear", icon=":material/deselect:"):
        st.session_state["selected"] = []
        st.rerun(scope="fragment")
    chosen = found.rows(bench_.data, list(rows)[:200])
    event = st.dataframe(
        chosen,
        hide_index=True,
        key="inspected",
        height=240,
        on_select="rerun",
        selection_mode="single-row-required",
    )
    picked = event.selection.rows[0] if event.selection.rows else 0  # type: ignore[attr-defined]
    row = int(chosen["row"][picked].as_py())
    media(bench_.data, dataset, row)
    for column, site in zip(st.columns(len(sites)), sites, strict=True):
        with column:
            neighbours(bench_, dataset, row, site)


def neighbours(bench_: Bench, dataset, row: int, site: str) -> None:
    """The nearest rows at one site, as pictures or as a table."""
    found = workbench()
    st.markdown(f"Nearest to row {row} at `{site}` (cosine)")
    near = guarded(found.neighbours, bench_.ask, site, row, k=8)
    ids, scores = near["row"].to_pylist(), near["score"].to_pylist()  # type: ignore[index]
    if dataset.kind == "image":
        captions = [f"{s:.3f} · row {i}" for i, s in zip(ids, scores, strict=True)]
        st.image([found.media(bench_.data, i) for i in ids], width=92, caption=captions)
        return
    names = found.rows(bench_.data, ids)
    shown = names.drop_columns(["row"]).add_column(0, "cosine", near["score"])  # type: ignore[index]
    st.dataframe(
        shown,
        hide_index=True,
        key=f"near:{site}",
        column_config={"cosine": st.column_config.NumberColumn(format="%.3f")},
    )


def media(data: str, dataset, row: int) -> None:
    """One row's picture or sound."""
    if dataset.kind == "image":
        st.image(workbench().media(data, row), width=240, caption=f"row {row}")
    elif dataset.kind == "audio":
        st.audio(workbench().media(data, row), alt=f"row {row}")
