"""What can this model lose?  Skip layers, lower bits, and see what the model loses."""

import streamlit as st

import ui
from backend import figures
from whatif_bits import PROMPTS, TOKENS, bits_tab, export_tab, settings_row
from whatif_depth import lens_tab, noticed_tab, written_tab
from whatif_prompt import hops_tab, map_tab, prompt_tab
from whatif_strip import instrument, live

TABS = (
    "Bits", "What layers write", "Who notices", "Where the answer appears", "One prompt",
    "Depth and difficulty", "Between models", "Papers", "Export",
)  # fmt: skip
ANALYSES = ("quantization", "depth", "hops", "maps", "layer_map")


def main() -> None:
    ui.head(
        "What can this model lose?",
        "Skipping layers (Csordás, Manning, Potts 2025) and lowering their bits (Dumitru et al. "
        "2025): what each layer writes, which later layers notice, and what it costs",
    )
    bench = ui.bench(default_data="demo:problems", sampled=False)
    if bench.facts and not bench.facts["decoder"]:
        st.info(
            f"{bench.model} does not predict next tokens. Pick a language model, such as "
            "demo:smollm2.",
            icon=":material/lightbulb:",
        )
        return
    instrument(bench)
    said = live(bench)
    settings_row()
    hero(bench)
    evidence(bench, said)


def hero(bench) -> None:
    """Loss against bits for every order, with the present what-if as a star."""
    result = ui.answer(
        bits_request(bench), what="Loss against bits, for every order", auto=False,
        tokens=TOKENS * 150,
    )  # fmt: skip
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    marked = None
    if bench.whatif:
        own = ui.answer(
            bench.request("whatif", prompts=PROMPTS, new=0, length=64),
            what="The loss of this what-if on the same texts", wait=4.0,
        )  # fmt: skip
        marked = own and (own.scalars["average_bits"], own.scalars["loss"])
    fig = figures.budget_curve(result, marked=marked).update_layout(height=ui.HERO_HEIGHT)
    ui.show(fig, key="budget", alt=result.reading)
    if result.scalars["origin"]:
        st.caption(f":material/info: {result.scalars['origin']}")


def bits_request(bench):
    """The sweep over orders and budgets, with the widths and the rounding that were chosen."""
    chosen = st.session_state
    high, low = (int(n) for n in chosen.get("pair", "4 and 3").split(" and "))
    return bench.request(
        "quantization", whatif="", prompts=PROMPTS, high=high, low=low,
        group=int(chosen.get("group", "64")), symmetric=chosen.get("levels") == "symmetric",
        quantizer=chosen.get("quantizer", "rtn"),
    )  # fmt: skip


def evidence(bench, said) -> None:
    """The other pictures, the tables behind them, the papers' findings, and the export."""
    drawn = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    tabs = dict(zip(TABS, drawn, strict=True))
    opened = next((n for n, tab in tabs.items() if tab.open), TABS[0])
    with tabs[opened]:
        if opened == "Bits":
            bits_tab(bench, bits_request(bench))
        elif opened == "What layers write":
            written_tab(bench)
        elif opened == "Who notices":
            noticed_tab(bench)
        elif opened == "Where the answer appears":
            lens_tab(bench)
        elif opened == "One prompt":
            prompt_tab(bench)
        elif opened == "Depth and difficulty":
            hops_tab(bench)
        elif opened == "Between models":
            map_tab(bench)
        elif opened == "Papers":
            papers_tab(bench)
        else:
            export_tab(bench, bits_request(bench), said)


def papers_tab(bench) -> None:
    """What the papers found, beside what was computed for this model so far."""
    found = ui.workbench()
    mine = [
        r["key"] for r in found.results()
        if r["analysis"] in ANALYSES and r["provenance"]["models"][0]["ref"] == bench.model
    ]  # fmt: skip
    newest: dict = {}
    for result in map(ui.kept, mine):
        newest.setdefault((result.analysis, result.provenance["data"]), result)
    ui.claims(found.claims(list(newest.values())))
    st.caption(
        "The papers measured models of 1.5 to 405 billion parameters; what a small model shows "
        "may differ, and then says so."
    )


main()
