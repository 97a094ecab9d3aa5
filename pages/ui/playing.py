"""Walking through depth: a button that moves the layer slider, one layer after the other."""

from time import monotonic

import streamlit as st

PACE_SECONDS = 1.0  # a layer's time on the screen


def is_playing() -> bool:
    """Whether the layers are being walked through."""
    return "playing" in st.session_state


def play_button(place, sites: list[str]) -> None:
    """Start or stop the walk through depth; the page's clock starts with a whole run."""
    playing = is_playing()
    clicked = place.button(
        "Pause" if playing else "Play",
        key="play",
        icon=":material/pause:" if playing else ":material/play_arrow:",
        help="Walks through the layers, one a second, to the last.",
        on_click=_toggle,
        args=(sites,),
    )
    if clicked:
        st.rerun()


def _toggle(sites: list[str]) -> None:
    if st.session_state.pop("playing", None):
        return
    st.session_state["playing"] = monotonic()
    if st.session_state.get("site") in (None, sites[-1]):
        st.session_state["site"] = sites[0]


def step(sites: list[str]) -> bool:
    """While playing, go one layer on when its time has come; ends at the last layer."""
    began = st.session_state.get("playing")
    if not began:
        return False
    at = sites.index(st.session_state.get("site", sites[0]))
    if monotonic() - began > 0.7 * PACE_SECONDS and at + 1 < len(sites):
        at += 1
        st.session_state["site"] = sites[at]
        st.session_state["playing"] = monotonic()
    if at + 1 == len(sites):
        del st.session_state["playing"]
    return True
