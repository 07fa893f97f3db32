"""Generated pictures: arrays, PIL images and files of every kind, in whatever holds them."""

import copy
import itertools
import warnings

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    SAE,
    TEXTS,
    WORDS,
    Entry,
    arguments,
    check_call,
    check_mixtures,
    check_model,
    examples,
)
from hypothesis import given
from PIL import Image
from strategies import Choice, Only, junk, mostly, texts

from saetm_plugins import SAETopicModel
from saetm_plugins.images import caption_images, count_zero_shot_words, embed_images, encode_images
from saetm_plugins.plotting import image_sheet

RNG = np.random.default_rng(1)
PICTURES = [RNG.integers(256, size=(8, 8, 3), dtype=np.uint8) for _ in range(12)]
FOLDERS = itertools.count()
MODES = ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "HSV", "LAB"]
SHAPES = [(8, 8), (8, 8, 1), (8, 8, 4), (8, 8, 2), (8, 8, 5), (0, 8, 3), (8,), (1, 1, 3), (2, 300)]
DTYPES = ["u1", "u2", "u4", "i1", "i8", "f2", "f4", "f8", "?", "O", "c8", "U2", "M8[s]", ">f4"]


class Encoder:
    """Embeds a picture, or a word, in six dimensions."""

    def encode(self, items, **_):
        if isinstance(items[0], str):
            return np.array([EMBEDDINGS[len(item) % 40] for item in items])
        colors = [np.asarray(item, dtype=np.float32).reshape(-1, 3).mean(axis=0) for item in items]
        return np.hstack([colors, 300 - np.array(colors)]).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    whole = Image.fromarray(PICTURES[0])
    for name in ("good.png", "good.jpg", "good.webp", "name.txt", "שלום.png"):
        whole.save(folder / name, format="PNG" if name.endswith("txt") else None)
    whole.save(folder / "still.gif", save_all=True, append_images=[Image.fromarray(PICTURES[1])])
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:80])
    (folder / "text.png").write_text("no picture")
    (folder / "empty.jpg").touch()
    (folder / "a folder.png").mkdir()
    bomb = bytearray((folder / "good.png").read_bytes())
    bomb[16:24] = (2**20).to_bytes(4, "big") * 2  # a header that claims a terapixel
    (folder / "bomb.png").write_bytes(bomb)
    FILES[:] = sorted(folder.iterdir()) + [folder, folder / "none.png"]
    return folder


FILES = []


@st.composite
def picture(draw):
    """One picture, or nearly one."""
    kind = draw(st.sampled_from(["array", "array", "mode", "file", "file", "junk"]))
    if kind == "junk":
        return draw(junk)
    if kind == "file":
        file = draw(st.integers(0, 12).map(lambda n: FILES[n % len(FILES)]))
        return draw(st.sampled_from([file, str(file), str(file).encode()]))
    if kind == "mode":
        mode = draw(st.sampled_from(MODES))
        made = Image.new(mode, draw(st.sampled_from([(8, 8), (1, 1), (300, 2)])))
        made.info.update(draw(st.sampled_from([{}, {"transparency": 0}, {"transparency": b"x"}])))
        return made
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, dtype = draw(st.sampled_from(SHAPES)), draw(st.sampled_from(DTYPES))
        scale = draw(st.sampled_from([1, 255, 1 / 255, -1, np.nan, 1e30]))
        values = np.resize(PICTURES[0], shape).astype("f8") * (scale if dtype[-2:] > "f" else 1)
        made = values.astype("i8").astype(dtype) if dtype[0] == "M" else values.astype(dtype)
    masked = draw(st.integers(0, 9)) == 0 and made.size
    return np.ma.array(made, mask=np.resize([True, False], shape)) if masked else made


@st.composite
def pictures(draw, whole):
    """Pictures like `whole`, some odd, in a list or what else holds them."""
    found = list(whole)
    what = draw(st.sampled_from(["same", "odd", "odd", "odd", "length", "junk", "folder"]))
    if what == "junk":
        return draw(junk)
    if what == "folder":
        return draw(st.integers(0, 12).map(lambda n: FILES[n % len(FILES)]))
    if what == "length":
        return found[: draw(st.integers(0, len(found)))]
    if what == "odd":
        for _ in range(draw(st.integers(1, 3))):
            found[draw(st.integers(0, len(found) - 1))] = draw(picture())
        return draw(st.sampled_from([list, list, tuple, iter, in_objects]))(found)
    return draw(st.sampled_from([
        list, tuple, iter, set_of, np.stack, pd.Series, in_objects,
        lambda each: [Image.fromarray(one) for one in each],
        lambda each: dict(enumerate(each)), lambda each: np.stack(each)[..., 0],
        lambda each: np.stack(each).astype("f4") / 255, lambda each: each[0],
        lambda each: np.ma.masked_less(np.stack(each), 9),
    ]))(found)  # fmt: skip


