"""What models and data do I have?  Bring your own, see what runs, and what takes up space."""

import tempfile
from pathlib import Path

import streamlit as st

import ui
from backend import UserError, figures


def main() -> None:
    ui.head(
        "What models and data do I have?",
        "Models from the hub, a folder, a GGUF file or an upload; tables, images and audio. "
        "Nothing that is opened here is ever unpickled.",
    )
    names = ("Models", "Data", "Jobs", "Storage", "SQL", "Reopen a figure")
    tabs = st.tabs(names, key="tab", on_change="rerun", bind="query-params")
    draw = dict(zip(names, (models, data, jobs, storage, sql, reopen), strict=True))
    for name, tab in zip(names, tabs, strict=True):
        if tab.open:
            with tab:
                draw[name](ui.workbench())


def models(found) -> None:
    """Pick or add a model, and see what it is."""
    left, right = st.columns([3, 2])
    offers = found.offers("model")
    with left:
        ref = ui.pick(
            "Model",
            offers,
            key="model",
            default="demo:smollm2",
            help="Type org/name or org/name@revision, a folder, or a .gguf file.",
        )
        facts = ui.guarded(found.model, ref)
        if facts is None:
            offer = next((o for o in offers if o.ref == ref), None)
            st.caption(offer.note if offer else f"{ref} has not been opened yet.")
            ui.do("Open this model", lambda: found.submit_model(ref), key=f"open:{ref}")
        else:
            model_card(found, facts)
    with right, st.container(border=True):
        st.markdown("**Upload a model**")
        st.caption(
            "A zip of config.json, *.safetensors and the tokenizer or preprocessor files. "
            "For large models give a folder on this machine instead."
        )
        file = st.file_uploader("Zip", type=["zip"], key="model-zip", label_visibility="collapsed")
        if file and st.button("Add the model", key="add-model", type="primary"):
            with tempfile.NamedTemporaryFile(suffix=".zip") as temporary:
                temporary.write(file.getbuffer())
                temporary.flush()
                folder = ui.guarded(found.add_model, Path(temporary.name), file.name)
            st.query_params["model"] = folder
            ui.start(found.submit_model(folder), key=f"open:{folder}")


def model_card(found, facts: dict) -> None:
    """What a model is: blocks, width, parameters, sites, memory, device and why."""
    with st.container(border=True):
        st.markdown(f"**{facts['title']}** · {facts['class']} · {facts['family']}")
        cells = st.columns(4)
        for cell, (name, value) in zip(
            cells,
            (
                ("Blocks", facts["blocks"]),
                ("Width", facts["width"] or "varies"),
                ("Parameters", f"{facts['parameters'] / 1e6:,.1f} M"),
                ("Weights in memory", f"{facts['weights_mb']:,.0f} MB"),
            ),
            strict=True,
        ):
            cell.metric(name, value)
        st.markdown(f"Sites: `{facts['sites_text']}`")
        st.markdown(
            f"Runs on **{facts['device']}** in {facts['dtype']}: {facts['device_reason']}. "
            f"Reads {facts['modality']}; pooling `{facts['pooling']}` unless you choose "
            "another."
        )
        for note in [facts["family_note"], *facts["notes"]]:
            if note:
                st.caption(note)
        st.caption(f"Content id `{facts['model_id']}`")
        ui.strip(found, facts)
        one, two = st.columns(2)
        one.page_link(
            "compare.py",
            label="Compare its layers",
            icon=":material/arrow_forward:",
            query_params={"model": facts["ref"]},
        )
        if two.button(
            "Remove",
            key="remove-model",
            icon=":material/delete:",
            help="Forgets the model and deletes its captures.",
        ):
            found.remove_model(facts["model_id"])
            st.rerun()


