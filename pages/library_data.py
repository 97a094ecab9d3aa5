"""The tab *Data* of the library: pick, preview, add and remove data sets."""

import streamlit as st

import ui

KINDS = ("csv", "tsv", "jsonl", "json", "parquet", "npz", "zip", "wav", "flac", "ogg", "png", "jpg")
PREVIEW = 50  # rows
LOOKED_AT = {  # where data of a kind are looked at, if not by comparing layers
    "choices": ("preferences.py", "Whose tastes are these?"),
    "ratings": ("raters.py", "Put them on one ruler"),
    "vectors": ("", ""),
    "arrays": ("complexity.py", "Read features from these layers"),
}


def data(found) -> None:
    """Pick or add data, and preview it."""
    _turn_to_what_was_made()
    left, right = st.columns([3, 2])
    with right, st.container(border=True):
        _bring(found)
    with left:
        offers = found.offers("data")
        ref = ui.pick("Data", offers, key="data", default="demo:facts", help="A demo, or your own.")
        dataset = found.dataset(ref)
        if dataset is None:
            offer = next((o for o in offers if o.ref == ref), None)
            st.caption(offer.note if offer else f"{ref} has not been read yet.")
            ui.do("Fetch this data", lambda: found.submit_data(ref), key=f"open:{ref}")
        else:
            data_card(found, ref, dataset)


def _turn_to_what_was_made() -> None:
    """The progress of reading and of cutting; the data set that one of them made is shown next."""
    for key in ("new-data", "crops"):
        if (made := ui.follow(key)) is not None:
            st.session_state["data"] = made.hash
            st.toast(f"{made.name}: {made.n_rows:,} rows", icon=":material/check:")


def _bring(found) -> None:
    """A file from the reader's machine or a path on the server's."""
    st.markdown("**Bring your own**")
    st.caption(
        "csv, tsv, jsonl or parquet with a text column; a zip of images or of audio, labels from "
        "its sub-folders; one sound; an npz of named arrays (layer_0, layer_1, ... and targets), "
        "whose features *Complexity* reads. Tables of people's choices (person, option_a, "
        "option_b, choice), of ratings (item, rater, rating), and vectors (item, x0, x1, ...) are "
        "told by their columns."
    )
    file = st.file_uploader("File", type=KINDS, key="data-file", label_visibility="collapsed")
    path = st.text_input("or a path on this machine", key="data-path")
    column = st.text_input(
        "Text column",
        key="text-column",
        placeholder="found by itself",
        help="Which column of a table holds the texts; empty: the one with the longest texts.",
    )
    if st.button("Add the data", key="add-data", type="primary", disabled=not (file or path)):
        ref = str(found.keep_upload(file.name, file.getbuffer())) if file else path
        name = file.name if file else None
        job = found.submit_data(ref, text_column=column or None, name=name)
        ui.start(job, key="new-data")


def data_card(found, ref: str, dataset) -> None:
    """A data set: its size, columns, first rows, and what was left out."""
    with st.container(border=True):
        st.markdown(f"**{dataset.name}** · {dataset.n_rows:,} rows of {dataset.kind}")
        told = [t for t in (dataset.source, dataset.licence) if t]
        st.caption("; ".join([*told, f"content `{dataset.hash[:12]}`"]))
        for note in dataset.notes:
            st.caption(note)
        ids = list(range(min(PREVIEW, dataset.n_rows)))
        st.dataframe(found.rows(ref, ids), hide_index=True, height=260, key="preview")
        if len(ids) < dataset.n_rows:
            st.caption(f"The first {len(ids)} rows.")
        if dataset.kind == "image":
            st.image([found.media(ref, i) for i in ids[:8]], width=96)
        elif dataset.kind == "audio":
            st.audio(found.media(ref, 0), alt="first row")
        if dataset.rejected:
            with st.expander(f"{len(dataset.rejected)} left out"):
                st.dataframe([{"where": w, "why": y} for w, y in dataset.rejected])
        if dataset.kind == "image" and not {"picture", "side"} <= set(dataset.columns):
            _crops(found, ref, dataset)
        _card_buttons(found, ref, dataset)


def _crops(found, ref: str, dataset) -> None:
    """Start cutting the pictures of a data set."""
    with st.expander("Cut into crops", icon=":material/crop:"):
        st.caption(
            "Squares of every picture at three sizes, as a data set of its own: more rows to find "
            "features in. Crops of one picture overlap; *Complexity* holds pictures out whole "
            "where there are 12 or more."
        )
        each = st.number_input("Crops of each picture", 3, 1000, 30, key="crops-each")
        st.caption(f"{dataset.n_rows:,} pictures give {dataset.n_rows * each:,} crops.")
        if st.button("Cut", key="cut", type="primary", icon=":material/crop:"):
            ui.start(found.submit_crops(ref, per_image=each), key="crops")


def _card_buttons(found, ref: str, dataset) -> None:
    one, two = st.columns(2)
    query = {"data": ref}
    fitting = [o for o in found.offers("model") if o.fits(dataset.kind)]
    for offer in sorted(fitting, key=lambda o: not o.ready)[:1]:  # one that needs no fetching
        query["model"] = offer.ref
    page, label = LOOKED_AT.get(dataset.kind, ("compare.py", "Compare layers on it"))
    if page:
        one.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query)
        if dataset.kind == "arrays":
            one.page_link("collapse.py", label="See whether classes collapse", query_params={
                "data": ref, "look": "the model of the bench"},
                icon=":material/arrow_forward:")  # fmt: skip
        if dataset.kind == "image":
            one.page_link(
                "complexity.py", label="Find features in it", icon=":material/arrow_forward:",
                query_params=query,
            )  # fmt: skip
    else:
        one.caption("Vectors describe the options of choices: pick them on *Preferences*.")
    if two.button(
        "Remove",
        key="remove-data",
        icon=":material/delete:",
        help="Deletes the data set and its captures; results stay.",
    ):
        found.remove_data(dataset.hash)
        st.rerun()
