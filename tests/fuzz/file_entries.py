"""Generated pictures, paths to save to and load from, options of the command, files of texts."""

import json

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from entries import core
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    SAE,
    TEXTS,
    WORDS,
    Encoder,
    check_mixtures,
    check_model,
    examples,
    on_a_copy,
    run,
)
from hypothesis import given
from PIL import Image
from strategies import Choice, Only, junk, numbers, often, pick, seeds, texts
from typer.main import get_command
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel, SparseAutoencoder, cli
from saetm_plugins.corpus.images import count_zero_shot_words, encode_images

N = len(TEXTS)
PICTURES = list(np.random.default_rng(1).integers(256, size=(12, 8, 8, 3), dtype=np.uint8))
MODES = ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "HSV"]
SHAPES = [(8, 8), (8, 8, 1), (8, 8, 4), (8, 8, 2), (0, 8, 3), (8,), (1, 1, 3), (2, 300)]
DTYPES = ["u1", "u1", "u2", "i8", "f4", "f8", "?", "O", "c8", "U2"]


def picture(seed):
    """Return a picture of any mode, shape or dtype, or a path to none."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.4:
        return Image.new(pick(rng, MODES), pick(rng, [(8, 8), (1, 1), (300, 2)]))
    with np.errstate(all="ignore"):
        made = np.resize(PICTURES[0] * 1.0, pick(rng, SHAPES)) * pick(rng, [1, 1 / 255, -1, np.nan])
        return pick(rng, ["none.png", *[made.astype(pick(rng, DTYPES))] * 5])


@st.composite
def pictures(draw):
    """Draw pictures with odd ones among them, in a list or another container."""
    found = list(PICTURES)
    for _ in range(draw(st.integers(0, 3))):
        found[draw(st.integers(0, 11))] = draw(often(seeds.map(picture), junk))
    makers = [list, tuple, iter, lambda each: each[:3], lambda each: each[0], pd.Series]
    return draw(st.sampled_from(makers))(found)


def captions(images):
    """Name a picture after its colour."""
    return [WORDS[int(np.asarray(image).mean()) % len(WORDS)] for image in images]


def fit(**made):
    return SAETopicModel(2, sae=SAE, encoder=Encoder(), word_vectors="corpus").fit(**made)


IMAGES = Only(st.one_of(pictures(), st.just(np.stack(PICTURES))))
PAIRED = {"embeddings": EMBEDDINGS[:12], "documents": Choice(TEXTS[:12], captions, None)}
IMAGE_ENTRIES = {
    "encode": core(lambda images: encode_images(Encoder(), images)[0], images=IMAGES),
    "fit": core(fit, "images", check_model, images=IMAGES, **PAIRED),
    "fit with words": core(fit, "images", check_model, images=IMAGES, vocabulary=WORDS),
    "partial_fit": core(on_a_copy(FITTED, "partial_fit", encoder=Encoder()), "images documents",
                        check_model, images=IMAGES, **PAIRED),
    "transform": core(on_a_copy(FITTED, "transform", encoder=Encoder()), "images", check_mixtures,
                      images=IMAGES, embeddings=EMBEDDINGS[:12]),
    "zero shot": core(
        lambda **made: count_zero_shot_words(encoder=Encoder(), **made), "embeddings words",
        words=WORDS, prompt="a {}", n_words=3),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGE_ENTRIES)
def test_images(name):
    run(IMAGE_ENTRIES[name])


def kinds():
    """Return how each kind of model is saved and loaded."""
    gensim = pytest.importorskip("saetm_plugins.gensim")
    bertopic = pytest.importorskip("saetm_plugins.bertopic")
    made = bertopic.SAEBERTopic(4, sae=SAE, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
    return {"model": (FITTED.save, SAETopicModel.load),
            "sae": (SAE.save_pretrained, SparseAutoencoder.from_pretrained),
            "gensim": (FITTED.to_gensim().save, gensim.SaeModel.load),
            "bertopic": (made.save, bertopic.SAEBERTopic.load)}  # fmt: skip


def test_paths_of_models(tmp_path):
    """Nothing but the path named is written to; a path without a model is refused."""
    odd = st.one_of(texts, st.just("n" * 300), st.just("a/" * 3000), junk)
    path = Only(st.one_of(st.sampled_from(["one", b"two", "some/where", "file"]), odd))
    (tmp_path / "other").mkdir()
    for kind, (save, load) in kinds().items():
        folder = tmp_path / kind
        folder.mkdir()

        def save_and_load(path, folder=folder, save=save, load=load):
            (folder / "file").write_text("something else")
            if isinstance(path, bytes):
                path = f"{folder}/".encode() + path.lstrip(b"/")
            elif isinstance(path, str):
                path = f"{folder}/" + path.lstrip("/").replace("..", "")
            try:
                save(path)
                load(path)
            finally:
                assert not list(folder.rglob(".*-*"))  # half-written folders

        run(core(save_and_load, path=path, part=0.5))
    assert not list((tmp_path / "other").iterdir())


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    FITTED.save(folder / "model")
    np.save(folder / "embeddings.npy", EMBEDDINGS)
    frame = pd.DataFrame({"text": TEXTS, "group": ["a", "b"] * (N // 2), "year": range(N)})
    frame.to_csv(folder / "docs.csv", index=False)
    return folder


def command(folder, *line):
    """Run the command in `folder`; any error but those that it prints as one line is a fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("typer.testing._get_command", lambda _: COMMAND)  # slow to make
        done = CliRunner().invoke(cli.app, line)
    printed = (SystemExit, ValueError, TypeError, OSError)
    if done.exception is not None and not isinstance(done.exception, printed):
        raise done.exception
    return done


