"""No module needs itself to be imported, neither at import time nor when a function runs."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import saetm_plugins

ROOT = Path(saetm_plugins.__file__).parent
ADAPTERS = ("bertopic", "gensim", "octis")


def _name(file):
    parts = (ROOT.name, *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def _imports(file, tree, modules):
    """Return the modules of the package that a file imports anywhere, by a string included."""
    package = _name(file) if file.name == "__init__.py" else _name(file).rpartition(".")[0]
    found = set()
    for node in ast.walk(tree):
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
        elif isinstance(node, ast.Constant) and "." in str(node.value):  # import_module("a.b")
            found.add(node.value)
    return (found & modules) - {_name(file)}


@pytest.fixture(scope="module")
def trees():
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in ROOT.rglob("*.py")}


@pytest.fixture(scope="module")
def graph(trees):
    """Every module of the package, with the modules of the package that it imports."""
    names = {_name(file) for file in trees}
    return {_name(file): _imports(file, tree, names) for file, tree in trees.items()}


def test_imports_by_string_are_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path / "package")
    file = tmp_path / "package" / "core.py"
    tree = ast.parse("from importlib import import_module\nimport_module('package.adapter')")
    assert _imports(file, tree, {"package.core", "package.adapter"}) == {"package.adapter"}


def _adapter(module):
    part = module.split(".")[1:2]
    return part[0] if part and part[0] in ADAPTERS else None


def test_no_import_cycles(graph):
    assert sum(map(len, graph.values())) > len(graph)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" needs ".join(reversed(error.args[1])))


def test_no_module_imports_an_adapter_but_its_own(graph):
    crossings = [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in others
        if _adapter(other) not in (None, _adapter(name))
        and not name.startswith(("saetm_plugins.cli", "saetm_plugins.cli.demo"))  # above everything
    ]
    assert not crossings


@pytest.mark.parametrize(
    ("part", "below"),
    [
        ("numerics", ()),
        ("files", ("numerics", "validation")),
        ("corpus", ("files", "numerics", "validation", "emission.inputs")),
    ],
)
def test_a_part_knows_nothing_of_later_stages(graph, part, below):
    known = tuple(f"saetm_plugins.{name}" for name in (part, *below))
    crossings = [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in others
        if name.startswith(f"saetm_plugins.{part}.") and not other.startswith(known)
    ]
    assert not crossings


def test_nobody_reads_what_another_module_keeps_private(trees):
    """``x._name`` is read in the module that writes it, or through ``self`` in a subclass."""
    crossings = []
    for file, tree in trees.items():
        own = {node.attr for node in ast.walk(tree) if _is_own(node)}
        own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and node.attr.startswith("_")
                and not node.attr.startswith("__")
                and isinstance(node.value, ast.Name | ast.Attribute)
                and not _is_own(node)
                and node.attr not in own
                and getattr(node.value, "attr", getattr(node.value, "id", "")) in OURS
            ):
                crossings.append(f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
    assert not crossings


OURS = ("model", "estimator", "sae_model_", "model_", "sae", "atoms", "atoms_", "topics_", "views_")


def _is_own(node):
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    )
