"""Generated arguments of save and load: paths, flags, encoders; files themselves in damage.py."""

import hypothesis.strategies as st
import numpy as np
import pytest
from fuzzing import (
    EMBEDDINGS,
    FITTED,
    REFUSED,
    SAE,
    TEXTS,
    Encoder,
    Entry,
    arguments,
    check_call,
    examples,
)
from hypothesis import given
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from strategies import Choice, Only, junk, often, texts

from saetm_plugins import SAETopicModel, SparseAutoencoder

bertopic = pytest.importorskip("saetm_plugins.bertopic")
gensim = pytest.importorskip("saetm_plugins.gensim")

BERTOPIC = bertopic.SAEBERTopic(4, sae=SAE, word_vectors="corpus").fit(TEXTS, EMBEDDINGS)
GENSIM = FITTED.to_gensim()
KINDS = {
    "model": (FITTED.save, SAETopicModel.load),
    "sae": (SAE.save_pretrained, SparseAutoencoder.from_pretrained),
    "gensim": (GENSIM.save, gensim.SaeModel.load),
    "bertopic": (BERTOPIC.save, bertopic.SAEBERTopic.load),
}
PATHS = {"gensim": "fname"}
SAVED = {
    "model": {"overwrite": Choice(False, True)},
    "sae": {"overwrite": Choice(False, True)},
    "gensim": {"ignore": Choice((), "id2word", ["id2word", "state"], None)},
    "bertopic": {
        "serialization": Choice("safetensors", "pytorch"), "save_ctfidf": True,
        "save_embedding_model": Choice(True, False, "a/name"),
    },
}  # fmt: skip
not_a_name = junk.filter(lambda value: not isinstance(value, str))  # which the hub would be asked
LOADED = {
    "model": {"encoder": Choice(None, Encoder(), "a/name"), "vectorizer": Only(st.one_of(
        st.sampled_from([None, FITTED.vectorizer_, CountVectorizer(), HashingVectorizer()]), junk
    ))},
    "sae": {"subfolder": Choice(None, "inner"), "revision": Choice(None),
            "architecture": Choice(None, "AutoEncoderTopK")},
    "gensim": {"encoder": Choice(None, Encoder(), "a/name"), "mmap": Choice(None, "r")},
    "bertopic": {"allow_pickle": False, "vectorizer_model": Only(st.one_of(
        st.sampled_from([None, CountVectorizer()]), junk)),
        "embedding_model": Only(st.one_of(st.none(), st.just(Encoder()), not_a_name))},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saving")
    for name, (save, _) in KINDS.items():
        save(folder / name)
    (folder / "empty").mkdir()
    (folder / "file").write_text("no model")
    SAE.save_pretrained(folder / "outer" / "inner")
    return folder


def written(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def places(*names):
    """Draw a path: of these in the folder, or what is none."""
    some = st.sampled_from(names)
    odd = st.one_of(texts, st.just("n" * 300), st.just("a/" * 3000), st.just("\udc80"))
    return Only(often(some, st.one_of(some.map(str.encode), some.map(np.str_), odd, junk)))


def within(folder, value):
    """Return a path in `folder`, of any type; what is no path, as it is."""
    if isinstance(value, str):
        plain = str(value).lstrip("/").replace("..", "")
        return f"{folder}/{plain}" if plain else value
    return f"{folder}/".encode() + value.lstrip(b"/") if isinstance(value, bytes) else value


@pytest.mark.parametrize("kind", KINDS)
def test_save(kind, folder):
    save, _ = KINDS[kind]
    path_name = PATHS.get(kind, "path")
    before = {path: time for path, time in written(folder).items() if "new" not in path.parts}

    def call(**made):
        place = within(folder / "new" / kind, made.pop(path_name))
        save(place, **made)

    entry = Entry(call, {path_name: places("one", "two", "some/where", "file", "new")},
                  SAVED[kind], ("path", "exists", "pass overwrite"))  # fmt: skip

    @examples(0.2)
    @given(arguments(entry))
    def run(changed):
        (folder / "new" / kind).mkdir(parents=True, exist_ok=True)
        (folder / "new" / kind / "file").write_text("something else")
        check_call(entry, *changed, errors=(*REFUSED, OSError))
        now = written(folder)
        assert all(now.get(path) == time for path, time in before.items())
        assert not [path for path in (folder / "new").rglob(".*-*")]

    run()


@pytest.mark.parametrize("kind", KINDS)
def test_load(kind, folder):
    _, load = KINDS[kind]
    path_name = PATHS.get(kind, "path")

    def call(**made):
        if isinstance(made.get("subfolder"), str) and made["subfolder"] == "inner":
            made[path_name] = "outer"
        load(within(folder, made.pop(path_name)), **made)

    names = (*[kind] * 8, "empty", "file", "nowhere", *KINDS)
    entry = Entry(call, {path_name: places(*names)}, LOADED[kind], (path_name, "hold", "path"))

    @examples(0.3)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed, errors=(*REFUSED, OSError))

    run()
