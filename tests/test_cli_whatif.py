"""What-ifs on the command line: depth, quantization, changed models, and an exported one."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backend import cli
from backend.figures.browser import BrowserMissing
from tests import rigs

LLAMA, BERT = (str(rigs.model_folder(kind)) for kind in ("llama", "bert"))

# design, section 5: the tables and columns that must be there
PROMISED = {
    "depth": {
        "layers": {"layer", "attn_relative", "mlp_relative", "layer_relative", "attn_cosine",
                   "mlp_cosine", "layer_cosine"},
        "skip": {"skipped", "layer", "mode", "effect"},
        "output": {"skipped", "mode", "change"},
        "lens": {"layer", "kl", "top5"},
    },
    "quantization": {
        "scores": {"layer", "lim", "zd", "sensitivity"},
        "curve": {"order", "low_layers", "average_bits", "loss"},
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_browser(monkeypatch):
    def missing(*_, **__):
        raise BrowserMissing("No browser could be started.", "Install Chromium.")

    monkeypatch.setattr("backend.figures.browser.draw", missing)


@pytest.fixture
def texts(tmp_path):
    return str(rigs.write_csv(tmp_path / "texts.csv", 20, width=2))


@pytest.fixture
def run(home, capfd):
    def call(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.parametrize("analysis", PROMISED)
def test_the_tables_of_the_contract_are_written(run, texts, tmp_path, analysis):
    out = tmp_path / "out"
    code, said, errors = run("run", analysis, "--model", LLAMA, "--data", texts, "--out", out)
    assert (code, errors) == (0, "") and said
    tables = {name: pq.read_table(out / f"{name}.parquet") for name in PROMISED[analysis]}
    for name, columns in PROMISED[analysis].items():
        assert columns <= set(tables[name].column_names) and tables[name].num_rows
    assert (
        list((out / "figures").glob("*.html"))
        and not json.loads((out / "result.json").read_text())["provenance"]["whatif"]
    )
    if analysis == "depth":
        last = tables["lens"].to_pylist()[-1]
        assert (last["layer"], last["kl"], last["top5"]) == (3, 0, 1)
        assert set(tables["skip"]["mode"].to_pylist()) == {"current", "future"}
    else:
        assert set(tables["curve"]["low_layers"].to_pylist()) == {0, 1, 2, 3}
        orders = set(tables["curve"]["order"].to_pylist())
        assert {"lim", "zd", "random-0", "reversed-lim", "sensitivity"} <= orders


def test_a_changed_model_is_captured_and_analysed(run, texts, tmp_path):
    change = ("--whatif", "bits:4=0+skip:2")
    code, said, _ = run("capture", "--model", LLAMA, "--data", texts, "--sites", "final", *change)
    assert code == 0 and "agrees" in said
    out = tmp_path / "out"
    code, _, _ = run("run", "profile", "--model", LLAMA, "--data", texts, *change, "--out", out)
    record = json.loads((out / "result.json").read_text())
    assert code == 0 and record["provenance"]["whatif"] == "skip:2+bits:4=0"
    assert "skip:2" in (out / "figures" / "profile.json").read_text()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--whatif", "drop:1"), "'drop:1' is not a what-if. Write for example skip:3"),
        (
            ("--whatif", "skip:9"),
            "names layer 9, and the model has 3 blocks. Layers go from 0 to 2",
        ),
    ],
)
def test_a_mistake_in_the_what_if_is_one_line_and_writes_nothing(
    run, texts, tmp_path, words, named
):
    out = tmp_path / "out"
    code, said, errors = run("run", "lens", "--model", LLAMA, "--data", texts, *words, "--out", out)
    assert (code, said) == (2, "") and named in errors and errors.count("\n") == 1
    assert not out.exists()


def test_a_rounded_model_is_exported_and_opens_again(run, texts, tmp_path):
    folder = tmp_path / "small"
    code, said, errors = run("models", "export", LLAMA, folder, "--whatif", "bits:3=0-2:g8")
    assert (code, errors) == (0, "") and Path(said.strip()) == folder
    found = {}
    for model, change in ((str(folder), ""), (LLAMA, "bits:3=0-2:g8")):
        out = tmp_path / f"out-{len(found)}"
        words = ("--set", "text=the cat runs in the city", "--whatif", change)
        run("run", "whatif", "--model", model, "--data", texts, *words, "--out", out)
        found[model] = json.loads((out / "result.json").read_text())["scalars"]
    assert found[str(folder)]["base_loss"] == pytest.approx(found[LLAMA]["loss"], abs=1e-6)
    code, _, errors = run("models", "export", LLAMA, folder, "--whatif", "bits:3=0-2:g8")
    assert code == 2 and "exists" in errors
    code, _, errors = run("models", "export", LLAMA, tmp_path / "x", "--whatif", "skip:1")
    assert code == 2 and "is not one assignment of bits" in errors
    code, _, errors = run("models", "export", LLAMA)
    assert code == 2 and "needs a folder" in errors


def test_an_encoder_has_no_depth_to_sweep(run, texts):
    for analysis in PROMISED:
        code, _, errors = run("run", analysis, "--model", BERT, "--data", texts)
        assert code == 2 and "does not predict next tokens" in errors
