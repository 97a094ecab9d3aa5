"""What a result rests on, the files of its figure, and the papers' findings beside it."""

from collections.abc import Callable, Sequence

import plotly.graph_objects as go
import streamlit as st

from backend import Workbench, figures
from ui.opening import workbench


def provenance(result, fig: go.Figure, *, name: str) -> None:
    """What the result rests on, and everything that can be taken away."""
    facts = result.provenance
    badge(facts.get("oracle"))
    st.caption(figures.caption(result))
    left, middle, right = st.columns(3)
    page = st.context.url or ""
    if query := "&".join(f"{k}={v}" for k, v in st.query_params.items()):
        page = f"{page.partition('?')[0]}?{query}"
    fig.layout.meta = {**(fig.layout.meta or {}), "view": page}
    workbench().remember_view(result.key, page)
    for column, kind, mime, make in (
        (left, "svg", "image/svg+xml", figures.to_svg),
        (middle, "png", "image/png", figures.to_png),
        (right, "pdf", "application/pdf", figures.to_pdf),
    ):
        column.download_button(
            kind.upper(),
            data=lambda make=make: _made(make, fig),
            file_name=f"{name}.{kind}",
            mime=mime,
            key=f"{name}:{kind}",
            icon=":material/download:",
            width="stretch",
        )
    left.download_button(
        "HTML",
        data=lambda: figures.to_html(fig),
        file_name=f"{name}.html",
        mime="text/html",
        key=f"{name}:html",
        icon=":material/download:",
        width="stretch",
    )
    middle.download_button(
        "Everything (zip)",
        data=lambda: _made(figures.bundle, result, fig),
        file_name=f"{name}.zip",
        key=f"{name}:zip",
        icon=":material/folder_zip:",
        width="stretch",
    )
    for number, (title, data) in enumerate(result.tables.items()):
        (right, left, middle)[number % 3].download_button(
            f"{title}.csv",
            data=lambda data=data: figures.to_csv(data),
            mime="text/csv",
            file_name=f"{title}.csv",
            key=f"{name}:{title}",
            icon=":material/table:",
            width="stretch",
        )
    st.markdown("**Link to this view**")
    st.code(page, language=None)
    st.markdown("**The same in Python**")
    st.code(figures.code(result), language="python")
    with st.expander("Provenance"):
        st.json(facts)


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
