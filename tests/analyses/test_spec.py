"""The registry: light to read, and each analysis says what it takes."""

import subprocess
import sys

import pytest

from backend.analyses import ANALYSES, load_all
from backend.analyses.result import Body
from backend.analyses.spec import Parameter, Spec, register
from backend.errors import AnalysisError

SPECS = load_all()


def test_specs_are_read_without_heavy_imports():
    code = (
        "import sys; from backend.analyses import load_all; load_all();"
        "print([m for m in ('torch', 'umap', 'sklearn', 'scipy', 'transformers', 'numba')"
        " if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("key", ["similarity", "projection", "profile", "lens", "layers"])
def test_each_analysis_is_complete(key):
    spec = SPECS[key]
    assert key in ANALYSES
    assert spec.question.endswith("?")
    assert spec.source
    for parameter in spec.parameters:
        assert parameter.check(parameter.default) == parameter.default
    assert len({c.key for c in spec.claims}) == len(spec.claims)


def test_parameters_are_checked_by_name_type_and_range():
    spec = SPECS["similarity"]
    assert spec.parse({"at_most": "200"})["at_most"] == 200
    for given, word in (
        ({"rwos": 3}, "no parameter 'rwos'"),
        ({"at_most": "many"}, "not of type int"),
        ({"permutations": 5}, "out of range"),
    ):
        with pytest.raises(AnalysisError, match=word):
            spec.parse(given)
    with pytest.raises(AnalysisError, match="Choose from: pca, umap"):
        SPECS["projection"].parse({"method": "tsne"})


def test_a_suite_hands_each_part_its_parameters_and_its_own_defaults():
    suite = SPECS["layers"]
    assert suite.parse({"at_most": "300", "method": "umap"}) == {"at_most": 300, "method": "umap"}
    shared = suite.share({"at_most": 300, "method": "umap"})
    assert list(shared) == list(suite.parts)
    assert shared["similarity"]["at_most"] == shared["profile"]["at_most"] == 300
    assert shared["projection"]["method"] == "umap"
    assert "method" not in shared["profile"]
    assert suite.share({})["similarity"]["at_most"] == 1024
    with pytest.raises(AnalysisError, match="no parameter 'colour'"):
        suite.parse({"colour": "x"})
    with pytest.raises(AnalysisError, match="out of range"):
        suite.parse({"folds": 1})


def test_a_key_is_taken_once():
    spec = SPECS["lens"]
    twin = Spec("lens", "t", "q?", "s", 1, run=lambda *a, **k: Body({}, {}, ""))
    with pytest.raises(ValueError, match="'lens' is registered twice"):
        register(twin)
    assert SPECS["lens"] is spec
    assert Parameter("flag", bool, True, "h").check("false") is False
