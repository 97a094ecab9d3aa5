import math

import numpy as np
import pytest

from backend.analyses import load_all
from backend.analyses.result import Result
from backend.errors import AnalysisError

SPEC = load_all()["profile"]
COLUMNS = [
    "site", "index", "norm_mean", "norm_low", "norm_high", "effective_rank", "participation_ratio",
    "intrinsic_dimension", "id_low", "id_high", "anisotropy", "anisotropy_low", "anisotropy_high",
    "probe", "probe_low", "probe_high", "probe_control", "probe_majority",
]  # fmt: skip
RNG = np.random.default_rng(0)
TOPIC = RNG.integers(0, 2, 120)
NAMES = {"topic": [f"t{i}" for i in TOPIC], "length": RNG.standard_normal(120).tolist()}


def hunchback() -> dict[str, np.ndarray]:
    """Flat, then wide, then flat; the topic is read better and better; all in a cone."""
    rng, layers = np.random.default_rng(1), {}
    for i, dimension in enumerate((1, 5, 8, 5, 1)):
        cloud = np.zeros((120, 12))
        cloud[:, :dimension] = rng.random((120, dimension))
        cloud[:, 10] = 1 + i
        cloud[:, 11] = 3 * i * TOPIC
        layers["embed" if i == 0 else f"resid_post.{i - 1}"] = cloud
    return layers


def measure(silent, view, **given):
    return SPEC.run((view,), seed=0, progress=silent, **SPEC.parse(given))


def claims(body) -> dict[str, str]:
    result = Result("k", "profile", body.scalars, body.tables, body.reading)
    return {c.key: c.measure(result).verdict for c in SPEC.claims}


def test_each_site_has_its_numbers_and_the_findings_are_held_against_them(view_of, silent):
    body = measure(silent, view_of(hunchback(), columns=NAMES))
    table = body.tables["profile"]
    assert set(COLUMNS) <= set(table.column_names)
    rows = table.to_pylist()
    assert [r["index"] for r in rows] == list(range(5))
    assert rows[0]["intrinsic_dimension"] == pytest.approx(1, rel=0.3)
    assert rows[2]["id_low"] > rows[0]["id_high"]
    assert rows[1]["probe"] == 1.0
    assert rows[1]["probe_control"] < 0.7
    for row in rows:
        for low, value, high in (
            ("id_low", "intrinsic_dimension", "id_high"),
            ("anisotropy_low", "anisotropy", "anisotropy_high"),
            ("probe_low", "probe", "probe_high"),
            ("norm_low", "norm_mean", "norm_high"),
        ):
            assert row[low] <= row[value] <= row[high]
    assert claims(body)["hunchback"] == claims(body)["anisotropic"] == "agrees"
    assert claims(body)["monotone"] == "agrees"


def test_findings_that_do_not_hold_are_said_to_differ(view_of, silent):
    layers = hunchback()
    sites = list(layers)
    backwards = {s: layers[t] * [1] * 1 for s, t in zip(sites, reversed(sites), strict=True)}
    rng = np.random.default_rng(2)
    backwards["resid_post.1"] = rng.standard_normal((120, 12))
    body = measure(silent, view_of(backwards, columns=NAMES))
    verdicts = claims(body)
    assert verdicts["monotone"] == verdicts["anisotropic"] == "differs"
    flat = {s: rng.random((120, 3)) for s in sites}
    assert claims(measure(silent, view_of(flat, name="flat")))["hunchback"] == "differs"


def test_pooled_means_do_not_test_a_claim_about_tokens(view_of, silent):
    body = measure(silent, view_of(hunchback(), columns=NAMES, pooling="mean"))
    assert claims(body)["anisotropic"] == "not testable here"


def test_the_column_is_named_and_may_be_a_number(view_of, silent):
    view = view_of(hunchback(), columns=NAMES)
    body = measure(silent, view)
    assert body.scalars["probe_column"] == "topic"
    assert "column 'topic' is read best" in body.reading.replace("Column", "column")
    number = measure(silent, view, column="length")
    assert number.scalars["probe_measure"] == "R2"
    assert claims(number)["monotone"] == "not testable here"
    with pytest.raises(AnalysisError, match="no column 'mood'"):
        measure(silent, view, column="mood")


def test_without_a_column_the_shape_is_still_measured(view_of, silent):
    body = measure(silent, view_of(hunchback()))
    assert body.scalars["probe_column"] is None
    assert all(math.isnan(v) for v in body.tables["profile"]["probe"].to_pylist())
    assert body.reading.startswith("The intrinsic dimension is largest at resid_post.1")
    assert "No metadata column" in body.scalars["note"]


def test_few_distinct_vectors_and_constant_layers_are_said(view_of, silent):
    layers = {
        "embed": np.ones((120, 3)),
        "resid_post.0": np.eye(3)[np.arange(120) % 3],
        "resid_post.1": RNG.random((120, 3)),
    }
    body = measure(silent, view_of(layers, columns=NAMES))
    first, few, _ = body.tables["profile"].to_pylist()
    assert first["duplicates"] == 119
    assert math.isnan(first["effective_rank"])
    assert math.isnan(few["intrinsic_dimension"])
    assert few["effective_rank"] == pytest.approx(2)
    assert "do not vary" in body.scalars["note"]
    assert "repeat another" in body.scalars["note"]


def test_three_rows_are_refused(view_of, silent):
    with pytest.raises(AnalysisError, match="3 rows are too few"):
        measure(silent, view_of({"embed": np.eye(3)}))
