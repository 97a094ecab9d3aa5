"""Starting a training, watching its classes collapse, and choosing those that are looked at."""

import streamlit as st

import ui
from backend import figures
from collapse_recipes import OWN, PRESETS, own_recipe


def start_and_watch(bench) -> None:
    """Presets and settings of a training; while one runs, its course, second by second."""
    with st.expander("Train a net", icon=":material/model_training:", expanded=not ui.runs()):
        name = st.selectbox("Recipe", [*PRESETS, OWN], key="preset", bind="query-params")
        recipe = own_recipe() if name == OWN else PRESETS[name]
        seeds = st.number_input("Seeds", 1, 10, 1, key="seeds-trained", help="The bench's and the "
                                "next ones; each also draws the held-out rows.")  # fmt: skip
        texts = [ui.recipe_text(**recipe, seed=bench.seed + i) for i in range(seeds)]
        st.caption(f"`{texts[0]}`")
        if made := ui.train_button(*texts):
            st.session_state["trained"] = made
    if ui.is_training():
        _live()


@st.fragment(run_every=1.0)
def _live() -> None:
    """NC1 to NC4 of the training that runs now, epoch by epoch."""
    run = ui.running()
    if run is None:
        return
    done = run["history"][-1]["epoch"]
    about = {"data_name": run["data_name"], "dtype": "float64", "n": len(run["train"])}
    fig = figures.collapse_live(run["history"], title="Collapse while the net learns",
                                epochs=max(run["epochs"], 1), provenance=about)  # fmt: skip
    ui.show(fig.update_layout(height=ui.HERO_HEIGHT), key="live",
            alt=f"NC1 to NC4 up to epoch {done}")  # fmt: skip


LOOP = """from backend.watch import watch

watcher = watch(model, head=model.fc, name="my run")
for epoch in range(1, 101):
    train_one_epoch()
    watcher.epoch(epoch, loader)
"""


def watched() -> dict:
    """Trainings elsewhere that were watched: title -> result; how to watch one."""
    with st.expander("Watch your own PyTorch loop", icon=":material/code:",
                     expanded=not ui.workbench().watched()):  # fmt: skip
        st.code(LOOP, language="python")
        st.caption(
            "`loader` gives training rows without augmentation. Epochs are looked at evenly on a "
            "log scale; `every=` and `at_most=` say otherwise. For Lightning and the Hugging Face "
            "Trainer: `backend.watch_callbacks`. Records go to this dashboard's data folder, or "
            "to `store=`."
        )
        st.button("Look again", key="look-again", icon=":material/refresh:")
    there = {run["key"]: run for run in ui.workbench().watched() if run["epochs"]}
    if not there:
        return {}
    ui.forget("watched", list(there))
    keys = st.multiselect(
        "Watched trainings", list(there), default=next(iter(there)), key="watched",
        bind="query-params",
        format_func=lambda k: f"{there[k]['name']}: {len(there[k]['epochs'])} epochs",
    )  # fmt: skip
    return {there[k]["name"]: ui.guarded(ui.workbench().watched_collapse, k) for k in keys}


def chosen_runs() -> dict[str, tuple[str, str]]:
    """Trainings that are looked at: title -> (folder of the last checkpoint, data)."""
    there = ui.runs()
    if not there:
        return {}
    ui.forget("trained", list(there))
    first = None if "trained" in st.session_state else next(iter(there))
    folders = st.multiselect(
        "Trainings", list(there), default=first, key="trained", bind="query-params",
        format_func=lambda f: ui.training_title(there[f]),
        help="The first is shown in full; the others lie over its course.",
    )  # fmt: skip
    return {ui.training_title(there[f]): (f, ui.training_data(there[f])) for f in folders}


def names_of(results: dict) -> dict | None:
    """Names of several results by key; trainings that differ in their seed may share one."""
    if len(results) < 2:
        return None
    names, there = {r.key: name for name, r in results.items()}, ui.runs()
    if st.toggle("Seeds as one band", key="band", bind="query-params"):
        refs = {r.key: m["ref"] for r in results.values() for m in r.provenance["models"]}
        names |= {key: ui.training_group(there[ref]) for key, ref in refs.items() if ref in there}
    return _apart(names)


def _apart(names: dict[str, str]) -> dict[str, str]:
    """The names without the parts that all of them have, and without how good they are."""
    names = {key: name.partition(", held-out")[0] for key, name in names.items()}
    same = set.intersection(*(set(name.split(", ")) for name in names.values()))
    short = {k: ", ".join(p for p in n.split(", ") if p not in same) for k, n in names.items()}
    return {key: short[key] or name for key, name in names.items()}
