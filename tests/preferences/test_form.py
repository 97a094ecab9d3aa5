"""Which models there are, and which are refused."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.preferences.form import PAPER_A, PAPER_B, SCALE_B, SCALE_MOST, Form


def test_the_first_scale_is_that_of_clip():
    assert np.exp(SCALE_B) == pytest.approx(1 / 0.07) == pytest.approx(14.2857, abs=1e-4)
    assert SCALE_MOST == 100


@pytest.mark.parametrize(
    ("form", "linear"),
    [
        (Form(2), True),
        (Form(2, map="mlp2"), True),
        (Form(2, "f(P)w", "mlp1"), True),
        (Form(2, "f(Pw)"), True),
        (Form(2, "f(Pw)", "mlp1"), False),
        (Form(2, distance="norm"), False),
        (Form(2, "B"), False),
    ],
)
def test_which_margins_are_linear_in_the_weights(form, linear):
    assert form.is_linear_in_weights is linear


@pytest.mark.parametrize(
    ("form", "small"),
    [(Form(2), True), (Form(2, map="linear"), True), (Form(2, map="mlp1"), False),
     (Form(2, loss="hinge"), False)],
)  # fmt: skip
def test_which_are_learned_on_all_choices_at_once(form, small):
    assert form.is_convex is small


def test_another_number_of_prototypes_is_otherwise_the_same():
    assert PAPER_A.with_k(5) == Form(5, "f(Pw)", "mlp2", "norm", "hinge", residual=True)
    assert PAPER_B.with_k(2) == PAPER_B and PAPER_B.activation == "gelu"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"k": 0}, "k=0 prototypes are none. Give at least 1."),
        ({"ideal": "A"}, "ideal='A' is not known. Choose: Pw"),
        ({"map": "mlp9"}, "map='mlp9' is not known"),
        ({"distance": "angle"}, "distance='angle' is not known"),
        ({"loss": "square"}, "loss='square' is not known"),
        ({"activation": "tanh"}, "activation='tanh' is not known"),
    ],
)
def test_refusals(wrong, said):
    with pytest.raises(AnalysisError, match=said):
        Form(**{"k": 2} | wrong)
