"""What is learned from debiased scores: taste apart from harshness, and scores from a layer."""

from dataclasses import replace

import streamlit as st

import ui
from backend import figures


def harshness_tab(bench) -> None:
    """How much of the raters' heterogeneity is left when severity is taken out."""
    k = st.segmented_control("Tastes", (2, 3, 4), default=2, key="harsh-k", required=True,
                             bind="query-params")  # fmt: skip
    held = st.session_state
    asked = bench.request("harshness", k=int(k or 2), levels=held.get("levels") or "",
                          collapse=held.get("collapse") or "")  # fmt: skip
    n = bench.dataset.n_rows if bench.dataset else 0
    found = ui.answer(asked, what="Taste apart from harshness", auto=False, work=4e-3 * n)
    if found is None:
        return
    st.markdown(f"**{found.reading}**")
    ui.show(figures.harshness_steps(found), key="harsh-steps", alt=found.reading)
    one, two = st.columns(2)
    with one:
        ui.table(found.tables["steps"], key="steps-table")
    with two:
        ui.table(found.tables["raters"], key="harsh-raters-table")
    ui.table(found.tables["items"], key="harsh-items-table", height=220)
    ui.claims(ui.workbench().claims([found]))


def layer_tab(bench) -> None:
    """Predict the debiased score from a model's layer, by criteria and directly."""
    workbench = ui.workbench()
    one, two, three = st.columns(3, vertical_alignment="bottom")
    with one:
        model = ui.pick("Model", workbench.offers("model"), key="model", default="demo:minilm",
                        help="It reads the items' texts.")  # fmt: skip
    loss = two.selectbox("Loss", ("ordinal", "softmax"), key="rated-loss", bind="query-params",
                         help="ordinal: cumulative, one weight vector per criterion.")  # fmt: skip
    severity = three.toggle("Tell the head each rater's severity", True, key="rated-severity",
                            bind="query-params")  # fmt: skip
    held = st.session_state
    asked = replace(bench, model=model).request(
        "rated_texts", loss=loss, severity=severity, levels=held.get("levels") or "",
        collapse=held.get("collapse") or "",
    )  # fmt: skip
    found = ui.answer(asked, what="Scores from a layer", auto=False)
    if found is None:
        return
    st.markdown(f"**{found.reading}**")
    if note := found.scalars.get("note"):
        st.caption(f":material/info: {note}")
    left, right = st.columns(2, gap="medium")
    with left:
        ui.show(figures.rated_scores(found), key="rated", alt=found.reading)
    with right:
        ui.show(figures.rated_layers(found), key="rated-layers", alt="Agreement at every layer")
    _one(found)
    ui.table(found.tables["methods"], key="methods-table", height=220)
    ui.claims(workbench.claims([found]))
    ui.provenance(found, figures.rated_scores(found), name="rated_texts")


def _one(found) -> None:
    """One prediction explained by its criteria."""
    names = list(dict.fromkeys(str(n) for n in found.tables["components"]["item"].to_pylist()))
    ui.forget("rated-item", names)
    left, right = st.columns(2, gap="medium")
    with left:
        item = st.selectbox("Explain the prediction of", names, key="rated-item",
                            bind="query-params")  # fmt: skip
        if item:
            ui.show(figures.rated_components(found, item), key="components",
                    alt=f"What each criterion adds to the score of {item}")  # fmt: skip
    with right:
        ui.level_with_slider()
        ui.show(figures.rated_calibration(found), key="rated-calibration",
                alt="Observed against predicted ratings")  # fmt: skip


def export_tab(result) -> None:
    """A file for Facets, to be checked against it, and everything else that can be taken away."""
    st.download_button(
        "File for Facets (specification and data)",
        lambda: ui.workbench().facets_file(result), "ratings.facets.txt", "text/plain",
        key="facets-file", icon=":material/download:",
    )  # fmt: skip
    ui.provenance(result, figures.wright_map(result), name="raters")
