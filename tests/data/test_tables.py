import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.data.tables import flatten, read_table, take_texts
from backend.errors import DataError


@pytest.fixture
def read(tmp_path):
    def run(name, content, *, text_column=None, max_bytes=1 << 30):
        path = tmp_path / name
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        form = path.suffix[1:]
        found = read_table(path, form=form, text_column=text_column, max_bytes=max_bytes)
        return take_texts(flatten(found, where=name), text_column=text_column, where=name)

    return run


def test_csv_with_mark_quotes_and_types(read):
    found = read(
        "a.csv",
        b"\xef\xbb\xbftext,n,x,day,yes,id\r\n"
        b'"two\nlines, and a comma",1,0.5,2020-01-02,true,a\r\n'
        b"NA,,,,,b\r\n",
    )
    first, second = found.table.to_pylist()
    assert first == {
        "text": "two\nlines, and a comma",
        "n": 1,
        "x": 0.5,
        "day": datetime.date(2020, 1, 2),
        "yes": True,
        "id": "a",
    }
    assert second["text"] == "NA"
    assert second["n"] is None
    assert found.text_column == "text"
    assert any("'text'" in note for note in found.notes)


def test_the_type_of_a_column_does_not_depend_on_its_beginning(read):
    lines = "".join(f"words {i},{i}\n" for i in range(100_000))
    found = read("a.csv", f"text,n\n{lines}words,late\n")
    assert found.table["n"][0].as_py() == "0"
    assert found.table.num_rows == 100_001


def test_texts_that_look_like_numbers_stay_as_they_are(read):
    assert read("a.csv", "text,n\n007,1\n1.50,2\n").table["text"].to_pylist() == ["007", "1.50"]
    named = read("b.csv", "code,n\n007,1\n", text_column="code")
    assert named.table["code"].to_pylist() == ["007"]


def test_tsv_and_other_delimiters(read):
    assert read("a.tsv", "text\tn\na, b\t1\n").table.to_pylist() == [{"text": "a, b", "n": 1}]
    found = read("b.csv", "text;n\na, b;1\n")
    assert found.table.to_pylist() == [{"text": "a, b", "n": 1}]
    assert "semicolons" in found.notes[0]


def test_empty_texts_are_left_out_and_listed(read):
    found = read("a.csv", 'text,n\na,1\n"  ",2\n,3\nb,4\n')
    assert found.table.to_pylist() == [
        {"text": "a", "n": 1, "source_row": 0},
        {"text": "b", "n": 4, "source_row": 3},
    ]
    assert found.rejected == (("row 1", "text is empty"), ("row 2", "text is empty"))
    assert any(note.startswith("2 of 4 rows") for note in found.notes)


def test_many_empty_texts_are_counted(read):
    found = read("a.csv", "text,n\na,1\n" + ",2\n" * 1500)
    assert len(found.rejected) == 1001
    assert found.rejected[-1] == ("500 more", "text is empty")


def test_a_column_named_row_is_kept(read):
    found = read("a.csv", "row,text\n7,a\n")
    assert found.table.to_pylist() == [{"row_": 7, "text": "a"}]
    assert any("'row_'" in note for note in found.notes)
    both = read("b.csv", "row,row_,text\n7,8,a\n")
    assert both.table.to_pylist() == [{"row__": 7, "row_": 8, "text": "a"}]


def test_columns_without_a_name_get_one(read):
    found = read("a.csv", ",text\n0,a\n")
    assert found.table.to_pylist() == [{"column_1": 0, "text": "a"}]


