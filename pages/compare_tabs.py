"""The evidence below the picture of *Compare layers*: one function per tab."""

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


def evidence(bench, projection, similarity) -> None:
    """The other pictures, the tables behind them, the papers' findings, and the export."""
    names = ("Similarity", "Profile", "Logit lens", "Projection quality", "Papers", "Export")
    tabs = dict(
        zip(names, st.tabs(names, key="tab", on_change="rerun", bind="query-params"), strict=True)
    )
    shown = [r for r in (projection, similarity) if r is not None]
    opened = next((n for n, tab in tabs.items() if tab.open), names[0])
    with tabs[opened]:
        if opened == "Similarity":
            shown += similarity_tab(bench, similarity)
        elif opened == "Profile":
            shown += profile_tab(bench)
        elif opened == "Logit lens":
            shown += lens_tab(bench)
        elif opened == "Projection quality":
            st.markdown(projection.reading)
            ui.table(projection.tables["quality"], key="quality")
        elif opened == "Papers":
            results = [*shown, ui.workbench().stored(bench.request("profile"))]
            ui.claims(ui.workbench().claims([r for r in results if r is not None]))
        else:
            export_tab(bench, projection, similarity)


def similarity_tab(bench, similarity) -> list:
    """CKA or neighbour overlap, within the model or against a second one."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    value = left.segmented_control(
        "Measure",
        ("cka", "mknn"),
        default="cka",
        key="measure",
        bind="query-params",
        required=True,
        help="cka: debiased linear centred kernel alignment. mknn: mutual k-nearest-neighbour "
        "overlap, k = 10, cosine.",
    )
    models = [o.ref for o in ui.workbench().offers("model") if o.kind in ("", bench.kind)]
    other = right.selectbox(
        "Against",
        ["itself", *models],
        key="other",
        bind="query-params",
        help="A second model on the same rows.",
    )
    result = similarity
    if other == "itself":
        other = ""
    if other:
        result = ui.answer(bench.request("similarity", other=other), what=f"Against {other}")
    if result is None:
        return []
    if other:
        st.markdown(f"**{result.reading}**")
    one, two = st.columns(2)
    with one:
        ui.show(
            figures.cka_map(result, value=value), key="cka-map", alt="Similarity of layers as a map"
        )
    with two:
        site = st.session_state.get("site") or result.tables["similarity"]["layer_a"][0].as_py()
        ui.show(
            figures.cka_profile(result, site, value=value),
            key="cka-row",
            alt=f"Similarity of {site} with every layer, with interval and null",
        )
    ui.table(result.tables["similarity"], key="similarity-table")
    return [result] if other else []


def profile_tab(bench) -> list:
    """One measure over depth, with its interval and control."""
    dataset = ui.workbench().dataset(bench.data)
    left, right = st.columns(2)
    measure = left.selectbox(
        "Measure",
        list(MEASURES),
        key="profile",
        bind="query-params",
        help=", ".join(f"{k}: {v}" for k, v in MEASURES.items()),
    )
    columns = ["best", *(c for c in dataset.columns if c != dataset.text_column)]
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
        return []
    st.markdown(f"**{result.reading}**")
    ui.show(
        figures.profile_lines(result, measure),
        key="profile-lines",
        alt=f"{MEASURES[measure]} over depth",
    )
    ui.table(result.tables["profile"], key="profile-table")
    return [result]


def lens_tab(bench) -> list:
    """What the model would say at each layer of one text."""
    if bench.facts and not bench.facts["decoder"]:
        st.info(
            f"{bench.model} does not predict next tokens. Pick a language model, such as "
            "demo:smollm2, to read its logit lens."
        )
        return []
    default = "The capital of Italy is"
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    text = left.text_input("Text", default, key="text", bind="query-params", max_chars=600)
    colour = right.selectbox(
        "Colour by", ("probability", "rank", "entropy"), key="shade", bind="query-params"
    )
    result = ui.answer(bench.request("lens", text=text or default), what="The logit lens")
    if result is None:
        return []
    st.markdown(f"**{result.reading}**")
    ui.show(
        figures.lens_grid(result, -1, colour=colour),
        key="lens-grid",
        alt="First choice of the model at every layer and position",
    )
    ui.show(
        figures.lens_ranks(result, -1), key="lens-ranks", alt="Rank of the final answer over depth"
    )
    ui.table(result.tables["lens"], key="lens-table")
    return [result]


def export_tab(bench, projection, similarity) -> None:
    """Files of the current pictures, with all that is needed to make them again."""
    choices = {"projection": projection} | ({"similarity": similarity} if similarity else {})
    name = st.segmented_control(
        "Picture",
        list(choices),
        default="projection",
        required=True,
        key="picture",
        bind="query-params",
    )
    result = choices[name]
    site = st.session_state.get("site") or ui.sites_of(projection)[-1]
    if name == "similarity":
        fig = figures.cka_map(result, current=site)
    else:
        fig = ui.cloud_figure(bench, result, site, st.session_state.get("colour"))
    ui.provenance(result, fig, name=f"{name}-{site if name == 'projection' else 'layers'}")
