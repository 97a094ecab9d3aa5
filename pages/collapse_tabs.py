"""Collapse in parts: layers by epochs, the film, angles, classes, and the steps between layers."""

import pyarrow.compute as pc
import streamlit as st

import ui
from backend import figures

MEASURES = {
    "nc1": "NC1",
    "nc1_ratio": "NC1~",
    "cdnv": "CDNV",
    "nc2": "NC2",
    "nc2_equinorm": "NC2 norms",
    "nc2_equiangular": "NC2 angles",
    "centre_error": "nearest-centre error",
}


def _part(result) -> str:
    """The rows that the hero shows, where this result has them."""
    there = result.tables["trajectory"]["part"].to_pylist()
    held = st.session_state.get("part")
    return held if held in there else there[0]


def _epochs(result) -> list[int]:
    return sorted(set(result.tables["trajectory"]["epoch"].to_pylist()))


def _layers(result) -> list[str]:
    return list(dict.fromkeys(result.tables["trajectory"]["layer"].to_pylist()))


def _epoch(result) -> int:
    """The epoch of the hero's slider."""
    there, held = _epochs(result), st.session_state.get("epoch")
    return held if held in there else there[-1]


def still(result, part: str):
    """One moment: NC1~ over the layers, or the classes where there is one layer."""
    if len(_layers(result)) > 1:
        return figures.collapse_depth(result, measure="nc1_ratio", part=part)
    return figures.collapse_classes(result, epoch=_epochs(result)[-1], part=part, by="cdnv")


def layers_tab(result) -> None:
    """One measure over layers and epochs, and cuts through it both ways."""
    measure = st.segmented_control("Measure", list(MEASURES), default="nc1", key="measure",
                                   format_func=MEASURES.__getitem__, required=True,
                                   bind="query-params")  # fmt: skip
    name = MEASURES[measure]
    part, epochs, epoch = _part(result), _epochs(result), _epoch(result)
    layers = _layers(result)
    if len(epochs) > 1 and len(layers) > 1:
        ui.forget("layer", layers)
        layer = st.select_slider("Layer", layers, layers[-1], key="layer", bind="query-params")
        fig = figures.collapse_heat(result, measure=measure, part=part, current_epoch=epoch,
                                    current_layer=layer)  # fmt: skip
        ui.show(fig, key="heat", alt=f"{name} by layer and epoch")
        left, right = st.columns(2, gap="medium")
        some = sorted({epochs[0], epochs[len(epochs) // 2], epoch, epochs[-1]})
        with left:
            fig = figures.collapse_depth(result, measure=measure, part=part, epochs=some,
                                         current_layer=layer)  # fmt: skip
            ui.show(fig, key="depth", alt=f"{name} over the layers")
        with right:
            fig = figures.collapse_layers(result, measure=measure, part=part,
                                          current_epoch=epoch, current_layer=layer)  # fmt: skip
            ui.show(fig, key="over-epochs", alt=f"{name} of each layer over the epochs")
    elif len(layers) > 1:
        ui.show(figures.collapse_depth(result, measure=measure, part=part), key="depth",
                alt=f"{name} over the layers")  # fmt: skip
    elif len(epochs) > 1:
        fig = figures.collapse_layers(result, measure=measure, part=part, current_epoch=epoch)
        ui.show(fig, key="over-epochs", alt=f"{name} over the epochs")
    st.caption(f"{name}: {figures.collapse_formula(measure)}")
    ui.table(result.tables["trajectory"], key="trajectory-table")


def film_tab(result) -> None:
    """Samples of three classes from checkpoint to checkpoint."""
    if "plane" not in result.tables or len(_epochs(result)) < 2:
        st.info("The film needs three classes and two checkpoints.", icon=":material/lightbulb:")
        return
    fig = figures.collapse_film(result, part=_part(result))
    ui.show(fig.update_layout(height=640), key="film", alt="Samples shrink to the corners")
    ui.table(result.tables["plane"], key="plane-table", height=240)


def angles_tab(result) -> None:
    """How far the angles between class means are from those of a simplex."""
    order = st.segmented_control("Classes", ("given", "clustered"), default="given",
                                 key="order", required=True, bind="query-params")  # fmt: skip
    fig = figures.collapse_cosines(result, epoch=_epoch(result), part=_part(result), order=order)
    ui.show(fig.update_layout(height=560), key="cosines", alt="Cosines minus the ideal")
    ui.table(result.tables["cosines"], key="cosines-table", height=240)


def classes_tab(result) -> None:
    """Each class: its spread, its nearest other, its errors."""
    by = st.segmented_control("Sorted by", ("cdnv", "within", "distance", "centre_error"),
                              default="cdnv", key="by", required=True,
                              bind="query-params")  # fmt: skip
    epoch, part = _epoch(result), _part(result)
    ui.show(figures.collapse_classes(result, epoch=epoch, part=part, by=by), key="classes",
            alt=f"Classes by {by}")  # fmt: skip
    table = result.tables["classes"]
    mine = pc.and_(pc.equal(table["epoch"], epoch), pc.equal(table["part"], part))  # type: ignore[attr-defined]
    ui.table(table.filter(mine), key="classes-table", height=320)


def steps_tab(result) -> None:
    """How flexible the step from each layer to the next is, by the tethered model."""
    st.caption("An estimate of ours, not the paper's: the beta for which the tethered model, "
               "started at one layer's features, ends at the spread of the next. A large beta: "
               "the step changes little.")  # fmt: skip
    if not result.tables["steps"].num_rows:
        st.info("That needs the rows at two layers; a watched loop keeps only statistics.",
                icon=":material/lightbulb:")  # fmt: skip
        return
    ui.show(figures.collapse_steps(result), key="steps", alt="beta of each step between layers")
    ui.table(result.tables["steps"], key="steps-table", height=280)
