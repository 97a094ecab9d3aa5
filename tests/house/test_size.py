"""Small files, short functions, nothing half-done, and public things say what they are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LINES_IN_A_FILE = 400
LINES_IN_A_PAGE = 150
LINES_IN_A_FUNCTION = 60
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "raise Not" + "Implemented")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_files_are_short(root: Path, modules: dict[str, ast.Module]):
    wrong = []
    for path in modules:
        is_page = path.startswith("pages/") and path != "pages/ui.py"
        limit = LINES_IN_A_PAGE if is_page else LINES_IN_A_FILE
        count = len((root / path).read_text(encoding="utf-8").splitlines())
        if count > limit:
            wrong.append(f"{path}: {count} lines, at most {limit}")
    assert not wrong, "\n".join(wrong)


def test_functions_are_short(modules: dict[str, ast.Module]):
    wrong = [
        f"{path}:{node.lineno} {node.name}: {_length(node)} lines"
        for path, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS) and _length(node) > LINES_IN_A_FUNCTION
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_unfinished(root: Path, modules: dict[str, ast.Module]):
    wrong = [
        f"{path}:{number} {word}"
        for path in modules
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1)
        for word in UNFINISHED
        if word in line
    ]
    assert not wrong, "\n".join(wrong)


def test_files_are_named_for_what_they_hold(modules: dict[str, ast.Module]):
    wrong = [p for p in modules if EMPTY_NAMES & set(Path(p).with_suffix("").parts)]
    assert not wrong, "\n".join(wrong)


def test_no_error_is_swallowed(modules: dict[str, ast.Module]):
    wrong = [f"{path}:{line}" for path, tree in modules.items() for line in _swallowed(tree)]
    assert not wrong, "\n".join(wrong)


def test_public_things_of_the_backend_have_a_docstring(modules: dict[str, ast.Module]):
    wrong = []
    for path, tree in modules.items():
        if not path.startswith("backend/"):
            continue
        if tree.body and not ast.get_docstring(tree):
            wrong.append(f"{path}: the module")
        for node in tree.body:
            is_public = isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name[0] != "_"
            if is_public and not ast.get_docstring(node):
                wrong.append(f"{path}:{node.lineno} {node.name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("handler", "is_swallowed"),
    [
        ("except:\n    raise", True),
        ("except Exception:\n    pass", True),
        ("except (OSError, BaseException):\n    ...", True),
        ("except Exception as e:\n    continue", True),
        ("except OSError:\n    pass", False),
        ("except Exception:\n    close()\n    raise", False),
    ],
)
def test_the_rule_on_errors_itself(handler: str, is_swallowed: bool):
    block = "\n".join(f"    {line}" for line in f"try:\n    f()\n{handler}".splitlines())
    tree = ast.parse(f"for x in y:\n{block}")
    assert bool(list(_swallowed(tree))) is is_swallowed


def test_suppressing_every_error_counts_as_swallowing():
    assert list(_swallowed(ast.parse("with suppress(Exception):\n    f()"))) == [1]
    assert not list(_swallowed(ast.parse("with suppress(OSError):\n    f()")))


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _swallowed(tree: ast.AST) -> Iterator[int]:
    """Lines where any error at all is caught and dropped."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            idle = all(isinstance(step, ast.Pass | ast.Continue | ast.Expr) for step in node.body)
            dropped = idle and not any(isinstance(n, ast.Call) for n in ast.walk(node))
            if node.type is None or (dropped and _catches_all(node.type)):
                yield node.lineno
        elif _suppresses(node) and any(map(_catches_all, node.args)):
            yield node.lineno


def _suppresses(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")


def _catches_all(expression: ast.expr) -> bool:
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    return bool(names & {"Exception", "BaseException"})
