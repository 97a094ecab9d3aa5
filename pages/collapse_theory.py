"""The tethered model of the perturbation analysis, on sliders: theory beside numerics."""

import streamlit as st

import ui
from backend import UserError, central_path, figures, playground


@st.fragment
def theory_tab() -> None:
    """Sliders, the minimiser they give, and the predicted levels of its response."""
    st.markdown(
        "Features H near an earlier layer's H0: minimise "
        "1/(2Kn) |WH - Y|² + lW/(2K) |W|² + lH/(2Kn) |H|² + beta/(2Kn) |H - H0|²  "
        "(Tirer, Huang, Niles-Weed 2023, Eq. 2)."
    )
    chosen = _sliders()
    try:
        play = playground(**chosen)
    except UserError as error:
        st.error(f"{error.what} {error.remedy}", icon=":material/error:")
        return
    one, two, three, four = st.columns(4)
    one.metric("NC1~ of H0", f"{play.nc1_before:.4g}")
    two.metric("NC1~ of the minimiser", f"{play.nc1_after:.4g}",
               help=f"First-order theory says {play.nc1_predicted:.4g}.")  # fmt: skip
    three.metric("Theory misses dH by", f"{play.response_error:.2%}",
                 help="|dH - F dH0| / |dH|; falls with the noise.")  # fmt: skip
    four.metric("Minimum without tether", f"{play.lowest:.4g}",
                help="Closed form: c - c²/2 with c = sqrt(lW lH), 1/2 from c = 1 on.")  # fmt: skip
    for note in play.notes:
        st.caption(f":material/info: {note}")
    left, right = st.columns(2, gap="medium")
    with left:
        ui.show(figures.collapse_spectrum(play), key="spectrum",
                alt="Singular values within a class, and predicted levels")  # fmt: skip
    with right:
        ui.show(figures.collapse_blocks(play), key="blocks", alt="Norms of the response's blocks")
    st.caption(
        "Blocks on the diagonal carry a class's deviations over; those off it are cross-talk "
        "between classes. beta large: about one layer; beta small: a flexible network."
    )
    if st.toggle("Follow the gradient flow", key="flow", bind="query-params", help="On the central "
                 "path, where the head is always the best one (Eq. 4, Theorem 3.1)."):  # fmt: skip
        _flow(chosen)


def _flow(chosen: dict) -> None:
    """NC1~ falling along the flow, and the tethered minimisers beside it."""
    duration = st.select_slider("Until t", (0.1, 0.2, 0.5, 1.0, 2.0, 5.0), 1.0, key="duration",
                                bind="query-params")  # fmt: skip
    setting = {name: value for name, value in chosen.items() if name != "beta"}
    path = ui.guarded(central_path, **setting, duration=duration)
    if path is not None:
        ui.show(figures.collapse_path(path), key="flow-figure", alt="NC1~ along the gradient flow")
        st.caption("Theorem 3.1: NC1~ falls strictly; without the decay exp(-2 lH t) the spread "
                   "within classes falls and that between them rises. A tethered minimiser is one "
                   "implicit step of length 1/beta.")  # fmt: skip


def _sliders() -> dict:
    """The model's settings, held in the URL."""
    one, two, three, four = st.columns(4)
    lW = one.select_slider("lW", (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0), 0.5, key="lW",
                           bind="query-params", help="Decay of the head.")  # fmt: skip
    lH = two.select_slider("lH", (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5), 0.5, key="lH",
                           bind="query-params", help="Decay of the features.")  # fmt: skip
    beta = three.select_slider("beta", (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 300.0, 1000.0),
                               100.0, key="beta", bind="query-params",
                               help="How tightly H is held to H0.")  # fmt: skip
    noise = four.select_slider("Noise in H0", (0.001, 0.003, 0.01, 0.03, 0.1, 0.3), 0.01,
                               key="noise", bind="query-params")  # fmt: skip
    K = one.slider("Classes K", 2, 10, 4, key="K", bind="query-params")
    d = two.slider("Width d", 2, 32, 10, key="d", bind="query-params")
    n = three.slider("Samples of a class n", 2, 15, 10, key="n", bind="query-params")
    seed = four.number_input("Seed of the noise", 0, 1000, 0, key="noise-seed")
    return {"lW": lW, "lH": lH, "beta": beta, "K": K, "d": d, "n": n, "noise": noise,
            "seed": int(seed)}  # fmt: skip
