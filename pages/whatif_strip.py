"""The instrument: a strip of layers to click, and what the changed model says beside itself."""

import streamlit as st

import ui
from backend import WhatIf, figures

TOOLS = {
    "skip": "skip:{}", "skip attention": "skip-attn:{}", "skip MLP": "skip-mlp:{}",
    "8 bits": "bits:8={}", "4 bits": "bits:4={}", "3 bits": "bits:3={}", "2 bits": "bits:2={}",
    "as it is": "",
}  # fmt: skip
DEFAULT = "The capital of France is Paris. The capital of Italy is"
NEW = ("16", "32", "64", "128")  # tokens that the text is continued by
_PARTS = {"layer": "whole layer", "attention": "attention", "mlp": "MLP"}


def instrument(bench) -> None:
    """One square for each layer: click it, or drag over several, to change them."""
    if not bench.facts:
        return
    tools, back, clear = st.columns([7, 1.3, 1.3], vertical_alignment="bottom")
    tools.segmented_control(
        "A click on a layer, or a drag over several, sets",
        list(TOOLS),
        default="skip",
        key="tool",
        bind="query-params",
        required=True,
        help="Skipped layers write nothing into the residual stream. Bits round the layer's linear "
        "weights, by the settings below. A second click takes it back.",
    )
    if ui.can_undo_whatif():
        back.button(
            "Undo", key="whatif-undo", icon=":material/undo:", on_click=ui.undo_whatif,
            help="Back to the what-if before.",
        )  # fmt: skip
    if bench.whatif:
        clear.button(
            "Clear", key="whatif-clear", icon=":material/restart_alt:", on_click=ui.put_whatif,
            args=(WhatIf(),), help="The model as it is.",
        )  # fmt: skip
    ui.paint_layers(
        cells(bench), key="instrument", on_paint=lambda layers: _take(layers, bench.whatif),
        label=f"{bench.facts['blocks']} layers, first to last",
    )  # fmt: skip


def cells(bench) -> list[dict]:
    """For each block what is done to it."""
    whatif = WhatIf.parse(bench.whatif)
    skipped, bits = whatif.skipped, whatif.bits
    out = []
    for layer in range(bench.facts["blocks"]):
        parts = skipped.get(layer, ())
        kind = "skip" if "layer" in parts else parts[0] if parts else "plain"
        words = [f"{_PARTS[part]} skipped" for part in parts]
        if layer in bits:
            kind = "bits" if kind == "plain" else kind
            words.append(f"{bits[layer]} bits")
        text = str(bits.get(layer, ""))
        out.append({
            "layer": layer, "kind": kind, "text": text, "words": ", ".join(words) or "as it is",
        })  # fmt: skip
    return out


def _take(layers: list[int], held: str) -> None:
    """Set the painted layers to what the tool says; if they all have it already, undo it."""
    before = WhatIf.parse(held)
    tool = TOOLS[st.session_state.get("tool") or "skip"]
    after = before.without(layers)
    if tool:
        asked = tool.format(",".join(map(str, layers)))
        change = WhatIf.parse(asked + (rounding() if asked.startswith("bits") else ""))
        after = after if before == after + change else after + change
    ui.put_whatif(after)


def rounding() -> str:
    """The settings of rounding as a what-if writes them."""
    chosen = st.session_state
    group = chosen.get("group", "64")
    out = "" if group == "64" else f":g{group}"
    out += ":sym" if chosen.get("levels") == "symmetric" else ""
    return out + (":torchao" if chosen.get("quantizer") == "torchao" else "")


def live(bench):
    """Loss, size, next tokens and continuation of one text, changed and as it is."""
    left, right = st.columns([7, 1], vertical_alignment="bottom")
    new = right.selectbox(
        "Goes on by", NEW, key="new", bind="query-params",
        help="Tokens that are added to the text, each the most probable one.",
    )  # fmt: skip
    text = left.text_area(
        "Text",
        DEFAULT,
        key="text",
        bind="query-params",
        height=68,
        max_chars=2000,
        help="What the model reads and goes on with. Up to 128 tokens count.",
    )
    result = ui.answer(
        bench.request("whatif", text=text or DEFAULT, new=int(new)),
        what="What the model says", wait=4.0,
    )  # fmt: skip
    if result is None:
        return None
    s = result.scalars
    st.markdown(f"**{result.reading}**")
    cells = st.columns(4)
    changed = bool(bench.whatif)
    moved = {"delta_color": "inverse"} if changed else {}
    loss, mb = s["loss"] - s["base_loss"], s["mb"] - s["base_mb"]
    cells[0].metric(
        "Loss, nats per token", f"{s['loss']:.3g}", f"{loss:+.3g}" if changed else None, **moved,
        help="Mean over the text's tokens from the second on; beside it the change.",
    )  # fmt: skip
    cells[1].metric(
        "Size, MB", f"{s['mb']:,.0f}", f"{mb:+,.0f}" if changed else None, **moved,
        help="Weights with scales and embeddings, 10^6 bytes; a skipped layer is not stored.",
    )  # fmt: skip
    cells[2].metric(
        "Bits per block weight", f"{s['average_bits']:.3g}",
        help="Nominal bits of the blocks' linear weights; a skipped layer counts 0.",
    )  # fmt: skip
    cells[3].metric(
        "Bits per parameter, all", f"{s['file_bits']:.3g}",
        help="Scales and embeddings included.",
    )  # fmt: skip
    _said(result, changed)
    return result


def _said(result, changed: bool) -> None:
    """Both continuations as plain text, and the next tokens of both."""
    left, right = st.columns(2, gap="medium")
    s = result.scalars
    with left:
        st.caption("As it is")
        st.code(f"{s['text']}▸{s['base_text']}", language=None, wrap_lines=True)
        if changed:
            st.caption(f":orange[With {s['whatif']}]")
            st.code(f"{s['text']}▸{s['changed_text']}", language=None, wrap_lines=True)
    with right:
        fig = figures.next_tokens(result).update_layout(height=380).update_traces(text=None)
        ui.show(fig, key="next-tokens", alt="Next tokens with their probabilities, both models")