@pytest.mark.parametrize(
    ("header", "expected"),
    [("label,Prompt", "Prompt"), ("short,long", "long"), ("text,content", "text")],
)
def test_the_text_column_is_guessed(read, header, expected):
    assert read("a.csv", f"{header}\nab,abcdef\n").text_column == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"\n\n", "blank lines"),
        ("a.csv", b"text,n\n", r"header \(text, n\) but no rows"),
        ("a.csv", b"text,n", r"header \(text, n\) but no rows"),
        ("a.csv", b'text,n\n"a\nb",1\n\nc\n', r"a.csv, line 5: 1 values where the header has 2"),
        ("a.csv", b"text,n\na,1,2\n", "line 2: 3 values"),
        ("a.csv", b'n,text\n1,"a\n2,b\n', "quote that is never closed.*line 2"),
        ("a.csv", b"text,text\na,b\n", "more than one column named 'text'"),
        ("a.csv", b"x,n\n1,2\n", "no column of text. Its columns are x, n"),
        ("a.csv", b"text,n\n,1\n", "empty in all 1 rows"),
        ("a.csv", "text\naü\n".encode("latin-1"), "not UTF-8: byte 0xfc at byte 6, line 2"),
        ("a.csv", b"text\na\xc3", "line 2"),
        ("a.csv", "text\na\n".encode("utf-16"), "UTF-16.*Save it as UTF-8"),
        ("a.csv", b"text\na\0b\n", "zero byte at byte 6"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "a.jsonl, line 2 is not JSON"),
        ("a.jsonl", b'{"text": "a"}\n3\n', "line 2: a row must be an object, not int"),
        ("a.json", b'[{"text": "a"},\n{"text" "b"}]', "line 2"),
        ("a.json", b'[{"text": "a"}, [1]]', "entry 1: a row must be an object"),
        ("a.json", b"[" * 100_000, "nested too deeply"),
        ("a.json", b"[]", "no columns"),
        ("a.jsonl", "\n".encode("utf-16"), "UTF-16"),
        ("a.parquet", b"PAR1 and then nothing", "cannot be read as parquet"),
        ("a.parquet", pa.table({"text": pa.array([], pa.string())}), "no rows"),
    ],
)
def test_bad_files_are_refused_in_words(read, name, content, message):
    with pytest.raises(DataError, match=message):
        read(name, content)


def test_wrong_encoding_is_placed_across_blocks(read):
    lines = "text\n" + "ü" * 99 + "\n"
    good = lines.encode() * 20_000  # 200 bytes a line: some characters straddle blocks
    with pytest.raises(DataError, match=f"byte 0xff at byte {len(good)}, line 40001"):
        read("a.csv", good + b"\xff\n")


def test_a_missing_text_column_names_those_there_are(read):
    with pytest.raises(DataError, match="no column 'txt'. Its columns are text, n"):
        read("a.csv", "text,n\na,1\n", text_column="txt")


def test_json_lines_with_gaps_nesting_and_mixtures(read):
    found = read(
        "a.jsonl",
        '{"text": "a", "n": 1, "tags": ["x", {"y": 1}], "mixed": 1, "big": 1}\n\n'
        '{"text": "b\\ud800", "n": 2.5, "late": true, "mixed": "m", '
        '"big": 123456789012345678901}\n'
        '"only text"\n',
    )
    assert found.table.column_names == ["text", "n", "tags", "mixed", "big", "late"]
    assert found.table["text"].to_pylist() == ["a", "b?", "only text"]
    assert found.table["n"].to_pylist() == [1.0, 2.5, None]
    assert found.table["tags"].to_pylist() == ['["x", {"y": 1}]', None, None]
    assert found.table["mixed"].to_pylist() == ["1", "m", None]
    assert found.table["big"].to_pylist() == ["1", "123456789012345678901", None]
    assert found.table["late"].to_pylist() == [None, True, None]
    assert any("'tags' is nested" in note for note in found.notes)
    assert any("'mixed' mixes int, text" in note for note in found.notes)


def test_json_columns_keep_one_type_over_batches(read):
    lines = ['{"text": "t", "n": %d}' % i for i in range(20_000)]  # noqa: UP031
    found = read("a.jsonl", "\n".join([*lines, '{"text": "t", "n": 0.5, "new": 1}']))
    assert found.table["n"].type == pa.float64()
    assert found.table["n"][20_000].as_py() == 0.5
    assert found.table["new"].null_count == 20_000


def test_a_json_file_is_a_list_or_lines(read):
    expected = [{"text": "a"}, {"text": "b"}]
    assert read("a.json", '[{"text": "a"},\n {"text": "b"}]').table.to_pylist() == expected
    assert read("b.json", '{"text": "a"}\n{"text": "b"}\n').table.to_pylist() == expected
    assert read("c.json", '["a", "b"]').table.to_pylist() == expected


def test_parquet_nested_coded_and_bytes(read):
    found = read(
        "a.parquet",
        pa.table(
            {
                "text": pa.array(["a", "b"]).dictionary_encode(),
                "v": [[1, 2], None],
                "b": [b"x", b"y"],
            }
        ),
    )
    assert found.table.to_pylist() == [{"text": "a", "v": "[1, 2]"}, {"text": "b", "v": None}]
    assert any("'b' holds bytes" in note for note in found.notes)


def test_parquet_that_unpacks_too_large_is_refused(read):
    rows = pa.table({"text": ["x" * 1000] * 4000})
    with pytest.raises(DataError, match="more than 1 MB"):
        read("a.parquet", rows, max_bytes=1 << 20)
