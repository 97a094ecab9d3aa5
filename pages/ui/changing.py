"""The what-if of the bench: how the model is changed, as text in the sidebar and in the URL."""

import streamlit as st

from backend import UserError, WhatIf
from ui.opening import guarded

_HELP = (
    "How the model is changed: skip:3,5-7 takes layers out, skip-attn:3 and skip-mlp:3 a part of "
    "one, bits:4=0-9,3=10-29 lowers their bits; join with +. Set it by clicking on the page "
    "Skip and quantize."
)
_REMEMBERED = 50  # earlier what-ifs


def changed(facts: dict | None) -> str:
    """The what-if in its canonical text; a mistake in it is said and stops the page."""
    typed = st.text_input(
        "What-if",
        "",
        key="whatif",
        bind="query-params",
        placeholder="the model as it is",
        help=_HELP,
        max_chars=2000,
    )
    whatif = guarded(_read, typed, facts["blocks"] if facts else None)
    if whatif:
        st.caption(f":orange[{whatif.in_words()}]")  # type: ignore[attr-defined]
        st.button(
            "As it is",
            key="whatif-off",
            icon=":material/undo:",
            help="Take the what-if out.",
            on_click=put_whatif,
            args=(WhatIf(),),
        )
    return str(whatif)


def _read(text: str, blocks: int | None) -> WhatIf:
    whatif = WhatIf.parse(text or "")
    return whatif if blocks is None else whatif.check(blocks)


def current() -> WhatIf:
    """The what-if that the bench holds; the empty one while it cannot be read."""
    try:
        return WhatIf.parse(st.session_state.get("whatif") or "")
    except UserError:
        return WhatIf()


def put_whatif(whatif: WhatIf) -> None:
    """Change the model otherwise; the what-if before can be brought back."""
    before = str(current())
    if str(whatif) == before:
        return
    past = st.session_state.setdefault("whatif-before", [])
    past.append(before)
    del past[:-_REMEMBERED]
    st.session_state["whatif"] = str(whatif)


def undo_whatif() -> None:
    """Go back to the what-if before."""
    if past := st.session_state.get("whatif-before"):
        st.session_state["whatif"] = past.pop()


def can_undo_whatif() -> bool:
    """Whether there was another what-if before."""
    return bool(st.session_state.get("whatif-before"))
