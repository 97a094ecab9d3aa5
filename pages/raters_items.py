"""Items with their debiased scores and every label; criteria with their curves."""

import pyarrow.compute as pc
import streamlit as st

import ui
from backend import figures


def items_tab(bench, result) -> None:
    """Scores with intervals, raw against debiased, and one item with all its labels."""
    one, two = st.columns(2, gap="medium")
    with one:
        by = st.segmented_control(
            "Show", ("measure", "shift"), default="measure", key="items-by", required=True,
            bind="query-params", help="measure: lowest and highest; shift: those that taking "
            "severity out moved most.",
        )  # fmt: skip
        ui.show(figures.item_scores(result, by=by or "measure"), key="item-scores",
                alt="Items' scores with 95 % intervals")  # fmt: skip
    with two:
        ui.level_with_slider()
        ui.show(figures.raw_against_measure(result), key="raw-measure",
                alt="Raw mean rating against the debiased measure")  # fmt: skip
    _item(bench, result)
    ui.table(result.tables["items"], key="items-table")


def _item(bench, result) -> None:
    """One item: its score, how severity moved it, every rater's labels; its text on demand."""
    items = result.tables["items"]
    names = [str(n) for n in items["item"].to_pylist()]
    ui.forget("item", names)
    name = st.selectbox("Item", names, index=None, key="item", bind="query-params",
                        placeholder="pick one to see its labels")  # fmt: skip
    if not name or bench.dataset is None:
        return
    row = items.slice(names.index(name), 1).to_pylist()[0]
    st.caption(
        f"score {row['measure']:.2f} ({row['low']:.2f} to {row['high']:.2f}) logits; with all "
        f"raters alike {row['raw_measure']:.2f}; {row['n']} ratings"
        + ("; all lowest or all highest, so its place is a convention" if row["extreme"] else "")
    )
    table = bench.dataset.table()
    column = "item" if "item" in table.column_names else "comment_id"
    mine = table.filter(pc.equal(table[column].cast("string"), name)).slice(0, 500)  # type: ignore[attr-defined]
    if "text" in mine.column_names:
        if st.toggle("Show the text", key="show-text", help="It may offend, so it is hidden."):
            st.text(str(mine["text"][0].as_py()))
        mine = mine.drop_columns(["text"])
    st.dataframe(mine, hide_index=True, key="labels", height=260)


def criteria_tab(result) -> None:
    """Category probabilities and expected scores of a criterion; thresholds and their order."""
    names = [str(n) for n in result.tables["criteria"]["criterion"].to_pylist()]
    ui.forget("criterion", names)
    name = st.selectbox("Criterion", names, key="criterion", bind="query-params")
    ui.show(figures.criterion_curves(result, name), key="curves",
            alt=f"Category probabilities and expected score of {name}")  # fmt: skip
    thresholds = result.tables["thresholds"]
    bad = thresholds.filter(thresholds["disordered"])
    if bad.num_rows:
        which = ", ".join(f"{r['criterion']} step {r['step']}" for r in bad.to_pylist()[:8])
        st.caption(
            f":material/warning: Disordered thresholds: {which}. A category there is never the "
            "likeliest: merge it under *How it is measured*, and compare."
        )
    ui.table(result.tables["criteria"], key="criteria-table", height=220)
    ui.table(thresholds, key="thresholds-table", height=260)
    ui.table(result.tables["scores"], key="scores-table", height=220)
