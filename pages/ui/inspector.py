"""The cloud that can be lassoed, and the panel that says who was selected."""

from collections.abc import Sequence

import streamlit as st

from backend import UserError
from ui.bench import Bench
from ui.drawing import HERO_HEIGHT, legend_below, show
from ui.opening import workbench
from ui.points import cloud_figure
from ui.selecting import SHOWN, select, selection, selection_bar

GALLERY = 24  # selected pictures at once
NEIGHBOURS = 8
TEXT_MOST = 600  # characters of a row that go to the lens


def cloud(bench: Bench, projection, site: str, colour: str | None, *, key: str) -> None:
    """Draw a layer's points; what is lassoed here is selected everywhere."""
    fig = cloud_figure(bench, projection, site, colour)
    if fig is None:
        st.info("None of the sampled rows passes the row filter.", icon=":material/filter_alt:")
        return
    show(
        legend_below(fig).update_layout(height=HERO_HEIGHT),
        key=key,
        select=lambda: _take_selection(key, bench.data),
        alt=f"{bench.model} at {site}: {projection.reading}",
    )


def _take_selection(key: str, data: str) -> None:
    """Remember which rows were lassoed; a double click lets go of them."""
    points = st.session_state[key].selection.points
    select([int(_row_of(p)) for p in points if _row_of(p) is not None], data)


def _row_of(point: dict):
    data = point.get("customdata")
    return data[0] if isinstance(data, list | tuple) else data


def inspector(bench: Bench, sites: Sequence[str]) -> None:
    """The selected rows: what they are, and who their neighbours are at each of some sites."""
    rows = selection(bench.data)
    selection_bar(bench, rows)
    if not rows:
        return
    chosen = workbench().rows(bench.data, rows[:SHOWN])
    event = st.dataframe(
        chosen,
        hide_index=True,
        key="inspected",
        height=240 if len(rows) > 6 else "auto",
        on_select="rerun",
        selection_mode="single-row-required",
    )
    picked = [i for i in event.selection.rows if i < len(chosen)]  # type: ignore[attr-defined]
    row = int(chosen["row"][picked[0] if picked else 0].as_py())
    _media(bench, row, rows)
    _lens_button(bench, row)
    for column, site in zip(st.columns(len(sites)), sites, strict=True):
        with column, st.container(key=f"near-{site}"):
            _neighbours(bench, row, site)


def _lens_button(bench: Bench, row: int) -> None:
    """Take one row's text to the logit lens; only for models that predict tokens."""
    dataset = bench.dataset
    if dataset.kind != "text" or not (bench.facts and bench.facts["decoder"]):  # type: ignore[union-attr]
        return
    text = str(workbench().rows(bench.data, [row])[dataset.text_column][0].as_py())  # type: ignore[union-attr]
    if st.button(
        f"Logit lens of row {row}",
        key="lens-of-row",
        icon=":material/visibility:",
        on_click=_open_lens,
        args=(text[:TEXT_MOST],),
    ):
        st.rerun()


def _open_lens(text: str) -> None:
    st.session_state["text"] = text
    st.session_state["tab"] = "Logit lens"


def _neighbours(bench: Bench, row: int, site: str) -> None:
    """The nearest rows at one site, as pictures or as a table."""
    found = workbench()
    st.markdown(f"Nearest to row {row} at `{site}`")
    try:
        near = found.neighbours(bench.ask, site, row, k=NEIGHBOURS)
    except UserError as error:
        st.caption(str(error))
        return
    ids, scores = near["row"].to_pylist(), near["score"].to_pylist()
    if bench.dataset.kind == "image":  # type: ignore[union-attr]
        captions = [f"{s:.3f} · row {i}" for i, s in zip(ids, scores, strict=True)]
        st.image([found.media(bench.data, i) for i in ids], width=92, caption=captions)
        return
    shown = found.rows(bench.data, ids).add_column(0, "cosine", near["score"])
    means = "Cosine of the two vectors at this layer: 1 is the same direction."
    st.dataframe(
        shown,
        hide_index=True,
        key=f"near:{site}",
        column_config={"cosine": st.column_config.NumberColumn(format="%.3f", help=means)},
    )


def _media(bench: Bench, row: int, rows: Sequence[int]) -> None:
    """The selected pictures, or one row's sound."""
    found, kind = workbench(), bench.dataset.kind  # type: ignore[union-attr]
    if kind == "image":
        shown = list(rows[:GALLERY])
        pictures = [found.media(bench.data, i) for i in shown]
        st.image(pictures, width=72, caption=[f"row {i}" for i in shown])
        if len(rows) > GALLERY:
            st.caption(f"The first {GALLERY} of {len(rows):,} pictures.")
    elif kind == "audio":
        st.audio(found.media(bench.data, row), alt=f"row {row}")
