"""Entries of what is read from outside: pictures, paths of models, options, files of texts."""

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from entries import BASE, BERTOPIC, LEGAL, bertopic, gensim
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    SAE,
    TEXTS,
    WORDS,
    Encoder,
    check_mixtures,
    entry,
    on_a_copy,
)
from PIL import Image
from strategies import Choice, Only, junk, lists, numbers, texts
from typer.main import get_command
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel, SparseAutoencoder, cli
from saetm_plugins.corpus.images import count_zero_shot_words, encode_images

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

PICTURES = list(np.random.default_rng(1).integers(256, size=(12, 8, 8, 3), dtype=np.uint8))
SHAPES = [(8, 8), (8, 8, 1), (8, 8, 4), (8, 8, 2), (0, 8, 3), (8,), (1, 1, 3), (2, 300)]
with np.errstate(all="ignore"):
    ODD_PICTURES = [
        np.resize(PICTURES[0] * factor, shape).astype(dtype)
        for factor in (1.0, 1 / 255, -1.0, np.nan)
        for shape in SHAPES
        for dtype in ("u1", "u2", "i8", "f4", "?", "O", "c8", "U2")
    ]
for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "HSV"):
    ODD_PICTURES += [Image.new(mode, size) for size in ((8, 8), (1, 1), (300, 2))]
CONTAINERS = [list, tuple, iter, lambda each: each[0] if each else each, pd.Series]
images = st.one_of(
    lists(PICTURES, st.sampled_from(["none.png", *ODD_PICTURES]), CONTAINERS),
    st.just(np.stack(PICTURES)),
)


def captions(images):
    """Name a picture after its colour."""
    return [WORDS[int(np.asarray(image).mean()) % len(WORDS)] for image in images]


fit = on_a_copy(SAETopicModel(2, **BASE, encoder=Encoder()), "fit")
PAIRED = {"embeddings": EMBEDDINGS[:12], "documents": Choice(TEXTS[:12], captions, None)}
GIVEN = {"images": Only(images)}


def save_and_load(kind, path):
    """Save and load a model in a folder of its own, to which the path is relative."""
    save, load = {
        "model": (FITTED.save, SAETopicModel.load),
        "sae": (SAE.save_pretrained, SparseAutoencoder.from_pretrained),
        "gensim": (FITTED.to_gensim().save, gensim.SaeModel.load),
        "bertopic": (functools.partial(BERTOPIC.save, save_embedding_model=False),
                     bertopic.SAEBERTopic.load),
    }[kind]  # fmt: skip
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("something else")
    if isinstance(path, bytes):
        path = f"{folder}/inner/".encode() + path
    elif isinstance(path, str):
        path = f"{folder}/inner/" + path.lstrip("/").replace("..", "")
    try:
        save(path)
        load(path)
    finally:
        assert [each.name for each in folder.iterdir()] == ["inner"], "written outside the path"
        assert not list(folder.rglob(".*-*")), "a folder that is half written stays"
        shutil.rmtree(folder)


COMMAND = get_command(cli.app)
# Each command with what it needs, and its options that are generated.
COMMANDS = {
    "topics model": "--n-words", "retopic model --n-topics 3 --out out": "--n-topics --merge",
    "assign model docs.csv --embeddings embeddings.npy --out out":
        "--text-column --id-column --sep --encoding --embeddings",
    "coverage model docs.csv --group-column group": "--group-column --threshold --id-column --sep",
    "compare model docs.csv --group-column group --a a":
        "--a --b --level --strata-column --threshold --random-state",
    "trends model docs.csv --time-column year --bins 4": "--time-column --bins --threshold",
    "correlations model": "--level --threshold",
    "search model --topic 0": "--topic --n --file --group-column",
    "explain model --row 0": "--row --n-words", "export model --out out": "--n-topics --file",
    "taxonomy model": "--levels --n-words",
    "fit docs.csv --embeddings embeddings.npy --out out --n-topics 3":
        "--text-column --id-column --n-topics --merge --random-state --chunk --language --encoding",
    "train-sae embeddings.npy --out out --n-atoms 8 --n-steps 5":
        "--n-atoms --k --activation --batch-size --preset --config --random-state",
}  # fmt: skip
CASES = [(line, option) for line, options in COMMANDS.items() for option in options.split()]
FITTED.save(FOLDER / "model")
SAVED = {path: path.read_bytes() for path in (FOLDER / "model").rglob("*") if path.is_file()}
np.save(FOLDER / "embeddings.npy", EMBEDDINGS)
pd.DataFrame({"text": TEXTS, "group": ["a", "b"] * 20, "year": range(40)}).to_csv(
    FOLDER / "docs.csv", index=False
)


