"""The console command: exit codes, one line for a mistake, and what is written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backend import __version__
from backend.figures.browser import BrowserMissing
from tests import rigs

ROOT = Path(__file__).parents[1]
LLAMA, BERT, VIT = (str(rigs.model_folder(kind)) for kind in ("llama", "bert", "vit"))

# design, section 5: the columns that must be there
LAYERS = {
    "similarity": {"layer_a", "layer_b", "cka", "low", "high"},
    "projection": {"row", "site", "x", "y"},
    "lens": {"row", "layer", "rank", "token", "probability"},
}


@pytest.fixture(autouse=True)
def no_browser(monkeypatch):
    def missing(*_, **__):
        raise BrowserMissing("No browser could be started.", "Install Chromium.")

    monkeypatch.setattr("backend.figures.browser.draw", missing)


@pytest.fixture
def texts(tmp_path):
    return str(rigs.write_csv(tmp_path / "texts.csv", 40))


def stored(home: Path) -> list[str]:
    return sorted(p.name for p in home.iterdir())


def test_layers_writes_what_the_design_promises(run, texts, tmp_path):
    out = tmp_path / "out"
    code, said, errors = run("run", "layers", "--model", LLAMA, "--data", texts, "--out", out)
    assert (code, errors) == (0, [])
    lines = said.splitlines()
    assert "CKA" in lines[0] and lines[1] == str(out / "result.json")
    assert {Path(line) for line in lines[1:]} == {p for p in out.rglob("*") if p.is_file()}
    record = json.loads((out / "result.json").read_text())
    promised = {"key", "models", "data", "parameters", "seed", "dtype", "versions", "seconds"}
    assert promised <= set(record["provenance"]) and record["scalars"]
    for name, columns in LAYERS.items():
        table = pq.read_table(out / f"{name}.parquet")
        assert columns <= set(table.column_names) and table.num_rows
    for name in ("similarity", "projection", "profile", "lens"):
        assert (out / "figures" / f"{name}.html").stat().st_size > 1000
        assert json.loads((out / "figures" / f"{name}.json").read_text())["data"]


def test_the_second_time_the_answer_is_stored(run, texts, monkeypatch):
    words = ("run", "profile", "--model", LLAMA, "--data", texts, "--set", "folds=4", "--seed", "2")
    first = run(*words)
    monkeypatch.setattr("backend.work.analyse", lambda *_: pytest.fail("computed again"))
    monkeypatch.setattr("backend.work.capture_shard", lambda *_: pytest.fail("captured again"))
    assert first[0] == 0 and run(*words) == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("magic",), "no analysis 'magic'. Choose from: similarity"),
        (("profile", "--set", "folds"), "'folds' has no value. Write --set NAME=VALUE"),
        (("profile", "--set", "fold=3"), "no parameter 'fold'. It has: "),
        (("profile", "--set", "folds=many"), "folds='many' is not of type int"),
        (("profile", "--data", "x.csv"), "needs a model. Add --model demo:"),
        (("profile", "--model", LLAMA), "takes one data set. Add --data demo:"),
        (("profile", "--model", LLAMA, "--data", "a", "--data", "b"), "takes one data set"),
        (("profile", "--rows", "few"), "argument --rows: invalid int value: 'few'"),
        ((), "the following arguments are required: analysis"),
        (("profile", "--speed", "9"), "unrecognized arguments: --speed 9"),
    ],
)
def test_a_mistake_in_the_words_writes_nothing_at_all(run, home, tmp_path, words, said):
    code, out, errors = run("run", *words, "--out", tmp_path / "out")
    assert (code, out) == (2, "") and len(errors) == 1
    assert errors[0].startswith("penultimate: ") and said in errors[0]
    assert stored(home) == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "data", "more", "said"),
    [
        ("nowhere", "texts.csv", (), "'nowhere' is neither a folder"),
        (LLAMA, "absent.csv", (), "absent.csv"),
        (LLAMA, "broken.npz", (), "broken.npz"),
        (VIT, "texts.csv", (), "reads image, and texts holds text rows"),
        (LLAMA, "texts.csv", ("--sites", "resid_post.9"), "no site 'resid_post.9'. It has: embed"),
        (LLAMA, "texts.csv", ("--pool", "spatial"), "'spatial' does not fit a text model"),
        (LLAMA, "texts.csv", ("--rows", "-2"), "-2 rows cannot be captured"),
        (LLAMA, "texts.csv", ("--text-column", "body"), "'body'"),
        (LLAMA, "texts.csv", ("--scheduler", "cloud"), "'cloud' is not known"),
        (LLAMA, "texts.csv", ("--other", BERT), "takes one model"),
    ],
    ids=lambda value: Path(value).name if value in (LLAMA, VIT) else None,
)
def test_a_mistake_in_the_inputs_is_one_line_and_no_output(
    run, tmp_path, texts, model, data, more, said
):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 cut")
    out = tmp_path / "out"
    code, printed, errors = run(
        "run", "profile", "--model", model, "--data", tmp_path / data, *more, "--out", out
    )
    assert (code, printed) == (2, "") and len(errors) == 1, errors
    assert errors[0].startswith("penultimate: ") and said in errors[0]
    assert not out.exists()


def test_an_output_that_is_a_file_is_refused_before_the_work(run, texts, tmp_path, monkeypatch):
    monkeypatch.setattr("backend.work.capture_shard", lambda *_: pytest.fail("it was run"))
    (tmp_path / "out").write_text("mine")
    code, _, errors = run(
        "run", "profile", "--model", LLAMA, "--data", texts, "--out", tmp_path / "out"
    )
    assert code == 2 and "is a file" in errors[0] and (tmp_path / "out").read_text() == "mine"


def test_capture_says_what_it_costs_and_how_well_it_agrees(run, texts):
    words = (
        "capture",
        "--model",
        LLAMA,
        "--data",
        texts,
        "--sites",
        "embed,final",
        "--pool",
        "mean",
    )
    code, out, errors = run(*words)
    assert code == 0 and errors == ["40 rows x 2 sites: roughly 1 s, 0 MB on disk."]
    assert out.splitlines()[0] == "40 rows at 2 sites: embed, final"
    assert "Check against the plain forward pass: agrees" in out and "8 rows" in out
    assert run(*words)[2] == ["40 rows are captured."]


def test_models_and_data_are_listed_shown_and_removed(run, texts):
    code, out, _ = run("models")
    assert code == 0 and "demo:smollm2" in out and LLAMA not in out
    code, out, _ = run("models", "show", LLAMA)
    assert code == 0 and json.loads(out)["family"] == "Llama-like decoder"
    assert LLAMA in run("models", "list")[1]
    assert run("models", "remove", LLAMA)[0] == 0 and LLAMA not in run("models")[1]
    code, out, _ = run("data", "show", texts)
    facts = json.loads(out)
    assert code == 0 and facts["n_rows"] == 40
    assert f"{facts['hash'][:12]}" in run("data")[1]
    assert run("data", "remove", facts["hash"][:12])[0] == 0
    assert facts["hash"][:12] not in run("data")[1] and Path(texts).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("models", "remove", "x"), "x is not in the store"),
        (("models", "show"), "needs a name. Add REF"),
        (("data", "remove", "x"), "x is not in the store"),
        (("jobs", "remove"), "needs a name. Add JOB"),
        (("store", "pack"), "needs a name. Add FILE.duckdb"),
        (("store", "sql", "x.duckdb"), "needs a query"),
        (("store", "burn"), "invalid choice: 'burn'"),
        (("dance",), "invalid choice: 'dance'"),
    ],
)
def test_mistakes_in_other_commands(run, words, said):
    code, out, errors = run(*words)
    assert (code, out) == (2, "") and len(errors) == 1 and said in errors[0]


def test_jobs_and_store(run, home, texts, tmp_path):
    run("capture", "--model", LLAMA, "--data", texts, "--sites", "final")
    code, out, _ = run("jobs")
    jobs = [line.split(maxsplit=2) for line in out.splitlines()]
    assert code == 0 and {state for _, state, _ in jobs} == {"done"}
    assert any(title.startswith("Capture ") for *_, title in jobs)
    assert run("jobs", "remove", jobs[0][0])[0] == 0
    assert jobs[0][0] not in run("jobs")[1]
    assert "captures" in run("store")[1]
    assert run("store", "verify")[:2] == (0, "Every shard has its checksum.\n")
    target = tmp_path / "one.duckdb"
    code, out, _ = run("store", "pack", target)
    assert code == 0 and "1 captures" in out and target.exists()
    code, _, errors = run("store", "pack", target)
    assert code == 2 and "exists already" in errors[0]
    code, out, _ = run("store", "sql", target, "select n_rows, kind from datasets")
    assert code == 0 and out.split() == ["n_rows", "kind", "40", "text"]
    assert run("store", "sql", target, "drop table datasets")[0] == 2
    shard = next((home / "vectors").rglob("*.arrow"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    code, out, errors = run("store", "verify")
    assert code == 2 and out == "1 damaged shards\n" and len(errors) == 1


def test_replicate_writes_its_table(run, texts, tmp_path, monkeypatch):
    from backend.claims import Replication

    monkeypatch.setattr("backend.claims.REPLICATIONS", (Replication("profile", LLAMA, texts, 30),))
    code, out, _ = run("replicate", "--out", tmp_path / "r")
    assert code == 0 and (tmp_path / "r" / "claims.md").read_text().startswith("| paper |")
    assert str(tmp_path / "r" / "claims.json") in out


def test_version_and_help(run):
    assert run("--version")[:2] == (0, f"penultimate {__version__}\n")
    code, out, _ = run("--help")
    assert code == 0 and all(word in out for word in ("run", "capture", "models", "store"))


def test_the_store_option_chooses_the_folder(run, home, tmp_path, texts):
    assert run("data", "show", texts, "--store", tmp_path / "other")[0] == 0
    assert (tmp_path / "other" / "store.duckdb").exists() and stored(home) == []
    assert run("--store", tmp_path / "third", "jobs")[0] == 0
    assert (tmp_path / "third" / "store.duckdb").exists()


def test_an_interrupt_ends_with_130_and_keeps_what_was_finished(home, tmp_path):
    """Ctrl-C in the middle of a capture: shards that were finished are there afterwards."""
    data = rigs.write_csv(tmp_path / "many.csv", 4000, width=1)
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, "capture", "--model", LLAMA, "--data", str(data)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PENULTIMATE_HOME": str(home)},
    )  # fmt: skip
    wait_for_shards(home, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "penultimate: cancelled; what was finished is kept."
    kept = subprocess.run(
        [sys.executable, "-m", "backend.cli", "jobs"], cwd=ROOT, text=True, capture_output=True,
        env=os.environ | {"PENULTIMATE_HOME": str(home)}, timeout=60,
    )  # fmt: skip
    assert "cancelled    Capture" in kept.stdout
    assert len(list((home / "vectors").rglob("*.arrow"))) >= 2


_SLOW = """
import sys, time
from backend.capture import shard
real = shard.run_batch
def slow(*args):
    time.sleep(0.02)
    return real(*args)
shard.run_batch = slow
from backend.cli import main
sys.exit(main(sys.argv[1:]))
"""


def wait_for_shards(home: Path, n: int, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while len(list((home / "vectors").glob("*/00*.arrow"))) < n:
        assert time.monotonic() < end, "no shard was written"
        time.sleep(0.02)


def test_a_second_process_is_told_who_holds_the_store(run, home, texts):
    """The lock error names the process that has the store, in one line."""
    holder = subprocess.Popen(
        [sys.executable, "-c", "from backend.store import Store; import sys, pathlib\n"
         "store = Store(pathlib.Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.read()",
         str(home)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "open\n"
        code, out, errors = run("run", "profile", "--model", LLAMA, "--data", texts)
        assert (code, out) == (2, "") and len(errors) == 1
        assert f"is in use by process {holder.pid} " in errors[0]
        assert f"kill {holder.pid}" in errors[0]
    finally:
        holder.communicate("")
    assert run("jobs")[0] == 0  # and it is free again
