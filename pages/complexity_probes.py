"""What a richer probe reads of features, and whether the same features are found again."""

import streamlit as st

import ui
from backend import figures

LEARNED = ("nmf", "nmf-per-class", "kmeans", "sparse")  # dictionaries with a random start


def probes_tab(result) -> None:
    """The ladder of probes, then the stability over the dictionary's random starts."""
    st.markdown("##### What a small net reads beyond a linear probe")
    _ladder(result)
    st.markdown("##### Are the same features found again?")
    _stability(result)


def _ladder(result) -> None:
    if "ladder" not in result.tables:
        st.info("Not measured: above, under *How features are found and read*, set *Small nets on* "
                "to 8 features or more.", icon=":material/lightbulb:")  # fmt: skip
        return
    if said := result.scalars.get("ladder_reading"):
        st.markdown(said)
    table = result.tables["ladder"]
    tried = sorted(set(table["feature"].to_pylist()))
    ui.forget("ladder-feature", tried)
    which = st.selectbox(
        "Features", [None, *tried], key="ladder-feature",
        format_func=lambda one: "all that were tried" if one is None else f"feature {one}",
    )  # fmt: skip
    ui.show(figures.feature_ladder(result, feature=which), key="ladder-lines",
            alt="What a linear probe and a small net read at each layer")  # fmt: skip
    st.caption("One hidden layer of 32 units on top of the linear probe, which it must beat on "
               "rows of its own; both are scored on held-out rows.")  # fmt: skip
    ui.table(table.rename_columns({"layer": "site", "probe": "read by"}), key="ladder-table",
             height=240)  # fmt: skip


def _stability(result) -> None:
    if "stability" not in result.tables:
        kind = result.scalars["dictionary"]
        said = ("Not measured: above, under *How features are found and read*, set *Learned again* "
                "to 3 random starts.")  # fmt: skip
        if kind not in LEARNED:
            said = (f"Features of the kind *{kind}* are not learned from a random start, so there "
                    f"is nothing to repeat. Those of {', '.join(LEARNED)} are.")  # fmt: skip
        st.info(said, icon=":material/lightbulb:")
        return
    st.markdown(result.scalars["stability_reading"])
    ui.show(figures.feature_scatter(result, y="stability", colour=""), key="stability-scatter",
            alt="Complexity against stability over random starts")  # fmt: skip
    st.caption("The map can be coloured by stability too.")
    ui.table(result.tables["stability"], key="stability-table", height=240)
