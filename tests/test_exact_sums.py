"""Sums made batch by batch, on any machine, are those of one fit; what does not add up says so."""

import copy
import dataclasses
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.corpus.read import read_corpus
from saetm_plugins.scale import CorpusSums, WordCounts

CUTS = (slice(0, 37), slice(37, 290), slice(290, 400))


def columns(corpus, rows):
    return {"text": corpus.documents[rows], "embedding": list(corpus.embeddings[rows])}


@pytest.fixture(scope="module")
def added(corpus, sae, fitted):
    parts = [
        CorpusSums.of(sae, fitted.vocabulary_, pa.table(columns(corpus, rows))) for rows in CUTS
    ]
    return parts[0] + (parts[1] + parts[2])


def test_words_of_batches_are_those_of_all(corpus, fitted):
    one, *others = (WordCounts.of(corpus.documents[rows]) for rows in CUTS)
    counts = others[0] + one + others[1]
    assert counts.vocabulary().tolist() == list(fitted.vocabulary_)
    limits = {"min_df": 60, "max_df": 0.3, "max_features": 20}
    wanted = CountVectorizer(**limits, token_pattern=r"\w{3,}").fit(corpus.documents)
    # Of words that are equally frequent scikit-learn keeps any.
    assert len(set(wanted.get_feature_names_out()) ^ set(counts.vocabulary(**limits))) <= 2
    with pytest.raises(ValueError, match="none is in 1000 to"):
        counts.vocabulary(min_df=1000)


def test_a_word_that_every_batch_has_seldom_is_kept():
    batches = [[f"word{'abcdefgh'[i]} rareone"] * 2 + [f"text{'abcdefgh'[i]}"] for i in range(8)]
    counts = sum(map(WordCounts.of, batches[1:]), WordCounts.of(batches[0]))
    assert counts.vocabulary(min_df=5).tolist() == ["rareone"]  # a copy in a batch counts once
    assert counts.n_documents == 16


def test_saved_words_are_the_same(tmp_path):
    counts = WordCounts.of(["naïve 漢字漢字 two words", "two"])
    counts.save(tmp_path / "counts")
    again = WordCounts.load(tmp_path / "counts")
    for field in dataclasses.fields(counts):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(counts, field.name))


def test_topics_of_sums_are_those_of_one_fit(added, fitted, corpus):
    model = SAETopicModel.from_sums(added, n_topics=5)
    np.testing.assert_allclose(model.components_, fitted.components_, atol=1e-6)
    new = [each.transform(embeddings=corpus.embeddings) for each in (model, fitted)]
    np.testing.assert_allclose(*new, atol=1e-5)
    assert model.n_documents_seen_ == 400
    assert model.topic_table()["documents"].sum() == pytest.approx(400, abs=5)
    model.partial_fit(corpus.documents[:50], embeddings=corpus.embeddings[:50])
    assert model.n_documents_seen_ == 450


@pytest.mark.parametrize("kind", [pa.table, pd.DataFrame, dict])
def test_batches_of_other_libraries(kind, corpus, sae, fitted):
    rows = CUTS[1]
    found = CorpusSums.of(sae, fitted.vocabulary_, kind(columns(corpus, rows)))
    batch = pa.RecordBatch.from_pydict(columns(corpus, rows))
    expected = CorpusSums.of(sae, fitted.vocabulary_, batch)
    np.testing.assert_array_equal(found.atom_words.toarray(), expected.atom_words.toarray())


def test_saved_sums_are_the_same_and_damaged_ones_refused(added, tmp_path):
    file = tmp_path / "sums.safetensors"
    added.save(file)
    again = CorpusSums.load(file)
    for name, value in added.named():
        found = getattr(again, name)
        assert type(found) is type(value), name
        if sp.issparse(value):
            found, value = found.toarray(), value.toarray()
        np.testing.assert_array_equal(found, value)
    assert (again + added).n_documents == 800  # of the same origin
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        CorpusSums.load(file)