def in_objects(found):
    held = np.empty(len(found), dtype=object)
    held[:] = found
    return held


def set_of(found):
    return {str(FILES[row % len(FILES)]) for row in range(len(found))}


def captions(images):
    """Name a picture after its colour."""
    return [WORDS[int(np.asarray(image).mean()) % len(WORDS)] for image in images]


def fit(**made):
    model = SAETopicModel(2, sae=SAE, encoder=Encoder(), word_vectors="corpus")
    return model.fit(**made)


def on_the_fitted(name):
    def call(**made):
        return getattr(copy.copy(FITTED).set_params(encoder=Encoder()), name)(**made)

    return call


def answered(answer, **made):
    return caption_images(captioner=lambda given: answer, verbose=False, **made)


N = len(PICTURES)
GOOD_ANSWERS = ["a", ["a", "b"], {"label": "x"}, [{"generated_text": "x"}]]
ONE_ANSWER = mostly(st.one_of(st.sampled_from(GOOD_ANSWERS), texts))
ANSWERS = st.lists(ONE_ANSWER, min_size=1, max_size=2).map(lambda found: (found * N)[:N])
IMAGES = Only(pictures(PICTURES))
PAIRED = {"embeddings": EMBEDDINGS[:N], "documents": Choice(TEXTS[:N], captions, None)}
ALSO = (
    "captioner",
    "images",
    "image",
    "picture",
    "Complex",
    "embeddings",
    "documents",
    "pixels",
    "none.png",
)
ENTRIES = {
    "encode": Entry(lambda **made: encode_images(Encoder(), **made)[0], {"images": IMAGES},
                    {"batch_size": 5, "verbose": False}, ALSO),
    "fit": Entry(fit, {"images": IMAGES}, PAIRED, (*ALSO, "n_topics"), check_model),
    "fit_words": Entry(fit, {"images": IMAGES}, {"vocabulary": WORDS}, (*ALSO, "n_topics"),
                       check_model),
    "partial_fit": Entry(on_the_fitted("partial_fit"), {"images": IMAGES, **PAIRED}, {}, ALSO,
                         check_model),
    "transform": Entry(on_the_fitted("transform"), {"images": IMAGES},
                       {"embeddings": EMBEDDINGS[:N]}, ALSO, check_mixtures),
    "captions": Entry(lambda **made: caption_images(captioner=captions, **made),
                      {"images": IMAGES}, {"batch_size": 5, "verbose": False}, ALSO),
    "answers": Entry(
        answered,
        {"answer": Only(mostly(ANSWERS)), "images": Only(st.just(PICTURES))},
        {}, ("captioner",),
    ),
    "zero_shot": Entry(
        lambda **made: count_zero_shot_words(encoder=Encoder(), **made),
        {"embeddings": EMBEDDINGS, "words": WORDS}, {"n_words": 3, "prompt": "a {}"},
        ("Complex", "vocabulary"),
    ),
}  # fmt: skip
PARTS = {"fit": 0.5, "fit_words": 0.3, "partial_fit": 0.5}


@pytest.mark.parametrize("name", ENTRIES)
def test_images(name):
    entry = ENTRIES[name]

    @examples(PARTS.get(name, 0.7))
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


def test_shards(folder):
    def call(images, **made):
        out = folder / f"shards-{next(FOLDERS)}"
        return embed_images(images, out, Encoder(), verbose=False, **made)

    options = {"shard_size": 5, "batch_size": 3, "dtype": Choice("float16", "float32")}
    entry = Entry(call, {"images": IMAGES}, options, ALSO)

    @examples(0.3)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


def test_sheets(tmp_path):
    every = [PICTURES[row % N] for row in range(len(TEXTS))]

    def call(suffix=".png", **made):
        path = tmp_path / f"sheet{suffix}"
        image_sheet(FITTED, path=path, overwrite=True, **made)
        assert path.stat().st_size > 500

    entry = Entry(
        call, {"images": Only(pictures(every))},
        {"level": Choice("topics", "atoms"), "topics": Choice([0, 1], None, [2]), "n_images": 3,
         "n_words": 2, "size": 16, "title": "t", "suffix": Choice(".png", ".html")},
        (*ALSO, "path", "topic", "atoms"),
    )  # fmt: skip

    @examples(0.15)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()
