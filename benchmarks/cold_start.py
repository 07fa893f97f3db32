"""How much longer the first fit takes than the second: loops are compiled when first used.

    python benchmarks/cold_start.py --data DIR        # about 2 minutes on 2 cores

Every row is a new process. "after an installation": nothing is compiled yet, what is compiled is
kept. "again": a later process finds it. "read-only": compiled loops can be kept nowhere, as in a
container with a read-only package folder and no home; Python's own byte code is there, as pip
writes it when it installs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import saetm_plugins

FITS = """
import json, sys, time, warnings
from pathlib import Path
sys.path.insert(0, {folder!r})
warnings.filterwarnings("ignore")
from corpora import load_corpus
corpus = load_corpus({corpus!r}, Path({data!r}), Path({cache!r}))
started = time.perf_counter()
from saetm_plugins import SAETopicModel
times = [time.perf_counter() - started]
for _ in range(3):
    started = time.perf_counter()
    SAETopicModel({n_topics}).fit(corpus.texts, corpus.embeddings)
    times.append(time.perf_counter() - started)
print(json.dumps(times))
"""


def main() -> None:
    args = parse_arguments()
    code = FITS.format(folder=str(Path(__file__).parent), corpus=args.corpus, data=str(args.data),
                       cache=str(args.cache), n_topics=args.n_topics)  # fmt: skip
    print(f"| {args.corpus} | import, s | first fit, s | second | third | first − second |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        kept = {"NUMBA_CACHE_DIR": f"{folder}/kept"}
        nowhere = {
            "PYTHONPATH": copy_read_only(Path(folder)),
            "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
            "HOME": f"{folder}/file",
        }
        run(code, nowhere)  # writes byte code
        for name, settings in (
            ("after an installation", kept),
            ("again", kept),
            ("read-only", nowhere),
        ):
            report(name, code, settings)


def copy_read_only(folder: Path) -> str:
    """Copy the package to where nothing can be written beside it, not even by root."""
    source = Path(saetm_plugins.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    target = Path(shutil.copytree(source, folder / "site" / "saetm_plugins", ignore=ignored))
    for part in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        (part / "__pycache__").touch()  # a file, where a folder would have to be
    (folder / "file").touch()
    return str(target.parent)


def run(code: str, settings: dict[str, str]) -> list[float]:
    settings = {**os.environ, **settings}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)  # byte code is there once a package is installed
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tempfile.gettempdir(),  # not where the package lies: it would come first
        env=settings,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def report(name: str, code: str, settings: dict[str, str]) -> None:
    imported, first, second, third = run(code, settings)
    print(
        f"| {name} | {imported:.1f} | {first:.1f} | {second:.1f} | {third:.1f} "
        f"| {first - second:.1f} |",
        flush=True,
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "saetm-bench")
    parser.add_argument("--corpus", default="20newsgroups")
    parser.add_argument("--n-topics", type=int, default=50)
    args = parser.parse_args()
    if args.data is None:
        parser.error("--data or the environment variable SAETM_DATA must name the data folder")
    return args


if __name__ == "__main__":
    main()
