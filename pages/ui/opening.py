"""The server's workbench, the login, and how a page begins."""

import os
from collections.abc import Callable

import streamlit as st

from backend import UserError, Workbench, open_workbench


@st.cache_resource(show_spinner=False)
def workbench() -> Workbench:
    """The workbench of this server; what the last server left unfinished is started again."""
    found = open_workbench(scheduler=os.environ.get("PENULTIMATE_SCHEDULER", "local"))
    found.resume()
    found.warm_up()
    return found


def gate() -> None:
    """Ask for a login where one is configured."""
    if "auth" in _secrets() and not st.user.is_logged_in:
        st.title("Penultimate")
        st.button("Log in", on_click=st.login, type="primary")
        st.stop()


def _secrets() -> dict:
    try:
        return dict(st.secrets)
    except FileNotFoundError:
        return {}


def head(question: str, method: str) -> None:
    """The page's question, and under it the method and its source."""
    st.title(question, anchor=False)
    st.caption(method)


def guarded(call: Callable, *args: object, **kwargs: object) -> object:
    """Call the workbench; a user's mistake is shown where the answer would be, and stops there."""
    try:
        return call(*args, **kwargs)
    except UserError as error:
        st.error(error.what, icon=":material/error:")
        if error.remedy:
            st.info(error.remedy, icon=":material/lightbulb:")
        st.stop()
