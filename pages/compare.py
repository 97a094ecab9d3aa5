"""What changes from layer to layer?  Similarity, projection, profile and logit lens."""

import streamlit as st

import ui
from backend import figures

MEASURES = {
    "probe": "Linear probe accuracy", "intrinsic_dimension": "Intrinsic dimension",
    "effective_rank": "Effective rank", "anisotropy": "Anisotropy", "norm": "Norm",
}  # fmt: skip


def main() -> None:
    ui.head(
        "What changes from layer to layer?",
        "Debiased CKA (Kornblith et al. 2019; Nguyen et al. 2021), PCA and UMAP with aligned "
        "layers, intrinsic dimension (Facco et al. 2017), linear probes, logit lens "
        "(nostalgebraist 2020)",
    )
    bench = ui.bench()
    with st.sidebar:
        method = st.segmented_control(
            "Projection", ("pca", "umap"), default="pca", key="method", bind="query-params",
            required=True,
            help="PCA is there at once. UMAP takes a worker some seconds a layer.",
        )  # fmt: skip
    flat = bench.request("projection", method="pca")
    projection = ui.answer(flat, what="The projection")
    if projection is not None and method == "umap":
        curved = ui.answer(bench.request("projection", method="umap"), what="UMAP")
        if curved is None:
            st.caption("UMAP is being computed; the picture below is PCA until it is ready.")
        projection = curved or projection
    if projection is None:
        return
    similarity = ui.answer(bench.request("similarity"), what="The similarity of all layers")
    if similarity is not None:
        st.markdown(f"**{similarity.reading}**")
    hero(bench, projection, similarity)
    evidence(bench, projection, similarity)


@st.fragment
def hero(bench, projection, similarity) -> None:
    """The cloud that travels with the slider, the CKA map beside it, and who is selected."""
    sites = ui.sites_of(projection)
    dataset = ui.workbench().dataset(bench.data)
    left, middle, right = st.columns([5, 2, 2], vertical_alignment="bottom")
    site = left.select_slider(
        "Layer", sites, key="site", bind="query-params", value=sites[-1],
        help="Moves through depth; the points are aligned from layer to layer.",
    )  # fmt: skip
    columns = ui.colour_columns(dataset)
    colour = middle.selectbox("Colour", columns, key="colour", bind="query-params")
    side = right.selectbox(
        "Beside it", ("similarity map", "another layer"), key="beside", bind="query-params"
    )
    one, two = st.columns(2)
    with one:
        ui.cloud(bench, projection, site, colour, key="cloud")
    with two:
        other = _beside(bench, projection, similarity, site, colour, sites, side)
    selected = ui.selection()
    ui.inspector(bench, selected, [site, other] if other != site else [site])


def _beside(bench, projection, similarity, site, colour, sites, side) -> str:
    """The right half: the CKA map, or the same rows at another layer. Returns that layer."""
    if side == "another layer":
        other = st.select_slider(
            "Other layer", sites, key="other_site", bind="query-params", value=sites[0],
        )  # fmt: skip
        ui.cloud(bench, projection, other, colour, key="cloud2")
        return other
    if similarity is None:
        st.caption("The similarity map appears here when it is computed.")
    else:
        ui.show(
            figures.cka_map(similarity, current=site), key="cka-hero",
            alt=f"Similarity of every layer with every layer; {site} is marked",
        )  # fmt: skip
    return sites[0]


def evidence(bench, projection, similarity) -> None:
    """The other pictures, the tables behind them, the papers' findings, and the export."""
    names = ("Similarity", "Profile", "Logit lens", "Projection quality", "Papers", "Export")
    tabs = dict(zip(names, st.tabs(names, key="tab", on_change="rerun", bind="query-params"),
                    strict=True))  # fmt: skip
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
            ui.claims(shown + [r for r in (_stored(bench, "profile"),) if r])
        else:
            export_tab(bench, projection, similarity)


def _stored(bench, analysis):
    return ui.workbench().stored(bench.request(analysis))


