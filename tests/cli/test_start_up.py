"""The command answers before it imports the library, and the package exports its names lazily."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import saetm_plugins

SLOW = ("torch", "scipy", "sklearn", "pandas", "numpy", "numba", "transformers")


@pytest.mark.parametrize(
    ("arguments", "code", "answer"),
    [
        (["--version"], 0, f"saetm {saetm_plugins.__version__}"),
        (["--help"], 0, "Reading a collection"),
        (["topcs"], 2, "No such command 'topcs'"),
        (["fit", "--help"], 0, "--n-topics"),
        (["fit", "--otu", "x"], 2, "No such option"),
    ],
)
def test_help_and_typing_errors_import_nothing_slow(arguments, code, answer):
    program = (
        "import sys\nfrom saetm_plugins.cli import main\n"
        f"try:\n    main()\nfinally:\n    print('loaded', set({SLOW}) & set(sys.modules))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=240
    )
    assert found.returncode == code
    assert answer in found.stdout + found.stderr
    assert "loaded set()" in found.stdout


def test_the_package_has_its_names_before_they_are_imported():
    program = (
        "import sys, saetm_plugins as package\n"
        "assert {'SAETopicModel', 'SparseAutoencoder', 'train_sae', '__version__'} <= "
        "set(dir(package)) & set(package.__all__)\n"
        "assert not hasattr(package, 'no_such_name')\n"
        "assert package.files.__name__ == 'saetm_plugins.files'\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=240)
    names = {}
    exec("from saetm_plugins import *", names)
    assert (
        names["SAETopicModel"] is saetm_plugins.SAETopicModel is saetm_plugins.model.SAETopicModel
    )
    assert {"SparseAutoencoder", "train_sae", "__version__"} <= names.keys()


def test_nothing_imports_the_command():
    root = Path(saetm_plugins.__file__).parent
    for file in set(root.rglob("*.py")) - set(root.glob("cli/*.py")) - {root / "__main__.py"}:
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not any(str(module).startswith("saetm_plugins.cli") for module in modules), file
