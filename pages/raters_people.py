"""The raters: severity, fit with bounds that move, dropping and fitting again, residuals."""

import pyarrow.compute as pc
import streamlit as st

import ui
from backend import figures

LIMITS = (0.0, 4.0)  # of infit on the slider


def raters_tab(bench, result) -> None:
    """Severity of each rater; fit with bounds; dropping; one rater's most unexpected ratings."""
    one, two = st.columns(2, gap="medium")
    with one:
        ui.level_with_slider()
        fig = figures.rater_severities(result, current=ui.held("rater"))
        ui.show(fig, key="severities", alt="Severity of each rater with 95 % intervals",
                select=lambda: _take("severities"), modes=("points",))  # fmt: skip
    with two:
        _bounds(result)
    _drop(result)
    if "before_after" in result.tables:
        left, right = st.columns(2, gap="medium")
        with left:
            ui.show(figures.measures_before_after(result), key="before-after",
                    alt="Items' measures with and without the dropped raters")  # fmt: skip
        with right:
            ui.table(result.tables["dropped"], key="dropped-table")
    _rater(bench, result)
    ui.table(result.tables["raters"], key="raters-table")
    ui.table(result.tables["facets"], key="facets-table", height=180)


def _take(key: str) -> None:
    points = st.session_state[key].selection.points
    if points and (data := points[0].get("customdata")):
        name = data[0] if isinstance(data, list | tuple) else data
        st.session_state["rater"] = str(name)


@st.fragment
def _bounds(result) -> None:
    """Infit against severity, with bounds under the reader's hand."""
    held = st.session_state
    low, high = st.slider(
        "Bounds of infit", *LIMITS, (float(held["infit_low"]), float(held["infit_high"])), 0.05,
        key="bounds",
        help="1 is what the model expects; above, a rater is erratic, below, too predictable. "
        "Drag the ends: the count below follows; 'Use these bounds' flags by them.",
    )  # fmt: skip
    table = result.tables["raters"]
    infit, z = table["infit"], pc.abs(table["infit_z"])  # type: ignore[attr-defined]
    outside = pc.or_(pc.less(infit, low), pc.greater(infit, high))  # type: ignore[attr-defined]
    sure = pc.or_(pc.is_nan(z), pc.greater_equal(z, 2.0))  # type: ignore[attr-defined]
    count = pc.sum(pc.and_(outside, sure)).as_py() or 0  # type: ignore[attr-defined]
    fig = figures.rater_fit(result, low=low, high=high)
    ui.show(fig, key="rater-fit", alt="Infit of each rater with the bounds")
    st.caption(f"{count} of {table.num_rows} raters lie outside, surely (|z| of infit 2 or more).")
    chosen = {"infit_low": min(low, 1.0), "infit_high": max(high, 1.0)}
    if st.button("Use these bounds", key="use-bounds", icon=":material/check:", on_click=_put,
                 args=(chosen,)):  # fmt: skip
        st.rerun()


def _drop(result) -> None:
    """Leave raters out and fit again; take it back."""
    names = [str(n) for n in result.tables["raters"]["rater"].to_pylist()]
    held = [n for n in (st.session_state.get("drop") or "").split("|") if n]
    one, two, three = st.columns([2, 3, 2], vertical_alignment="bottom")
    if st.session_state.get("refit"):
        one.button("Take the flagged back", key="take-back", icon=":material/undo:",
                   on_click=_put, args=({"refit": False},))  # fmt: skip
    else:
        one.button(f"Drop the {result.scalars['flagged']} flagged and fit again",
                   key="drop-flagged", icon=":material/person_remove:", on_click=_put,
                   args=({"refit": True},), disabled=not result.scalars["flagged"])  # fmt: skip
    chosen = two.multiselect("Drop by name", sorted({*names, *held}), held, key="drop-names")
    three.button(
        "Fit without them", key="drop-now", icon=":material/refresh:", on_click=_put,
        args=({"drop": "|".join(chosen)},), disabled=sorted(chosen) == sorted(held),
    )  # fmt: skip


def _put(chosen: dict) -> None:
    """Set what the settings above hold."""
    for name, value in chosen.items():
        st.session_state[name] = value


def _rater(bench, result) -> None:
    """One rater's most unexpected ratings, and what was expected."""
    names = [str(n) for n in result.tables["raters"]["rater"].to_pylist()]
    ui.forget("rater", names)
    name = st.selectbox("Rater", names, index=None, key="rater", bind="query-params",
                        placeholder="click a dot, or pick")  # fmt: skip
    if not name:
        return
    row = result.tables["raters"].slice(names.index(name), 1).to_pylist()[0]
    st.caption(
        f"severity {row['severity']:.2f} ({row['low']:.2f} to {row['high']:.2f}) logits, infit "
        f"{row['infit']:.2f}, outfit {row['outfit']:.2f}, {row['n']} ratings, "
        f"{row['top']:.0%} in the top category"
    )
    odd = result.tables["residuals"]
    mine = odd.filter(pc.equal(odd["rater"], name))  # type: ignore[attr-defined]
    if mine.num_rows:
        ui.table(mine, key="odd-table", height=200)
    else:
        st.caption("None of this rater's ratings lies 3 standard deviations off (of those listed).")


def residuals_tab(result) -> None:
    """Raters by criteria, the most unexpected ratings, and what criteria share beyond the ruler."""
    fig = figures.rater_residuals(result)
    ui.show(fig, key="residual-map", alt="Mean residual of each rater on each criterion")
    st.caption(f"{result.scalars['unexpected']:,} ratings lie 3 standard deviations off or more.")
    ui.table(result.tables["residuals"], key="residuals-table")
    if "correlations" in result.tables:
        contrast = result.scalars["contrast"]
        told = f" First contrast of the residuals: {contrast:.2f}" if contrast else ""
        st.caption(
            "Correlations of residuals between criteria: above 0, one rater's marks on an item go "
            f"together (halo), and errors are too small.{told}; above 2 hints at another dimension."
        )
        ui.table(result.tables["correlations"], key="correlations-table")


def interactions_tab(result) -> None:
    """Pairs that behave otherwise together than apart."""
    if "interactions" not in result.tables:
        st.info(
            "Name two facets or columns under *How it is measured: Interaction*, such as rater x "
            "criterion, or gender x mode.", icon=":material/lightbulb:",
        )  # fmt: skip
        return
    s = result.scalars
    st.markdown(
        f"{s['interaction_marked']} of {s['interaction_cells']} cells of {s['interaction']} have "
        f"|t| of 2 or more; all zero: chi² {s['interaction_chi2']:.1f}, p {s['interaction_p']:.2g}."
    )
    ui.show(figures.interaction_forest(result), key="forest", alt="Bias of pairs with intervals")
    ui.table(result.tables["interactions"], key="interactions-table")
