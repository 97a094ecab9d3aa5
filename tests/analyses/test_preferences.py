"""The preferences analysis: what it finds and says, PAL-B, its refusals."""

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.preferences import SPEC
from backend.data.dataset import write_dataset
from backend.data.judgements import texts_of
from backend.errors import AnalysisError, Cancelled
from tests.analyses.studied import as_table, body, columns, made, run
from tests.preferences.worlds import table


@pytest.fixture
def two():
    return body(2)[0]


@pytest.fixture
def one():
    return body(1)[0]


def test_two_tastes_are_found_and_said(two):
    s = two.scalars
    assert (s["n"], s["persons"], s["options"], s["prompts"]) == (1500, 30, 200, 0)
    assert s["k"] == s["compared_k"] == 2 and s["seeds"] == 2 and s["live"] is True
    assert 0.1 < s["gain_low"] < s["gain"] < s["gain_high"]
    assert s["gain"] == pytest.approx(s["accuracy"] - s["accuracy_universal"], abs=2e-3)
    assert s["control_gain"] < s["gain_low"] and s["control_low"] <= 0.02
    assert s["what_made_the_choices"] == pytest.approx(s["accuracy"], abs=0.06)
    assert s["majority"] < s["bradley_terry_on_vectors"] < s["accuracy"] - 0.1
    assert s["inputs"] == "vectors" and s["pairs_per_person"] == 50
    assert two.reading.startswith("2 tastes") and "one taste for all predicts" in two.reading
    assert f"{100 * s['accuracy']:.1f} %" in two.reading and "1,500 choices of 30" in two.reading


def test_one_taste_is_found_and_said(one):
    s = one.scalars
    assert s["k"] == 1 and s["compared_k"] == 2 and s["gain_low"] <= 0
    assert one.reading.startswith("One taste explains these choices: it predicts ")
    assert "2 tastes add" in one.reading


def test_people_of_one_taste_are_put_together(two):
    persons = columns(two, "persons")
    taste = made(2).W.argmax(axis=1)[[int(p[1:]) for p in persons["person"]]]
    assert max(np.mean(persons["taste"] == taste), np.mean(persons["taste"] != taste)) > 0.95
    assert (persons["group"] == taste).all()
    assert (persons["n_"] == [int(p[1:]) % 3 for p in persons["person"]]).all()


def test_with_one_number_of_tastes_nothing_is_compared(tmp_path):
    found = run(tmp_path, as_table(made(2)), made(2).X, max_k=1, seeds=1)
    assert found.scalars["compared_k"] == 1 and found.scalars["control_gain"] is None
    assert found.reading.startswith("One taste predicts ")


def test_the_number_of_tastes_can_be_said(tmp_path):
    found = run(tmp_path, as_table(made(2)), made(2).X, k=1, seeds=1)
    assert found.scalars["k"] == 1 and found.scalars["compared_k"] == 2
    assert found.tables["prototypes"].num_rows == 1


def test_the_same_question_has_the_same_answer_and_the_seed_another(tmp_path):
    few = made(2, 12)
    a, b, c = (run(tmp_path, as_table(few), few.X, seed=seed, seeds=1) for seed in (1, 1, 2))
    assert a.scalars == b.scalars and a.reading == b.reading
    for name, found in a.tables.items():
        for column in found.column_names:
            np.testing.assert_array_equal(
                found[column].to_numpy(), b.tables[name][column].to_numpy()
            )
    assert not c.tables["persons"].equals(a.tables["persons"])


def test_options_without_vectors_are_directions_of_their_own(tmp_path):
    found = run(tmp_path, as_table(made(2)), max_k=1, seeds=1)
    assert found.scalars["inputs"] == "each option a direction of its own"
    assert "option" not in found.tables["accuracy"]["split"].to_pylist()
    assert found.tables["vectors"].num_rows == 0


def test_progress_never_falls_back_nor_passes_the_end():
    said = body(2)[1]
    done = [d for d, _, _ in said]
    assert done == sorted(done) and len({total for _, total, _ in said}) == 1
    assert 0 < done[-1] <= said[0][1]
    assert {"1 tastes, seed 0", "2 tastes, seed 1"} <= {what for _, _, what in said}


# PAL-B


def with_prompts() -> pa.Table:
    """Two prompts; people take what is in the order of the prompt's own letter."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        person, (a, b), prompt = rng.integers(6), rng.choice(8, 2, replace=False), rng.integers(2)
        taken = "b" if (b > a) == (prompt == 0) else "a"
        rows.append((f"p{person}", f"o{a}", f"o{b}", taken, f"q{prompt}"))
    return table(rows, "prompt")


def test_pal_b_reads_prompts_and_options_from_a_layer(tmp_path, view_of):
    choices = with_prompts()
    texts = texts_of(choices, "choices")
    data = write_dataset(tmp_path / "t", texts, kind="text", name="t", text_column="text")
    X = np.zeros((data.n_rows, 3))
    for i, row in enumerate(texts.to_pylist()):
        if row["role"] == "option":
            X[i, 0] = 1.0
            X[i, 1] = (int(row["item"][1:]) - 3.5) / 4
        elif row["role"] == "prompt":
            X[i, 2] = 1.0 if row["prompt"] == "q0" else -1.0
    view = view_of({"final": X}, dataset=data)
    found = run(tmp_path, choices, views=(view,), ideal="B", map="linear", seeds=1, width=4, k=2,
                dimensions=0, epochs=20)  # fmt: skip
    s = found.scalars
    assert (s["ideal"], s["live"], s["prompts"], s["options"]) == ("B", False, 2, 16)
    asked = columns(found, "asked")
    assert sorted(asked["prompt"]) == ["q0", "q1"] and (np.abs(asked["cosine"]) <= 1 + 1e-9).all()
    assert "reward_0" not in found.tables["options"].column_names
    assert found.tables["vectors"].num_rows == 0
    assert set(found.tables["options"]["prompt"].to_pylist()) == {"q0", "q1"}
    W = np.stack([columns(found, "persons")[f"weight_{k}"] for k in range(2)])
    np.testing.assert_allclose(W.sum(axis=0), 1, atol=1e-9)


# Refusals


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": 3}, "k=3 is above max_k=2. Raise max_k"),
        ({"ideal": "B"}, "PAL-B needs prompts. Give the choices a column prompt"),
        ({"inputs": "layer"}, "inputs='layer' is not there"),
        ({"inputs": "attributes"}, "a_NAME and b_NAME"),
    ],
)
def test_refusals(tmp_path, given, said):
    with pytest.raises(AnalysisError, match=said):
        run(tmp_path, as_table(made(2)), made(2).X, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ideal": "C"}, "ideal='C' is not known"),
        ({"max_k": 13}, "max_k=13 is out of range"),
        ({"test_share": 0.9}, "test_share=0.9 is out of range"),
        ({"tastes": 3}, "preferences has no parameter 'tastes'"),
    ],
)
def test_parameters_are_checked(given, said):
    with pytest.raises(AnalysisError, match=said):
        SPEC.parse(given)


def test_pal_b_needs_a_model_that_reads_the_prompts(tmp_path):
    with pytest.raises(AnalysisError, match="PAL-B needs prompts"):
        run(tmp_path, with_prompts(), np.eye(8), ideal="B", seeds=1)


def test_it_can_be_stopped(tmp_path):
    def stop(done, total, what):
        if what.startswith("2 tastes"):
            raise Cancelled

    with pytest.raises(Cancelled):
        run(tmp_path, as_table(made(2)), made(2).X, progress=stop)
