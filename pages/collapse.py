"""Do classes collapse to a simplex?  Classes of a net, over its training and its layers."""

import streamlit as st

import ui
from backend import RunRequest, figures
from collapse_classes import answered
from collapse_runs import chosen_runs, names_of, start_and_watch, watched
from collapse_study import study_tab
from collapse_tabs import angles_tab, classes_tab, film_tab, layers_tab, steps_tab, still
from collapse_theory import theory_tab

TABS = ("Layers and epochs", "Film", "Angles", "Classes", "From layer to layer", "Weight decay",
        "Theory", "Papers", "Export")  # fmt: skip
LOOK = ("a training done here", "the model of the bench", "a loop of your own")


def main() -> None:
    ui.head(
        "Do classes collapse to a simplex?",
        "Neural collapse (Papyan, Han, Donoho 2020) and its perturbation analysis (Tirer, Huang, "
        "Niles-Weed 2023): NC1 to NC4 in float64 at every layer",
    )
    bench = ui.bench(default_model="demo:efficientnet-lite0", default_data="demo:digits")
    look = st.segmented_control("Look at", LOOK, default=LOOK[0], key="look", required=True,
                                bind="query-params")  # fmt: skip
    if look == LOOK[2]:
        results = watched()
    else:
        results = answered(of_trainings(bench) if look == LOOK[0] else of_bench(bench))
    if results:
        main_result = next(iter(results.values()))
        st.markdown(f"**{main_result.reading}**")
        if note := main_result.scalars.get("note"):
            st.caption(f":material/info: {note}")
        hero(results)
    evidence(bench, results)


def of_trainings(bench) -> dict[str, RunRequest]:
    """What is asked of the trainings that were chosen, by title; empty before there is one."""
    start_and_watch(bench)
    return {
        name: RunRequest("collapse", folder, data, seed=bench.seed)
        for name, (folder, data) in chosen_runs().items()
    }


def of_bench(bench) -> dict[str, RunRequest]:
    """What is asked of the bench's model, as it is or changed, or of the arrays of a file."""
    if bench.dataset is not None and bench.dataset.kind == "arrays":
        request = RunRequest("collapse", "", bench.data, seed=bench.seed)
    else:
        columns = [c for c in (bench.dataset.columns if bench.dataset else ()) if c != "row"]
        ui.forget("classes-in", ["", *columns])
        label = st.selectbox("Classes are in", ["", *columns], key="classes-in",
                             format_func=lambda c: c or "the most even column",
                             bind="query-params")  # fmt: skip
        course = st.toggle("Every checkpoint beside the model", key="checkpoints-too",
                           bind="query-params", help="For a folder such as runs/epoch-0150 or "
                           "runs/checkpoint-500: those up to it are read.")  # fmt: skip
        request = bench.request("collapse", label=label, course=course)
    return {request.model or bench.dataset.name: request}


def hero(results: dict) -> None:
    """Three classes in their plane, and NC1 to NC4, under one epoch slider."""
    first = next(iter(results.values()))
    table = first.tables["trajectory"]
    parts = list(dict.fromkeys(table["part"].to_pylist()))
    epochs = sorted(set(table["epoch"].to_pylist()))
    one, two = st.columns([2, 5])
    ui.forget("part", parts)
    part = one.segmented_control("Rows", parts, default=parts[0], key="part", required=True,
                                 help="Collapse is of training rows; held-out rows do not "
                                 "collapse as far.")  # fmt: skip
    epoch = epochs[-1]
    if len(epochs) > 1:
        ui.forget("epoch", epochs)
        epoch = two.select_slider("Epoch", epochs, epochs[-1], key="epoch", bind="query-params")
    left, right = st.columns([2, 3], gap="medium")
    with left:
        if _has_plane(first, part, epoch):
            fig = figures.collapse_plane(first, epoch=epoch, part=part)
            ui.show(ui.legend_below(fig).update_layout(height=ui.HERO_HEIGHT), key="plane",
                    alt=f"Three classes in their plane at epoch {epoch}")  # fmt: skip
        else:
            st.info(
                "A plane needs three classes whose means are not on one line.",
                icon=":material/lightbulb:",
            )
    with right:
        if len(epochs) > 1:
            fig = ui.guarded(figures.collapse_course, list(results.values()), part=part,
                             current=epoch, labels=names_of(results))  # fmt: skip
        else:
            fig = still(first, part)
        if len(results) > 1:
            fig = ui.legend_below(fig, bottom=100 + 18 * len(results))
            fig.update_layout(margin_t=100)
        ui.show(fig.update_layout(height=ui.HERO_HEIGHT), key="course", alt=first.reading)


def _has_plane(result, part: str, epoch: int) -> bool:
    """Whether three classes could be drawn then."""
    plane = result.tables.get("plane")
    there = () if plane is None else zip(*(plane[c].to_pylist() for c in ("part", "epoch")),
                                               strict=True)  # fmt: skip
    return (part, epoch) in there


def evidence(bench, results: dict) -> None:
    """The other pictures, the studies, the papers' findings, and the export."""
    drawn = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    tabs = dict(zip(TABS, drawn, strict=True))
    opened = next((n for n, tab in tabs.items() if tab.open), TABS[0])
    result = next(iter(results.values()), None)
    free = {"Theory": theory_tab, "Weight decay": lambda: study_tab(bench)}
    draw = {
        "Layers and epochs": lambda: layers_tab(result), "Film": lambda: film_tab(result),
        "Angles": lambda: angles_tab(result), "Classes": lambda: classes_tab(result),
        "From layer to layer": lambda: steps_tab(result),
        "Papers": lambda: ui.claims(ui.workbench().claims([result])),
        "Export": lambda: ui.provenance(result, _exported(result), name="collapse"),
    }  # fmt: skip
    with tabs[opened]:
        if opened in free:
            ui.guarded(free[opened])
        elif result is None:
            st.info("Train a net above, or look at the model of the bench.",
                    icon=":material/lightbulb:")  # fmt: skip
        else:
            ui.guarded(draw[opened])


def _exported(result):
    """The figure that is taken away: the course, or one moment's."""
    if len(set(result.tables["trajectory"]["epoch"].to_pylist())) > 1:
        return figures.collapse_course(result)
    return still(result, str(result.scalars["part"]))


main()
