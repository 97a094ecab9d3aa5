"""One feature: where it becomes readable, what excites it, what it counts for; and all at once."""

from pathlib import PurePath

import pyarrow.compute as pc
import streamlit as st

import ui
from backend import figures

PICTURES = 24
LETTERS = 18  # of a caption below a picture


def feature_tab(bench, result, feature: int) -> None:
    """The selected feature's profile over layers, its top rows, and its classes."""
    table = result.tables["features"]
    numbers = [int(n) for n in table.sort_by("complexity")["feature"].to_pylist()]
    if st.session_state.get("feature") not in numbers:
        st.session_state["feature"] = feature
    st.selectbox("Feature", numbers, key="feature", bind="query-params",
                 help="Simplest first; or click a point above.")  # fmt: skip
    row = table.filter(pc.equal(table["feature"], feature)).to_pylist()[0]  # type: ignore[attr-defined]
    left, right = st.columns(2, gap="medium")
    with left:
        ui.show(figures.feature_profile(result, feature), key="profile",
                alt=f"Share of feature {feature} that each layer tells")  # fmt: skip
        st.caption(_told(row))
        if "contributions" in result.tables:
            mine = result.tables["contributions"]
            ui.table(mine.filter(pc.equal(mine["feature"], feature)), key="classes", height=200)  # type: ignore[attr-defined]
    with right:
        _top(bench, result, feature)


def _told(row: dict) -> str:
    """A feature's numbers in one line."""
    ends = f"{row['complexity_low']:.2f} to {row['complexity_high']:.2f}"
    parts = [f"complexity {row['complexity']:.2f} ({ends})", f"active on {row['frequency']:.0%}"]
    if row.get("importance") is not None:
        parts.append(f"importance {row['importance']:.3g}")
    if row.get("origin"):
        parts.append(f"learned on {row['origin']}")
    if row["n_active"] < 30:
        parts.append("fewer than 30 active rows: uncertain")
    return "; ".join(parts)


def _top(bench, result, feature: int) -> None:
    """The rows that excite the feature most: pictures, sounds or texts."""
    if "top" not in result.tables or bench.dataset is None:
        return
    top = result.tables["top"]
    mine = top.filter(pc.equal(top["feature"], feature)).sort_by("rank")  # type: ignore[attr-defined]
    rows, values = mine["row"].to_pylist()[:PICTURES], mine["value"].to_pylist()
    st.markdown("**What excites it most**")
    found = ui.workbench()
    if bench.dataset.kind == "image":
        pictures = [found.media(bench.data, int(row)) for row in rows]
        whence = _whence(found.rows(bench.data, [int(row) for row in rows]))
        said = [f"{v:.2f}" for v in values[: len(rows)]]
        st.image(pictures, width=84, caption=[f"{v} {w}".strip() for v, w in
                                              zip(said, whence, strict=True)])  # fmt: skip
        return
    if bench.dataset.kind == "audio":
        for row in rows[:6]:
            st.audio(found.media(bench.data, int(row)), alt=f"row {row}")
        return
    if bench.dataset.kind == "arrays":  # their rows are numbers only
        ui.table(mine, key="top-rows", height=420)
        return
    shown = found.rows(bench.data, [int(r) for r in rows])
    st.dataframe(shown.add_column(0, "value", mine["value"].slice(0, len(rows))),
                 hide_index=True, key="top-rows", height=420)  # fmt: skip


def _whence(rows) -> list[str]:
    """Where each picture comes from, in a few letters: its label, else the name of its file."""
    names = [""] * len(rows)
    for column in ("file", "label"):
        if column in rows.column_names:
            told = [str(v if v is not None else "") for v in rows[column].to_pylist()]
            told = [PurePath(v).stem if column == "file" else v for v in told]
            names = [new or old for new, old in zip(told, names, strict=True)]
    return [n if len(n) <= LETTERS else f"{n[: LETTERS - 1]}…" for n in names]


def heat_tab(result) -> None:
    """Every feature by every layer, and the tables behind it."""
    by = st.segmented_control("Sorted by", ("complexity", "importance", "feature"),
                              default="complexity", key="heat-by", required=True,
                              bind="query-params")  # fmt: skip
    ui.show(figures.feature_heat(result, by=by or "complexity"), key="heat",
            alt="Share of each feature that each layer tells")  # fmt: skip
    ui.table(result.tables["features"].drop_columns(["x", "y"]), key="features-table")
    read = result.tables["readability"].rename_columns({"layer": "site"})
    ui.table(read, key="readability-table")
