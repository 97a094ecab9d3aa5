"""The tab *Logit lens* of *Compare layers*: what the model would say at each layer of one text."""

import streamlit as st

import ui
from backend import figures

DEFAULT = "The capital of Italy is"


def lens_tab(bench) -> None:
    """Grid of first choices, the final answer's rank over depth, and the table behind them."""
    if bench.facts and not bench.facts["decoder"]:
        st.info(
            f"{bench.model} does not predict next tokens. Pick a language model, such as "
            "demo:smollm2, to read its logit lens."
        )
        return
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    text = left.text_input(
        "Text",
        DEFAULT,
        key="text",
        bind="query-params",
        max_chars=600,
        help="Any text of up to 600 characters; a selected row can be sent here from the panel "
        "above.",
    )
    colour = right.selectbox(
        "Colour by",
        ("probability", "rank", "entropy"),
        key="shade",
        bind="query-params",
        help="probability of the layer's first choice; rank of the token that really follows; "
        "entropy of the layer's prediction in nats.",
    )
    result = ui.answer(bench.request("lens", text=text or DEFAULT), what="The logit lens")
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    ui.show(
        figures.lens_grid(result, -1, colour=colour),
        key="lens-grid",
        alt="First choice of the model at every layer and position",
    )
    ui.show(
        figures.lens_ranks(result, -1), key="lens-ranks", alt="Rank of the final answer over depth"
    )
    ui.table(result.tables["lens"], key="lens-table")
