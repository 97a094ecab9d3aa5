"""Running and waiting: quotes, progress with time left, and what became of a job."""

from pathlib import Path

import streamlit as st

from backend import RunRequest, UserError
from ui.opening import guarded, workbench
from ui.quoting import quote

QUOTE_ABOVE_SECONDS = 90  # longer work is quoted and waits for a click
ACTIVE = ("submitted", "running")


@st.cache_resource(show_spinner=False, max_entries=64)
def kept(key: str):
    """A stored result; its tables are read once."""
    return workbench().result(key)


def answer(
    request: RunRequest, *, what: str, auto: bool = True, wait: float = 0.0, tokens: float = 0.0,
    work: float = 0.0,
):  # fmt: skip
    """The stored result of a request; otherwise its quote or its progress, and None.

    `wait` seconds are given to work that is quick before its progress is shown. `tokens` are what
    an analysis sends through the whole model, where it captures nothing: its quote rests on them.
    `work` are seconds of fitting that come on top, about.
    """
    found = workbench()
    job = _job_of(request)
    if job is None or job.state not in ACTIVE:
        key = guarded(found.key_of, request)
        if key and (result := kept(key)) is not None:  # type: ignore[arg-type]
            return result
        if key:
            kept.clear(key)
    if job is not None and job.state in ("failed", "cancelled"):
        _ended(job, request, what)
        return None
    if job is None or job.state not in ACTIVE:
        seconds, cost = quote(request, tokens, work)
        asks = not auto or seconds > QUOTE_ABOVE_SECONDS or _must_be_fetched(request.model)
        if asks and not _clicked(request, what, cost):
            return None
        job = found.submit_run(request)
        st.session_state[f"job:{request}"] = job.id
        if asks:
            st.rerun()  # without the box that asked
    if wait and job.ended.wait(wait) and job.state == "done":
        return kept(guarded(found.key_of, request))  # type: ignore[arg-type]
    progress(job)
    return None


def _job_of(request: RunRequest):
    """The job that was started for this request, here or by another reader of this server."""
    live = workbench().runner.live
    mine = st.session_state.get(f"job:{request}")
    if mine == "again":
        return None
    same = [j for j in live.values() if j.kind == "run" and j.request == request.to_json()]
    return live.get(mine) or (same[-1] if same else None)


def _must_be_fetched(model: str) -> bool:
    """Whether a typed reference would start a download of unknown size."""
    near = not model or model.startswith("demo:") or Path(model).expanduser().exists()
    return not near and workbench().model(model) is None


def _clicked(request: RunRequest, what: str, cost: str) -> bool:
    with st.container(border=True):
        st.markdown(f"**{what}** is not computed yet.")
        if cost:
            st.caption(cost)
        elif _must_be_fetched(request.model):
            st.caption(f"{request.model} is fetched from the hub first.")
        return st.button(
            "Compute", key=f"go:{request}", type="primary", icon=":material/play_arrow:"
        )


def _ended(job, request: RunRequest, what: str) -> None:
    """Why there is no result, what to do about it, and a way to try again."""
    with st.container(border=True):
        if job.state == "failed":
            failure(job, f"{what} could not be computed.")
        else:
            st.info(f"{what} was stopped; finished shards are kept.", icon=":material/stop_circle:")
        if st.button("Start again", key=f"again:{job.id}", icon=":material/refresh:"):
            st.session_state[f"job:{request}"] = "again"
            st.rerun()


def failure(job, what: str = "") -> None:
    """What went wrong in a job, and the remedy where one is known."""
    error = job.exception
    told = error.what if isinstance(error, UserError) else job.error
    st.error(f"{what} {told}".strip(), icon=":material/error:")
    if isinstance(error, UserError) and error.remedy:
        st.info(error.remedy, icon=":material/lightbulb:")


@st.fragment(run_every=0.5)
def progress(job) -> None:
    """A job's progress with time left and a way to stop it; the page is redrawn when it ends."""
    if job.state not in ACTIVE:
        st.rerun()
    left = job.seconds_left
    time = f", about {left:.0f} s left" if left else ""
    count = f" {_amount(job.done)} of {_amount(job.total)}" if job.total else ""
    bar(job, f"{count}{time}", key="stop")


def bar(job, more: str = "", *, key: str = "stop-bar") -> None:
    """One line of a running job with its Stop, without a poll of its own."""
    share = min(1.0, job.done / job.total) if job.total else 0.0
    line, stop = st.columns([6, 1], vertical_alignment="center")
    line.progress(share, text=f"{job.title}: {job.message}{more}")
    if job.cancelled.is_set():
        stop.caption("stopping")
    elif stop.button("Stop", key=f"{key}:{job.id}", icon=":material/stop:"):
        workbench().cancel(job.id)


def _amount(n: int) -> str:
    return f"{n / 1e6:,.0f} MB" if n > 5_000_000 else f"{n:,}"
