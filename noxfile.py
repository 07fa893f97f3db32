"""Every supported Python, the oldest dependencies, the wheel alone: ``nox -s tests-3.13``."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
BESIDE = ["octis==1.14.0", "dictionary-learning==0.1.0", "nnsight==0.3.7"]
EXTRAS = [
    "", "offline", "bertopic", "gensim", "octis", "evaluation", "languages", "merging", "cli",
    "images", "analysis", "scale", "all",
]  # fmt: skip


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the newest dependencies; arguments after ``--`` are pytest's."""
    session.install(".[test]", "./saetm_plugins/atoms/fine")
    session.install("--no-deps", *BESIDE)
    session.run("pytest", *(session.posargs or ["tests", "integration", "-n", "auto"]))


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the tests of the core and of the adapters with the oldest versions that are allowed."""
    session.install(
        "--resolution", "lowest-direct", ".[all,octis]", "pytest>=8", "pytest-timeout>=2.3"
    )
    session.run("pytest", *(session.posargs or ["tests"]))


@nox.session(python="3.11")
def engines(session: nox.Session) -> None:
    """Fit shards by Ray, Dask and Spark in local mode: 700 MB to install, and Java 17."""
    session.install(".[all,ray,dask,spark]", "pytest>=8", "pytest-timeout>=2.3")
    session.run("pytest", *(session.posargs or ["integration/test_engines.py"]))


@nox.session(venv_backend="uv")
def wheel(session: nox.Session) -> None:
    """Build the packages, check them, and use the wheel with each extra in an empty environment."""
    folder = Path(session.create_tmp()).resolve()
    session.install("build", "twine", "check-wheel-contents")
    session.run("python", "-m", "build", "--outdir", folder, ".")
    session.run("python", "-m", "build", "--wheel", "--outdir", folder, "saetm_plugins/atoms/fine")
    session.run("twine", "check", "--strict", *map(str, folder.glob("saetm*")))
    session.run("check-wheel-contents", *map(str, folder.glob("*.whl")))
    (built,) = folder.glob("saetm_plugins-*.whl")
    assert built.stat().st_size < 10e6
    script = Path(".ci/try_wheel.py").resolve()
    session.chdir(folder)  # away from the checkout
    for extra in session.posargs or EXTRAS:
        empty = folder / f"env-{extra or 'core'}"
        session.run("uv", "venv", "--clear", empty, external=True)
        python = str(empty / "bin" / "python")
        target = f"{built}[{extra}]" if extra else str(built)
        session.run("uv", "pip", "install", "--quiet", "--python", python, target, external=True)
        if extra == "octis":
            session.run(
                "uv", "pip", "install", "--python", python, "--no-deps", BESIDE[0], external=True
            )
        session.run(python, script, extra, external=True)


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Run the linters."""
    session.install(".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the site."""
    session.install(".[docs]")
    session.run("mkdocs", "build", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
