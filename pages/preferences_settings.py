"""How tastes are learned: the settings of the page, and what is asked with them."""

import streamlit as st

IDEALS = ("Pw", "f(P)w", "f(Pw)", "B")
PAPER = {"ideal": "f(Pw)", "map": "mlp2", "distance": "norm", "loss": "hinge"}
PLAIN = {"ideal": "Pw", "map": "identity", "distance": "squared", "loss": "logistic"}
SECONDS = 5e-5  # of a fit, for each choice, taste, restart and seed, on two cores


def settings() -> None:
    """How tastes are learned; held in the URL."""
    with st.expander("How tastes are learned", icon=":material/tune:"):
        one, two, three, four = st.columns(4)
        one.selectbox("Tastes to try", (4, 2, 3, 5, 6, 8), key="max_k", bind="query-params")
        two.number_input(
            "Tastes to describe", 0, 8, 0, key="k", bind="query-params",
            help="0: the fewest that are not clearly worse than the best on held-out choices.",
        )  # fmt: skip
        three.selectbox("Seeds", (3, 1, 2, 5, 10), key="seeds", bind="query-params",
                        help="Splits and starts; the band in the accuracy picture.")  # fmt: skip
        four.selectbox("Restarts", (3, 1, 5, 10), key="restarts", bind="query-params",
                       help="Fits are not convex: the best of so many starts is kept.")  # fmt: skip
        one.selectbox(
            "Person's point", IDEALS, key="ideal", bind="query-params",
            help="Pw: prototypes mixed after the map. f(P)w: mapped, then mixed. f(Pw): mixed, "
            "then mapped, as in the paper's code. B: prototypes that depend on the prompt.",
        )  # fmt: skip
        two.selectbox("Map of options", ("identity", "linear", "mlp1", "mlp2"), key="map",
                      bind="query-params", help="Shared by all people, learned.")  # fmt: skip
        three.selectbox("Distance", ("squared", "norm"), key="distance", bind="query-params")
        four.selectbox("Loss", ("logistic", "hinge"), key="loss", bind="query-params")
        one.selectbox("Dimensions", (32, 8, 16, 64, 0), key="dimensions", bind="query-params",
                      help="Principal components of layers and files; 0: all.")  # fmt: skip
        two.toggle("Every person counts alike", key="balanced", bind="query-params",
                   help="Otherwise people with many choices weigh more.")  # fmt: skip
        three.button("As the paper's code", on_click=_put, args=(PAPER,), key="paper-settings")
        four.button("Plain", on_click=_put, args=(PLAIN,), key="plain-settings")


def _put(chosen: dict) -> None:
    for name, value in chosen.items():
        st.session_state[name] = value


def request(bench, **more: object):
    """The comparison of 1 to max_k tastes with the settings that were chosen."""
    held = st.session_state
    names = ("max_k", "k", "seeds", "restarts", "ideal", "map", "distance", "loss", "dimensions")
    chosen = {name: held[name] for name in names} | {"balanced": bool(held.get("balanced"))}
    chosen["max_k"] = max(int(chosen["max_k"]), int(chosen["k"]))
    return bench.request("preferences", **(chosen | more))


def seconds(bench, asked: dict) -> float:
    """How long the fits take, about."""
    n = bench.dataset.n_rows if bench.dataset else 0
    fits = asked["seeds"] * asked["restarts"] * asked["max_k"] * (asked["max_k"] + 1) / 2
    slow = asked["map"].startswith("mlp") or asked["loss"] == "hinge"
    return SECONDS * n * fits * (8 if slow else 1)
