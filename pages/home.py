"""What is here, and where do I start?"""

from pathlib import PurePath

import streamlit as st

import ui
from home_tour import TOUR

PAGES = {  # where a result of an analysis is looked at
    "similarity": "compare.py",
    "projection": "compare.py",
    "quantization": "whatif.py",
    "preferences": "preferences.py",
    "raters": "raters.py",
    "complexity": "complexity.py",
    "collapse": "collapse.py",
}
SAMPLED = ("compare.py", "complexity.py")  # whose number of rows is in the URL


def main() -> None:
    ui.head(
        "What is here, and where do I start?",
        "Penultimate looks inside neural networks, above all at the layer before the last word.",
    )
    found = ui.workbench()
    found.begin()
    running(found)
    tour(found)
    recent(found)
    loaded(found)


@st.fragment(run_every=1.0)
def running(found) -> None:
    """What is being computed right now; the page is drawn anew when something ends."""
    live = [job for job in found.live_jobs() if job.kind != "warm-up"]
    for job in live:
        ui.bar(job)
    if st.session_state.get("running", 0) > len(live):
        st.session_state["running"] = len(live)
        st.rerun()
    st.session_state["running"] = len(live)


def tour(found) -> None:
    """Questions that one click answers, on models and data that need no upload."""
    st.subheader("Start with", anchor=False)
    known = {o.ref: o for what in ("model", "data") for o in found.offers(what)}
    columns = [c for _ in range(0, len(TOUR), 3) for c in st.columns(3)]
    for column, (question, page, query, text) in zip(columns, TOUR, strict=True):
        refs = [query[what] for what in ("model", "data") if what in query]
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{question}**")
            st.caption(text)
            notes = [known[r].note.rpartition("; ")[2] for r in refs if not known[r].ready]
            if fetch := [n for n in notes if "fetch" in n and not n.startswith("0 ")]:
                st.caption("First use: " + ", ".join(fetch))
            st.page_link(page, label="Open", icon=":material/arrow_forward:", query_params=query)


def recent(found) -> None:
    """The newest results as live pictures."""
    st.subheader("Recent results", anchor=False)
    kept = [r for r in found.results() if r["analysis"] in PAGES][:3]
    if not kept:
        st.caption(
            "Nothing is computed yet: open one of the questions above, or bring your own "
            "model and data in the Library."
        )
        return
    for column, record in zip(st.columns(3), kept, strict=False):
        with column.container(border=True):
            facts = record["provenance"]
            model = " and ".join(_name(m) for m in facts["models"])
            st.markdown(f"**{model}** on {facts['data_name']}" if model else facts["data_name"])
            ui.thumbnail(record["key"])
            st.caption(record["reading"])
            query = {"data": facts["data_ref"]}
            if facts["models"]:
                query["model"] = facts["models"][0]["ref"]
            if record["analysis"] == "collapse" and facts["models"]:
                ref = facts["models"][0]["ref"]
                query |= (
                    {"trained": ref} if ref in ui.runs() else {"look": "the model of the bench"}
                )
            if facts["models"] and PAGES[record["analysis"]] in SAMPLED:
                query["rows"] = str(facts["n"]) if str(facts["n"]) in ui.ROWS else "all"
            elif facts["models"] and record["analysis"] == "preferences":
                query["described"] = "a model's layer"
            st.page_link(
                PAGES[record["analysis"]], label="Open", icon=":material/arrow_forward:",
                query_params=query,
            )  # fmt: skip


def _name(model: dict) -> str:
    """A model as people call it: a folder by its title."""
    ref = str(model["ref"])
    return str(model.get("title") or PurePath(ref).name) if PurePath(ref).is_absolute() else ref


def loaded(found) -> None:
    """Models and data at hand, the device, and the findings measured so far."""
    st.subheader("At hand", anchor=False)
    models, data = found.models(), found.datasets()
    one, two, three, four = st.columns(4)
    one.metric("Models opened", len(models), help="Described and ready to run.")
    two.metric("Data sets", len(data), help="Read and kept, by content.")
    three.metric("Results", len(found.results()), help="Answers that need no new computing.")
    four.metric(
        "Stored", f"{found.sizes().total / 1e6:,.0f} MB", help="Everything below the data folder."
    )
    if models:
        st.caption(f"Device: {models[0]['device']} ({models[0]['device_reason']})")
    rows = found.claims([r for r in map(found.result, _newest(found)) if r])
    if rows:
        st.subheader("What the papers found, what we see here", anchor=False)
        ui.claims(rows)
    st.caption(
        "Every chart's camera saves an SVG; a saved figure dropped in the Library opens its "
        "view again."
    )


def _newest(found) -> list[str]:
    """The newest result of each analysis, model and data."""
    seen: dict[tuple, str] = {}
    for record in found.results():
        facts = record["provenance"]
        models = tuple(m["ref"] for m in facts["models"])
        name = (record["analysis"], models, facts["data"], facts["whatif"])
        seen.setdefault(name, record["key"])
    return list(seen.values())[:12]


main()