def test_sums_of_another_origin_do_not_add_up(added, corpus, sae, fitted):
    batch, words = columns(corpus, CUTS[0]), fitted.vocabulary_
    for what, other in {
        "sharpening": CorpusSums.of(sae, words, batch, sharpening=1.0),
        "vocabularies": CorpusSums.of(sae, words[::-1], batch),
        "sparse autoencoders": CorpusSums.of(sae.prefix(32), words, batch),
    }.items():
        if what == "sparse autoencoders":
            atoms = copy.copy(sae)
            atoms.thresholds_ = sae.thresholds_ + 1
            other = CorpusSums.of(atoms, words, batch)
        with pytest.raises(ValueError, match=f"different {what}"):
            added + other


def test_batches_that_lack_a_column_are_refused(sae):
    with pytest.raises(ValueError, match="columns 'embedding' and 'text'; found text"):
        CorpusSums.of(sae, ["word"], {"text": ["word"]})
    with pytest.raises(ValueError, match="24"):
        CorpusSums.of(sae, ["word"], {"text": ["word"], "embedding": np.ones((1, 3))})
    with pytest.raises(ValueError, match="row 1"):
        CorpusSums.of(sae, None, pa.table({"embedding": [[1.0] * 24, None]}))


def test_topics_are_solved_when_they_are_asked_for(corpus, fitted, monkeypatch):
    model, twin = copy.copy(fitted), copy.copy(fitted)
    solved = []
    renew = "saetm_plugins.topics.renew"
    from saetm_plugins import topics

    real = topics.renew
    monkeypatch.setattr(renew, lambda *args: solved.append(1) or real(*args))
    model.merge_topics([0, 1])
    twin.merge_topics([0, 1])
    for rows in CUTS:
        model.partial_fit(corpus.documents[rows], embeddings=corpus.embeddings[rows])
    assert not solved
    for rows in CUTS:
        twin.partial_fit(corpus.documents[rows], embeddings=corpus.embeddings[rows])
        twin.components_  # noqa: B018
    np.testing.assert_array_equal(model.components_, twin.components_)
    assert len(solved) == 2 + 6  # the cut, and the one that undo goes back to
    np.testing.assert_array_equal(model.undo().components_, twin.undo().components_)
    assert model.n_topics_ == 5


def test_mixtures_are_made_when_they_are_asked_for(fitted, monkeypatch):
    model = copy.copy(fitted)
    monkeypatch.setattr("saetm_plugins.fitted_topics._ROWS", 150)
    model.retopic(4)
    monkeypatch.setattr("saetm_plugins.validation.DENSE_LIMIT", 3000)
    labels = model.labels_  # in blocks
    with pytest.raises(ValueError, match=r"mixtures of shape \(400, 4\).* fewer documents"):
        model.doc_topics_  # noqa: B018
    monkeypatch.undo()
    np.testing.assert_array_equal(labels, model.topics_of(model.doc_atoms_)[0])
    np.testing.assert_array_equal(model.doc_topics_, model.topics_of(model.doc_atoms_)[1])


def test_a_model_without_documents_serves_as_before(fitted, corpus, tmp_path):
    small = fitted.without_documents()
    small.save(tmp_path / "model")
    assert len(pickle.dumps(small)) < len(pickle.dumps(fitted))
    for model in (small, SAETopicModel.load(tmp_path / "model")):
        np.testing.assert_array_equal(
            model.transform(embeddings=corpus.embeddings[:9]),
            fitted.transform(embeddings=corpus.embeddings[:9]),
        )
        assert model.labels_.shape == (0,)
        assert model.doc_topics_.shape == (0, 5)
        assert model.topic_table().documents.sum() == pytest.approx(400, abs=5)
        whole = copy.copy(fitted).retopic(4)
        np.testing.assert_array_equal(model.retopic(4).components_, whole.components_)
    assert len(fitted.labels_) == 400


