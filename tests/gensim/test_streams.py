"""SaeModel on corpora as gensim users have them: streams, files, gaps, odd bags, updates."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from gensim.corpora import MmCorpus
from gensim.matutils import Sparse2Corpus, corpus2csc
from gensim.models import TfidfModel
from gensim.similarities import MatrixSimilarity

from saetm_plugins.gensim import SaeModel

N_TOPICS = 5


def as_mm_corpus(bags, folder):
    MmCorpus.serialize(str(folder / "corpus.mm"), bags)
    return MmCorpus(str(folder / "corpus.mm"))


KINDS = {
    "generator": lambda bags, folder: (bag for bag in bags),
    "MmCorpus": as_mm_corpus,
    "Sparse2Corpus": lambda bags, folder: Sparse2Corpus(corpus2csc(bags)),
    "arrays": lambda bags, folder: [np.array(bag, dtype=float) for bag in bags],
    "unsorted": lambda bags, folder: [bag[::-1] for bag in bags],
    "split counts": lambda bags, folder: [
        [(i, 1) for i, count in bag for _ in range(count)] for bag in bags
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_corpus_trains_and_infers_alike(
    kind, model, bags, corpus, dictionary, tmp_path
):
    def same():
        return KINDS[kind](bags, tmp_path)

    beside = {"embeddings": iter(corpus.embeddings), "sae": model.estimator.sae_}
    trained = SaeModel(same(), N_TOPICS, dictionary, **beside)
    np.testing.assert_array_equal(trained.get_topics(), model.get_topics())
    np.testing.assert_allclose(model.inference(same())[0], model.inference(bags)[0], rtol=1e-5)
    assert list(model[same()]) == list(model[bags])


def test_documents_may_be_texts_or_tokens(bags, dictionary, corpus, model):
    class Encoder:
        def encode(self, texts):
            known = dict(zip(corpus.documents, corpus.embeddings, strict=True))
            return np.stack([known[text] for text in texts])

    options = {"encoder": Encoder(), "word_vectors": "corpus", "sae": model.estimator.sae_}
    token_lists = [text.split() for text in corpus.documents]
    texts = SaeModel(bags, 5, dictionary, documents=iter(corpus.documents), **options)
    tokens = SaeModel(bags, 5, dictionary, documents=token_lists, **options)
    np.testing.assert_array_equal(texts.get_topics(), tokens.get_topics())
    by_text, _ = texts.inference(bags[:9], documents=corpus.documents[:9])
    by_vector, _ = texts.inference(bags[:9], embeddings=corpus.embeddings[:9])
    np.testing.assert_array_equal(by_text, by_vector)
    one = texts.get_document_topics(bags[0], documents=corpus.documents[0])
    assert one == next(iter(texts.get_document_topics(bags, embeddings=corpus.embeddings)))
    lazy = texts.get_document_topics(bags, documents=corpus.documents)
    assert lazy[0] == one


def test_a_corpus_without_dictionary_names_words_by_their_ids(bags, given):
    model = SaeModel(iter(bags), N_TOPICS, **given)
    assert model.num_terms == 1 + max(i for bag in bags for i, _ in bag)
    assert all(word.isdigit() for word, _ in model.show_topic(0))


def test_a_dictionary_with_gaps_keeps_its_ids(bags, given, dictionary, model):
    gapped = {3 * i + 2: word for i, word in dictionary.items()}
    moved = [[(3 * i + 2, count) for i, count in bag] for bag in bags]
    trained = SaeModel(moved, N_TOPICS, gapped, **given)
    assert trained.num_terms == max(gapped) + 1
    assert trained.get_topics().shape == (N_TOPICS, trained.num_terms)
    assert [w for w, _ in trained.show_topic(0)] == [w for w, _ in model.show_topic(0)]
    np.testing.assert_allclose(trained.inference(moved)[0], model.inference(bags)[0], rtol=1e-5)
    # Asked for more words than there are, it names no gap.
    everything = len(gapped) + 100
    for topic in (trained.show_topic(0, everything), trained.show_topics(-1, everything)[0]):
        assert "common" in str(topic)
    assert len(trained.get_topic_terms(0, None)) == len(gapped)
    assert np.isfinite(trained.log_perplexity(moved))
    assert trained.diff(trained, num_words=everything)[0].shape == (N_TOPICS, N_TOPICS)
    assert len(trained.top_topics(moved, topn=everything)) == N_TOPICS


def test_ids_filtered_out_of_the_dictionary_take_no_part(bags, given, dictionary, caplog):
    filtered = {i: word for i, word in dictionary.items() if word.startswith("theme")}
    trained = SaeModel(bags, N_TOPICS, filtered, **given)
    assert "not in id2word" in caplog.text
    assert len(trained.estimator.vocabulary_) == len(filtered)
    kept = [[(i, count) for i, count in bag if i in filtered] for bag in bags]
    np.testing.assert_array_equal(trained.inference(bags)[0], trained.inference(kept)[0])


def test_unseen_ids_and_empty_bags_are_fine_at_inference(model, bags):
    strange = [[], bags[0] + [(100_000, 3), (10**12, 1)], [(100_000, 2)]]
    gamma, sstats = model.inference(strange, collect_sstats=True)
    np.testing.assert_allclose(gamma[0], model.alpha, rtol=1e-5)
    np.testing.assert_array_equal(gamma[1], model.inference(bags[:1])[0][0])
    np.testing.assert_allclose(gamma[2], model.alpha, rtol=1e-5)
    assert np.isfinite(sstats).all()
    assert np.isfinite(model.log_perplexity(strange))
    words = model.get_document_topics(strange[1], per_word_topics=True)
    assert words[1][-1] == (10**12, [])
    assert len(list(model[strange])) == 3


def test_nothing_in_nothing_out(model):
    assert model.inference([])[0].shape == (0, N_TOPICS)
    assert list(model[iter([])]) == model[[]]  # an empty corpus is an empty document to gensim
    with pytest.raises(ValueError, match="no word of the model"):
        model.log_perplexity([[]])


def test_tfidf_bags_stack_under_the_model_and_similarities_on_top(bags, corpus, dictionary, given):
    tfidf = TfidfModel(bags)
    model = SaeModel(tfidf[bags], N_TOPICS, dictionary, **given)
    gamma, _ = model.inference(tfidf[bags])
    assert np.mean(gamma.argmax(axis=1) == model.estimator.labels_) > 0.9
    index = MatrixSimilarity(model[tfidf[bags]], num_features=N_TOPICS)
    nearest = np.asarray(index[model[tfidf[bags[0]]]]).argsort()[-10:]
    assert np.mean(corpus.themes[nearest] == corpus.themes[0]) > 0.8


def test_update_adds_words_and_prevalence_and_keeps_the_cut(model, plant_corpus, dictionary):
    more = plant_corpus(200, seed=5)
    more_bags = [dictionary.doc2bow(text.split()) for text in more.documents]
    weights, topics = model.estimator.atom_topics_, model.get_topics()
    mass = model.state.sstats.sum()
    model.update(iter(more_bags), chunksize=64, embeddings=iter(more.embeddings))
    assert model.state.numdocs == 600
    assert model.num_updates == 600
    assert model.state.sstats.sum() == pytest.approx(1.5 * mass, rel=0.1)
    np.testing.assert_array_equal(model.estimator.atom_topics_.toarray(), weights.toarray())
    assert 0 < np.abs(model.get_topics() - topics).max() < 0.05


def test_update_learns_from_bags_without_embeddings(model, bags):
    only = [bag for bag, label in zip(bags, model.estimator.labels_, strict=True) if label == 4]
    share = model.alpha[4]
    model.update((bag for bag in only * 5), chunksize=100)
    assert model.state.numdocs == 400 + 5 * len(only)
    assert model.alpha[4] > share + 0.1


def test_the_first_update_trains_an_untrained_model(bags, given, dictionary, model):
    late = SaeModel(num_topics=N_TOPICS, id2word=dictionary, sae=given["sae"])
    late.update(bags, embeddings=given["embeddings"])
    np.testing.assert_array_equal(late.get_topics(), model.get_topics())


def test_an_empty_update_changes_nothing(model, dictionary, corpus, caplog):
    before = model.get_topics()
    model.update([])
    assert "empty corpus" in caplog.text
    np.testing.assert_array_equal(model.get_topics(), before)
    untrained = SaeModel([], N_TOPICS, dictionary, embeddings=corpus.embeddings[:0])
    assert untrained.state.numdocs == 0
    with pytest.raises(ValueError, match="corpus is empty and id2word is None"):
        SaeModel([], N_TOPICS, embeddings=corpus.embeddings[:0])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ((5000, 1), "word id 5000 and id2word has ids up to"),
        ((-1, 1), "word id -1"),
        ((1.5, 1), "word id 1.5"),
        ((1, -2), "count -2 of word id 1"),
        ((1, float("nan")), "count nan"),
        ("word", "lists of"),
        (7, "lists of"),
    ],
)
def test_bad_bags_are_named_and_leave_the_model(model, bags, corpus, entry, message):
    before, estimator = model.get_topics(), model.estimator.emissions_
    spoiled = [*bags[:70], [entry], *bags[71:]]
    for embeddings in (None, corpus.embeddings):
        with pytest.raises(ValueError, match=message):
            model.update(iter(spoiled), chunksize=32, embeddings=embeddings)
    assert model.estimator.emissions_ is estimator
    assert model.estimator.n_documents_seen_ == 400
    np.testing.assert_array_equal(model.get_topics(), before)


def test_streams_of_unequal_length_are_refused_and_leave_the_model(model, bags, corpus):
    before = model.get_topics()
    for shorter, longer in ((bags[:50], corpus.embeddings), (bags, corpus.embeddings[:50])):
        with pytest.raises(ValueError, match="go in pairs"):
            model.update(iter(shorter), chunksize=16, embeddings=iter(longer))
        with pytest.raises(ValueError, match="go in pairs"):
            model.inference(iter(shorter), embeddings=iter(longer))
    np.testing.assert_array_equal(model.get_topics(), before)


def test_a_dictionary_of_other_words_is_refused(bags, corpus):
    for id2word, message in (
        ({0: "a", 1: "b"}, "ids up to 1"),
        ({1000: "a", 2000: "b"}, "no word id of the corpus is in id2word"),
        ({}, "empty"),
        ({"a": 0}, "must map ids"),
        ({-1: "a"}, "must map ids"),
        (["a", "b"], "Dictionary or a dict"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            SaeModel(bags, N_TOPICS, id2word, embeddings=corpus.embeddings)


def test_a_long_stream_takes_no_more_memory_than_a_short_one(model, bags):
    def peak(n_documents):
        stream = (bags[i % len(bags)] for i in range(n_documents))
        tracemalloc.start()
        model.update(stream, chunksize=200)
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(200)
    assert peak(2_000) < 1.5 * peak(400)


def test_tables_of_texts_and_of_vectors_are_read_by_rows(model, bags, corpus, dictionary):
    given = {"documents": corpus.documents[:20], "embeddings": corpus.embeddings[:20]}
    expected = model.inference(bags[:20], **given)[0]
    tables = {name: pd.DataFrame(rows) for name, rows in given.items()}
    np.testing.assert_array_equal(model.inference(bags[:20], **tables)[0], expected)
    tables["documents"] = pd.DataFrame({"id": range(20), "text": corpus.documents[:20]})
    for act in (model.inference, SaeModel(id2word=dictionary).update):
        with pytest.raises(ValueError, match=r"documents must be one column of texts.*: id, text"):
            act(bags[:20], **tables)
