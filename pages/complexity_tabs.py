"""What goes with complexity, how features flow, what is left without them, when they are learnt."""

import streamlit as st

import ui
from backend import RunRequest, figures

ASKED = {"sensitivity": "Noise draws", "stability": "Learned again"}  # measured when asked for


def measures_tab(result, feature: int) -> None:
    """Groups of features and the tree of them, and how complexity goes with each other measure."""
    there = result.tables["features"]
    known = [m for m in ("complexity", "importance") if there[m].null_count < len(there)]
    ui.forget("groups-by", known)
    by = st.segmented_control("Mean of", known, default=known[0], key="groups-by", required=True,
                              bind="query-params") or known[0]  # fmt: skip
    ui.show(figures.feature_clusters(result, by=by, current=feature), key="clusters",
            alt=f"Groups of features by mean {by}")  # fmt: skip
    ui.show(figures.feature_tree_map(result, by=by, current=feature), key="tree",
            alt=f"The tree of features and the mean {by} of its branches")  # fmt: skip
    if by == "complexity" and (said := result.scalars.get("tree_reading")):
        st.caption(said)
    with_ = result.tables["correlations"].rename_columns({"measure": "complexity with"})
    ui.table(with_, key="correlations-table", height=240)
    said = "Correlations over features; they say what goes together, not why."
    lost = [f"{name} (set *{setting}* above)" for name, setting in ASKED.items()
            if there[name].null_count == len(there)]  # fmt: skip
    if lost and result.scalars["dictionary"] != "as given":
        said += f" Not measured: {', '.join(lost)}."
    st.caption(said)
    ui.table(result.tables["branches"], key="branches-table", height=240)


def flow_tab(result) -> None:
    """Simple and complex features along the skip and the main branch of each block."""
    if "flow" not in result.tables or not result.tables["flow"].num_rows:
        st.info("The model has no blocks with a skip and a main branch to tell apart.",
                icon=":material/lightbulb:")  # fmt: skip
        return
    share = st.slider("Simplest and most complex", 0.1, 0.5, 0.25, 0.05, key="flow-share",
                      help="Share of the features at each end.")  # fmt: skip
    measure = st.segmented_control("Measured by", ("v_information", "cka"), key="flow-by",
                                   default="v_information", required=True,
                                   bind="query-params")  # fmt: skip
    fig = figures.feature_flow(result, share=share, measure=measure or "v_information")
    ui.show(fig, key="flow", alt="Where features of each kind can be read, by branch")
    ui.table(result.tables["flow"], key="flow-table")


def ablation_tab(result) -> None:
    """Accuracy that is left when only some features are kept."""
    if "ablation" not in result.tables or not result.tables["ablation"].num_rows:
        st.info("That needs a model that names classes.", icon=":material/lightbulb:")
        return
    ui.show(figures.feature_ablation(result), key="ablation",
            alt="Relative accuracy against the share of features kept")  # fmt: skip
    ui.table(result.tables["ablation"], key="ablation-table")


def training_tab(bench) -> None:
    """When features become readable over a training's checkpoints; and a training to start."""
    _start()
    chosen = _checkpoints(bench)
    if chosen is None:
        return
    last, data = chosen
    asked = RunRequest("feature_learning", last, data, seed=bench.seed,
                       parameters={"atoms": int(st.session_state["atoms"])})  # fmt: skip
    found = ui.answer(asked, what="Features over training", auto=False)
    if found is None:
        return
    st.markdown(f"**{found.reading}**")
    left, right = st.columns(2, gap="medium")
    epochs = sorted(set(found.tables["training"]["epoch"].to_pylist()))
    with right:
        counted_in = str(found.scalars["counted_in"])
        epoch = st.select_slider(
            counted_in.capitalize(), epochs, epochs[-1], key="epoch", bind="query-params"
        )
        fig = figures.feature_scatter(found, y="importance", epoch=int(epoch))
        ui.show(fig, key="epoch-scatter", alt=f"Complexity and importance at {counted_in} {epoch}")
    with left:
        ui.level_with_slider()
        ui.show(figures.feature_training(found, current=int(epoch)), key="training",
                alt="Mean complexity over the epochs")  # fmt: skip
    ui.show(figures.feature_scatter(found, y="time_to_decode"), key="late",
            alt="Complexity against time to decode")  # fmt: skip
    ui.table(found.tables["training"], key="training-table", height=240)
    ui.claims(ui.workbench().claims([found]))
    ui.provenance(found, figures.feature_training(found), name="feature_learning")


def _checkpoints(bench) -> tuple[str, str] | None:
    """The last checkpoint of a training here, or in a folder of the reader's; and what it reads."""
    there = ui.runs()
    left, right = st.columns(2, gap="medium")
    last = None
    if there:
        ui.forget("course", list(there))
        last = left.selectbox("Training", list(there), key="course", bind="query-params",
                              format_func=lambda f: ui.training_title(there[f]))  # fmt: skip
    else:
        left.caption("No training is at hand yet: start one above, or name checkpoints of yours.")
    folder = right.text_input(
        "or a folder of checkpoints of yours", key="checkpoints", bind="query-params",
        placeholder="on this machine, as runs/mine",
        help="It holds model folders of one architecture, named like epoch-0001 or checkpoint-500; "
        "their features are read on the data of the sidebar.",
    )  # fmt: skip
    if folder:
        own = ui.guarded(ui.workbench().checkpoints, folder)
        counted = f"{len(own)} checkpoints, {own[0]['epoch']} to {own[-1]['epoch']}"
        right.caption(f"{counted}, on {bench.dataset.name if bench.dataset else bench.data}.")
        return own[-1]["folder"], bench.data
    return None if last is None else (last, ui.training_data(there[last]))


def _start() -> None:
    """Train a small residual net on labelled pictures, with checkpoints."""
    with st.expander("Train a small residual net", icon=":material/model_training:"):
        refs = ui.labelled_pictures()
        one, two, three, four = st.columns(4)
        first = refs.index("demo:digits") if "demo:digits" in refs else 0
        data = one.selectbox("Pictures", refs, first, key="train-data")
        label = two.text_input("Label column", "digit", key="train-label")
        epochs = three.number_input("Epochs", 1, 200, 30, key="train-epochs")
        seed = four.number_input("Seed of the training", 0, 10_000, 0, key="train-seed")
        recipe = ui.recipe_text(data=data, label=label, epochs=epochs, seed=seed)
        if made := ui.train_button(recipe):
            st.session_state["course"] = made[0]