@examples(2)
@given(case=st.sampled_from(CASES), value=st.one_of(texts, numbers.map(str)))
def test_options_of_the_command(folder, case, value):
    line, option = case
    fixed = line.split()
    if option in fixed:
        del fixed[fixed.index(option) : fixed.index(option) + 2]
    fixed += ["--overwrite"] if "--out" in fixed else []
    value = value[:99].replace("\0", "").encode("utf-8", "replace").decode()
    before = content(folder / "model")
    command(folder, *fixed, f"{option}={value}")
    assert content(folder / "model") == before


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@st.composite
def files(draw):
    """Draw the suffix and content of a file of texts: damaged, or in any encoding."""
    suffix = draw(st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".parquet", ".txt"]))
    if draw(st.integers(0, 4)) == 0:
        return suffix, draw(st.binary(max_size=60))
    cells = [cell.encode("utf-8", "replace").decode() for cell in draw(st.lists(texts, max_size=5))]
    if suffix.startswith(".json"):
        lines = [json.dumps({"text": cell}) for cell in cells]
        content = "\n".join(lines) if suffix == ".jsonl" else f"[{','.join(lines)}]"
    else:
        sep = "\t" if suffix == ".tsv" else draw(st.sampled_from(",;|"))
        content = f"text{sep}x\n" + "\n".join(f"{cell}{sep}1" for cell in cells)
    raw = content.encode(draw(st.sampled_from(["utf-8", "utf-16", "latin-1", "cp1252"])), "replace")
    return suffix, raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw


@examples(2)
@given(file=files(), rows=st.sampled_from([1, 2, 3]))
def test_files_of_texts(folder, file, rows):
    suffix, content = file
    path, out = folder / f"input{suffix}", folder / "assigned.csv"
    path.write_bytes(content)
    out.unlink(missing_ok=True)
    np.save(folder / "some.npy", EMBEDDINGS[:rows])
    done = command(folder, "assign", "model", path.name, "--embeddings", "some.npy", "--out", out)
    if done.exit_code == 0:
        assert len(pd.read_csv(out)) == rows
    else:
        assert not out.exists()
