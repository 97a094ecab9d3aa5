"""The other tabs of the library: jobs, storage, SQL, and a saved figure's view."""

import streamlit as st

import ui
from backend import CaptureAsk, RunRequest, UserError, figures

_STATES = {"done": "green", "failed": "red", "cancelled": "orange"}
_AGAIN = 5  # ended jobs with a line of their own; all are in the table


@st.fragment(run_every=1.0)
def jobs(found) -> None:
    """What runs and what ran."""
    rows = [job for job in found.jobs() if job["kind"] != "warm-up"]
    if not rows:
        st.caption("Nothing ran yet.")
        return
    for job in rows:
        if job["state"] in ui.ACTIVE and (live := found.live_job(job["id"])):
            ui.bar(live)
    troubled = [job for job in rows if job["state"] in ("failed", "cancelled")]
    for job in troubled[:_AGAIN]:
        _troubled(found, job)
    st.dataframe(
        [_line(job) for job in rows],
        hide_index=True,
        key="jobs",
        height=420 if len(rows) > 10 else "auto",
        column_config={
            "created": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", help="UTC"),
            "seconds": st.column_config.NumberColumn(format="%.1f", help="From start to end."),
        },
    )


def _line(job: dict) -> dict:
    """A job as a line of the table."""
    began, ended = job["created"], job["finished"]
    return {
        "title": job["title"],
        "state": job["state"],
        "created": began,
        "seconds": (ended - began).total_seconds() if ended else None,
        "said last": job["error"] or job["message"] or "",
    }


def _troubled(found, job: dict) -> None:
    """A job that failed or was stopped: why, and a way to start it again or to forget it."""
    with st.container(border=True):
        text, again, forget = st.columns([7, 2, 1], vertical_alignment="center")
        colour = _STATES[job["state"]]
        text.markdown(f":{colour}-badge[{job['state']}] **{job['title']}**")
        text.caption(job["error"] or job["message"] or "")
        if job["kind"] in ("run", "capture") and again.button(
            "Start again", key=f"again:{job['id']}", icon=":material/refresh:"
        ):
            found.forget_job(job["id"])
            if job["kind"] == "run":
                found.submit_run(RunRequest(**job["request"]))
            else:
                found.submit_capture(CaptureAsk(**job["request"]))
            st.rerun()
        if forget.button(
            "", key=f"forget:{job['id']}", icon=":material/close:", help="Remove from the list."
        ):
            found.forget_job(job["id"])
            st.rerun()


def storage(found) -> None:
    """What takes up space, and how to free it."""
    sizes = found.sizes()
    parts = {
        "Models": (sum(sizes.models.values()), "Weights that were fetched or uploaded."),
        "Data": (sum(sizes.datasets.values()), "Rows, pictures and sounds."),
        "Captures": (sum(sizes.captures.values()), "Vectors; they can be captured again."),
        "Downloads": (sizes.downloads, "Packages that demos were taken from."),
        "Database": (sizes.database, "The catalogue and all results."),
        "Free on disk": (sizes.free, "What is left on this disk."),
    }
    for cell, (name, (size, means)) in zip(st.columns(len(parts)), parts.items(), strict=True):
        cell.metric(name, f"{size / 1e6:,.0f} MB", help=means)
    rows = found.capture_groups()
    if rows:
        st.markdown("**Captures**")
        event = st.dataframe(
            rows,
            hide_index=True,
            key="captures",
            on_select="rerun",
            selection_mode="multi-row",
            column_config={"keys": None},
        )
        picked = [rows[i] for i in event.selection.rows if i < len(rows)]
        if picked and st.button(f"Delete {len(picked)} captures", icon=":material/delete:"):
            found.remove_captures([k for r in picked for k in r["keys"]])
            st.rerun()
    st.caption(
        "A portable copy with vectors: `penultimate store pack FILE.duckdb` while the "
        "dashboard is stopped."
    )


def sql(found) -> None:
    """Questions in SQL, to a read-only copy in a process of its own."""
    st.caption(
        "A snapshot is one DuckDB file that holds rows, results and captured vectors. It is "
        "queried read-only, in a locked process, for ten seconds and 10,000 rows at most."
    )
    left, right = st.columns([1, 1])
    with left:
        ui.do("Make a snapshot", found.submit_snapshot, key="snapshot")
    snapshot = found.snapshot()
    if snapshot is None:
        st.info("Make a snapshot first.")
        return
    right.download_button(
        "Download it",
        data=lambda: snapshot.read_bytes(),
        icon=":material/download:",
        file_name=snapshot.name,
        help="Opens in any DuckDB 2.",
    )
    text = st.text_area("Query", "show tables", key="sql", bind="query-params")
    if st.button("Run", key="run-sql", type="primary", icon=":material/play_arrow:"):
        answer = ui.guarded(found.query, text)
        st.caption(f"{answer.num_rows:,} rows")
        st.dataframe(answer, hide_index=True, key="sql-answer")


def reopen(found) -> None:
    """Drop a figure that Penultimate saved: the view it came from opens again."""
    file = st.file_uploader(
        "A saved SVG, PNG, HTML, PDF or JSON figure",
        key="figure",
        type=["svg", "png", "html", "json", "pdf"],
    )
    if file is None:
        st.caption("Every figure carries its provenance; drop one here to open its view.")
        return
    try:
        facts = figures.read_provenance(file.getvalue(), file.name)
    except UserError as error:
        st.error(error.what, icon=":material/error:")
        st.caption(error.remedy)
        return
    ui.reopened(found, facts)