def command(*line):
    """Run the command in the folder; any error but those that it prints as one line is a fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(FOLDER)
        patch.setattr("typer.testing._get_command", lambda _: COMMAND)  # slow to make
        done = CliRunner().invoke(cli.app, line)
    printed = (SystemExit, ValueError, TypeError, OSError)
    assert done.exception is None or isinstance(done.exception, printed), repr(done.exception)
    assert all(path.read_bytes() == content for path, content in SAVED.items())
    return done.exit_code


def give_option(case, value):
    line, option = case
    fixed = line.split()
    if option in fixed:
        del fixed[fixed.index(option) : fixed.index(option) + 2]
    fixed += ["--overwrite"] if "--out" in fixed else []
    value = value[:99].replace("\0", "").encode("utf-8", "replace").decode()
    return command(*fixed, f"{option}={value}")


@st.composite
def files(draw):
    """Draw the suffix and content of a file of texts: damaged, or in any encoding."""
    suffix = draw(st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".parquet", ".txt"]))
    cells = [cell.encode("utf-8", "replace").decode() for cell in draw(st.lists(texts, max_size=5))]
    if suffix.startswith(".json"):
        lines = [json.dumps({"text": cell}) for cell in cells]
        content = "\n".join(lines) if suffix == ".jsonl" else f"[{','.join(lines)}]"
    else:
        sep = "\t" if suffix == ".tsv" else draw(st.sampled_from(",;|"))
        content = f"text{sep}x\n" + "\n".join(f"{cell}{sep}1" for cell in cells)
    raw = content.encode(draw(st.sampled_from(["utf-8", "utf-16", "latin-1", "cp1252"])), "replace")
    raw = raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw
    return suffix, draw(st.one_of(st.just(raw), st.just(raw), st.binary(max_size=60)))


def assign(file, n_documents):
    suffix, content = file
    path, out = FOLDER / f"input{suffix}", FOLDER / "assigned.csv"
    path.write_bytes(content)
    out.unlink(missing_ok=True)
    np.save(FOLDER / "some.npy", EMBEDDINGS[:n_documents])
    code = command("assign", "model", path.name, "--embeddings", "some.npy", "--out", out.name)
    assert out.exists() == (code == 0)
    assert code or len(pd.read_csv(out)) == n_documents


FILES = {
    "encode images": entry(lambda images: encode_images(Encoder(), images)[0], GIVEN),
    "fit images": entry(fit, LEGAL, "images", **GIVEN, **PAIRED),
    "fit images with words": entry(fit, LEGAL, "images", **GIVEN, vocabulary=WORDS),
    "partial_fit images": entry(on_a_copy(FITTED, "partial_fit", encoder=Encoder()), LEGAL,
                                "images documents", **GIVEN, **PAIRED),
    "transform images": entry(on_a_copy(FITTED, "transform", encoder=Encoder()), LEGAL, "images",
                              check_mixtures, **GIVEN, embeddings=EMBEDDINGS[:12]),
    "zero shot": entry(functools.partial(count_zero_shot_words, encoder=Encoder()), LEGAL,
                       "embeddings words", words=WORDS, prompt="a {}", n_words=3),
    "paths": entry(save_and_load, {}, kind=Only(st.sampled_from(["model", "sae", "gensim",
                                                                 "bertopic"])),
                   path=Only(st.one_of(st.sampled_from(["one", b"two", "some/where", "file"]),
                                       texts, st.just("n" * 300), st.just("a/" * 3000), junk))),
    "options": entry(give_option, {}, part=2.0, case=Only(st.sampled_from(CASES)),
                     value=Only(st.one_of(texts, numbers.map(str)))),
    "files of texts": entry(assign, {}, part=2.0, file=Only(files()),
                            n_documents=Only(st.integers(1, 3))),
}  # fmt: skip
