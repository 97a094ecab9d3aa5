"""Whose weight decay matters: five variants of a training, with seeds."""

import streamlit as st

import ui
from backend import RunRequest, figures


def study_tab(bench) -> None:
    """The weight-decay study of the first chosen training; it trains what is missing."""
    there = ui.runs()
    folders = [f for f in st.session_state.get("trained") or [] if f in there]
    if not folders:
        st.info("Look at a training done here; the study varies its weight decay.",
                icon=":material/lightbulb:")  # fmt: skip
        return
    run = there[folders[0]]
    st.caption(f"Varied: {ui.training_title(run)}")
    seeds = st.segmented_control("Trainings of each variant", (1, 3, 5), default=3, key="seeds",
                                 required=True, bind="query-params")  # fmt: skip
    asked = RunRequest("decay_study", folders[0], ui.training_data(run), seed=bench.seed,
                       parameters={"seeds": int(seeds or 3)})  # fmt: skip
    each = sum(h["seconds"] for h in run["history"])
    found = ui.answer(asked, what=f"Weight decay study ({5 * int(seeds or 3)} trainings)",
                      auto=False, work=each * 5 * int(seeds or 3))  # fmt: skip
    if found is None:
        return
    st.markdown(f"**{found.reading}**")
    if note := found.scalars.get("note"):
        st.caption(f":material/info: {note}")
    ui.show(figures.collapse_study(found), key="study", alt=found.reading)
    ui.table(found.tables["ends"], key="ends-table", height=240)
    ui.claims(ui.workbench().claims([found]))
    ui.provenance(found, figures.collapse_study(found), name="decay_study")
