"""The README cannot rot: its code runs, its commands parse, its tables match the registries.

What the tests read:

- fences tagged `python` run in order in one interpreter, in an empty folder with an empty data
  folder, work done in the same process, one file: `texts.csv` (columns `text`, `topic`, 24 rows),
  and a tiny random model in the place of demo:smollm2;
- lines in fences tagged `bash` that start with `penultimate` (or `.venv/bin/penultimate`);
- the table rows under the heading "Pages" that name `pages/NAME.py`, and those under the heading
  "Analyses" whose first cell is a key in backticks;
- the fence under the heading "Files": one path or glob at the start of each line, two spaces,
  what it holds.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

SHARED_PAGE_CODE = {"main.py"}  # and PAGE_part.py, a part of a page


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    """The README's text."""
    return (root / "README.md").read_text(encoding="utf-8")


@pytest.mark.timeout(600)
def test_python_fences_run(readme: str, tmp_path: Path, home: Path):
    fences = _fences(readme, "python")
    assert fences, "the README shows no Python"
    topics = ("weather", "music")
    rows = "".join(f'"Line {i} is about {topics[i % 2]}.",{topics[i % 2]}\n' for i in range(24))
    (tmp_path / "texts.csv").write_text(f"text,topic\n{rows}", encoding="utf-8")
    _put_tiny_demo(home)
    # A file with a guard, because a worker process imports the script that started it.
    body = "\n".join(fences).replace("\n", "\n    ")
    script = tmp_path / "readme.py"
    script.write_text(f'if __name__ == "__main__":\n    {body}\n', encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | {"PENULTIMATE_SCHEDULER": "inline"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]


def _put_tiny_demo(home: Path) -> None:
    """A tiny random model where demo:smollm2 is expected, so that nothing is downloaded."""
    import json

    from tiny import write_model

    from backend.demo.build import find, recipe

    folder = write_model("llama", home / "models" / "demo" / "smollm2")
    (folder / "demo.json").write_text(json.dumps({"recipe": recipe(find("smollm2"))}))


def test_commands_parse(readme: str, monkeypatch: pytest.MonkeyPatch, capsys):
    from backend.cli import main

    commands = [
        words
        for fence in _fences(readme, "bash")
        for line in fence.replace("\\\n", " ").splitlines()
        if (words := shlex.split(line, comments=True)) and words[0].endswith("penultimate")
    ]
    assert commands, "the README shows no command"
    for words in commands:
        fixed = _subcommand(words[1:])
        monkeypatch.setattr(sys, "argv", ["penultimate", *fixed, "--help"])
        with pytest.raises(SystemExit) as stop:
            main()
        usage = capsys.readouterr()
        assert stop.value.code in (0, None), f"{shlex.join(words)}: {usage.err}"
        for word in words:
            option = word.split("=")[0]
            if option.startswith("--"):
                assert re.search(rf"{option}\b", usage.out), f"{shlex.join(words)}: no {option}"


def test_make_targets_exist(readme: str, root: Path):
    targets = set(re.findall(r"(?m)^([a-z][\w-]*):(?!=)", (root / "Makefile").read_text()))
    named = set(re.findall(r"(?m)^make ([a-z]+)", "\n".join(_fences(readme, "bash"))))
    assert {"run", "test"} <= named, "the README must say how to run and how to test"
    assert named <= targets


def test_the_file_tree_matches(readme: str, root: Path, committed: list[Path]):
    fence = next(iter(_fences(_section(readme, "Files"), "")), "")
    listed = [line.split("  ")[0].strip() for line in fence.splitlines() if line.strip()]
    assert listed, "the README has no fence under the heading Files"
    files = {path.relative_to(root) for path in committed}
    there = {p.as_posix() for p in files} | {q.as_posix() for p in files for q in p.parents}
    gone = [e for e in listed if not any(fnmatch(path, e.rstrip("/")) for path in there)]
    assert not gone, f"the README lists what is not there: {gone}"
    due = {p for p in there if _belongs_in_tree(p)}
    missing = [p for p in sorted(due) if not any(fnmatch(p, e.rstrip("/")) for e in listed)]
    assert not missing, f"the README's tree lacks {missing}"


def test_the_table_of_pages_matches(readme: str, root: Path):
    rows = "\n".join(_rows(_section(readme, "Pages")))
    named = set(re.findall(r"pages/([\w-]+\.py)", rows))
    main = ast.parse((root / "pages" / "main.py").read_text(encoding="utf-8"))
    strings = (n.value for n in ast.walk(main) if isinstance(n, ast.Constant))
    shown = {Path(s).name for s in strings if isinstance(s, str) and re.fullmatch(r"\S+\.py", s)}
    assert shown - SHARED_PAGE_CODE, "pages/main.py names no page"
    assert named == shown - SHARED_PAGE_CODE
    on_disk = {path.name for path in (root / "pages").glob("*.py")}
    on_disk = {name for name in on_disk if f"{name.split('_')[0]}.py" not in shown or name in shown}
    assert on_disk == shown | SHARED_PAGE_CODE, "a page is in the folder or the list, not in both"


def test_the_table_of_analyses_matches(readme: str):
    from backend.analyses import load_all
    from backend.analyses.spec import REGISTRY

    load_all()
    keys = [re.match(r"\|\s*`([\w-]+)`", row) for row in _rows(_section(readme, "Analyses"))]
    assert {match.group(1) for match in keys if match} == set(REGISTRY)


def test_fences_and_sections_are_found():
    text = "# A\n## Pages\nx\n```python\na = 1\n```\n### More\n| `k` | v |\n## Files\ny\n"
    assert _fences(text, "python") == ["a = 1\n"]
    assert _section(text, "Pages").endswith("| `k` | v |\n")
    assert _rows(text) == ["| `k` | v |"]
    assert _subcommand(["store", "pack", "FILE.duckdb", "--out", "x"]) == ["store", "pack"]


def _fences(text: str, tag: str) -> list[str]:
    """The fences with this tag; with an empty tag, those tagged `text` or not at all."""
    wanted = {tag} if tag else {"", "text"}
    found = re.findall(r"(?ms)^```([\w-]*)[^\n]*\n(.*?)^```\s*$", text)
    return [body for name, body in found if name in wanted]


def _section(text: str, heading: str) -> str:
    """What stands under a second-level heading, up to the next one."""
    found = re.search(rf"(?ms)^## {heading}\b[^\n]*\n(.*?)(?=^## |\Z)", text)
    assert found, f"the README has no heading '## {heading}'"
    return found.group(1)


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def _subcommand(words: list[str]) -> list[str]:
    """The leading plain words: the part of a command that argparse knows by name."""
    fixed = []
    for word in words:
        if not re.fullmatch(r"[a-z][a-z_-]*", word):
            break
        fixed.append(word)
    return fixed


def _belongs_in_tree(path: str) -> bool:
    """Top level, the parts of the backend, the areas of the tests, the pages; no dot files."""
    parts = path.split("/")
    if path == "." or parts[0].startswith(".") or path.endswith("__init__.py"):
        return False
    is_folder_of_tests = parts[0] == "tests" and "." not in parts[-1]
    return len(parts) == 1 or (
        len(parts) == 2 and (parts[0] in ("backend", "pages") or is_folder_of_tests)
    )
