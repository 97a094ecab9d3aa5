"""How many rows are looked at, and how the positions of each become one vector."""

import streamlit as st

from ui.filtering import forget

ROWS = ("256", "512", "1024", "2048", "5000", "10000", "20000", "all")
_POOLINGS = {
    "text": ("auto", "last", "mean", "max", "cls"),
    "image": ("auto", "mean", "max", "cls"),
    "audio": ("auto", "mean", "max", "last"),
}


def sampling(facts: dict | None) -> tuple[str, int]:
    """Pooling ("" is the model's own) and number of rows (0 is all)."""
    left, right = st.columns(2)
    poolings = _POOLINGS[facts["modality"] if facts else "text"]
    forget("pooling", list(poolings))
    own = f" (here: {facts['pooling']})" if facts else ""
    pooling = left.selectbox(
        "Pooling",
        poolings,
        key="pooling",
        bind="query-params",
        help="How the positions of a text, picture or sound become one vector; "
        f"auto: what suits the model{own}.",
    )
    rows = right.selectbox(
        "Rows",
        ROWS,
        index=1,
        key="rows",
        bind="query-params",
        help="A uniform sample of so many rows; more rows reuse what is captured.",
    )
    return "" if pooling == "auto" else pooling, 0 if rows == "all" else int(rows)
