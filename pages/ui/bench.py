"""The bench: what every page's sidebar chooses, bound to the URL."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from backend import CaptureAsk, RunRequest
from ui.changing import changed
from ui.filtering import RowFilter, row_filter
from ui.opening import guarded, workbench
from ui.picking import pick
from ui.sampling import sampling


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
    whatif: str = ""  # how the model is changed
    also: str = ""  # a second data set

    @property
    def kind(self) -> str:
        """What the model reads: text, image or audio; empty before it was opened."""
        return self.facts["modality"] if self.facts else ""

    @property
    def ask(self) -> CaptureAsk:
        return CaptureAsk(
            self.model, self.data, pooling=self.pooling, rows=self.rows, whatif=self.whatif
        )

    def request(
        self, analysis: str, *, other: str = "", whatif: str | None = None, data: str = "",
        rows: int | None = None, **parameters: object,
    ) -> RunRequest:  # fmt: skip
        """An analysis of what the bench holds; what is named takes the place of the bench's."""
        return RunRequest(
            analysis,
            self.model,
            data or self.data,
            other=other,
            pooling=self.pooling,
            rows=self.rows if rows is None else rows,
            seed=self.seed,
            parameters=parameters,
            whatif=self.whatif if whatif is None else whatif,
            also=self.also,
        )


def bench(
    *, default_model: str = "demo:smollm2", default_data: str = "demo:facts", sampled: bool = True
) -> Bench:
    """Model, what-if, data, pooling, rows, seed and row filter, in the sidebar and in the URL.

    A page that chooses its own texts takes `sampled` False: then there is no pooling, no number
    of rows and no filter.
    """
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
        whatif = changed(facts)
        data = _data(model, models, default_data)
        dataset = found.dataset(data)
        pooling, rows = sampling(facts) if sampled else ("", 0)
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            key="seed",
            bind="query-params",
            help="Fixes every random choice: UMAP, folds, permutations.",
        )
        drawn = row_filter(dataset) if sampled else RowFilter()
    return Bench(model, data, pooling, rows, int(seed), facts, dataset, drawn, whatif)


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
