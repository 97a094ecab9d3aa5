"""One prompt token by token; depth against difficulty; one model's layers mapped to another's."""

import streamlit as st

import ui
from backend import figures

MAP_ROWS = 1024
PROMPT, ANSWER = "5 + 7 + 5 + 3 + 1 + 7 =", " 28"


def prompt_tab(bench) -> None:
    """Until which layer each token matters, and what each layer owes to it."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    text = left.text_input(
        "Prompt", PROMPT, key="prompt", bind="query-params", max_chars=400,
        help="Short prompts, up to about 40 tokens.",
    )  # fmt: skip
    answer = right.text_input(
        "Answer", ANSWER, key="answer", bind="query-params", max_chars=60,
        help="What should follow; empty: the model's own first choice.",
    )  # fmt: skip
    tokens = len(text) / 3 * bench.facts["blocks"] * (len(text) / 6 + 32)
    result = ui.answer(
        bench.request("maps", text=text or PROMPT, answer=answer), what="The maps of this prompt",
        auto=False, tokens=tokens,
    )  # fmt: skip
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    if note := result.scalars.get("note"):
        st.caption(str(note))
    one, two = st.columns(2, gap="medium")
    with one:
        ui.show(
            figures.erasure_map(result), key="erasure",
            alt="Change of the answer when a token's state is erased at a layer",
        )  # fmt: skip
    with two:
        ui.show(
            figures.attribution_map(result), key="attribution",
            alt="Integrated gradients of the answer's probability, layer by token",
        )  # fmt: skip
    ui.table(result.tables["erasure"], key="erasure-table")


def hops_tab(bench) -> None:
    """Whether harder questions are answered deeper."""
    data = st.selectbox(
        "Questions", _with_hops(), key="questions", bind="query-params",
        help="Data with the columns answer and hops; each prompt ends just before its answer.",
    )  # fmt: skip
    request = bench.request("hops", data=data)
    tokens = 60 * 16 * bench.facts["blocks"] * 0.6
    result = ui.answer(request, what="Depth against difficulty", auto=False, tokens=tokens)
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    if note := result.scalars.get("note"):
        st.caption(str(note))
    fig = figures.depth_scores(result)
    ui.show(fig, key="depth-scores", alt="Depth score by number of hops")
    ui.table(result.tables["scores"], key="hops-table")


def _with_hops() -> list[str]:
    """Demo sets made for it, and data of the user's that have the columns."""
    own = [d.hash for d in ui.workbench().datasets() if {"answer", "hops"} <= set(d.columns)]
    return list(dict.fromkeys(["demo:hops", "demo:sums", *own]))


def map_tab(bench) -> None:
    """Which layers of one model can be read off which layers of another, linearly."""
    models = [o.ref for o in ui.workbench().offers("model") if o.kind in ("", "text")]
    left, right = st.columns(2)
    other = left.selectbox(
        "Onto", ["itself", *models], key="onto", bind="query-params",
        help="A second model on the same rows. itself: the untouched model, a check.",
    )  # fmt: skip
    texts = [o.ref for o in ui.workbench().offers("data") if o.kind == "text"]
    data = right.selectbox(
        "Rows of", texts, index=texts.index("demo:facts"), key="rows-of", bind="query-params",
        help=f"Texts whose pooled states are mapped; {MAP_ROWS} of them.",
    )  # fmt: skip
    onto = bench.model if other == "itself" else other
    request = bench.request("layer_map", other=onto, data=data, rows=MAP_ROWS)
    result = ui.answer(request, what=f"{bench.model} onto {other}", auto=False)
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    fig = figures.layer_map(result).update_layout(height=ui.HERO_HEIGHT)
    ui.show(fig, key="layer-map", alt=result.reading)
    ui.table(result.tables["map"], key="layer-map-table")
