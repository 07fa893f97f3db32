"""SAEBERTopic reads long texts in passages, as its embedding model reads no further."""

import numpy as np
import pytest

pytest.importorskip("bertopic")

from saetm_plugins.analysis import spans
from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.corpus import Chunker


@pytest.fixture(scope="module")
def documents(long_texts):
    rng = np.random.default_rng(0)
    pairs = [("abcde"[i % 5], "abcde"[(i + 1 + i // 5 % 4) % 5]) for i in range(100)]
    return [f"{long_texts.write(rng, a, 6)} {long_texts.write(rng, b, 6)}" for a, b in pairs]


def make(long_texts, **settings):
    return SAEBERTopic(
        5, embedding_model=long_texts.Encoder(), n_atoms=16, word_vectors="corpus", **settings
    )


def test_a_models_life_with_long_texts(documents, long_texts, tmp_path):
    model = make(long_texts)
    with pytest.warns(UserWarning, match="60 of 60 documents are longer than the 30 tokens"):
        _, mixtures = model.fit_transform(documents[:60])
    two = np.sort(mixtures, axis=1)[:, -2:]
    assert np.median(two[:, 0]) > 0.3  # the second half of a text counts as well
    model.partial_fit(documents[60:])
    _, expected = model.transform(documents)
    assert len(model.topics_) == 40
    assert model.explain_document(documents[0])["Weight"].sum() == pytest.approx(1, abs=1e-5)
    assert spans(model, documents[0])["topic"].nunique() == 2
    model.save(tmp_path / "model", save_embedding_model=False)
    loaded = SAEBERTopic.load(tmp_path / "model", embedding_model=long_texts.Encoder())
    assert loaded.chunk == "auto"
    np.testing.assert_allclose(loaded.transform(documents)[1], expected, atol=0.05)
    loaded.update_topics(documents[60:], n_gram_range=(1, 2))
    fitted = loaded.sae_model_.passages_.passages
    assert loaded.sae_model_.atoms_.sums.document_frequency.max() > fitted.n_documents


def test_passages_are_asked_for_or_not(documents, long_texts):
    cut = make(long_texts, chunk=None)
    _, mixtures = cut.fit_transform(documents)
    assert np.median(np.sort(mixtures, axis=1)[:, -2]) < 0.1
    fine = make(long_texts, chunk=Chunker(max_tokens=20))
    fine.fit_transform(documents)
    assert fine.sae_model_.chunk_ == Chunker(max_tokens=20)
    with pytest.raises(ValueError, match="embeddings of whole documents"):
        fine.fit_transform(documents, long_texts.Encoder().encode(documents))
    with pytest.raises(TypeError, match="chunk must be"):
        make(long_texts, chunk=20).fit_transform(documents)


def test_a_multilingual_model_counts_words_of_the_texts_language(long_texts):
    pytest.importorskip("py3langid")
    texts = ["Die Regierung erhöhte die Steuern, und das ist nicht gut für uns.",
             "Das Spiel gewann die Mannschaft mit zwei Toren am Ende."] * 30  # fmt: skip
    model = SAEBERTopic(2, language="multilingual", n_atoms=8, embedding_model=long_texts.Encoder())
    embeddings = np.random.default_rng(0).normal(size=(60, 24))
    model.fit_transform(texts, embeddings)
    words = set(model.vectorizer_model.get_feature_names_out())
    assert {"regierung", "erhöhte"} <= words
    assert not words & {"die", "und", "das"}
