"""In `commons` there is no float and no division that could make one."""

import ast
import sys
from pathlib import Path

import pytest

import commons

FILES = sorted(Path(commons.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_float_and_no_division(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        where = f"{path.name}:{getattr(node, 'lineno', '?')}"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), where
        assert not isinstance(node, ast.Div), where
        assert not (isinstance(node, ast.Name) and node.id == "float"), where


def test_the_verifier_needs_the_standard_library_only() -> None:
    tree = ast.parse((Path(commons.__file__).parent / "verify.py").read_text("utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        for name in names:
            assert name.partition(".")[0] in sys.stdlib_module_names
