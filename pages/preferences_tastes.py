"""What tastes like, where a choice flips, how sure it all is, and which layer knows."""

import streamlit as st

import ui
from backend import figures
from preferences_people import board


def likes_tab(result) -> None:
    """Options that a taste rewards most and least, and those that tastes dispute."""
    if result.scalars["ideal"] == "B":
        st.info("PAL-B rewards an option only under a prompt.", icon=":material/lightbulb:")
        ui.table(result.tables["asked"], key="asked-table")
        return
    k = int(result.scalars["k"])
    shown = [*(f"taste {i}" for i in range(k)), *(["disputed"] if k > 1 else [])]
    ui.forget("taste", shown)
    one, two = st.columns([3, 2], vertical_alignment="bottom")
    taste = one.segmented_control("Show", shown, default=shown[0], key="taste", required=True,
                                  bind="query-params") or shown[0]  # fmt: skip
    top = two.slider("Options", 3, 20, 8, key="top", help="So many from each end.")
    fig = figures.taste_likes(
        result, taste=-1 if taste == "disputed" else int(taste.split()[1]), top=top
    )
    ui.show(fig, key="likes", alt=f"Options by reward: {taste}")
    options = result.tables["options"]
    ui.table(options.drop_columns(["x", "y"]), key="options-table")
    ui.table(
        result.tables["prototypes"].drop_columns(["x", "y"]), key="prototypes-table", height=180
    )


def pair_tab(result) -> None:
    """Two options under every taste and under a mixture of them; where the choice flips."""
    if not result.scalars["live"]:
        st.info("Choose Pw or f(P)w with squared distance to move weights by hand.",
                icon=":material/lightbulb:")  # fmt: skip
        return
    asked, k = board(result.key), int(result.scalars["k"])
    dispute = result.tables["options"]["dispute"].to_pylist()
    names = [name for _, name in sorted(zip(dispute, asked.names, strict=True), reverse=True)]
    for key in ("a", "b"):
        ui.forget(key, names)
    one, two = st.columns(2)
    a = one.selectbox("Option a", names, key="a", bind="query-params", help="Most disputed first.")
    b = two.selectbox("Option b", names, index=min(1, len(names) - 1), key="b", bind="query-params")
    if k == 1:
        st.caption("One taste: nothing to move. Set *Tastes to describe* above.")
    shares = result.tables["prototypes"]["share"].to_pylist()
    moved = 0
    if k > 2:
        moved = int(st.segmented_control("Move the weight of taste", list(range(k)), default=0,
                                         key="moved", required=True) or 0)  # fmt: skip
    weight = float(shares[moved])
    if k > 1:
        weight = st.slider(f"Weight of taste {moved}", 0.0, 1.0, round(weight, 2), 0.01,
                           key=f"weight-{moved}",
                           help="The other tastes keep their proportions.")  # fmt: skip
    rest = sum(s for i, s in enumerate(shares) if i != moved) or 1.0
    weights = [weight if i == moved else (1 - weight) * s / rest for i, s in enumerate(shares)]
    pair = ui.guarded(asked.pair, a, b, weights, moved=moved)
    flip = pair.flips_at  # type: ignore[attr-defined]
    left, right = st.columns([3, 2], gap="medium")
    with left:
        fig = figures.taste_flip(result, a=a, b=b, by_taste=pair.by_taste, weights=weights,  # type: ignore[attr-defined]
                                 moved=moved, flips_at=flip)  # fmt: skip
        ui.show(fig, key="flip", alt=f"P(b) against the weight of taste {moved}")
    with right:
        st.metric("b is taken with", f"{pair.probability:.0%}")  # type: ignore[attr-defined]
        for i, logit in enumerate(pair.by_taste):  # type: ignore[attr-defined]
            st.caption(f"taste {i} alone: {'b' if logit > 0 else 'a'}, by {abs(logit):.2f} logits")
        st.caption(
            f"The choice flips at weight {flip:.2f} of taste {moved}." if flip is not None
            else f"No weight of taste {moved} flips this choice."
        )  # fmt: skip


def sure_tab(result) -> None:
    """Few answers of new people, calibration, and every score behind the accuracy picture."""
    one, two = st.columns(2, gap="medium")
    with one:
        if result.tables["fewshot"].num_rows:
            ui.show(figures.taste_fewshot(result), key="fewshot",
                    alt="Accuracy on new people by number of answers")  # fmt: skip
        else:
            st.caption("Nobody was kept as new: that needs ten people.")
    with two:
        ui.show(figures.taste_calibration(result), key="calibration",
                alt="Observed against predicted shares")  # fmt: skip
    for name in ("accuracy", "baselines", "fewshot", "calibration"):
        st.caption(name)
        ui.table(result.tables[name], key=f"{name}-table", height=220)


def layers_tab(bench, result) -> None:
    """Held-out accuracy with the options' vectors of every layer."""
    if not bench.model:
        st.info("Choose *Options described by: a model's layer* in the sidebar.",
                icon=":material/lightbulb:")  # fmt: skip
        return
    k = max(2, int(result.scalars["k"]))
    request = bench.request("preference_layers", k=k)
    found = ui.answer(request, what="Accuracy at every layer", auto=False)
    if found is None:
        return
    st.markdown(f"**{found.reading}**")
    ui.show(figures.taste_layers(found), key="taste-layers", alt=found.reading)
    ui.table(found.tables["layers"], key="taste-layers-table")
    ui.claims(ui.workbench().claims([found]))
