"""Which layer knows what people like: one that carries the tastes among others that are noise."""

from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.preference_layers import SPEC
from backend.analyses.result import Body, Result
from backend.data.dataset import write_dataset
from backend.errors import AnalysisError, Cancelled
from backend.preferences.simulate import simulate
from tests.analyses.conftest import make_view
from tests.analyses.studied import as_table
from tests.preferences.worlds import table

SITES = ("embed", "resid_post.0", "resid_post.1", "final")
BEST = "resid_post.1"


@cache
def world():
    """20 people of two tastes, 40 choices each between 80 options in 4 dimensions."""
    return simulate(n_tastes=2, seed=3, n_persons=20, n_pairs=40, n_items=80, d=4)


def layers(*, sites: tuple[str, ...] = SITES) -> dict[str, np.ndarray]:
    """Vectors of every option: at BEST its own, elsewhere noise."""
    rng = np.random.default_rng(0)
    return {s: world().X if s == BEST else rng.normal(size=world().X.shape) for s in sites}


def asked(
    folder, vectors, choices=None, *, names=None, seed=0, progress=lambda *_: None, **given
) -> Body:
    """Ask of these choices and layers; options are named by a column of the captured rows."""
    table = as_table(world()) if choices is None else choices
    data = write_dataset(folder / "c", table, kind="choices", name="chosen")
    names = names or [f"o{i}" for i in range(len(next(iter(vectors.values()))))]
    columns = {"text": names, "item": names, "role": ["option"] * len(names)}
    view = make_view(folder, vectors, columns=columns)
    return SPEC.run(
        (view,), data=data, also=None, seed=seed, progress=progress,
        **SPEC.parse({"restarts": 1, "dimensions": 0} | given),
    )  # fmt: skip


@pytest.fixture
def ask(tmp_path):
    return lambda *vectors, **given: asked(tmp_path, *vectors, **given)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return asked(tmp_path_factory.mktemp("layers"), layers())


def rows(body: Body, k: int) -> dict[str, dict]:
    return {r["site"]: r for r in body.tables["layers"].to_pylist() if r["k"] == k}


def test_the_layer_that_carries_the_tastes_is_found(found):
    s = found.scalars
    assert s["best_site"] == BEST and s["last_site"] == "final"
    assert s["best"] > 0.8 > s["last_high"]
    assert s["best_low"] < s["best"] < s["best_high"]
    assert s["last"] == rows(found, 2)["final"]["accuracy"]
    assert (s["n"], s["persons"], s["options"], s["k"]) == (800, 20, 80, 2)


def test_two_tastes_do_better_than_one_only_where_the_tastes_are(found):
    one, two = rows(found, 1), rows(found, 2)
    assert two[BEST]["accuracy"] > one[BEST]["accuracy"] + 0.08
    for site in set(SITES) - {BEST}:
        assert two[site]["accuracy"] < two[BEST]["accuracy"] - 0.15


def test_options_dealt_at_random_say_little(found):
    """Not 0.5 exactly: known options keep what all people make of them."""
    control = rows(found, 2)[BEST]["control"]
    assert abs(control - 0.5) < 0.12
    assert found.scalars["control"] == control < found.scalars["best_low"] - 0.15


def test_every_layer_of_the_main_path_has_a_row_for_each_number_of_tastes(found):
    lines = found.tables["layers"]
    assert lines["site"].to_pylist() == [s for s in SITES for _ in range(2)]
    assert lines["index"].to_pylist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert lines["k"].to_pylist() == [1, 2] * 4
    assert lines.schema.field("k").type == lines.schema.field("index").type == pa.int32()
    assert set(lines["n"].to_pylist()) == {found.scalars["tested"]}
    for row in lines.to_pylist():
        assert row["low"] <= row["accuracy"] <= row["high"]


def test_sites_beside_the_main_path_are_left_out(ask):
    more = layers(sites=(*SITES, "attn_out.0", "head"))
    assert set(rows(ask(more, k=1), 1)) == set(SITES)


