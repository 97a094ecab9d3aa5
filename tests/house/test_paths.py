"""Nothing that is committed depends on one person's machine or network."""

import re
from pathlib import Path

import pytest

# Written in pieces, so that this file does not hold what it looks for.
HOMES = "|".join(("root", "work", "home/[a-z]+", "Users/[A-Za-z]+", "mnt/[a-z]+"))
PATTERNS = (
    rf"(?<![\w.~/<}}\])*-])/(?:{HOMES})(?:/|\b)",
    r"\bfile:/" + r"//\w",
    r"(?i:(?:--|\b)(?:extra-)?index" + r"[-_]url\b)",
    r"(?i:--find" + r"-links\b)",
    r"(?i:--trusted" + r"-host\b)",
    r"https?://[\w.:-]+/(?:[\w/-]+/)?simp" + r"le\b",
)
ILLEGAL = re.compile("|".join(PATTERNS))


def test_no_file_names_a_machine(root: Path, committed: list[Path]):
    wrong = []
    for path in committed:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a sound
        for number, line in enumerate(text.splitlines(), 1):
            if found := ILLEGAL.search(line):
                wrong.append(f"{path.relative_to(root)}:{number} {found.group()}")
    assert not wrong, "\n".join(wrong)


def test_links_stay_inside(root: Path, committed: list[Path]):
    links = [path for path in committed if path.is_symlink()]
    wrong = [str(p) for p in links if not p.resolve().is_relative_to(root)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "parts",
    [
        ("cd /wo", "rk/x"),
        ("PATH=/ro", "ot/bin"),
        ('open("/home', '/ann/a.csv")'),
        ("file:", "///opt/x"),
        ("pip install --extra-ind", "ex-url=x"),
        ("https://pypi.example.org/sim", "ple"),
    ],
)
def test_the_rule_finds_them(parts: tuple[str, str]):
    assert ILLEGAL.search("".join(parts))


@pytest.mark.parametrize(
    "line",
    [
        "https://example.org/home/1",
        "the share of rows at work/rest",
        "PYTHON=/path/to/python3.12",
        "/healthz",
        "root / 'pages'",
        "</root>",
    ],
)
def test_the_rule_lets_the_rest_pass(line: str):
    assert not ILLEGAL.search(line)
