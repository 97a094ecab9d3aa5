"""Two models side by side: whose features are more complex, and which are the same in both."""

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

import ui
from backend import RunRequest, figures

AS_IT_IS = "the model as it is"
PICTURES = 12
AGAINST = {"complexity_b": "its partner there", "complexity_in_other": "the same feature there"}
COLUMNS = (
    "feature_a", "feature_b", "correlation", "correlation_low", "correlation_high", "matched",
    "complexity_a", "complexity_b", "complexity_in_other", "cosine",
)  # fmt: skip


def models_tab(bench) -> None:
    """A second model, a checkpoint or the model as it is, against the one of the bench."""
    if bench.dataset is not None and bench.dataset.kind == "arrays":
        st.info("Two models are compared on rows that both read; this file holds arrays.",
                icon=":material/lightbulb:")  # fmt: skip
        return
    other = _other(bench)
    if not other:
        st.caption("Choose what to compare with: a model, a checkpoint, or, under a what-if, the "
                   "model as it is.")  # fmt: skip
        return
    result = ui.answer(_request(bench, other), what="The features of both models", auto=False)
    if result is None:
        return
    st.markdown(f"**{result.reading}**")
    if note := result.scalars.get("note"):
        with st.expander("How this was measured", icon=":material/info:"):
            st.caption(str(note))
    current = _pair(result)
    _pictures(result, current)
    _examples(bench, result, current)
    ui.table(result.tables["pairs"].select(COLUMNS), key="pairs-table")
    fig = figures.feature_match_pairs(result, against=st.session_state["against-pair"])
    ui.provenance(result, fig, name="feature_match")


def _other(bench) -> str:
    """The reference of the second model; empty before one is chosen."""
    found = ui.workbench()
    names = {AS_IT_IS: AS_IT_IS} if bench.whatif else {}
    names |= {o.ref: o.ref for o in found.offers("model")
              if o.kind in ("", bench.kind) and o.ref != bench.model}  # fmt: skip
    for run in found.trainings():
        for one in run["checkpoints"]:
            if one["folder"] != bench.model:
                names[one["folder"]] = (
                    f"{run['data_name']} ({run['key'][:6]}), epoch {one['epoch']}"
                )
    ui.forget("against-model", list(names))
    chosen = st.selectbox(
        "Compared with", list(names), index=0 if bench.whatif else None, key="against-model",
        format_func=lambda ref: names.get(ref, ref), placeholder="choose a model",
        bind="query-params",
        help="Both are read on the same rows; features are found in each by the settings above.",
    )  # fmt: skip
    return bench.model if chosen == AS_IT_IS else chosen or ""


def _request(bench, other: str) -> RunRequest:
    """The comparison, with the settings of the page."""
    held = st.session_state
    return bench.request(
        "feature_match", other=other, dictionary=held.get("dictionary", "auto"),
        atoms=int(held.get("atoms", 64)), rule=held.get("rule", "predicted"),
    )  # fmt: skip


def _pair(result) -> tuple[int, int]:
    """The selected pair; the one that goes together most where none was picked."""
    pairs = result.tables["pairs"].sort_by([("correlation", "descending")])
    both = zip(pairs["feature_a"].to_pylist(), pairs["feature_b"].to_pylist(), strict=True)
    names = {f"{a} with {b}": (a, b) for a, b in both}
    ui.forget("pair", list(names))
    left, right = st.columns(2, gap="medium")
    chosen = left.selectbox("Pair", list(names), key="pair", bind="query-params",
                            help="Those most alike first; or click a point.")  # fmt: skip
    right.segmented_control(
        "Against", list(AGAINST), key="against-pair", default="complexity_b", required=True,
        format_func=AGAINST.__getitem__, bind="query-params",
        help="The partner's complexity in its own model, or that of the first model's feature "
        "when it is read from the second's layers.",
    )  # fmt: skip
    return names[chosen]


def _pictures(result, current: tuple[int, int]) -> None:
    """Both figures beside each other."""
    left, right = st.columns(2, gap="medium")
    with left:
        fig = figures.feature_match_distributions(result).update_layout(height=ui.HERO_HEIGHT)
        ui.show(fig, key="match-distributions",
                alt="Complexity of either model's features, mirrored")  # fmt: skip
    with right:
        fig = figures.feature_match_pairs(
            result, against=st.session_state["against-pair"], current=current
        ).update_layout(height=ui.HERO_HEIGHT)
        ui.show(fig, key="match-pairs", alt="Complexity of paired features in both models",
                select=_take, modes=("points",))  # fmt: skip


def _take() -> None:
    points = st.session_state["match-pairs"].selection.points
    if points and (data := points[0].get("customdata")) is not None:
        st.session_state["pair"] = "{} with {}".format(*map(int, list(data)[:2]))


def _examples(bench, result, current: tuple[int, int]) -> None:
    """The rows that excite each feature of the selected pair most."""
    for column, model, feature in zip(st.columns(2, gap="medium"), "ab", current, strict=True):
        with column:
            st.markdown(f"**What excites feature {feature} most**")
            st.caption(f"of {result.scalars[f'name_{model}']}")
            _top(bench, _rows(result.tables["top"], model, feature), key=f"top-{model}")


def _rows(top: pa.Table, model: str, feature: int) -> pa.Table:
    mine = pc.and_(pc.equal(top["model"], model), pc.equal(top["feature"], feature))  # type: ignore[attr-defined]
    return top.filter(mine).sort_by("rank").slice(0, PICTURES)


def _top(bench, mine: pa.Table, *, key: str) -> None:
    rows = [int(row) for row in mine["row"].to_pylist()]
    values = mine["value"].to_pylist()
    found = ui.workbench()
    if bench.kind == "image":
        pictures = [found.media(bench.data, row) for row in rows]
        st.image(pictures, width=84, caption=[f"{v:.2f}" for v in values])
        return
    shown = found.rows(bench.data, rows)
    st.dataframe(shown.add_column(0, "value", mine["value"]), hide_index=True, key=key, height=260)
