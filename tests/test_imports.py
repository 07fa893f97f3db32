"""No module needs itself to be imported, neither at import time nor when a function runs."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import saetm_plugins

ROOT = Path(saetm_plugins.__file__).parent
GROUPS = ["saetm_plugins.atoms"]


def _name(file):
    parts = (ROOT.name, *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def _imports(file, modules):
    """Return the modules of the package that a file names in an import, wherever it stands."""
    package = _name(file) if file.name == "__init__.py" else _name(file).rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:  # a module, or a name in one
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in modules else base)
    return (found & modules) - {_name(file)}


@pytest.mark.parametrize("group", GROUPS)
def test_no_import_cycles(group):
    files = {_name(file): file for file in ROOT.rglob("*.py")}
    graph = {
        name: {other for other in _imports(file, files.keys()) if other.startswith(group)}
        for name, file in files.items()
        if name.startswith(group)
    }
    assert sum(map(len, graph.values())) > len(graph)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" needs ".join(reversed(error.args[1])))
