"""Picking a model or a data set by its reference."""

from collections.abc import Sequence

import streamlit as st


def pick(label: str, offers: Sequence, *, key: str, default: str, help: str) -> str:
    """A selectbox over offers that also takes typed references, bound to the URL."""
    refs = [o.ref for o in offers]
    for ref in (st.query_params.get(key), st.session_state.get(key), default):
        if ref and ref not in refs:
            refs.append(ref)
    ref = st.selectbox(
        label,
        refs,
        index=refs.index(default),
        key=key,
        accept_new_options=True,
        bind="query-params",
        help=help,
    )
    if offer := next((o for o in offers if o.ref == ref), None):
        st.caption(offer.label)
    return ref


def held(key: str) -> str:
    """What a widget further down the page holds, or will take from the URL; empty for nothing."""
    return st.session_state.get(key) or st.query_params.get(key) or ""
