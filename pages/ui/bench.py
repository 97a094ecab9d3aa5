"""The bench: what every page's sidebar chooses, bound to the URL."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from backend import CaptureAsk, RunRequest
from ui.filtering import RowFilter, forget, row_filter
from ui.opening import guarded, workbench
from ui.picking import pick

ROWS = ("256", "512", "1024", "2048", "5000", "10000", "20000", "all")
_POOLINGS = {
    "text": ("auto", "last", "mean", "max", "cls"),
    "image": ("auto", "mean", "max", "cls"),
    "audio": ("auto", "mean", "max", "last"),
}


@dataclass(frozen=True)
class Bench:
    """What the sidebar chose."""

    model: str
    data: str
    pooling: str
    rows: int
    seed: int
    facts: dict | None  # the model's description, once it is known
    dataset: object | None  # the same of the data
    drawn: RowFilter = RowFilter()

    @property
    def kind(self) -> str:
        """What the model reads: text, image or audio; empty before it was opened."""
        return self.facts["modality"] if self.facts else ""

    @property
    def ask(self) -> CaptureAsk:
        return CaptureAsk(self.model, self.data, pooling=self.pooling, rows=self.rows)

    def request(self, analysis: str, *, other: str = "", **parameters: object) -> RunRequest:
        """An analysis of what the bench holds."""
        return RunRequest(
            analysis,
            self.model,
            self.data,
            other=other,
            pooling=self.pooling,
            rows=self.rows,
            seed=self.seed,
            parameters=parameters,
        )


def bench(*, default_model: str = "demo:smollm2", default_data: str = "demo:facts") -> Bench:
    """Model, data, pooling, rows, seed and row filter, in the sidebar and in the URL."""
    found = workbench()
    with st.sidebar:
        models = found.offers("model")
        model = pick(
            "Model",
            models,
            key="model",
            default=default_model,
            help="Type a hub id (org/name@revision), a folder or a .gguf path, or pick.",
        )
        facts: dict | None = guarded(found.model, model)  # type: ignore[assignment]
        data = _data(model, models, default_data)
        dataset = found.dataset(data)
        pooling, rows = _sampling(facts)
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            key="seed",
            bind="query-params",
            help="Fixes every random choice: UMAP, folds, permutations.",
        )
        drawn = row_filter(dataset)
    return Bench(model, data, pooling, rows, int(seed), facts, dataset, drawn)


def _data(model: str, models: Sequence, default: str) -> str:
    """The data to look at: what this model can read, and what the URL names."""
    kind = next((o.kind for o in models if o.ref == model), "")
    offers = [o for o in workbench().offers("data") if not kind or o.fits(kind)]
    if not offers and not st.query_params.get("data"):
        st.info(f"There is no {kind} data yet. Add some in the Library.")
        st.page_link("library.py", label="Open the Library", icon=":material/inventory_2:")
        st.stop()
    refs = [o.ref for o in offers]
    at_hand = [o.ref for o in offers if o.ready]
    first = default if default in refs else (at_hand or refs or [default])[0]
    _follow_the_model(model, kind, first)
    return pick(
        "Data",
        offers,
        key="data",
        default=first,
        help="A demo set, or what you added in the Library.",
    )


def _follow_the_model(model: str, kind: str, first: str) -> None:
    """When the reader changes to a model that reads something else, its data change with it."""
    before = st.session_state.get("bench-model", model)
    st.session_state["bench-model"] = model
    held = workbench().dataset(st.session_state.get("data") or "")
    if before != model and kind and held is not None and held.kind != kind:
        st.session_state["data"] = first


def _sampling(facts: dict | None) -> tuple[str, int]:
    """Pooling ("" is the model's own) and number of rows (0 is all)."""
    left, right = st.columns(2)
    poolings = _POOLINGS[facts["modality"] if facts else "text"]
    forget("pooling", list(poolings))
    own = f" (here: {facts['pooling']})" if facts else ""
    pooling = left.selectbox(
        "Pooling",
        poolings,
        key="pooling",
        bind="query-params",
        help="How the positions of a text, picture or sound become one vector; "
        f"auto: what suits the model{own}.",
    )
    rows = right.selectbox(
        "Rows",
        ROWS,
        index=1,
        key="rows",
        bind="query-params",
        help="A uniform sample of so many rows; more rows reuse what is captured.",
    )
    return "" if pooling == "auto" else pooling, 0 if rows == "all" else int(rows)
