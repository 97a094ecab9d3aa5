"""How depth is used: what layers write, who notices when one is gone, where the answer appears."""

import streamlit as st

import ui
from backend import figures

PROMPTS = 6
LENGTH = 48


def _depth(bench, *, part: str = "layer", **more: object):
    """The depth analysis of the first prompts, under the bench's what-if."""
    tokens = PROMPTS * LENGTH * bench.facts["blocks"] * (0.6 + 2.4)
    if more.get("local"):
        tokens *= 2
    request = bench.request("depth", prompts=PROMPTS, length=LENGTH, part=part, **more)
    result = ui.answer(request, what="How the layers are used", auto=False, tokens=tokens)
    if result is not None:
        st.markdown(f"**{result.reading}**")
        if note := result.scalars.get("note"):
            st.caption(str(note))
    return result


def written_tab(bench) -> None:
    """How much each layer adds to the stream, and in which direction."""
    result = _depth(bench)
    if result is None:
        return
    left, right = st.columns(2)
    reduce = left.segmented_control(
        "Over tokens", ("mean", "max"), default="mean", key="reduce", bind="query-params",
        required=True, help="The maximum grows with the number of tokens; compare means.",
    )  # fmt: skip
    measure = right.segmented_control(
        "Beside it", ("cosine", "norm"), default="cosine", key="beside-written",
        bind="query-params", required=True,
        help="cosine: below 0 erases what is there, about 0 writes something new, above 0 "
        "strengthens it.",
    )  # fmt: skip
    one, two = st.columns(2, gap="medium")
    with one:
        fig = figures.depth_contributions(result, measure="relative", reduce=reduce or "mean")
        ui.show(fig, key="relative", alt="What each layer adds, relative to the stream's norm")
    with two:
        fig = figures.depth_contributions(result, measure=measure or "cosine")
        ui.show(fig, key="cosine", alt=f"{measure} of what each layer adds")
    ui.table(result.tables["layers"], key="layers-table")


def noticed_tab(bench) -> None:
    """The skip matrix: which layers notice when one is gone, now and for future tokens."""
    mode, part, reduce = st.columns([5, 3, 3])
    mode.segmented_control(
        "Skipped at", ("current", "future", "current-local", "future-local"), default="current",
        key="mode", bind="query-params", required=True,
        help="current: all tokens but the first, effects at all of them. future: earlier tokens "
        "only, effects at later ones. local: what a layer alone does to each later one.",
    )  # fmt: skip
    part.segmented_control(
        "Skipped part", ("layer", "attention", "mlp"), default="layer", key="part",
        bind="query-params", required=True,
    )  # fmt: skip
    reduce.segmented_control(
        "Effect", ("max", "mean", "p95"), default="max", key="effect", bind="query-params",
        required=True,
        help="max over tokens and prompts is the paper's; it grows with their number.",
    )  # fmt: skip
    mode = st.session_state.get("mode") or "current"
    local = {"local": True} if "local" in mode else {}
    result = _depth(bench, part=st.session_state.get("part") or "layer", **local)
    if result is None:
        return
    one, two = st.columns([3, 2], gap="medium")
    with one:
        fig = figures.depth_skip_map(
            result, mode=mode, reduce=st.session_state.get("effect") or "max"
        ).update_layout(height=ui.HERO_HEIGHT)
        ui.show(fig, key="skip-map", alt="Effect of skipping each layer on each later layer")
    with two:
        wanted = "mean" if st.session_state.get("effect") == "mean" else "max"
        fig = figures.depth_output_bars(result, reduce=wanted).update_layout(height=ui.HERO_HEIGHT)
        ui.show(fig, key="output-bars", alt="Change of the output by skipped layer")
    st.caption(
        "Token 0 is neither skipped nor measured: in many models it takes a role of its own."
    )
    ui.table(result.tables["skip"], key="skip-table")


def lens_tab(bench) -> None:
    """Where in depth the output's distribution appears."""
    result = _depth(bench)
    if result is None:
        return
    fig = figures.depth_lens(result)
    ui.show(fig, key="depth-lens", alt="KL to the output and top-5 overlap over depth")
    ui.table(result.tables["lens"], key="depth-lens-table")
