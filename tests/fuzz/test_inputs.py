"""Generated pictures, paths to save to and load from, options of the command, files of texts."""

import json
import warnings

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from entries import LEGAL, core
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    SAE,
    TEXTS,
    WORDS,
    Encoder,
    arguments,
    check_call,
    check_mixtures,
    check_model,
    examples,
    on_a_copy,
)
from hypothesis import given
from PIL import Image
from strategies import Choice, Only, junk, numbers, often, texts
from typer.main import get_command
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel, SparseAutoencoder, cli
from saetm_plugins.corpus.images import caption_images, count_zero_shot_words, encode_images
from saetm_plugins.plotting import image_sheet

N = len(TEXTS)
RNG = np.random.default_rng(1)
PICTURES = [RNG.integers(256, size=(8, 8, 3), dtype=np.uint8) for _ in range(N)]
MODES = ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "HSV"]
SHAPES = [(8, 8), (8, 8, 1), (8, 8, 4), (8, 8, 2), (0, 8, 3), (8,), (1, 1, 3), (2, 300)]
FILES = []


@pytest.fixture(scope="module", autouse=True)
def pictures_on_disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    whole = Image.fromarray(PICTURES[0])
    for name in ("good.png", "good.jpg", "שלום.png"):
        whole.save(folder / name)
    whole.save(folder / "two.gif", save_all=True, append_images=[Image.fromarray(PICTURES[1])])
    content = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(content[:80])
    (folder / "empty.jpg").touch()
    terapixel = bytearray(content)
    terapixel[16:24] = (2**20).to_bytes(4, "big") * 2
    (folder / "bomb.png").write_bytes(terapixel)
    FILES[:] = [*sorted(folder.iterdir()), folder, folder / "none.png"]


def file(number):
    return FILES[number % len(FILES)]


