"""The tab *Bits*: importance scores beside measured sensitivity; and taking the result away."""

import json

import streamlit as st

import ui
from backend import WhatIf, figures

PROMPTS = 6
TOKENS = PROMPTS * 64
PAIRS = ("4 and 3", "8 and 4", "4 and 2", "3 and 2", "8 and 2")


def settings_row() -> None:
    """Widths and rounding; they hold for the sweep and for what a click on the strip sets.

    Drawn whatever tab is open: Streamlit forgets the choices of what is not drawn.
    """
    pair, group, levels, by = st.columns(4)
    pair.selectbox(
        "High and low bits", PAIRS, key="pair", bind="query-params",
        help="The important layers keep the first, the others get the second. To 2 bits, rounding "
        "destroys small models.",
    )  # fmt: skip
    group.selectbox(
        "Group", ("64", "32", "128", "0"), key="group", bind="query-params",
        help="Weights along the input that share a scale; 0: a whole row.",
    )  # fmt: skip
    levels.selectbox(
        "Levels", ("asymmetric", "symmetric"), key="levels", bind="query-params",
        help="asymmetric: from each group's smallest to largest weight; symmetric: around zero.",
    )  # fmt: skip
    by.selectbox(
        "Quantizer", ("rtn", "torchao"), key="quantizer", bind="query-params",
        help="rtn: the reference, round to nearest. torchao: that library's own kernels.",
    )  # fmt: skip


def bits_tab(bench, request) -> None:
    """LIM, ZD and what was measured, layer by layer; a slider that sets the least important."""
    result = ui.workbench().stored(request)
    if result is None:
        st.caption("Compute loss against bits above; the scores of all layers appear here.")
        return
    _preset(bench, result)
    ui.show(
        figures.layer_scores(result), key="layer-scores",
        alt="LIM, ZD and measured sensitivity of every layer",
    )  # fmt: skip
    one, two = st.columns(2, gap="medium")
    with one:
        score = st.segmented_control(
            "Score", ("lim", "lim_flattened", "zd", "zd_two_sided"), default="lim", key="score",
            required=True, bind="query-params",
            help="lim: minus the cosine of a layer's input and output, mean over tokens. zd: share "
            "of weights more than one standard deviation above the mean.",
        )  # fmt: skip
        fig = figures.score_scatter(result, x=score or "lim", y="sensitivity")
        ui.show(fig, key="score-scatter", alt="A score against measured sensitivity")
    with two:
        ui.level_with_slider()
        ui.show(
            figures.width_lines(result), key="width-lines",
            alt="What each layer costs at 8, 4, 3 and 2 bits, alone",
        )  # fmt: skip
    ui.table(result.tables["scores"], key="scores-table")


def _preset(bench, result) -> None:
    """Give the k least important layers fewer bits, by one of the orders."""
    names = sorted(set(result.tables["curve"]["order"].to_pylist()))
    names = [n for n in names if not n.startswith("random")]
    order, count, go = st.columns([2, 5, 2], vertical_alignment="bottom")
    ui.forget("order", names)
    by = order.selectbox(
        "Order", names, index=names.index("lim"), key="order", bind="query-params",
        help="Which layers count as least important; pruned takes them out instead.",
    )  # fmt: skip
    k = count.slider(
        f"Layers at {result.scalars['low']} bits", 0, result.scalars["blocks"],
        result.scalars["blocks"] // 3, key="low-layers", bind="query-params",
        help="The rest get the higher width.",
    )  # fmt: skip
    go.button(
        "Set on the strip", key="preset", icon=":material/tune:", on_click=ui.put_whatif,
        args=(ui.workbench().assignment(result, by, k),), width="stretch",
    )  # fmt: skip


def export_tab(bench, request, said) -> None:
    """The what-if elsewhere, its assignment, the quantized model, and the pictures' files."""
    whatif = WhatIf.parse(bench.whatif)
    if whatif:
        one, two, three = st.columns(3)
        one.page_link(
            "compare.py", label="Compare layers under this what-if",
            icon=":material/stacked_line_chart:",
            query_params={"model": bench.model, "data": bench.data, "whatif": bench.whatif},
        )  # fmt: skip
        if whatif.bits:
            fqn = ui.workbench().fqn_config(bench.model, whatif)
            two.download_button(
                "Assignment (torchao FqnToConfig)", json.dumps(fqn, indent=1),
                file_name="assignment.json", mime="application/json", key="save-assignment",
                icon=":material/download:",
            )  # fmt: skip
            with three:
                _folder(bench, whatif)
    else:
        st.caption("Change a layer on the strip to take an assignment or a model away.")
    result = ui.workbench().stored(request) or said
    if result is not None:
        pictures = {"quantization": figures.budget_curve, "whatif": figures.next_tokens}
        ui.provenance(result, pictures[result.analysis](result), name=result.analysis)


def _folder(bench, whatif: WhatIf) -> None:
    """Write the rounded model as a folder on the machine where this runs."""
    ui.do(
        "Write the quantized model",
        lambda: ui.workbench().submit_export(bench.model, whatif),
        key="export-model",
    )
    if path := ui.follow("export-model"):
        st.session_state["exported-model"] = str(path)
    if path := st.session_state.get("exported-model"):
        st.caption("A folder that opens as a model:")
        st.code(path, language=None)