def similarity_tab(bench, similarity) -> list:
    """CKA or neighbour overlap, within the model or against a second one."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    value = left.segmented_control(
        "Measure", ("cka", "mknn"), default="cka", key="measure", bind="query-params",
        required=True,
        help="cka: debiased linear centred kernel alignment. mknn: mutual k-nearest-neighbour "
        "overlap, k = 10, cosine.",
    )  # fmt: skip
    models = [o.ref for o in ui.workbench().offers("model") if o.kind in ("", bench.kind)]
    other = right.selectbox(
        "Against", ["itself", *models], key="other", bind="query-params",
        help="A second model on the same rows.",
    )  # fmt: skip
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
        ui.show(figures.cka_map(result, value=value), key="cka-map",
                alt="Similarity of layers as a map")  # fmt: skip
    with two:
        site = st.session_state.get("site") or result.tables["similarity"]["layer_a"][0].as_py()
        ui.show(figures.cka_profile(result, site, value=value), key="cka-row",
                alt=f"Similarity of {site} with every layer, with interval and null")  # fmt: skip
    ui.table(result.tables["similarity"], key="similarity-table")
    return [result] if other else []


def profile_tab(bench) -> list:
    """One measure over depth, with its interval and control."""
    dataset = ui.workbench().dataset(bench.data)
    left, right = st.columns(2)
    measure = left.selectbox(
        "Measure", list(MEASURES), key="profile", bind="query-params",
        help=", ".join(f"{k}: {v}" for k, v in MEASURES.items()),
    )  # fmt: skip
    columns = ["best", *(c for c in dataset.columns if c != dataset.text_column)]
    column = right.selectbox(
        "Probe for", columns, key="probe", bind="query-params",
        help="best: the column that can be told apart best. A ridge classifier, cross-validated; the control repeats it with shuffled labels.",
    )  # fmt: skip
    result = ui.answer(bench.request("profile", column="" if column == "best" else column), what="The profile of the layers")
    if result is None:
        return []
    st.markdown(f"**{result.reading}**")
    ui.show(figures.profile_lines(result, measure), key="profile-lines",
            alt=f"{MEASURES[measure]} over depth")  # fmt: skip
    ui.table(result.tables["profile"], key="profile-table")
    return [result]


def lens_tab(bench) -> list:
    """What the model would say at each layer of one text."""
    if bench.facts and not bench.facts["decoder"]:
        st.info(f"{bench.model} does not predict next tokens. Pick a language model, such as "
                "demo:smollm2, to read its logit lens.")  # fmt: skip
        return []
    default = "The capital of Italy is"
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    text = left.text_input("Text", default, key="text", bind="query-params", max_chars=600)
    colour = right.selectbox("Colour by", ("probability", "rank", "entropy"), key="shade",
                             bind="query-params")  # fmt: skip
    result = ui.answer(bench.request("lens", text=text or default), what="The logit lens")
    if result is None:
        return []
    st.markdown(f"**{result.reading}**")
    ui.show(figures.lens_grid(result, -1, colour=colour), key="lens-grid",
            alt="First choice of the model at every layer and position")  # fmt: skip
    ui.show(figures.lens_ranks(result, -1), key="lens-ranks",
            alt="Rank of the final answer over depth")  # fmt: skip
    ui.table(result.tables["lens"], key="lens-table")
    return [result]


def export_tab(bench, projection, similarity) -> None:
    """Files of the current pictures, with all that is needed to make them again."""
    choices = {"projection": projection} | ({"similarity": similarity} if similarity else {})
    name = st.segmented_control("Picture", list(choices), default="projection", required=True,
                                key="picture", bind="query-params")  # fmt: skip
    result = choices[name]
    site = st.session_state.get("site") or ui.sites_of(projection)[-1]
    if name == "similarity":
        fig = figures.cka_map(result, current=site)
    else:
        fig = ui.cloud_figure(bench, result, site, st.session_state.get("colour"))
    ui.provenance(result, fig, name=f"{name}-{site if name == 'projection' else 'layers'}")


main()