def test_merged_models_choose_the_vectors_of_words_together(corpus, sae, monkeypatch):
    """Each model encodes its own words; a merge those that one fit would have chosen."""
    from saetm_plugins import model_encoder

    class Encoder:
        def encode(self, texts):
            rows = [np.sin(np.arange(1, 25) * (1 + sum(map(ord, text)) % 97)) for text in texts]
            return np.array(rows, dtype=np.float32)

    choose = model_encoder.select_words_to_encode
    monkeypatch.setattr(
        model_encoder, "select_words_to_encode", lambda *args: choose(*args, n_words=30)
    )
    bow = CountVectorizer().fit(corpus.documents)
    counts, words = bow.transform(corpus.documents), bow.get_feature_names_out()

    def fit(rows):
        options = {"sae": sae, "encoder": Encoder(), "word_vectors": "encoder"}
        return SAETopicModel(5, **options).fit(
            None, embeddings=corpus.embeddings[rows], bow=counts[rows], vocabulary=words
        )

    parts, whole = [fit(rows) for rows in CUTS], fit(slice(None))
    known = [part.atoms_.word_vectors.any(axis=1) for part in parts]
    assert (known[0] != known[1]).any(), "the parts encoded different words"
    merged = SAETopicModel.merge_models(parts)
    vectors = [model.atoms_.word_vectors for model in (merged, whole)]
    np.testing.assert_allclose(*vectors, atol=1e-3)
    np.testing.assert_allclose(merged.components_, whole.components_, atol=1e-4)


def test_merging_models_of_different_words_warns(corpus, sae):
    def fit(rows):
        texts = [f"{text} only{'ab'[rows.start > 0]}" for text in corpus.documents[rows]]
        return SAETopicModel(5, sae=sae).fit(texts, embeddings=corpus.embeddings[rows])

    with pytest.warns(UserWarning, match="models count different words"):
        SAETopicModel.merge_models([fit(slice(0, 200)), fit(slice(200, 400))])


def test_large_half_precision_stays_as_it_is(corpus, sae, tmp_path, monkeypatch):
    """Without a copy in float32, also where it is memory-mapped, and with the same result."""
    half = corpus.embeddings.astype(np.float16)
    half[7] = half[3]  # a duplicate
    documents = [*corpus.documents[:7], corpus.documents[3], *corpus.documents[8:]]
    expected = SAETopicModel(5, sae=sae).fit(documents, embeddings=half.astype(np.float32))
    np.save(tmp_path / "half.npy", half)
    monkeypatch.setattr("saetm_plugins.validation.HALF_LIMIT", 0)
    for embeddings in (half, np.load(tmp_path / "half.npy", mmap_mode="r")):
        read = read_corpus(documents, embeddings, load=None).embeddings
        assert read.dtype == np.float16
        assert np.shares_memory(read, embeddings)
        model = SAETopicModel(5, sae=sae).fit(documents, embeddings=embeddings)
        assert model.atoms_.sums.n_distinct == 399
        np.testing.assert_allclose(model.components_, expected.components_, atol=1e-6)
        np.testing.assert_allclose(model.doc_topics_, expected.doc_topics_, atol=1e-6)
        new = model.transform(embeddings=embeddings)
        np.testing.assert_allclose(new, expected.transform(embeddings=half), atol=1e-6)
    half[120, 3] = np.nan
    with pytest.raises(ValueError, match="embeddings holds NaN or infinity in row 120"):
        SAETopicModel(5, sae=sae).fit(documents, embeddings=half)


def test_atoms_are_trained_on_large_half_precision(corpus, monkeypatch):
    half = corpus.embeddings.astype(np.float16)
    monkeypatch.setattr("saetm_plugins.validation.HALF_LIMIT", 0)
    trained = train_sae(half, n_atoms=32, k=4, n_steps=200)
    monkeypatch.undo()
    expected = train_sae(half, n_atoms=32, k=4, n_steps=200)
    errors = [each.statistics_["fvu"] for each in (trained, expected)]
    assert abs(errors[0] - errors[1]) < 0.02
    assert errors[0] < 0.3


def test_sums_in_blocks_are_those_of_all(corpus, fitted, sae, monkeypatch):
    monkeypatch.setattr("saetm_plugins.corpus_sums._BLOCK", 150)
    model = SAETopicModel(5, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)
    for name, value in model.atoms_.sums.named():
        expected = getattr(fitted.atoms_.sums, name)
        if sp.issparse(value):
            value, expected = value.toarray(), expected.toarray()
        if value is not None:
            np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9, err_msg=name)
