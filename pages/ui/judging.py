"""The bench of pages on people's judgements: choices or ratings, and what describes the options."""

import streamlit as st

from ui.bench import Bench
from ui.changing import changed
from ui.filtering import forget
from ui.opening import guarded, workbench
from ui.picking import pick

LAYER, FILE, OWN = "a model's layer", "a file of vectors", "the data alone"


def judged_bench(reads: str, *, default_data: str, model: str = "optional") -> Bench:
    """Data of one kind, what describes its options or items, and the seed; sidebar and URL.

    Parameters
    ----------
    reads : `choices` or `ratings`.
    model : `optional`, or `none` where no model is asked.
    """
    found = workbench()
    with st.sidebar:
        offers = [o for o in found.offers("data") if o.kind == reads]
        data = pick(
            "Data", offers, key="data", default=default_data,
            help=f"A demo set of {reads}, or a table that you added in the Library.",
        )  # fmt: skip
        dataset = found.dataset(data)
        described = OWN
        if model == "optional":
            described = _described()
        named, facts, whatif = "", None, ""
        if described == LAYER:
            models = found.offers("model")
            named = pick(
                "Model", models, key="model", default="demo:minilm",
                help="It reads the texts; its layer gives the vectors.",
            )  # fmt: skip
            facts = guarded(found.model, named)
            whatif = changed(facts)  # type: ignore[arg-type]
        also = _also(found, described)
        seed = st.number_input(
            "Seed", 0, 2**31 - 1, 0, key="seed", bind="query-params",
            help="Fixes every random choice: splits, starts, draws.",
        )  # fmt: skip
    return Bench(
        named, data, "", 0, int(seed), facts, dataset, whatif=whatif, also=also,
    )  # type: ignore[arg-type]  # fmt: skip


def _described() -> str:
    ways = (OWN, LAYER, FILE)
    forget("described", list(ways))
    return st.selectbox(
        "Options described by", ways, key="described", bind="query-params",
        help="the data alone: attributes in the table where it has them, else each option for "
        "itself. A model's layer reads the options' texts. A file gives item, x0, x1, ...",
    )  # fmt: skip


def _also(found, described: str) -> str:
    """The second data set: vectors of the options, or their pictures."""
    kinds = {FILE: ("vectors",), LAYER: ("image", "audio")}.get(described, ())
    refs = [o for o in found.offers("data") if o.kind in kinds and not o.ref.startswith("demo:")]
    if described == FILE and not refs:
        st.info("Add a table with item, x0, x1, ... in the Library.", icon=":material/lightbulb:")
        st.stop()
    if not refs:
        return ""
    names = {o.ref: o.title for o in refs}
    none = {} if described == FILE else {"": "the options' texts"}
    forget("also", [*none, *names])
    return st.selectbox(
        "Vectors" if described == FILE else "Read", [*none, *names], key="also",
        bind="query-params", format_func=lambda r: (none | names)[r],
    )  # fmt: skip
