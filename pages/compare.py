"""What changes from layer to layer?  Similarity, projection, profile and logit lens."""

import streamlit as st

import ui
from backend import figures
from compare_tabs import evidence


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
            "Projection",
            ("pca", "umap"),
            default="pca",
            key="method",
            bind="query-params",
            required=True,
            help="PCA is there at once. UMAP takes a worker some seconds a layer.",
        )
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
        "Layer",
        sites,
        key="site",
        bind="query-params",
        value=sites[-1],
        help="Moves through depth; the points are aligned from layer to layer.",
    )
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
            "Other layer",
            sites,
            key="other_site",
            bind="query-params",
            value=sites[0],
        )
        ui.cloud(bench, projection, other, colour, key="cloud2")
        return other
    if similarity is None:
        st.caption("The similarity map appears here when it is computed.")
    else:
        ui.show(
            figures.cka_map(similarity, current=site),
            key="cka-hero",
            alt=f"Similarity of every layer with every layer; {site} is marked",
        )
    return sites[0]


main()
