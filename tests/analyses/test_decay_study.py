"""Five variants of one training: what is varied, what is trained once, what is said."""

import numpy as np
import pytest

from backend import figures
from backend.analyses import load_all
from backend.analyses.result import Result
from backend.errors import UserError
from backend.workbench import open_workbench, shutdown
from tests.pages.material import write_images

SPEC = load_all()["decay_study"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decay")
    data = str(write_images(folder / "images.zip", 60))
    workbench = open_workbench(folder / "home")
    text = f"data={data}&label=label&net=mlp&epochs=8&blocks=1&width=8&batch=16&weight_decay=0.05"
    run = workbench.runner.wait(workbench.submit_training(text))
    result = workbench.run("decay_study", model=run["checkpoints"][-1]["folder"], data=data,
                           seeds=2)  # fmt: skip
    yield workbench, run, data, result
    shutdown()


def test_every_variant_is_trained_with_every_seed_and_the_base_is_not_trained_again(bench):
    workbench, run, _, result = bench
    table = result.tables["trajectory"]
    runs = table.group_by(["variant", "seed"]).aggregate([]).num_rows
    assert runs == 10 and table.num_rows == 10 * 9  # epochs 0 to 8
    assert len(workbench.trainings()) == 10
    base = [r for r in table.to_pylist() if r["variant"] == "base" and r["seed"] == 0]
    assert [r["nc1"] for r in base] == [h["nc1"] for h in run["history"]]


def test_the_ends_are_geometric_means_with_students_interval(bench):
    result = bench[3]
    last = [r["nc1"] for r in result.tables["trajectory"].to_pylist()
            if r["variant"] == "body 0" and r["epoch"] == 8]  # fmt: skip
    (end,) = [r for r in result.tables["ends"].to_pylist()
              if (r["variant"], r["measure"]) == ("body 0", "nc1")]  # fmt: skip
    logs = np.log(last)
    assert end["mean"] == pytest.approx(np.exp(logs.mean()))
    half = 12.706 * logs.std(ddof=1) / np.sqrt(2)
    assert end["mean_high"] == pytest.approx(np.exp(logs.mean() + half), rel=1e-3)
    assert "2 seeds say little" in result.scalars["note"]
    assert "NC1 after 8 epochs: base" in result.reading


def test_the_figure_has_a_line_for_each_variant(bench):
    fig = figures.collapse_study(bench[3])
    named = {t.name for t in fig.data}
    assert {"base", "head x2", "body x2", "head 0", "body 0"} <= named
    assert "5 variants · 2 seeds each" in fig.layout.title.subtitle.text


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [((1, 0.9, 0.5, 1.1, 2), "agrees"), ((1, 0.4, 0.5, 1.1, 2), "differs"),
     ((1, 0.9, 1.5, 1.1, 2), "differs"), ((None, 1, 1, 1, 1), "not testable here")],
)  # fmt: skip
def test_the_claim_is_of_the_body_over_the_head(ends, verdict):
    names = ("base", "head x2", "body x2", "head 0", "body 0")
    scalars = {f"{n}_nc1": v for n, v in zip(names, ends, strict=True)}
    assert (
        SPEC.claims[0].measure(Result("k", "decay_study", scalars, {}, "", {})).verdict == verdict
    )


def test_other_data_and_other_models_are_refused(bench, tmp_path):
    workbench, run, _, _ = bench
    other = str(write_images(tmp_path / "other.zip", 30))
    with pytest.raises(UserError, match="was not trained here on"):
        workbench.run("decay_study", model=run["checkpoints"][-1]["folder"], data=other)
