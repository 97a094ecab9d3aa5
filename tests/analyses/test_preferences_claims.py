"""What the PAL paper found, held against results that are changed by hand."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.preferences_claims import CLAIMS
from backend.analyses.result import Body, Result
from tests.analyses.studied import as_result, body


@pytest.fixture
def two():
    return body(2)[0]


@pytest.fixture
def one():
    return body(1)[0]


def verdicts(result: Result) -> dict[str, str]:
    return {c.key: c.measure(result).verdict for c in CLAIMS}


def test_claims_of_two_tastes_and_of_one(two, one):
    said = verdicts(as_result(two))
    assert said["several"] == said["new-people"] == said["unseen-options"] == "agrees"
    assert said["rubric"] == "not testable here"
    said = verdicts(as_result(one))
    assert said["several"] == "differs" and said["mixtures"] == said["unseen-options"]
    assert said["mixtures"] == "not testable here"


def changed(body: Body, *, scalars=(), **tables) -> Result:
    return as_result(replace(body, scalars=body.scalars | dict(scalars),
                             tables=body.tables | tables))  # fmt: skip


def test_the_gain_must_be_sure_and_beyond_that_of_chance(two):
    few = {"gain": 0.05, "gain_low": -0.01}
    assert verdicts(changed(two, scalars=few))["several"] == "differs"
    chance = {"gain": 0.05, "gain_low": 0.02, "control_gain": 0.03}
    assert verdicts(changed(two, scalars=chance))["several"] == "differs"
    assert verdicts(changed(two, scalars=chance | {"control_gain": 0.0}))["several"] == "agrees"


def test_new_people_must_come_close_to_known_ones(two):
    few = two.tables["fewshot"]
    at = few.column_names.index("high")
    low = few.set_column(at, "high", pa.array([0.5] * few.num_rows))
    assert verdicts(changed(two, fewshot=low))["new-people"] == "differs"
    assert verdicts(changed(two, fewshot=few.slice(0, 0)))["new-people"] == "not testable here"


def test_mixed_people_are_those_whose_intervals_end_below_the_corner(two):
    n = two.tables["persons"].num_rows

    def people(mixed: int) -> Result:
        high = np.where(np.arange(n) < mixed, 0.7, 0.99)
        shown = pa.table({"weight_0_high": high, "weight_1_high": np.full(n, 0.6)})
        return changed(two, persons=shown)

    assert verdicts(people(0))["mixtures"] == "differs"
    assert verdicts(people(6))["mixtures"] == "agrees"
    claim = next(c for c in CLAIMS if c.key == "mixtures")
    assert claim.measure(people(6)).value.startswith("20.0 % of the people")


def test_with_one_number_of_tastes_nothing_can_be_said_of_several(two):
    said = verdicts(changed(two, scalars={"k": 1, "compared_k": 1, "control_gain": None}))
    assert said["several"] == said["unseen-options"] == said["mixtures"] == "not testable here"


def test_unseen_options_must_be_surely_better_than_one_taste(two):
    for low, verdict in ((0.69, "differs"), (0.71, "agrees")):
        rows = pa.Table.from_pylist([
            {"k": k, "seed": 0, "split": "option", "accuracy": accuracy, "low": low, "high": 0.9}
            for k, accuracy in ((1, 0.7), (2, 0.8))
        ])  # fmt: skip
        assert verdicts(changed(two, accuracy=rows))["unseen-options"] == verdict


def test_a_result_without_its_tables_is_refused(two):
    with pytest.raises(KeyError, match="persons"):
        verdicts(replace(as_result(two), tables={"accuracy": two.tables["accuracy"],
                                                 "fewshot": two.tables["fewshot"]}))  # fmt: skip
