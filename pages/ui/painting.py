"""A strip of layers to paint on: an own component, so that a drag is felt at once."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from backend import figures

_HERE = Path(__file__).parent
_HTML = """<style>:host {{ --baseline: {}; --whatif: {}; --selected: {}; }}</style>
<div class="row" role="toolbar"></div>
<div class="numbers" aria-hidden="true"></div>"""


@st.cache_resource(show_spinner=False)
def _component():
    """Registered once for the server."""
    return st.components.v2.component(
        "penultimate_layers",
        html=_HTML.format(*figures.ACCENTS),
        css=(_HERE / "painting.css").read_text(encoding="utf-8"),
        js=(_HERE / "painting.js").read_text(encoding="utf-8"),
    )


def paint_layers(
    cells: Sequence[dict], *, key: str, label: str, on_paint: Callable[[list[int]], None]
) -> None:
    """Draw the layers; `on_paint` gets the numbers of those that a click or a drag covered.

    Parameters
    ----------
    cells : for each layer `layer`, `kind` (plain, bits, skip, attention or mlp), `text` inside the
        square, and `words` for the pointer and for screen readers.
    """

    def painted() -> None:
        layers = st.session_state[key].painted
        if layers:
            on_paint([int(n) for n in layers])

    _component()(
        key=key, on_painted_change=painted, height="content",
        data={"cells": list(cells), "label": label, "every": 1 if len(cells) <= 16 else 5},
    )  # fmt: skip
