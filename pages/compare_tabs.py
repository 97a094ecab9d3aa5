"""The evidence below the picture of *Compare layers*: one function per tab."""

import streamlit as st

import ui
from backend import figures
from compare_lens import lens_tab
from compare_profile import profile_tab
from compare_projection import film_tab, quality_tab

AS_IT_IS = "the model as it is"
TABS = ("Similarity", "Profile", "Logit lens", "Film", "Projection quality", "Papers", "Export")


def evidence(bench, projection, similarity) -> None:
    """The other pictures, the tables behind them, the papers' findings, and the export."""
    drawn = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    tabs = dict(zip(TABS, drawn, strict=True))
    opened = next((n for n, tab in tabs.items() if tab.open), TABS[0])
    with tabs[opened]:
        if opened == "Similarity":
            similarity_tab(bench, similarity)
        elif opened == "Profile":
            profile_tab(bench)
        elif opened == "Logit lens":
            lens_tab(bench)
        elif opened == "Film":
            film_tab(bench, projection)
        elif opened == "Projection quality":
            quality_tab(projection)
        elif opened == "Papers":
            papers_tab(bench, projection, similarity)
        else:
            export_tab(bench, projection, similarity)


def similarity_tab(bench, similarity) -> None:
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
    unchanged = [AS_IT_IS] if bench.whatif else []
    ui.forget("other", ["itself", *unchanged, *models])
    other = right.selectbox(
        "Against",
        ["itself", *unchanged, *models],
        key="other",
        bind="query-params",
        help="A second model on the same rows.",
    )
    result = similarity
    if other != "itself":
        named = bench.model if other == AS_IT_IS else other
        result = ui.answer(bench.request("similarity", other=named), what=f"Against {other}")
    if result is None:
        return
    if other != "itself":
        st.markdown(f"**{result.reading}**")
    _maps(result, value)


def _maps(result, value: str) -> None:
    """All pairs of layers, and one layer against the rest."""
    one, two = st.columns(2, gap="medium")
    with one:
        ui.level_with_slider()
        ui.show(
            figures.cka_map(result, value=value), key="cka-map", alt="Similarity of layers as a map"
        )
    with two:
        sites = list(dict.fromkeys(result.tables["similarity"]["layer_a"].to_pylist()))
        ui.forget("line", sites)
        site = st.select_slider(
            "Layer of the line", sites, value=sites[-1], key="line", bind="query-params"
        )
        ui.show(
            figures.cka_profile(result, site, value=value),
            key="cka-row",
            alt=f"Similarity of {site} with every layer, with interval and null",
        )
    ui.table(result.tables["similarity"], key="similarity-table")


def papers_tab(bench, projection, similarity) -> None:
    """What the papers found, beside what is computed here so far."""
    profile = ui.workbench().stored(bench.request("profile"))
    shown = [r for r in (projection, similarity, profile) if r is not None]
    ui.claims(ui.workbench().claims(shown))


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
    site = st.session_state.get("site") or ui.sites_of(projection)[-1]
    if name == "similarity":
        fig = figures.cka_map(similarity, current=site)
    else:
        fig = ui.cloud_figure(bench, projection, site, st.session_state.get("colour"))
    if fig is not None:
        ui.provenance(choices[name], fig, name=f"{name}-{site}")
