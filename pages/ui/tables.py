"""The tables behind figures: what their columns mean, and how many digits are shown."""

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from ui.columns import COLUMNS, INTERVAL, THREE


def table(data: pa.Table, *, key: str, height: int = 320) -> None:
    """The table behind a figure; each column says what it means, and no number is left blank."""
    for at, kind in enumerate(data.schema.types):
        if pa.types.is_floating(kind):
            numbers = pc.if_else(pc.is_nan(data.column(at)), pa.scalar(None, kind), data.column(at))
            data = data.set_column(at, data.column_names[at], numbers)
    st.dataframe(
        data,
        hide_index=True,
        key=key,
        height=height,
        column_config=_columns_of(data.schema),
    )


def _columns_of(schema: pa.Schema) -> dict:
    """Streamlit's description of those columns that are known here."""
    out = {}
    for name, told in zip(schema.names, schema.types, strict=True):
        if name in COLUMNS:
            meaning, form = COLUMNS[name]
            form = form if pa.types.is_integer(told) or pa.types.is_floating(told) else None
            kind = st.column_config.NumberColumn if form else st.column_config.Column
            out[name] = kind(help=meaning, **({"format": form} if form else {}))
        elif name.endswith(("_low", "_high")):
            end = "lower" if name.endswith("_low") else "upper"
            out[name] = st.column_config.NumberColumn(help=f"{INTERVAL}{end} end.", format=THREE)
    return out