def picture(seed):
    """Return a picture of any mode, shape or dtype, or its file."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.3:
        return file(seed)
    if rng.random() < 0.4:
        return Image.new(str(rng.choice(MODES)), [(8, 8), (1, 1), (300, 2)][rng.integers(3)])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = np.resize(PICTURES[0], SHAPES[rng.integers(len(SHAPES))])
        made = (made * rng.choice([1, 1 / 255, -1, np.nan])).astype(
            str(rng.choice(["u1", "u1", "u2", "i8", "f4", "f8", "?", "O", "c8", "U2"]))
        )
    return np.ma.masked_equal(made, made.flat[0]) if rng.random() < 0.1 and made.size else made


@st.composite
def pictures(draw, n=12):
    """Draw `n` pictures with odd ones among them, in a list or another container."""
    found = list(PICTURES[:n])
    for _ in range(draw(st.integers(0, 3))):
        odd = st.integers(0, 10**6).map(picture)
        found[draw(st.integers(0, n - 1))] = draw(often(odd, junk))
    makers = [list, tuple, iter, lambda each: each[:3], lambda each: each[0], file_of, in_objects]
    whole = [np.stack, pd.Series, lambda each: [Image.fromarray(one) for one in each],
             lambda each: np.stack(each).astype("f4") / 255]  # fmt: skip
    plain = all(one is other for one, other in zip(found, PICTURES, strict=False))
    return draw(st.sampled_from(makers + whole * plain))(found)


def file_of(found):
    return file(len(found))


def in_objects(found):
    held = np.empty(len(found), dtype=object)
    held[:] = found
    return held


def captions(images):
    """Name a picture after its colour."""
    return [WORDS[int(np.asarray(image).mean()) % len(WORDS)] for image in images]


def fit(**made):
    return SAETopicModel(2, sae=SAE, encoder=Encoder(), word_vectors="corpus").fit(**made)


IMAGES = Only(pictures())
PAIRED = {"embeddings": EMBEDDINGS[:12], "documents": Choice(TEXTS[:12], captions, None)}
ANSWERS = st.lists(st.one_of(
    st.sampled_from(["a", ["a", "b"], {"label": "x"}, [{"generated_text": "x"}]]), texts, junk
), min_size=12, max_size=12)  # fmt: skip
IMAGE_ENTRIES = {
    "encode": core(lambda images: encode_images(Encoder(), images)[0], "images", images=IMAGES),
    "fit": core(fit, "images", check_model, images=IMAGES, **PAIRED),
    "fit with words": core(fit, "images", check_model, images=IMAGES, vocabulary=WORDS),
    "partial_fit": core(on_a_copy(FITTED, "partial_fit", encoder=Encoder()), "images documents",
                        check_model, images=IMAGES, **PAIRED),
    "transform": core(on_a_copy(FITTED, "transform", encoder=Encoder()), "images", check_mixtures,
                      images=IMAGES, embeddings=EMBEDDINGS[:12]),
    "captions": core(lambda images: caption_images(images, captions, verbose=False), "images",
                     images=IMAGES),
    "answers": core(
        lambda answer: caption_images(PICTURES[:12], lambda _: answer, verbose=False), "answer",
        answer=ANSWERS),
    "zero shot": core(
        lambda **made: count_zero_shot_words(encoder=Encoder(), **made), "embeddings words",
        words=WORDS, prompt="a {}", n_words=3),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGE_ENTRIES)
def test_images(name):
    run(IMAGE_ENTRIES[name])


def run(entry, part=1.0):
    @examples(part)
    @given(arguments(entry))
    def all_inputs(made):
        check_call(entry, made)

    all_inputs()


def test_image_sheets(tmp_path):
    def call(**made):
        path = image_sheet(FITTED, path=tmp_path / "sheet.png", overwrite=True, **made)
        assert path.stat().st_size > 500

    run(core(call, "images", images=Only(pictures(N)), level=Choice("topics", "atoms"), n_images=3,
             topics=LEGAL["topics"], n_words=2, size=16, title="t"), 0.5)  # fmt: skip


def kinds():
    """Return how each kind of model is saved and loaded."""
    saved = {"model": (FITTED.save, SAETopicModel.load, {"overwrite": Choice(False, True)}),
             "sae": (SAE.save_pretrained, SparseAutoencoder.from_pretrained, {})}  # fmt: skip
    gensim = pytest.importorskip("saetm_plugins.gensim")
    wrapped = FITTED.to_gensim()
    saved["gensim"] = (wrapped.save, gensim.SaeModel.load, {})
    bertopic = pytest.importorskip("saetm_plugins.bertopic")
    made = bertopic.SAEBERTopic(4, sae=SAE, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
    saved["bertopic"] = (made.save, bertopic.SAEBERTopic.load,
                         {"serialization": Choice("safetensors", "pytorch")})  # fmt: skip
    return saved


def saving(save, load, folder):
    """Return what saves to a place in `folder`, whatever the place is, and loads from it."""

    def call(place, **made):
        if isinstance(place, bytes):
            place = f"{folder}/".encode() + place.lstrip(b"/")
        elif isinstance(place, str):
            place = f"{folder}/" + place.lstrip("/").replace("..", "")
        save(place, **made)
        load(place)

    return call


def run_paths(entry, folder):
    @examples(0.5)
    @given(arguments(entry))
    def all_inputs(made):
        (folder / "file").write_text("something else")
        check_call(entry, made)
        assert not list(folder.rglob(".*-*"))  # half-written folders

    all_inputs()


def test_paths_of_models(tmp_path):
    """Nothing but the path named is written to; a path without a model is refused."""
    odd = st.one_of(texts, st.just("n" * 300), st.just("a/" * 3000), junk)
    place = Only(st.one_of(st.sampled_from(["one", b"two", "some/where", "file"]), odd))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter").write_text("dear")
    for kind, (save, load, options) in kinds().items():
        folder = tmp_path / kind
        folder.mkdir()

        run_paths(core(saving(save, load, folder), "place", place=place, **options), folder)
        assert [path.name for path in (tmp_path / "other").iterdir()] == ["letter"]


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
