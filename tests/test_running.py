"""Analyses of choices through the workbench: models, files, keys, stored answers, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from backend import RunRequest, Workbench
from backend.errors import AnalysisError, CaptureError, DataError, ModelError, UserError
from backend.settings import Settings
from tests import rigs

LLAMA, VIT = (str(rigs.model_folder(kind)) for kind in ("llama", "vit"))
QUICK = {"max_k": 1, "seeds": 1, "restarts": 1}
TWO = QUICK | {"max_k": 2}
HEAD = "person,option_a,option_b,choice"
OPTIONS = [
    f"the {a} {b}" for a in ("red", "green", "blue") for b in ("dog", "cat", "house", "tree")
]


@pytest.fixture
def bench(tmp_path):
    opened = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    yield opened
    opened.close()


@pytest.fixture
def write(tmp_path):
    def make(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return make


def lines(n: int = 240, *, persons: int = 6, seed: int = 0, more=lambda a, b, rng: "") -> str:
    """People with even numbers take the option that comes first in OPTIONS, the others the last."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        a, b = rng.choice(len(OPTIONS), 2, replace=False)
        taken = "b" if (b < a) == (i % persons % 2 == 0) else "a"
        out.append(f"p{i % persons},{OPTIONS[a]},{OPTIONS[b]},{taken}{more(a, b, rng)}")
    return "\n".join(out) + "\n"


@pytest.fixture
def chosen(write):
    return write("chosen.csv", f"{HEAD}\n{lines()}")


def vectors_file(write, options=OPTIONS, name="vectors.csv"):
    rows = [f"{o},{OPTIONS.index(o)},{i % 2}" for i, o in enumerate(options)]
    return write(name, "item,x0,x1\n" + "\n".join(rows) + "\n")


# What describes the options


def test_without_a_model_each_option_is_a_direction(bench, chosen, computed):
    result = bench.run("preferences", data=chosen, **TWO)
    assert computed == ["preferences"]
    s = result.scalars
    assert (s["n"], s["persons"], s["options"]) == (240, 6, 12)
    assert s["inputs"] == "each option a direction of its own" and s["gain"] > 0.2
    said = result.provenance
    assert said["models"] == [] and said["oracle"] == [] and "also" not in said
    assert (said["n"], said["of"], said["seed"]) == (240, 240, 0)
    assert said["data"] == bench.dataset(chosen).hash and said["data_name"] == "chosen"
    assert said["parameters"]["max_k"] == 2 and said["versions"]["torch"]


def test_a_file_of_vectors_is_named_in_the_answer(bench, chosen, write):
    vectors = vectors_file(write)
    result = bench.run("preferences", data=chosen, also=vectors, **TWO)
    assert result.scalars["inputs"] == "vectors" and result.scalars["gain"] > 0.2
    said = result.provenance
    assert said["also"] == bench.dataset(vectors).hash and said["also_name"] == "vectors"
    assert said["also_ref"] == vectors


def test_attributes_come_with_the_choices(bench, write):
    text = lines(more=lambda a, b, rng: f",{a},{b},{a % 4},{b % 4}")
    data = write("priced.csv", f"{HEAD},a_price,b_price,a_size,b_size\n{text}")
    result = bench.run("preferences", data=data, **TWO)
    assert result.scalars["inputs"] == "2 attributes, standardised"
    assert result.scalars["accuracy"] > 0.8 > result.scalars["accuracy_universal"] + 0.2


def test_a_model_reads_each_option_once(bench, chosen, computed):
    result = bench.run("preferences", data=chosen, model=LLAMA, dimensions=0, **QUICK)
    assert computed == ["shard", "preferences"]
    assert result.scalars["inputs"].startswith("final of ")
    said = result.provenance
    assert said["models"][0]["ref"] == LLAMA and said["oracle"][0]["verdict"] == "agrees"
    assert said["oracle"][0]["rows"] <= 12 and (said["n"], said["dtype"]) == (240, "float32")
    read = [d for d in bench.datasets() if d.kind == "text"]
    assert [d.name for d in read] == ["Options of chosen"] and read[0].n_rows == 12
    assert sorted(read[0].texts(np.arange(12))) == sorted(OPTIONS)
    assert result.tables["options"].num_rows == 12


