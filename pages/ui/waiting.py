"""Running and waiting: quotes, progress with time left, and what became of a job."""

from collections.abc import Callable

import streamlit as st

from backend import CaptureAsk, RunRequest
from ui.opening import guarded, workbench

QUOTE_ABOVE_SECONDS = 90  # longer work is quoted and waits for a click
ACTIVE = ("submitted", "running")


@st.cache_resource(show_spinner=False, max_entries=64)
def kept(key: str):
    return workbench().result(key)


def answer(request: RunRequest, *, what: str, auto: bool = True):
    """The stored result of a request; otherwise its quote or its progress, and None."""
    found = workbench()
    job_id = st.session_state.get(f"job:{request}")
    job = found.runner.live.get(job_id) if job_id else None
    if job is None or job.state not in ACTIVE:
        key = guarded(found.key_of, request)
        if key and (result := kept(key)) is not None:  # type: ignore[arg-type]
            return result
        if key:
            kept.clear(key)
    if job is not None and job.state in ("failed", "cancelled"):
        _ended(job, request, what)
        return None
    if job is None:
        plan = guarded(found.plan, _first_ask(request))
        if (not auto or (plan and plan.seconds > QUOTE_ABOVE_SECONDS)) and not _clicked(
            request, what, plan
        ):
            return None
        job = found.submit_run(request)
        st.session_state[f"job:{request}"] = job.id
    progress(job)
    return None


def _first_ask(request: RunRequest) -> CaptureAsk:
    return CaptureAsk(request.model, request.data, request.sites, request.pooling, request.rows)


def _clicked(request: RunRequest, what: str, plan: object) -> bool:
    with st.container(border=True):
        st.markdown(f"**{what}** is not computed yet.")
        if plan is not None:
            st.caption(plan.quote())  # type: ignore[attr-defined]
        return st.button(
            "Compute", key=f"go:{request}", type="primary", icon=":material/play_arrow:"
        )


def _ended(job, request: RunRequest, what: str) -> None:
    with st.container(border=True):
        if job.state == "failed":
            st.error(f"{what} could not be computed. {job.error}", icon=":material/error:")
        else:
            st.info(f"{what} was stopped; finished shards are kept.", icon=":material/stop_circle:")
        if st.button("Start again", key=f"again:{job.id}", icon=":material/refresh:"):
            del st.session_state[f"job:{request}"]
            st.rerun()


@st.fragment(run_every=0.5)
def progress(job) -> None:
    """A job's progress with time left and a way to stop it; the page is redrawn when it ends."""
    if job.state not in ACTIVE:
        st.rerun()
    share = min(1.0, job.done / job.total) if job.total else 0.0
    left = job.seconds_left
    time = f", about {left:.0f} s left" if left else ""
    count = f" {_amount(job.done)} of {_amount(job.total)}" if job.total else ""
    bar, stop = st.columns([6, 1], vertical_alignment="center")
    bar.progress(share, text=f"{job.title}: {job.message}{count}{time}")
    if stop.button("Stop", key=f"stop:{job.id}", icon=":material/stop:"):
        workbench().cancel(job.id)


def _amount(n: int) -> str:
    return f"{n / 1e6:,.0f} MB" if n > 5_000_000 else f"{n:,}"


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
    job = workbench().live_job(st.session_state.get(f"follow:{key}", ""))
    if job is not None and job.state == "failed":
        st.error(job.error, icon=":material/error:")
        return None
    return job if job is not None and job.state in ACTIVE else None


def follow(key: str) -> None:
    """The progress of a job that was started here before, or what became of it."""
    if job := _job(key):
        progress(job)


def bar(job) -> None:
    """One line of a running job, without a poll of its own."""
    share = min(1.0, job.done / job.total) if job.total else 0.0
    st.progress(share, text=f"{job.title}: {job.message}")
    if st.button("Stop", key=f"stop-bar:{job.id}", icon=":material/stop:"):
        workbench().cancel(job.id)
