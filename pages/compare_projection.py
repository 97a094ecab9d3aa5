"""The projection in *Compare layers*: its film through depth, and how far to trust it."""

import streamlit as st

import ui


def film_tab(bench, projection) -> None:
    """The rows on their way through depth; plays in the browser, without the server."""
    st.caption(
        "Press play, or drag the slider below the picture: the points travel from layer to layer."
    )
    fig = ui.film_figure(bench, projection, st.session_state.get("colour"))
    fig.update_layout(height=680, legend_y=0.7)
    ui.show(fig, key="film", alt="The rows of the projection, travelling through the layers")


def quality_tab(projection) -> None:
    """How much of each layer's neighbourhoods the picture keeps."""
    st.markdown(projection.reading)
    ui.table(projection.tables["quality"], key="quality")