def data(found) -> None:
    """Pick or add data, and preview it."""
    left, right = st.columns([3, 2])
    with right, st.container(border=True):
        st.markdown("**Bring your own**")
        st.caption(
            "csv, tsv, jsonl or parquet with a text column; a zip of images or of audio, "
            "labels from its sub-folders; one sound."
        )
        kinds = [
            "csv",
            "tsv",
            "jsonl",
            "json",
            "parquet",
            "zip",
            "wav",
            "flac",
            "ogg",
            "png",
            "jpg",
            "jpeg",
        ]
        file = st.file_uploader("File", type=kinds, key="data-file", label_visibility="collapsed")
        path = st.text_input("or a path on this machine", key="data-path")
        column = st.text_input("Text column (empty: found by itself)", key="text-column") or None
        if st.button("Add the data", key="add-data", type="primary", disabled=not (file or path)):
            ref = str(found.keep_upload(file.name, file.getbuffer())) if file else path
            name = file.name if file else None
            ui.start(found.submit_data(ref, text_column=column, name=name), key="new-data")
        ui.follow("new-data")
    with left:
        offers = found.offers("data")
        ref = ui.pick("Data", offers, key="data", default="demo:facts", help="A demo, or your own.")
        dataset = found.dataset(ref)
        if dataset is None:
            offer = next((o for o in offers if o.ref == ref), None)
            st.caption(offer.note if offer else "")
            ui.do("Fetch this data", lambda: found.submit_data(ref), key=f"open:{ref}")
        else:
            data_card(found, ref, dataset)


def data_card(found, ref: str, dataset) -> None:
    """A data set: its size, columns, first rows, and what was left out."""
    with st.container(border=True):
        st.markdown(f"**{dataset.name}** · {dataset.n_rows:,} rows of {dataset.kind}")
        st.caption(f"{dataset.source}; {dataset.licence}; content `{dataset.hash[:12]}`")
        for note in dataset.notes:
            st.caption(note)
        ids = list(range(min(50, dataset.n_rows)))
        st.dataframe(found.rows(ref, ids), hide_index=True, height=260, key="preview")
        if dataset.kind == "image":
            st.image([found.media(ref, i) for i in ids[:8]], width=96)
        elif dataset.kind == "audio":
            st.audio(found.media(ref, 0), alt="first row")
        if dataset.rejected:
            with st.expander(f"{len(dataset.rejected)} left out"):
                st.dataframe([{"where": w, "why": y} for w, y in dataset.rejected])
        if st.button(
            "Remove",
            key="remove-data",
            icon=":material/delete:",
            help="Deletes the data set and its captures; results stay.",
        ):
            found.remove_data(dataset.hash)
            st.rerun()


@st.fragment(run_every=1.0)
def jobs(found) -> None:
    """What runs and what ran."""
    rows = found.jobs()
    for job in rows:
        if job["state"] in ui.ACTIVE and (live := found.live_job(job["id"])):
            ui.bar(live)
    if not rows:
        st.caption("Nothing ran yet.")
        return
    names = ("title", "state", "message", "error", "created", "finished", "id")
    st.dataframe([{n: j[n] for n in names} for j in rows], hide_index=True, key="jobs", height=420)


def storage(found) -> None:
    """What takes up space, and how to free it."""
    sizes = found.sizes()
    parts = {
        "Models": sum(sizes.models.values()),
        "Data": sum(sizes.datasets.values()),
        "Captures": sum(sizes.captures.values()),
        "Downloads": sizes.downloads,
        "Database": sizes.database,
        "Free on disk": sizes.free,
    }
    for cell, (name, size) in zip(st.columns(len(parts)), parts.items(), strict=True):
        cell.metric(name, f"{size / 1e6:,.0f} MB")
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
        picked = [rows[i] for i in event.selection.rows]
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
    if st.button("Run", type="primary", icon=":material/play_arrow:"):
        answer = ui.guarded(found.query, text)
        st.caption(f"{answer.num_rows:,} rows")
        st.dataframe(answer, hide_index=True)


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
        st.error(str(error))
        return
    ui.reopened(found, facts)


main()
