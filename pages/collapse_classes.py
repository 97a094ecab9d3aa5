"""Which classes are measured, and whose three make the plane."""

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

import ui
from backend import RunRequest


def answered(requests: Mapping[str, RunRequest]) -> dict:
    """Results by title, of the classes that are chosen among those of the first."""
    whole = _results(requests)
    if not whole:
        return {}
    chosen = _choice(_classes(next(iter(whole.values()))))
    if not chosen:
        return whole
    names = {n for text in chosen.values() for n in text.split(",")}
    fit = [title for title, result in whole.items() if names <= set(_classes(result))]
    some = _results({
        title: replace(requests[title], parameters=dict(requests[title].parameters) | chosen)
        for title in fit
    })  # fmt: skip
    if len(fit) < len(whole):
        st.caption(":material/info: Trainings without these classes are left out.")
    return some


def _results(requests: Mapping[str, RunRequest]) -> dict:
    found = ((t, ui.answer(r, what=f"Collapse of {t}")) for t, r in requests.items())
    return {title: result for title, result in found if result is not None}


def _classes(result) -> list[str]:
    return list(dict.fromkeys(result.tables["classes"]["class"].to_pylist()))


def _choice(classes: list[str]) -> dict[str, str]:
    """Parameters of the analysis; empty while nothing is chosen."""
    with st.popover("Classes", icon=":material/category:"):
        only = _some("Measured", classes, "only", len(classes),
                     "All, where none is named. Fewer: as if there were no others; the head "
                     "decides among these.")  # fmt: skip
        there = [c for c in classes if c in only] or classes
        three = _some("Plane of", there, "three", 3, "Three; the first three where none is named.")
    out = {"only": ",".join(only)} if only else {}
    if len(only) == 1:
        st.info("Two classes or more can be measured.", icon=":material/lightbulb:")
        return {}
    if three and len(three) < 3:
        st.info(f"A plane needs three classes; {len(three)} named.", icon=":material/lightbulb:")
    return out | ({"classes": ",".join(three)} if len(three) == 3 else {})


def _some(title: str, classes: list[str], key: str, most: int, said: str) -> list[str]:
    ui.forget(key, classes)
    return st.multiselect(title, classes, key=key, max_selections=most, help=said,
                          placeholder="all" if most > 3 else "the first three",
                          bind="query-params")  # fmt: skip
