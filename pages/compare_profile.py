"""The tab *Profile* of *Compare layers*: one measure over depth."""

import streamlit as st

import ui
from backend import figures

MEASURES = {
    "probe": "Linear probe accuracy",
    "intrinsic_dimension": "Intrinsic dimension",
    "effective_rank": "Effective rank",
    "anisotropy": "Anisotropy",
    "norm": "Norm",
}


def profile_tab(bench) -> None:
    """One measure over depth, with its interval and control."""
    left, right = st.columns(2)
    measure = left.selectbox(
        "Measure",
        list(MEASURES),
        key="profile",
        bind="query-params",
        help="; ".join(f"{k}: {v}" for k, v in MEASURES.items()) + ". Hover over the table's "
        "heads for what each one means.",
    )
    columns = ["best", *(c for c in bench.dataset.columns if c != bench.dataset.text_column)]
    ui.forget("probe", columns)
    column = right.selectbox(
        "Probe for",
        columns,
        key="probe",
        bind="query-params",
        help="best: the column that can be told apart best. A ridge classifier, cross-validated; "
        "the control repeats it with shuffled labels.",
    )
    wanted = "" if column == "best" else column
    result = ui.answer(bench.request("profile", column=wanted), what="The profile of the layers")
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    fig = figures.profile_lines(result, measure)
    if bench.whatif:
        request = bench.request("profile", column=wanted, whatif="")
        if base := ui.answer(request, what="The profile of the model as it is"):
            fig = figures.profile_lines(base, measure, whatif=result)
    ui.show(fig, key="profile-lines", alt=f"{MEASURES[measure]} over depth")
    ui.table(result.tables["profile"], key="profile-table")
