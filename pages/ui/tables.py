"""The tables behind figures: what their columns mean, and how many digits are shown."""

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

_THREE = "%.3g"
_INTERVAL = "95 % interval over resampled rows: "
COLUMNS: dict[str, tuple[str, str]] = {  # column: (meaning, number format)
    "site": ("Where in the model the vectors were read.", ""),
    "layer_a": ("The layer of the map's row.", ""),
    "layer_b": ("The layer of the map's column.", ""),
    "index_a": ("Place of layer_a in depth, from 0.", "%d"),
    "index_b": ("Place of layer_b in depth, from 0.", "%d"),
    "index": ("Place in depth, from 0.", "%d"),
    "cka": (
        "Debiased linear centred kernel alignment: 0 where two layers arrange the rows in "
        "unrelated ways, 1 where they differ by rotation and scale only.",
        "%.3f",
    ),
    "low": (_INTERVAL + "lower end of CKA.", "%.3f"),
    "high": (_INTERVAL + "upper end of CKA.", "%.3f"),
    "null": ("CKA that 95 % of shuffled row orders stay below.", "%.3f"),
    "mknn": ("Share of a row's 10 nearest neighbours (cosine) that both layers agree on.", "%.3f"),
    "mknn_low": (_INTERVAL + "lower end of the overlap.", "%.3f"),
    "mknn_high": (_INTERVAL + "upper end of the overlap.", "%.3f"),
    "trustworthiness": (
        "How far neighbours in the picture are neighbours in the layer too: 1 is all, "
        "about 0.5 is chance.",
        "%.3f",
    ),
    "trust_low": (_INTERVAL + "lower end of trustworthiness.", "%.3f"),
    "trust_high": (_INTERVAL + "upper end of trustworthiness.", "%.3f"),
    "explained_x": ("Share of the layer's variance on the first axis (PCA only).", "%.3f"),
    "explained_y": ("Share of the layer's variance on the second axis (PCA only).", "%.3f"),
    "spread": ("Root mean square distance of the points from their centre.", _THREE),
    "norm_mean": ("Mean length of the vectors (Euclidean).", _THREE),
    "effective_rank": (
        "Exponential of the entropy of the covariance's eigenvalues: how many directions are used.",
        _THREE,
    ),
    "participation_ratio": ("Squared sum over sum of squares of the eigenvalues.", _THREE),
    "intrinsic_dimension": (
        "Two-nearest-neighbour estimate: on a surface of how many dimensions the rows lie.",
        _THREE,
    ),
    "duplicates": ("Rows that repeat another; left out of the intrinsic dimension.", "%d"),
    "anisotropy": (
        "Mean cosine of two different rows: 0 where directions are spread out, 1 where all agree.",
        "%.3f",
    ),
    "probe": ("Held-out score of a linear probe for the chosen column.", "%.3f"),
    "probe_control": ("The same probe with shuffled labels.", "%.3f"),
    "probe_majority": ("Score of always saying the commonest value.", "%.3f"),
    "row": ("Row of the data set, from 0; -1 is the text that was typed.", "%d"),
    "position": ("Place of the token in the text, from 0.", "%d"),
    "token_in": ("The token that the model reads here.", ""),
    "layer": ("0 is the embedding, i + 1 the stream after block i, the last the output.", "%d"),
    "rank": ("1 is the layer's first choice.", "%d"),
    "token": ("What the layer would say next.", ""),
    "probability": ("Probability of that token, 0 to 1.", "%.3g"),
}


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
        column_config=_columns_of(data.column_names),
    )


def _columns_of(names: list[str]) -> dict:
    """Streamlit's description of those columns that are known here."""
    out = {}
    for name in names:
        if name in COLUMNS:
            meaning, form = COLUMNS[name]
            kind = st.column_config.NumberColumn if form else st.column_config.Column
            out[name] = kind(help=meaning, **({"format": form} if form else {}))
        elif name.endswith(("_low", "_high")):
            end = "lower" if name.endswith("_low") else "upper"
            out[name] = st.column_config.NumberColumn(help=f"{_INTERVAL}{end} end.", format=_THREE)
    return out
