"""The people behind choices: a table with slices, one person, and a new one who answers pairs."""

import random

import pyarrow.compute as pc
import streamlit as st

import ui
from backend import Board, figures


def people_tab(bench, result) -> None:
    """Everyone in a table; how the population divides; the selected person's choices."""
    people = result.tables["persons"]
    own = people.column_names[people.column_names.index("y") + 1 :]
    ui.forget("by", ["", *own])
    left, right = st.columns(2, gap="medium")
    with left:
        by = st.selectbox(
            "Divide by", ["", *own], key="by", bind="query-params",
            format_func=lambda n: n or "strongest weight", help="A column of the people.",
        )  # fmt: skip
        ui.show(figures.taste_divisions(result, by=by), key="divisions",
                alt="How people divide over tastes")  # fmt: skip
    with right:
        _person(bench, people)
    ui.table(people.drop_columns(["x", "y"]), key="persons-table")


def _person(bench, people) -> None:
    """One person: weights with intervals, and choices."""
    names = [str(n) for n in people["person"].to_pylist()]
    ui.forget("person", names)
    name = st.selectbox("Person", names, index=None, key="person", bind="query-params",
                        placeholder="click a dot, or pick")  # fmt: skip
    if not name:
        st.caption("Pick a person to see their weights and choices.")
        return
    row = people.slice(names.index(name), 1).to_pylist()[0]
    weights = [k for k in row if k.startswith("weight_") and k[7:].isdigit()]
    for column, key in zip(st.columns(len(weights)), weights, strict=True):
        ends = f"95 %: {row[f'{key}_low']:.2f} to {row[f'{key}_high']:.2f}"
        column.metric(f"Taste {key[7:]}", f"{row[key]:.2f}", help=ends)
    told = f"{row['n']} choices, entropy {row['entropy']:.2f} bits"
    if row["accuracy"] is not None:
        told += (f"; of {row['tested']} held out {row['accuracy']:.0%} predicted, "
                 f"{row['accuracy_universal']:.0%} by one taste")  # fmt: skip
    st.caption(told + ("; placed as a new person by up to 20 answers" if row["new"] else ""))
    if bench.dataset is not None:
        table = bench.dataset.table()
        mine = table.filter(pc.equal(table["person"].cast("string"), name))
        shown = [c for c in ("prompt", "option_a", "option_b", "choice") if c in mine.column_names]
        st.dataframe(
            mine.select(shown).slice(0, 200), hide_index=True, key="own-choices", height=260
        )


@st.cache_resource(show_spinner=False, max_entries=16)
def board(key: str) -> Board:
    """Options and tastes of a stored result, ready for questions."""
    result = ui.kept(key)
    return Board(result.tables["options"], result.tables["persons"])  # type: ignore[union-attr]


def add_tab(result) -> None:
    """Answer pairs, and watch where you belong, and how surely."""
    if not result.scalars["live"]:
        st.info(
            "A new person is placed here where a choice is linear in the weights: choose Pw or "
            "f(P)w with squared distance.", icon=":material/lightbulb:",
        )  # fmt: skip
        return
    _answering(result)


@st.fragment
def _answering(result) -> None:
    """One question after the other; only this part is drawn anew."""
    asked = board(result.key)
    name = f"answers:{result.key}"
    answers = st.session_state.setdefault(name, [])
    turns = st.session_state.setdefault(f"turn:{result.key}", 0)
    a, b = ui.guarded(asked.ask, answers, seed=turns)  # type: ignore[misc]
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(f"**Which one?** Question {len(answers) + 1}, the one that would tell most.")
        one, two = st.columns(2)
        for column, side, text in ((one, "a", a), (two, "b", b)):
            column.button(text[:200], key=f"take-{side}", width="stretch", on_click=_answer,
                          args=(name, (a, b, side)))  # fmt: skip
        back, skip, dice, over = st.columns(4)
        back.button("Undo", icon=":material/undo:", key="undo-answer", disabled=not answers,
                    on_click=lambda: st.session_state[name].pop())  # fmt: skip
        skip.button("Another pair", icon=":material/skip_next:", key="skip-pair",
                    on_click=_bump, args=(f"turn:{result.key}",))  # fmt: skip
        dice.button("Answer at random", icon=":material/casino:", key="random-answer",
                    on_click=_answer, args=(name, (a, b, random.choice("ab"))))  # fmt: skip
        over.button("Start over", icon=":material/restart_alt:", key="start-over",
                    on_click=lambda: st.session_state[name].clear())  # fmt: skip
        for number, (x, y, side) in reversed(list(enumerate(answers, 1))):
            taken, left_out = (x, y) if side == "a" else (y, x)
            st.caption(f"{number}. **{taken[:80]}** over {left_out[:80]}")
    with right:
        place = asked.place(answers)
        fig = figures.taste_place(result, place.weights, place.low, place.high, n=place.n)
        ui.show(fig, key="place", alt="Your weights on each taste with 95 % intervals")


def _answer(name: str, answer: tuple) -> None:
    st.session_state[name].append(answer)


def _bump(name: str) -> None:
    st.session_state[name] += 1
