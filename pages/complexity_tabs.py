"""What goes with complexity, how features flow, and what is left when some are taken out."""

import streamlit as st

import ui
from backend import figures


def measures_tab(result) -> None:
    """Clusters of features, and how complexity goes with each other measure."""
    ui.show(figures.feature_clusters(result), key="clusters",
            alt="Groups of features by mean complexity")  # fmt: skip
    ui.table(result.tables["correlations"], key="correlations-table", height=240)
    st.caption("Correlations over features; they say what goes together, not why.")


def flow_tab(result) -> None:
    """Simple and complex features along the skip and the main branch of each block."""
    if "flow" not in result.tables or not result.tables["flow"].num_rows:
        st.info("The model has no blocks with a skip and a main branch to tell apart.",
                icon=":material/lightbulb:")  # fmt: skip
        return
    share = st.slider("Simplest and most complex", 0.1, 0.5, 0.25, 0.05, key="flow-share",
                      help="Share of the features at each end.")  # fmt: skip
    measure = st.segmented_control("Measured by", ("v_information", "cka"), key="flow-by",
                                   default="v_information", required=True,
                                   bind="query-params")  # fmt: skip
    fig = figures.feature_flow(result, share=share, measure=measure or "v_information")
    ui.show(fig, key="flow", alt="Where features of each kind can be read, by branch")
    ui.table(result.tables["flow"], key="flow-table")


def ablation_tab(result) -> None:
    """Accuracy that is left when only some features are kept."""
    if "ablation" not in result.tables or not result.tables["ablation"].num_rows:
        st.info("That needs a model that names classes.", icon=":material/lightbulb:")
        return
    ui.show(figures.feature_ablation(result), key="ablation",
            alt="Relative accuracy against the share of features kept")  # fmt: skip
    ui.table(result.tables["ablation"], key="ablation-table")