def test_below_prompts_a_model_reads_pairs_options_and_prompts(bench, write):
    text = lines(more=lambda a, b, rng: f",{'the sky' if rng.random() < 0.5 else 'the sky is'}")
    data = write("asked.csv", f"{HEAD},prompt\n{text}")
    found = bench.run("preferences", data=data, model=LLAMA, ideal="B", map="linear", epochs=2,
                      width=8, **QUICK)  # fmt: skip
    assert found.scalars["prompts"] == 2 and found.scalars["ideal"] == "B"
    read = next(d for d in bench.datasets() if d.kind == "text").table()
    assert set(read["role"].to_pylist()) == {"pair", "option", "prompt"}
    plain = bench.run("preferences", data=data, model=LLAMA, **QUICK)
    assert plain.scalars["options"] == found.scalars["options"] <= 24


def test_texts_that_are_brought_along_are_read_instead(bench, write, computed):
    data = write("short.csv", f"{HEAD}\n{lines()}".replace("the ", "my ").replace("house", "home"))
    rows = [f"{o.replace('the ', 'my ').replace('house', 'home')},{o} is very old" for o in OPTIONS]
    texts = write("texts.csv", "item,text\n" + "\n".join(rows) + "\n")
    result = bench.run("preferences", data=data, also=texts, model=LLAMA, **QUICK)
    assert computed == ["shard", "preferences"]
    assert result.scalars["inputs"].startswith("final of ")
    assert result.provenance["also_name"] == "texts"


def test_pictures_of_the_options_are_read_by_an_image_model(bench, write, tmp_path):
    (tmp_path / "pictures").mkdir()
    for i in range(6):
        (tmp_path / "pictures" / f"o{i}.png").write_bytes(rigs.picture(i))
    rows = [f"p{i % 3},o{i % 6},o{(i * 5 + 1 + i // 6) % 6},{'ab'[i % 2]}" for i in range(60)]
    data = write("seen.csv", HEAD + "\n" + "\n".join(rows) + "\n")
    result = bench.run(
        "preferences", data=data, also=str(tmp_path / "pictures"), model=VIT, **QUICK
    )
    assert result.tables["options"].num_rows == 6 and "of " in result.scalars["inputs"]


# Stored answers and keys


def test_an_equal_question_is_answered_from_the_store(bench, chosen, computed):
    asked = RunRequest("preferences", "", chosen, parameters=QUICK)
    assert bench.stored(asked) is None and bench.key_of(asked) is None
    first = bench.run("preferences", data=chosen, **QUICK)
    again = bench.run("preferences", data=chosen, **QUICK | {"max_k": "1"})
    assert computed == ["preferences"]
    assert again.key == first.key == bench.key_of(asked) == bench.stored(asked).key
    assert again.scalars == first.scalars and again.reading == first.reading
    assert again.provenance == first.provenance and set(again.tables) == set(first.tables)
    for name, table in first.tables.items():  # by column, since NaN is not equal to NaN
        for column in table.column_names:
            kept = again.tables[name][column].to_numpy()
            np.testing.assert_array_equal(table[column].to_numpy(), kept)


def test_a_layer_is_read_once_for_other_parameters(bench, chosen, computed):
    for balanced in (False, True):
        bench.run("preferences", data=chosen, model=LLAMA, balanced=balanced, **QUICK)
    assert computed == ["shard", "preferences", "preferences"]


def test_the_key_changes_with_everything_that_decides_the_numbers(bench, chosen, write):
    other = write("other.csv", f"{HEAD}\n{lines(seed=1)}")
    vectors = vectors_file(write)
    backwards = vectors_file(write, OPTIONS[::-1], "backwards.csv")
    bench.describe(LLAMA)
    for path in (chosen, other, vectors, backwards):
        bench.add_data(path)
    bench.run("preferences", data=chosen, model=LLAMA, **QUICK)  # makes the options' texts
    base = RunRequest("preferences", "", chosen, parameters=QUICK)
    same = [base, replace(base, parameters=QUICK | {"map": "identity"})]
    assert len({bench.key_of(r) for r in same}) == 1
    changed = [
        base, replace(base, data=other), replace(base, seed=1), replace(base, also=vectors),
        replace(base, also=backwards), replace(base, parameters=QUICK | {"k": 1}),
        replace(base, model=LLAMA), replace(base, model=LLAMA, sites="embed"),
        replace(base, model=LLAMA, pooling="mean"), replace(base, model=LLAMA, whatif="skip:1"),
        replace(base, model=LLAMA, also=vectors),
    ]  # fmt: skip
    keys = [bench.key_of(r) for r in changed]
    assert None not in keys and len(set(keys)) == len(changed)


