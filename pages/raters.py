"""How much of a score is the rater?  Items, raters and criteria on one ruler."""

import streamlit as st

import ui
from backend import figures
from raters_items import criteria_tab, items_tab
from raters_people import interactions_tab, raters_tab, residuals_tab
from raters_scores import export_tab, harshness_tab, layer_tab

TABS = (
    "Raters", "Items", "Criteria", "Residuals", "Interactions", "Harshness or taste",
    "Scores from a layer", "Papers", "Export",
)  # fmt: skip


def main() -> None:
    ui.head(
        "How much of a score is the rater?",
        "Many-facet Rasch measurement (Linacre 1989; Masters 1982), as Kennedy, Bacon, Sahn, von "
        "Vacano 2020 take annotators' severity out of ordinal labels",
    )
    bench = ui.judged_bench("ratings", default_data="demo:verbal-aggression", model="none")
    settings(bench)
    n = bench.dataset.n_rows if bench.dataset else 0
    result = ui.answer(request(bench), what="The ruler", work=3e-5 * n)
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    if note := result.scalars.get("note"):
        st.caption(f":material/info: {note}")
    fig = figures.wright_map(result).update_layout(height=ui.HERO_HEIGHT + 80)
    ui.show(fig, key="wright", alt=result.reading)
    evidence(bench, result)


def settings(bench) -> None:
    """How ratings are read and measured; held in the URL."""
    columns = bench.dataset.columns if bench.dataset else ()
    more = [c for c in columns if c not in ("item", "rater", "criterion", "rating", "text")]
    ui.forget("facet", ["", *more])
    with st.expander("How it is measured", icon=":material/tune:"):
        one, two, three, four = st.columns(4)
        one.selectbox(
            "Thresholds", ("partial_credit", "rating_scale"), key="scale", bind="query-params",
            help="partial_credit: each criterion its own; rating_scale: one set for all.",
        )  # fmt: skip
        two.selectbox(
            "Estimation", ("jmle", "mml"), key="method", bind="query-params",
            help="Joint or marginal maximum likelihood; mml for small tables only.",
        )  # fmt: skip
        three.number_input("Ratings per rater, at least", 1, 10_000, 1, key="min_ratings",
                           bind="query-params")  # fmt: skip
        four.selectbox("Fourth facet", ["", *more], key="facet", bind="query-params",
                       format_func=lambda n: n or "none")  # fmt: skip
        one.text_input("Words, low to high", key="levels", bind="query-params",
                       placeholder="no,perhaps,yes")  # fmt: skip
        two.text_input("Merge categories", key="collapse", bind="query-params",
                       placeholder="*:0,0,1,2", help="New category of each old one.")  # fmt: skip
        three.text_input("Anchors", key="anchors", bind="query-params",
                         placeholder="criterion:respect=-2.26")  # fmt: skip
        four.text_input("Interaction", key="interaction", bind="query-params",
                        placeholder="rater x criterion")  # fmt: skip
        one.number_input("Infit below which a rater is flagged", 0.0, 1.0, 0.5, 0.05,
                         key="infit_low", bind="query-params")  # fmt: skip
        two.number_input("Infit above which a rater is flagged", 1.0, 20.0, 1.5, 0.05,
                         key="infit_high", bind="query-params")  # fmt: skip
        three.text_input("Raters to drop", key="drop", bind="query-params", placeholder="ann|bob")
        four.toggle("Drop the flagged and fit again", key="refit", bind="query-params",
                    help="Says how items move. Dissenters can look like misfit.")  # fmt: skip
        four.toggle("Correct the stretch of jmle", key="correct", bind="query-params",
                    help="(L - 1) / L, with L ratings per item.")  # fmt: skip


def request(bench):
    """The raters analysis with the settings and bounds that were chosen."""
    held = st.session_state
    names = ("scale", "method", "min_ratings", "facet", "levels", "collapse", "anchors",
             "interaction", "correct")  # fmt: skip
    chosen = {name: held.get(name) or "" for name in names}
    chosen |= {"correct": bool(held.get("correct")) and chosen["method"] == "jmle"}
    chosen |= {name: float(held[name]) for name in ("infit_low", "infit_high")}
    return bench.request(
        "raters", **chosen, refit=bool(held.get("refit")), drop=held.get("drop") or ""
    )


def evidence(bench, result) -> None:
    """The other pictures, the tables behind them, the papers' findings, and the export."""
    drawn = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    tabs = dict(zip(TABS, drawn, strict=True))
    opened = next((n for n, tab in tabs.items() if tab.open), TABS[0])
    draw = {
        "Raters": lambda: raters_tab(bench, result), "Items": lambda: items_tab(bench, result),
        "Criteria": lambda: criteria_tab(result), "Residuals": lambda: residuals_tab(result),
        "Interactions": lambda: interactions_tab(result),
        "Harshness or taste": lambda: harshness_tab(bench),
        "Scores from a layer": lambda: layer_tab(bench),
        "Papers": lambda: ui.claims(ui.workbench().claims([result])),
        "Export": lambda: export_tab(result),
    }  # fmt: skip
    with tabs[opened]:
        draw[opened]()


main()