def test_the_answer_is_a_sentence_with_its_numbers(found):
    s = found.scalars
    said = found.reading
    assert said.startswith(f"Of {s['tested']} held-out choices 2 tastes predict most at {BEST}: ")
    assert f"{100 * s['best']:.1f} (" in said and "; final, the last, " in said
    assert said.endswith(f"{100 * s['control']:.1f} % with the options' vectors dealt at random.")


def test_where_the_last_layer_is_best_it_is_said_once(ask):
    turned = {s: layers()[BEST if s == "final" else s] for s in ("embed", "resid_post.0", "final")}
    body = ask(turned)
    assert body.scalars["best_site"] == body.scalars["last_site"] == "final"
    assert body.reading.count("final") == 1


def test_one_taste_is_asked_for_alone(ask):
    body = ask(layers(), k=1)
    assert set(body.tables["layers"]["k"].to_pylist()) == {1}
    assert "choices one taste predict most" in body.reading


def test_turning_and_stretching_a_layer_changes_nothing(ask, found):
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))
    turned = layers() | {BEST: 7.0 * world().X @ turn + 2.0}
    assert rows(ask(turned), 2)[BEST]["accuracy"] == pytest.approx(
        rows(found, 2)[BEST]["accuracy"], abs=0.03
    )


def test_the_order_of_captured_rows_is_no_matter(ask, found):
    order = np.random.default_rng(2).permutation(80)
    shuffled = {site: X[order] for site, X in layers().items()}
    body = ask(shuffled, names=[f"o{i}" for i in order])
    for site in SITES:
        assert rows(body, 2)[site]["accuracy"] == pytest.approx(
            rows(found, 2)[site]["accuracy"], abs=0.02
        )


def test_the_same_seed_gives_the_same_answer(ask, found):
    again = ask(layers())
    assert again.scalars == found.scalars and again.tables["layers"].equals(found.tables["layers"])
    assert not ask(layers(), seed=1).tables["layers"].equals(found.tables["layers"])


def test_components_can_be_kept_to_a_few(ask, found):
    """The widest two directions of four lose what the other two say of the tastes."""
    body = ask(layers(), dimensions=2)
    assert body.scalars["dimensions"] == 2
    assert rows(body, 2)[BEST]["accuracy"] < found.scalars["best"] - 0.05


def test_the_claim_compares_the_last_layer_with_options_dealt_at_random(found):
    def verdict(**changed) -> str:
        result = Result("key", SPEC.key, found.scalars | changed, found.tables, "", {})
        measured = SPEC.claims[0].measure(result)
        assert f"best layer {BEST}" in measured.value and "dealt at random" in measured.value
        return measured.verdict

    assert verdict(last_low=0.7, control=0.5) == "agrees"
    assert verdict(last_low=0.45, control=0.5) == "differs"


def test_progress_names_each_layer_and_can_be_stopped(ask):
    said = []
    ask(layers(), k=1, progress=lambda *what: said.append(what))
    assert said == [*((i, 4, f"tastes at {s}") for i, s in enumerate(SITES)), (4, 4, "done")]

    def stop(done: int, total: int, what: str) -> None:
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        ask(layers(), k=1, progress=stop)


def test_an_option_without_a_vector_is_refused(ask):
    short = {s: X[:60] for s, X in layers().items()}
    with pytest.raises(AnalysisError, match="has no vector for 'o[67]"):
        ask(short)


def test_vectors_that_are_not_finite_are_refused(ask):
    broken = layers()
    broken["final"][3, 1] = np.nan
    with pytest.raises(AnalysisError, match="values at 'final' that are not finite"):
        ask(broken, k=1)


def test_a_layer_that_tells_no_options_apart_is_refused(ask):
    with pytest.raises(AnalysisError, match="All options have the same vector"):
        ask(layers() | {"embed": np.ones((80, 4))}, k=1)


def test_choices_too_few_to_hold_any_out_are_refused(ask):
    few = table([("p", "o0", "o1", "a")])
    with pytest.raises(AnalysisError, match="No choice can be held out"):
        ask(layers(), few)


def test_parameters_have_limits():
    for given in ({"k": 0}, {"k": 13}, {"dimensions": -1}, {"restarts": 0}):
        with pytest.raises(AnalysisError, match="out of range"):
            SPEC.parse(given)
