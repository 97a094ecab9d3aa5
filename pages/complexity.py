"""Which features are simple, which need depth?  How early each can be read, what it counts for."""

import streamlit as st

import ui
from backend import RunRequest, figures
from complexity_feature import feature_tab, heat_tab
from complexity_models import models_tab
from complexity_probes import probes_tab
from complexity_tabs import ablation_tab, flow_tab, measures_tab, training_tab

TABS = (
    "Feature", "Features by layers", "What goes with it", "Probes", "Flow", "Taken out",
    "Over training", "Two models", "Papers", "Export",
)  # fmt: skip
COLOURS = ("complexity", "importance", "importance_per_spread", "importance_signed", "frequency",
           "hoyer", "redundancy", "sensitivity", "stability", "origin", "cluster")  # fmt: skip


def main() -> None:
    ui.head(
        "Which features are simple, which need depth?",
        "Feature complexity by V-information (Fel, Bethune, Lampinen, Serre, Hermann 2024; Xu et "
        "al. 2020): from how early a layer a linear probe reads each feature",
    )
    bench = ui.bench(default_model="demo:efficientnet-lite0", default_data="demo:crops")
    settings()
    result = ui.answer(request(bench), what="Features and their complexity")
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    if note := result.scalars.get("note"):
        st.caption(f":material/info: {note}")
    hero(result)
    evidence(bench, result)


def settings() -> None:
    """Which features, and how they are read; held in the URL."""
    with st.expander("How features are found and read", icon=":material/tune:"):
        one, two, three, four = st.columns(4)
        one.selectbox(
            "Features are", ("auto", "nmf", "nmf-per-class", "kmeans", "sparse", "pca", "neurons",
                             "random"), key="dictionary", bind="query-params",
            help="auto: non-negative factors where the last layer is non-negative, else k-means "
            "directions.",
        )  # fmt: skip
        two.selectbox("How many", (64, 32, 128, 256, 512), key="atoms", bind="query-params")
        three.selectbox(
            "Counts for", ("predicted", "origin", "max"), key="rule", bind="query-params",
            help="Which class's logit importance is measured on.",
        )  # fmt: skip
        four.selectbox(
            "Noise draws", (0, 10, 30), key="draws", bind="query-params",
            help="How a feature moves when its pictures get noise; runs the model again. 0: not.",
        )  # fmt: skip
        one, two, three, _ = st.columns(4)
        one.selectbox("Map by", ("pca", "umap"), key="map", bind="query-params",
                      help="umap keeps neighbours; distances across it mean little.")  # fmt: skip
        two.selectbox(
            "Small nets on", (0, 8, 16), key="ladder", bind="query-params",
            help="Features, from simple to complex, that a small net reads too. 0: none.",
        )  # fmt: skip
        three.selectbox(
            "Learned again", (0, 3), key="stability", bind="query-params",
            help="Random starts from which the features are learned again, to see which return. "
            "0: none.",
        )  # fmt: skip


def request(bench) -> RunRequest:
    """The complexity analysis of the bench, with the settings that were chosen."""
    held = st.session_state
    always = {"map": held["map"], "ladder": int(held["ladder"])}
    if bench.dataset is not None and bench.dataset.kind == "arrays":  # features come with the data
        return RunRequest("complexity", "", bench.data, seed=bench.seed, parameters=always)
    counts = {name: int(held[name]) for name in ("atoms", "draws", "stability")}
    return bench.request("complexity", dictionary=held["dictionary"], rule=held["rule"], **counts,
                         **always)  # fmt: skip


def hero(result) -> None:
    """The map of features, and complexity against importance beside it."""
    there = result.tables["features"]
    known = [c for c in COLOURS if c in there.column_names and there[c].null_count < len(there)]
    ui.forget("colour", known)
    left, right = st.columns(2, gap="medium")
    with left:
        colour = st.selectbox("Coloured by", known, key="colour", bind="query-params")
        fig = figures.feature_map(result, colour=colour, current=chosen(result))
        fig = ui.legend_below(fig).update_layout(height=ui.HERO_HEIGHT)
        ui.show(fig, key="feature-map", alt=result.reading, modes=("points",),
                select=lambda: _take("feature-map"))  # fmt: skip
    with right:
        against = [c for c in COLOURS[1:] if c in known and c not in ("origin", "cluster")]
        ui.forget("against", against)
        other = st.selectbox("Complexity against", against, key="against", bind="query-params")
        fig = figures.feature_scatter(result, y=other or "frequency", current=chosen(result))
        ui.show(fig.update_layout(height=ui.HERO_HEIGHT), key="feature-scatter",
                alt=f"Complexity against {other}", select=lambda: _take("feature-scatter"),
                modes=("points",))  # fmt: skip


def chosen(result) -> int:
    """The selected feature; the simplest where none was picked."""
    held = ui.held("feature")
    table = result.tables["features"]
    numbers = table["feature"].to_pylist()
    if str(held).isdecimal() and int(held) in numbers:
        return int(held)
    return int(table.sort_by("complexity")["feature"][0].as_py())


def _take(key: str) -> None:
    points = st.session_state[key].selection.points
    if points and points[0].get("customdata") is not None:
        data = points[0]["customdata"]
        st.session_state["feature"] = int(data[0] if isinstance(data, list | tuple) else data)


def evidence(bench, result) -> None:
    """The other pictures, the tables behind them, the papers' findings, and the export."""
    drawn = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    tabs = dict(zip(TABS, drawn, strict=True))
    opened = next((n for n, tab in tabs.items() if tab.open), TABS[0])
    one = chosen(result)
    draw = {
        "Feature": lambda: feature_tab(bench, result, one),
        "Features by layers": lambda: heat_tab(result), "Flow": lambda: flow_tab(result),
        "What goes with it": lambda: measures_tab(result, one),
        "Probes": lambda: probes_tab(result),
        "Taken out": lambda: ablation_tab(result),
        "Over training": lambda: training_tab(bench), "Two models": lambda: models_tab(bench),
        "Papers": lambda: ui.claims(ui.workbench().claims([result])),
        "Export": lambda: ui.provenance(
            result, figures.feature_map(result, colour="complexity"), name="complexity"
        ),
    }  # fmt: skip
    with tabs[opened]:
        draw[opened]()


main()
