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
    projection, similarity = results(bench)
    states = ui.layer_states(bench)
    if projection is None:
        ui.strip(states)
        return
    if similarity is not None:
        st.markdown(f"**{similarity.reading}**")
    pace = ui.PACE_SECONDS if ui.is_playing() else None
    st.fragment(hero, run_every=pace)(bench, projection, similarity, states)
    evidence(bench, projection, similarity)


def results(bench) -> tuple:
    """Projection and similarity where they are computed; else their progress, and None."""
    with st.sidebar:
        method = st.segmented_control(
            "Projection",
            ("pca", "umap"),
            default="pca",
            key="method",
            bind="query-params",
            required=True,
            help="PCA is there at once and shows the directions of largest variance. UMAP shows "
            "neighbourhoods, bends distances, and takes a worker some seconds a layer.",
        )
    projection = ui.answer(bench.request("projection", method="pca"), what="The projection")
    if projection is None:
        return None, None
    if method == "umap":
        curved = ui.answer(bench.request("projection", method="umap"), what="UMAP")
        if curved is None:
            st.caption("The picture below is PCA until UMAP is ready.")
        projection = curved or projection
    return projection, ui.answer(bench.request("similarity"), what="The similarity of all layers")


def hero(bench, projection, similarity, states) -> None:
    """The cloud that travels with the slider, the CKA map beside it, and who is selected."""
    sites = ui.sites_of(projection)
    ui.forget("site", sites)
    ui.forget("other_site", sites)
    was_playing = ui.step(sites)
    layers, middle, right = st.columns([5, 2, 2], vertical_alignment="bottom")
    colour, beside = _choices(bench, middle, right)
    one, two = st.columns(2, gap="medium")
    with one:
        play, slide = st.columns([2, 7], vertical_alignment="bottom")
        site = slide.select_slider(
            "Layer",
            sites,
            key="site",
            bind="query-params",
            value=sites[-1],
            help="Moves through depth; the points are aligned from layer to layer.",
        )
        ui.play_button(play, sites)
        ui.cloud(bench, projection, site, colour, key="cloud")
    with two:
        other = _beside(bench, projection, similarity, site, colour, sites, beside)
    with layers:
        ui.strip(states, current=site)
    ui.inspector(bench, [site, other] if other not in (None, site) else [site])
    _keep_up(was_playing, (site, colour, ui.turn()))


def _choices(bench, middle, right) -> tuple[str, str]:
    """What colours the points, and what stands beside them."""
    columns = ui.colour_columns(bench.dataset)
    ui.forget("colour", columns)
    colour = middle.selectbox(
        "Colour",
        columns,
        key="colour",
        bind="query-params",
        format_func=lambda name: name or "one colour",
        help="A column of the data; text and few values as categories, numbers as a scale.",
    )
    beside = right.selectbox(
        "Beside it",
        ("similarity map", "another layer"),
        key="beside",
        bind="query-params",
        help="The CKA of all layers with this one framed, or the same rows at a second layer.",
    )
    return colour, beside


def _beside(bench, projection, similarity, site, colour, sites, beside) -> str | None:
    """The right half: the CKA map, or the same rows at another layer. Returns that layer."""
    if beside == "another layer":
        other = st.select_slider(
            "Other layer",
            sites,
            key="other_site",
            bind="query-params",
            value=sites[0],
            help="The same rows and the same axes at a second layer.",
        )
        ui.cloud(bench, projection, other, colour, key="cloud2")
        return other
    ui.level_with_slider()
    if similarity is None:
        st.caption("The similarity map appears here when it is computed.")
    else:
        ui.show(
            figures.cka_map(similarity, current=site).update_layout(height=ui.HERO_HEIGHT),
            key="cka-hero",
            alt=f"Similarity of every layer with every layer; {site} is marked",
        )
    return None


def _keep_up(was_playing: bool, view: tuple) -> None:
    """Draw the whole page anew where more than this fragment has to change."""
    ended = was_playing and not ui.is_playing()
    exported = st.session_state.setdefault("exported", view)
    if ended or (st.session_state.get("tab") == "Export" and exported != view):
        st.session_state["exported"] = view
        st.rerun()


main()
