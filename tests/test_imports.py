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


OF_LIBRARIES = {"_replace", "_asdict", "_fields", "_validate_params", "_is_mkldnn_bf16_supported"}


@pytest.mark.parametrize("folder", ["", *sorted({p.parent.name for p in ROOT.glob("*/*.py")})])
def test_no_private_name_is_used_outside_its_file(trees, folder):
    """``x._name`` and ``import _name`` stay in the file that writes `_name`.

    A class of the two adapters may use what it inherits, ``self._name``.
    """
    crossings = []
    for file, tree in trees.items():
        if file.relative_to(ROOT).parts[:-1][:1] != ((folder,) if folder else ()):
            continue
        own = OF_LIBRARIES | _written(tree)
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Attribute) and not (
                folder in ("bertopic", "gensim") and ast.unparse(node.value) in ("self", "super()")
            ):
                names = [node.attr]
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(ROOT.name):
                names = [alias.name for alias in node.names]
            private = {name for name in names if name.startswith("_") and name[:2] != "__"} - own
            crossings += [f"{file.relative_to(ROOT)}:{node.lineno} {name}" for name in private]
    assert not crossings


def _written(tree):
    """Return the names that a file defines or assigns to."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(getattr(node, "ctx", None), ast.Store):
            found.add(getattr(node, "attr", getattr(node, "id", "")))
    return found
