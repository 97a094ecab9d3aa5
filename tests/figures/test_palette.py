"""Colours hold across pages, and people with a colour vision deficiency can tell them apart."""

import numpy as np
import pytest

from backend.figures import palette

# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
}
# Ottosson 2020: OKLab, in which distances are about even to the eye
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_LAB = [
    [0.2104542553, 0.793617785, -0.0040720468],
    [1.9779984951, -2.428592205, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.808675766],
]


def oklab(colours, matrix) -> np.ndarray:
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(matrix).T, 0, 1)
    return np.cbrt(seen @ np.array(TO_LMS).T) @ np.array(TO_LAB).T


@pytest.mark.parametrize("kind", DEFICIENCIES)
def test_categories_differ_for_every_kind_of_eye(kind):
    lab = oklab([*palette.CATEGORIES, palette.SELECTED, palette.WHATIF], DEFICIENCIES[kind])
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 9 * np.eye(len(lab))
    assert apart.min() > 0.08


def test_the_ramp_darkens_in_even_steps():
    lightness = oklab(palette.LAYER_RAMP, np.eye(3))[:, 0]
    steps = -np.diff(lightness)
    assert lightness[0] > 0.9
    assert lightness[-1] < 0.35
    assert steps.min() > 0.05
    assert steps.max() < 0.1


def test_the_same_categories_get_the_same_colours_in_any_order_and_number():
    first = palette.category_colours(["b", "a", "c"])
    assert first == palette.category_colours(["c", "c", "a", "b", "b", "b"])
    assert first == palette.category_colours({"a": 5, "b": 1, "c": 90})
    assert list(first) == ["a", "b", "c"]
    assert first["a"] == palette.CATEGORIES[0]


def test_numbers_sort_as_numbers_and_gaps_do_not_change_them():
    assert list(palette.category_colours([10, 9, 1])) == ["1", "9", "10"]
    with_gap = palette.category_colours([1.0, float("nan"), 9.0, None, 10.0])
    assert with_gap == palette.category_colours([1, 9, 10]) | {palette.MISSING: palette.UNSELECTED}


def test_beyond_ten_categories_the_rarest_stay_without_a_colour():
    counts = {f"c{i:02}": 100 - i for i in range(13)}
    colours = palette.category_colours(counts)
    assert list(colours) == [f"c{i:02}" for i in range(10)]
    assert len(set(colours.values())) == 10


def test_fading_keeps_the_colour():
    assert palette.fade("#0A10FF", 0.25) == "rgba(10,16,255,0.25)"
