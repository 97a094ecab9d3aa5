"""Hub ids, asked of a hub on loopback: pinned to the commit, and every way to be refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import rigs
from tests.models.hub import COMMIT, OLD, Hub, serve

_ASK = """
import json, sys
from pathlib import Path
from backend.errors import ModelError
from backend.models.sources import find_source
from backend.settings import Settings
said = {}
for ref in sys.argv[2:]:
    seen = []
    try:
        found = find_source(ref, settings=Settings(home=Path(sys.argv[1])),
                            progress=lambda *tick: seen.append(tick))
        said[ref] = {"id": found.model_id, "title": found.title, "progress": seen,
                     "files": sorted(p.name for p in found.folder.iterdir())}
    except ModelError as error:
        said[ref] = {"error": str(error)}
print(json.dumps(said))
"""
GONE = "org/elsewhere"


class Answers(dict):
    """What a fresh process said of each reference."""

    def refused(self, ref: str) -> str:
        assert "\n" not in self[ref]["error"]
        return self[ref]["error"]


def ask(home: Path, address: str, *refs: str, offline: bool = False) -> Answers:
    """Resolve references in a process of its own: the hub's client reads its settings once."""
    environment = os.environ | {
        "HF_ENDPOINT": address, "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": str(int(offline)),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(home), *refs],
        env=environment, capture_output=True, text=True, timeout=60,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no bars, no warnings
    return Answers(json.loads(done.stdout))


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Hub:
    base = tmp_path_factory.mktemp("hub")
    folder = rigs.copy_model("llama", base / "tiny")
    (folder / "README.md").write_text("A model.")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "copy.safetensors").write_bytes(b"another copy of the weights")
    pickled = base / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"pickle")
    made = Hub()
    made.repos = {
        "org/tiny": {COMMIT: folder, OLD: rigs.model_folder("gpt2")},
        "org/gated": {COMMIT: folder}, "org/pickled": {COMMIT: pickled},
    }  # fmt: skip
    made.gated = {"org/gated"}
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def online(hub, home) -> Answers:
    """What was said with the hub there."""
    with serve(hub) as address:
        return ask(
            home, address, "org/tiny", f"org/tiny@{OLD}", "org/tiny@nope", "org/gated",
            "org/absent", "org/pickled", "a--b/c..d",
        )  # fmt: skip


def test_a_model_is_downloaded_and_pinned_to_the_commit(online, hub):
    found = online["org/tiny"]
    assert (found["id"], found["title"]) == (f"org/tiny@{COMMIT}", "org/tiny")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(found["files"])
    assert online[f"org/tiny@{OLD}"]["id"] == f"org/tiny@{OLD}"


def test_only_what_is_needed_is_downloaded(online, hub):
    assert not {"README.md", "pytorch_model.bin", "copy.safetensors"} & set(hub.served)


def test_the_download_reports_its_bytes(online):
    ticks = online["org/tiny"]["progress"]
    size = (rigs.model_folder("llama") / "model.safetensors").stat().st_size
    assert ticks[0] == [0, size, "downloading org/tiny"]
    assert ticks[-1][:2] == [size, size]
    done = [tick[0] for tick in ticks]
    assert done == sorted(done)


def test_refusals_say_what_to_do(online):
    assert "gated" in online.refused("org/gated") and "HF_TOKEN" in online.refused("org/gated")
    assert "no revision 'nope'" in online.refused("org/tiny@nope")
    assert "no public model 'org/absent'" in online.refused("org/absent")
    assert "no safetensors" in online.refused("org/pickled")
    assert "no hub id" in online.refused("a--b/c..d")


def test_without_a_network_the_cache_serves(online, home):
    said = ask(home, "http://127.0.0.1:9", "org/tiny", f"org/tiny@{OLD}", GONE, offline=True)
    assert said["org/tiny"]["id"] == f"org/tiny@{COMMIT}"
    assert said[f"org/tiny@{OLD}"]["id"] == f"org/tiny@{OLD}"
    assert "cannot be reached" in said.refused(GONE) and "local cache" in said.refused(GONE)


def test_a_hub_that_does_not_answer_is_like_no_network(online, home):
    said = ask(home, "http://127.0.0.1:9", "org/tiny", GONE)  # nothing listens there
    assert said["org/tiny"]["id"] == f"org/tiny@{COMMIT}"
    assert "cannot be reached" in said.refused(GONE)
