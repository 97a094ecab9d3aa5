"""Jobs that a button started: their progress where the button was, then what became of them."""

from collections.abc import Callable

import streamlit as st

from ui.opening import workbench
from ui.waiting import ACTIVE, failure, progress


def do(label: str, begin: Callable, *, key: str) -> None:
    """A button that starts a job, then the job's progress."""
    if job := _job(key):
        progress(job)
    elif st.button(label, key=f"do:{key}", type="primary", icon=":material/play_arrow:"):
        start(begin(), key=key)


def start(job, *, key: str) -> None:
    """Remember a job that this page follows."""
    st.session_state[f"follow:{key}"] = job.id
    st.rerun()


def _job(key: str):
    """The followed job while it runs; one that failed is said."""
    job = workbench().live_job(st.session_state.get(f"follow:{key}", ""))
    if job is not None and job.state == "failed":
        failure(job)
    return job if job is not None and job.state in ACTIVE else None


def follow(key: str) -> object | None:
    """The progress of a job that was started here before; its result, once, when it is done."""
    if job := _job(key):
        progress(job)
        return None
    return finished(key)


def finished(key: str) -> object | None:
    """The result of a job that was started here before, once, when it is done; draws nothing."""
    done = workbench().live_job(st.session_state.get(f"follow:{key}", ""))
    if done is None or done.state != "done":
        return None
    del st.session_state[f"follow:{key}"]
    return done.result
