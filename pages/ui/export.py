"""What a result rests on, the files of its figure, and the papers' findings beside it."""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import plotly.graph_objects as go
import streamlit as st

from backend import Workbench, figures
from ui.opening import workbench


def provenance(result, fig: go.Figure, *, name: str) -> None:
    """What the result rests on, and everything that can be taken away."""
    badge(result.provenance.get("oracle"))
    st.caption(figures.caption(result))
    page = address()
    fig.layout.meta = {**(fig.layout.meta or {}), "view": page}
    workbench().remember_view(result.key, page)
    _files(result, fig, name)
    st.markdown("**Link to this view**")
    st.code(page, language=None)
    st.markdown("**The same in Python**")
    st.code(figures.code(result), language="python")
    with st.expander("Provenance"):
        st.json(result.provenance)


def address() -> str:
    """The URL of this view, with everything that was chosen."""
    page = (st.context.url or "").partition("?")[0]
    chosen = [(k, v) for k in st.query_params for v in st.query_params.get_all(k)]
    return f"{page}?{urlencode(chosen)}" if chosen else page


def _files(result, fig: go.Figure, name: str) -> None:
    """One button for each file; what it holds is made on the click."""
    drawn = (
        ("SVG", "svg", "image/svg+xml", figures.to_svg),
        ("PNG", "png", "image/png", figures.to_png),
        ("PDF", "pdf", "application/pdf", figures.to_pdf),
        ("HTML", "html", "text/html", figures.to_html),
        ("Figure (JSON)", "json", "application/json", figures.to_json),
    )
    files = [
        (title, f"{name}.{kind}", mime, lambda make=make: _made(make, fig))
        for title, kind, mime, make in drawn
    ]
    files += [
        (f"{table}.csv", f"{table}.csv", "text/csv", lambda data=data: figures.to_csv(data))
        for table, data in result.tables.items()
    ]
    everything = "Everything (zip)", f"{name}.zip", "application/zip"
    files.append((*everything, lambda: _made(figures.bundle, result, fig)))
    columns = st.columns(4)
    for number, (title, file, mime, make) in enumerate(files):
        columns[number % 4].download_button(
            title,
            data=make,
            file_name=file,
            mime=mime,
            key=f"save:{file}",
            icon=":material/download:",
            width="stretch",
        )


def _made(make: Callable, *args: object) -> bytes:
    made = make(*args)
    return made.encode() if isinstance(made, str) else made


def badge(oracle: Sequence | None) -> None:
    """How the capture compared with the library's own forward pass."""
    for check in oracle or ():
        if not check or check["verdict"] == "not checked":
            st.badge("not checked against the plain forward pass", color="gray")
            continue
        colour = {"agrees": "green", "close": "orange", "differs": "red"}[check["verdict"]]
        same = f", same prediction in {check['top1']:.0%}" if check["top1"] is not None else ""
        st.badge(
            f"{check['verdict']} with the plain forward pass: largest difference "
            f"{check['largest']:.1e} of the site's size{same} ({check['rows']} rows)",
            icon=":material/verified:" if colour == "green" else ":material/warning:",
            color=colour,
        )


def claims(rows: Sequence[dict]) -> None:
    """What the papers found, and what is seen here."""
    if not rows:
        st.caption("No finding is measured by what is computed so far.")
    colours = {"agrees": "green", "differs": "orange"}
    for row in rows:
        verdict, finding, measured = st.columns([1, 4, 5])
        verdict.badge(row["verdict"], color=colours.get(row["verdict"], "gray"))
        finding.markdown(row["finding"])
        finding.caption(row["paper"])
        measured.markdown(row["measured"])
        measured.caption(
            f"{row['model']} on {row['data']}, n {row['n']:,}, {row['date']}, key {row['key']}"
        )


def reopened(found: Workbench, facts: dict) -> None:
    """A link to the view that a figure came from."""
    address = facts.get("view") or found.view_of_key(facts["key"])
    if not address:
        st.warning(
            f"This store has no view of result {facts['key'][:12]}; the figure came from "
            "another machine's store and holds no address."
        )
        return
    st.link_button("Open the view it came from", address, icon=":material/open_in_new:")
    st.json(facts, expanded=False)