def test_equal_content_has_an_equal_key_whatever_the_file_is_called(bench, chosen, write):
    copy = write("copy.csv", f"{HEAD}\n{lines()}")
    one, other = (bench.run("preferences", data=path, **QUICK) for path in (chosen, copy))
    assert one.key == other.key


def test_a_what_if_changes_the_numbers_and_is_said(bench, chosen):
    plain = bench.run("preferences", data=chosen, model=LLAMA, **QUICK)
    cut = bench.run("preferences", data=chosen, model=LLAMA, whatif="skip:1", **QUICK)
    assert cut.key != plain.key and cut.provenance["whatif"] == "skip:1"
    assert not cut.tables["vectors"].equals(plain.tables["vectors"])


# What people may bring


def test_ties_and_lonely_people_are_noted(bench, write):
    more = f"p0,{OPTIONS[0]},{OPTIONS[1]},tie\nlone,{OPTIONS[0]},{OPTIONS[1]},a\n"
    result = bench.run("preferences", data=write("t.csv", f"{HEAD}\n{lines()}{more}"), **QUICK)
    assert result.scalars["n"] == 241 and result.scalars["persons"] == 7
    assert "1 ties were left out" in result.scalars["note"]
    assert "1 of 7 persons made one choice" in result.scalars["note"]
    row = next(r for r in result.tables["persons"].to_pylist() if r["person"] == "lone")
    assert row["n"] == 1 and row["accuracy"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}\np,x,y,a\np,x,y,maybe\n", "choice 'maybe' names no side"),
        (f"{HEAD}\np,x,y,tie\nq,x,y,tie\n", "No choice is left: all are ties"),
        (f"{HEAD},a_w,b_w\np,x,y,a,1,\np,x,y,b,1,2\n", "attribute is missing in row 0"),
    ],
)
def test_choices_that_cannot_be_read_are_refused(bench, write, text, said):
    with pytest.raises(DataError, match=said):
        bench.run("preferences", data=write("bad.csv", text), **QUICK)
    assert bench.results() == []


def test_an_option_without_a_vector_is_named(bench, chosen, write):
    vectors = vectors_file(write, OPTIONS[1:])
    with pytest.raises(AnalysisError, match="vectors has no vector for 'the red dog'"):
        bench.run("preferences", data=chosen, also=vectors, **QUICK)


# What does not fit


def test_the_wrong_kind_of_data_is_refused(bench, chosen, write):
    texts = str(rigs.write_csv(bench.settings.home / "texts.csv", 20))
    with pytest.raises(AnalysisError, match="reads choices; 'texts' holds text.*person, option_a"):
        bench.run("preferences", data=texts, **QUICK)
    ratings = write("rated.csv", "item,rater,rating\na,r,1\nb,r,2\n")
    with pytest.raises(AnalysisError, match="reads choices; 'rated' holds ratings"):
        bench.run("preferences", data=ratings, **QUICK)
    with pytest.raises(AnalysisError, match="'rated' holds ratings. The second data set gives"):
        bench.run("preferences", data=chosen, also=ratings, **QUICK)
    with pytest.raises(UserError, match="holds choices"):
        bench.run("profile", model=LLAMA, data=chosen)


def test_models_that_are_missing_too_many_or_of_another_kind(bench, chosen):
    with pytest.raises(AnalysisError, match="Profile.*needs a model. Name one"):
        bench.run("profile", data=chosen)
    with pytest.raises(AnalysisError, match="Preferences takes one model"):
        bench.run("preferences", data=chosen, model=LLAMA, other=LLAMA, **QUICK)
    with pytest.raises(CaptureError, match="vit reads image"):
        bench.run("preferences", data=chosen, model=VIT, **QUICK)
    with pytest.raises(ModelError):
        bench.run("preferences", data=chosen, model="no/such-folder", **QUICK)


def test_a_second_data_set_is_for_judgements_only(bench, chosen, write):
    texts = str(rigs.write_csv(bench.settings.home / "texts.csv", 20))
    with pytest.raises(AnalysisError, match="takes one data set"):
        bench.run("profile", model=LLAMA, data=texts, also=vectors_file(write))


def test_a_layer_needs_a_model(bench, chosen):
    with pytest.raises(AnalysisError, match="inputs='layer' is not there.*Name a model"):
        bench.run("preferences", data=chosen, inputs="layer", **QUICK)
