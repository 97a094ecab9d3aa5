"""Do people want one thing, or several?  Shared tastes, and who has which."""

import streamlit as st

import ui
from backend import figures
from preferences_people import add_tab, people_tab
from preferences_settings import request, seconds, settings
from preferences_tastes import layers_tab, likes_tab, pair_tab, sure_tab

TABS = (
    "People", "What each taste likes", "A pair", "Add a person", "How sure",
    "Which layer knows?", "Papers", "Export",
)  # fmt: skip


def main() -> None:
    ui.head(
        "Do people want one thing, or several?",
        "Pluralistic alignment (Chen, Chen, Rege, Vinayak 2024): shared prototypes of taste, and "
        "weights on them for every person; beside one taste for all (Bradley and Terry 1952)",
    )
    bench = ui.judged_bench("choices", default_data="demo:trains")
    settings()
    result, changed = answers(bench)
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    if changed is not None:
        st.markdown(f"**With {bench.whatif}:** {changed.reading}")
    if note := result.scalars.get("note"):
        st.caption(f":material/info: {note}")
    hero(result, changed)
    evidence(bench, result)


def answers(bench) -> tuple:
    """The result, and the same under the bench's what-if where there is one."""
    asked = request(bench, whatif="")
    work = seconds(bench, asked.parameters)
    result = ui.answer(asked, what="How many tastes there are", work=work)
    if result is None or not bench.whatif:
        return result, None
    return result, ui.answer(request(bench), what="The same under the what-if", work=work)


def hero(result, changed) -> None:
    """Options, tastes and people; beside them how well each number of tastes predicts."""
    left, right = st.columns([6, 5], gap="medium")
    people = result.tables["persons"]
    own = people.column_names[people.column_names.index("y") + 1 :]
    with left:
        colours = ["taste", "entropy", *own]
        ui.forget("colour", colours)
        pick, kind = st.columns([3, 2], vertical_alignment="bottom")
        colour = pick.selectbox("People coloured by", colours, key="colour", bind="query-params")
        three = result.scalars["k"] == 3
        shape = kind.segmented_control(
            "Picture", ("map", "ternary"), default="map", key="picture", required=True,
            bind="query-params", disabled=not three, help="ternary: at three tastes.",
        )  # fmt: skip
        chosen = {"colour": colour, "person": ui.held("person")}
        if three and shape == "ternary":
            fig = figures.taste_ternary(result, **chosen)
        else:
            fig = figures.taste_map(result, option=ui.held("a"), **chosen)
        ui.show(ui.legend_below(fig).update_layout(height=ui.HERO_HEIGHT), key="tastes",
                alt=result.reading, select=_take, modes=("points",))  # fmt: skip
    with right:
        ui.level_with_slider()
        fig = figures.taste_accuracy(result, changed=changed)
        fig = ui.legend_below(fig, bottom=165).update_layout(height=ui.HERO_HEIGHT)
        fig.update_layout(margin_l=64)  # room for the axis title
        ui.show(fig, key="taste-accuracy", alt="Share of choices predicted by number of tastes")


def _take() -> None:
    """A click on a person or an option selects it, here and in the tabs."""
    points = st.session_state["tastes"].selection.points
    if points and len(points[0].get("customdata") or ()) == 2:
        kind, name = points[0]["customdata"]
        if kind in ("person", "option"):
            st.session_state["person" if kind == "person" else "a"] = name


def evidence(bench, result) -> None:
    """The other pictures, the tables behind them, the papers' findings, and the export."""
    drawn = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    tabs = dict(zip(TABS, drawn, strict=True))
    opened = next((n for n, tab in tabs.items() if tab.open), TABS[0])
    draw = {
        "People": lambda: people_tab(bench, result), "A pair": lambda: pair_tab(result),
        "What each taste likes": lambda: likes_tab(result),
        "Add a person": lambda: add_tab(result), "How sure": lambda: sure_tab(result),
        "Which layer knows?": lambda: layers_tab(bench, result),
        "Papers": lambda: ui.claims(ui.workbench().claims([result])),
        "Export": lambda: ui.provenance(result, figures.taste_map(result), name="preferences"),
    }  # fmt: skip
    with tabs[opened]:
        draw[opened]()


main()
