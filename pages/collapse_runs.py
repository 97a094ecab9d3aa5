"""Starting a training, watching its classes collapse, and choosing those that are looked at."""

import streamlit as st

import ui
from backend import figures

PRESETS = {
    "MLP on digits: 10 seconds": {
        "data": "demo:digits", "label": "digit", "net": "mlp", "blocks": 5, "width": 64,
        "weight_decay": 0.002, "epochs": 150, "drop": "1/3,2/3", "checkpoints": 20,
    },
    "MLP on digits, squared error": {
        "data": "demo:digits", "label": "digit", "net": "mlp", "blocks": 5, "width": 64,
        "weight_decay": 0.002, "epochs": 150, "drop": "1/3,2/3", "checkpoints": 20, "loss": "mse",
    },
    "MLP on digits, layer by layer": {
        "data": "demo:digits", "label": "digit", "net": "mlp", "blocks": 6, "width": 64,
        "weight_decay": 0.002, "epochs": 40, "layerwise": 1,
    },
    "Residual net on digits: a minute": {
        "data": "demo:digits", "label": "digit", "blocks": 4, "width": 32, "weight_decay": 0.002,
        "epochs": 60, "drop": "2/3,5/6", "checkpoints": 14,
    },
    "Residual net on MNIST: ten minutes": {
        "data": "demo:mnist", "label": "digit", "blocks": 4, "width": 32, "weight_decay": 0.002,
        "epochs": 40, "drop": "2/3,5/6", "checkpoints": 12,
    },
}  # fmt: skip
OWN = "my own"


def start_and_watch(bench) -> None:
    """Presets and settings of a training; while one runs, its course, second by second."""
    with st.expander("Train a net", icon=":material/model_training:", expanded=not ui.runs()):
        name = st.selectbox("Recipe", [*PRESETS, OWN], key="preset", bind="query-params")
        recipe = dict(PRESETS.get(name, next(iter(PRESETS.values()))))
        if name == OWN:
            recipe = _own(recipe)
        seeds = st.number_input("Seeds", 1, 10, 1, key="seeds-trained", help="The bench's and the "
                                "next ones; each also draws the held-out rows.")  # fmt: skip
        texts = [ui.recipe_text(**recipe, seed=bench.seed + i) for i in range(seeds)]
        st.caption(f"`{texts[0]}`")
        if made := ui.train_button(*texts):
            st.session_state["trained"] = made
    if ui.is_training():
        _live()


def _own(recipe: dict) -> dict:
    """Every setting of a recipe."""
    refs = ui.labelled_pictures()
    one, two, three, four = st.columns(4)
    data = one.selectbox("Pictures", refs, refs.index("demo:digits"), key="own-data")
    label = two.text_input("Label column", "digit", key="own-label")
    net = three.selectbox("Net", ("mlp", "residual"), key="own-net")
    loss = four.selectbox("Loss", ("ce", "mse"), key="own-loss",
                          help="mse: half the squared distance to one-hot.")  # fmt: skip
    blocks = one.number_input("Blocks", 1, 64, 5, key="own-blocks")
    width = two.number_input("Width", 1, 1024, 64, key="own-width")
    epochs = three.number_input("Epochs", 1, 2000, 150, key="own-epochs")
    lr = four.number_input("Learning rate", 0.0001, 1.0, 0.05, format="%.4f", key="own-lr")
    decay = one.number_input("Weight decay", 0.0, 0.1, 0.002, format="%.4f", key="own-decay")
    drop = two.text_input("Divide it by 10 after", "1/3,2/3", key="own-drop",
                          help="Shares of the epochs.")  # fmt: skip
    bias = three.selectbox("Bias of the head", (1, 0), key="own-bias",
                           format_func=("without", "with").__getitem__)  # fmt: skip
    kept = four.number_input("Checkpoints", 2, 60, 20, key="own-checkpoints")
    return {"data": data, "label": label, "net": net, "loss": loss, "blocks": blocks,
            "width": width, "epochs": epochs, "lr": lr, "weight_decay": decay, "drop": drop,
            "head_bias": bias, "checkpoints": kept}  # fmt: skip


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
    groups, there = {}, ui.runs()
    if st.toggle("Seeds as one band", key="band", bind="query-params"):
        refs = {r.key: m["ref"] for r in results.values() for m in r.provenance["models"]}
        groups = {key: ui.training_group(there[ref]) for key, ref in refs.items() if ref in there}
    return {r.key: groups.get(r.key, name) for name, r in results.items()}
