"""What models and data do I have?  Bring your own, see what runs, and what takes up space."""

import tempfile
from pathlib import Path

import streamlit as st

import ui
from library_data import data
from library_tabs import jobs, reopen, sql, storage


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
    with right, st.container(border=True):
        _upload(found)
    with left:
        offers = found.offers("model")
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


def _upload(found) -> None:
    """A zip of a model's folder; safetensors only."""
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
        st.session_state["model"] = folder
        ui.start(found.submit_model(folder), key=f"open:{folder}")


def model_card(found, facts: dict) -> None:
    """What a model is: blocks, width, parameters, sites, memory, device and why."""
    with st.container(border=True):
        st.markdown(f"**{facts['title']}** · {facts['class']} · {facts['family']}")
        numbers = (
            ("Blocks", facts["blocks"], "Layers of the trunk, one after the other."),
            ("Width", facts["width"] or "varies", "Numbers in one vector of the trunk."),
            ("Parameters", f"{facts['parameters'] / 1e6:,.1f} M", "Millions of weights."),
            ("In memory", f"{facts['weights_mb']:,.0f} MB", "The weights, in the dtype below."),
        )
        for cell, (name, value, means) in zip(st.columns(4), numbers, strict=True):
            cell.metric(name, value, help=means)
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
        _card_buttons(found, facts)


def _card_buttons(found, facts: dict) -> None:
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


main()
