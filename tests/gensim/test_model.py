"""SaeModel as code written for LdaModel uses it."""

import logging
import re

import numpy as np
import pytest
import scipy.sparse as sp
from gensim import interfaces, matutils
from gensim.corpora import Dictionary
from gensim.models import LdaModel, Nmf
from sklearn.exceptions import NotFittedError

from saetm_plugins import SAETopicModel
from saetm_plugins.gensim import SaeModel
from saetm_plugins.gensim.bound import DocumentBound, TopicPosterior, topics_score

N_TOPICS = 5


@pytest.fixture(scope="module")
def lda(bags, dictionary):
    return LdaModel(bags, N_TOPICS, dictionary, passes=2, random_state=0)


def theme_of_word(word):
    return word[5] if word.startswith("theme") else None


def test_topics_find_the_planted_themes(model):
    found = set()
    for topic in range(N_TOPICS):
        themes = [theme_of_word(word) for word, _ in model.show_topic(topic, 8)]
        assert len(set(themes)) == 1
        found.add(themes[0])
    assert found == set("abcde")


def test_get_topics_are_distributions_in_the_order_of_the_estimators_words(model):
    topics = model.get_topics()
    assert topics.shape == (N_TOPICS, model.num_terms)
    assert (topics > 0).all()
    np.testing.assert_allclose(topics.sum(axis=1), 1, atol=1e-5)
    for topic, words in enumerate(model.estimator.get_topics(8)):
        assert [word for word, _ in model.show_topic(topic, 8)] == words


def test_state_holds_the_expected_words_of_topics_plus_the_prior(model):
    expected = model.estimator.emissions_.atom_mass.sum()
    np.testing.assert_allclose(model.state.sstats.sum(), expected, rtol=1e-4)
    np.testing.assert_allclose(model.state.get_lambda() - model.state.sstats, 0.2, rtol=1e-4)
    assert model.state.numdocs == 400


def test_bags_and_encoder_agree_on_planted_documents(model, bags, corpus):
    by_words, _ = model.inference(bags)
    by_encoder, _ = model.inference(bags, embeddings=corpus.embeddings)
    assert np.mean(by_words.argmax(axis=1) == by_encoder.argmax(axis=1)) > 0.95
    expected = model.estimator.transform(None, corpus.embeddings)
    mixtures = by_encoder / by_encoder.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mixtures, expected, atol=1e-5)


def test_gamma_sums_to_the_prior_and_the_words_off_the_background(model, bags):
    gamma, sstats = model.inference(bags[:20])
    assert gamma.dtype == np.float32
    assert sstats is None
    words = np.array([sum(count for _, count in bag) for bag in bags[:20]])
    weight = model.estimator.emissions_.background_weight
    np.testing.assert_allclose(gamma.sum(axis=1), 1 + (1 - weight) * words, rtol=1e-4)


def test_sufficient_statistics_are_the_documents_words_off_the_background(model, bags):
    _, sstats = model.inference(bags[:50], collect_sstats=True)
    _, twice = model.inference(bags[:50] + bags[:50], collect_sstats=True)
    counts = matutils.corpus2dense(bags[:50], model.num_terms).sum(axis=1)
    assert sstats.shape == model.get_topics().shape
    assert (sstats.sum(axis=0) <= counts + 1e-3).all()
    assert 0.5 * counts.sum() < sstats.sum() < counts.sum()
    np.testing.assert_allclose(twice, 2 * sstats, rtol=1e-4, atol=1e-5)


def test_a_document_is_the_same_alone_and_in_a_corpus(model, bags):
    together, _ = model.inference(bags[:30])
    alone = np.vstack([model.inference([bag])[0] for bag in bags[:30]])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-6)
    assert [t for t, _ in model[bags[3]]] == [t for t, _ in model[bags][3]]


def test_document_topics_leave_out_what_is_below_the_threshold(model, bags):
    everything = model.get_document_topics(bags[0], minimum_probability=0)
    assert len(everything) == N_TOPICS
    assert sum(share for _, share in everything) == pytest.approx(1, abs=1e-5)
    large = model.get_document_topics(bags[0], minimum_probability=0.3)
    assert large == [(topic, share) for topic, share in everything if share >= 0.3]


def test_a_corpus_is_transformed_lazily_and_again_and_again(model, bags):
    read = []

    class Watched:
        def __iter__(self):
            for number, bag in enumerate(bags):
                read.append(number)
                yield bag

        def __len__(self):
            return len(bags)

    model.chunksize = 10
    transformed = model[Watched()]
    read.clear()  # is_corpus() has looked at the first
    assert isinstance(transformed, interfaces.TransformedCorpus)
    assert len(transformed) == len(bags)
    next(iter(transformed))
    assert len(read) <= 11
    assert list(transformed) == list(transformed)


def test_words_of_a_document_go_to_the_topic_of_their_theme(model, bags):
    topics, word_topics, word_phi = model.get_document_topics(bags[0], per_word_topics=True)
    main = max(topics, key=lambda pair: pair[1])[0]
    theme = theme_of_word(model.show_topic(main, 1)[0][0])
    assert [word for word, _ in word_topics] == [word for word, _ in bags[0]]
    for (word, ranked), (same, phi), (_, count) in zip(word_topics, word_phi, bags[0], strict=True):
        assert word == same
        assert set(ranked) == {topic for topic, _ in phi}
        assert sum(share for _, share in phi) <= count + 1e-4
        if theme_of_word(model.id2word[word]) == theme:
            assert ranked[0] == main
            assert dict(phi)[main] > 0.5 * count


def test_per_word_topics_is_an_argument_and_a_setting(model, bags):
    list(model.get_document_topics(bags, 0.5, per_word_topics=True))
    assert model.per_word_topics is False
    assert model.minimum_probability == 0.01
    model = SaeModel.from_model(model.estimator, model.id2word, per_word_topics=True)
    assert len(model[bags[0]]) == 3
    assert len(next(iter(model[bags]))) == 3


def test_term_topics_take_an_id_or_a_word(model, dictionary):
    word, _ = model.show_topic(2, 1)[0]
    best = max(model.get_term_topics(word), key=lambda pair: pair[1])
    assert best[0] == 2
    assert model.get_term_topics(dictionary.token2id[word]) == model.get_term_topics(word)
    with pytest.raises(ValueError, match="'nonsense' is not in id2word"):
        model.get_term_topics("nonsense")
    with pytest.raises(ValueError, match="word_id must lie in"):
        model.get_term_topics(10_000)


def test_diff_works_in_both_directions_with_annotation(model, lda):
    for distance in ("kullback_leibler", "hellinger", "jaccard", "jensen_shannon"):
        forward, annotation = model.diff(lda, distance=distance, normed=False)
        backward, _ = lda.diff(model, distance=distance, normed=False)
        assert forward.shape == (N_TOPICS, N_TOPICS)
        assert np.isfinite(forward).all()
        assert all(isinstance(word, str) for word in annotation[0, 0][1])
        if distance != "kullback_leibler":
            np.testing.assert_allclose(forward, backward.T, atol=1e-5)
        itself, _ = model.diff(model, distance=distance, normed=False, diagonal=True)
        np.testing.assert_allclose(itself, 0, atol=1e-3)


def test_diff_compares_models_of_other_dictionaries_by_their_words_only(model, bags, dictionary):
    with pytest.raises(ValueError, match="LdaModel"):
        model.diff(Nmf(bags[:50], 2, id2word=dictionary))
    other = LdaModel([[(0, 1)], [(1, 2)]], 2, {0: "a", 1: "b"})
    with pytest.raises(ValueError, match="shape"):
        model.diff(other)
    assert model.diff(other, distance="jaccard")[0].shape == (N_TOPICS, 2)


def test_the_bound_without_background_is_ldamodels(lda, bags):
    gamma, _ = lda.inference(bags)
    topics = lda.state.get_lambda()
    posterior = TopicPosterior(topics, lda.eta, lda.alpha, np.zeros(topics.shape[1]), 0.0)
    ours = DocumentBound(posterior).score(matutils.corpus2csc(bags).T.tocsr(), gamma)
    ours += topics_score(posterior)
    assert ours == pytest.approx(lda.bound(bags, gamma=gamma[:, None]), rel=1e-4)  # 2-D rows


def test_fitting_gamma_raises_the_bound(model, bags):
    gamma, _ = model.inference(bags)
    sparse = np.where(gamma < 0.1 * gamma.sum(axis=1, keepdims=True), 0, gamma)
    given = max(model.bound(bags, gamma=gamma), model.bound(bags, gamma=sparse))
    fitted = model.bound(bags)
    assert -np.inf < given < fitted
    per_word = fitted / sum(count for bag in bags for _, count in bag)
    assert model.log_perplexity(bags) == pytest.approx(per_word, rel=1e-6)


def test_perplexity_prefers_the_planted_words_to_shuffled_ones(model, bags):
    rng = np.random.default_rng(0)
    shuffled = [[(int(rng.integers(model.num_terms)), count) for _, count in bag] for bag in bags]
    assert model.log_perplexity(bags) > model.log_perplexity(shuffled) + 0.5
    assert model.log_perplexity(iter(bags)) == model.log_perplexity(bags)


def test_retopic_changes_everything_that_depends_on_the_number(model, bags):
    assert model.retopic(3) is model
    assert model.num_topics == 3
    assert model.alpha.shape == (3,)
    assert model.get_topics().shape == model.expElogbeta.shape == (3, model.num_terms)
    assert model.inference(bags[:2])[0].shape == (2, 3)
    model.retopic("auto")
    assert model.num_topics == model.estimator.n_topics_ == len(model.get_topics())


def test_a_refused_retopic_leaves_the_model(model, bags):
    before = model.inference(bags)[0]
    with pytest.raises(ValueError, match="n_topics"):
        model.retopic(10_000)
    model.alpha_given = [0.1] * N_TOPICS
    with pytest.raises(AssertionError, match="alpha has shape"):
        model.retopic(3)
    assert model.num_topics == model.estimator.n_topics_ == N_TOPICS
    np.testing.assert_array_equal(model.inference(bags)[0], before)


def test_alpha_steers_what_is_inferred_from_bags(model, bags):
    pull = SaeModel.from_model(model.estimator, model.id2word, alpha=[50, 1, 1, 1, 1])
    shares = [
        (gamma / gamma.sum(axis=1, keepdims=True))[:, 0].mean()
        for gamma, _ in (pull.inference(bags), model.inference(bags))
    ]
    assert shares[0] > shares[1] + 0.2
    np.testing.assert_allclose(pull[[]][0][1], 50 / 54, rtol=1e-5)


def test_eta_is_the_floor_of_every_topic(model):
    for eta, floor in ((None, 0.2), (0.3, 0.3)):
        weights = SaeModel.from_model(model.estimator, eta=eta).state.get_lambda()
        assert weights.min() >= floor
        np.testing.assert_allclose(weights - floor, model.state.sstats, rtol=1e-3, atol=1e-3)
    smoothed = SaeModel.from_model(model.estimator, eta="auto")
    expected = model.estimator.background_ * model.num_terms / N_TOPICS
    np.testing.assert_allclose(smoothed.eta, expected, rtol=1e-4)


def test_the_same_atoms_and_seed_give_the_same_model(bags, dictionary, given, fitted):
    again = SaeModel(bags, N_TOPICS, dictionary, **given)
    np.testing.assert_array_equal(again.get_topics(), fitted.get_topics())
    np.testing.assert_array_equal(again.inference(bags)[0], fitted.inference(bags)[0])


def test_the_global_random_state_is_left_alone(bags, dictionary, given):
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    model = SaeModel(bags, N_TOPICS, dictionary, **given, random_state=None)
    model.show_topics(2)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_fitted_estimator_becomes_a_gensim_model_and_stays_its_own(corpus, model):
    estimator = SAETopicModel(n_topics=N_TOPICS, sae=model.estimator.sae_).fit(
        corpus.documents, embeddings=corpus.embeddings
    )
    model = estimator.to_gensim()
    assert isinstance(model, SaeModel)
    bag = model.id2word.doc2bow(corpus.documents[0].split())
    assert bag
    assert model[bag]
    model.retopic(3)
    assert estimator.n_topics_ == N_TOPICS
    estimator.retopic(4)
    assert model.inference([bag])[0].shape == (1, 3)


def test_a_dictionary_of_the_users_own_renumbers_the_words(corpus, model, dictionary):
    renumbered = {2 * i + 7: word for i, word in enumerate(sorted(dictionary.token2id)) if i % 3}
    renumbered[1] = "unknown"
    mine = SaeModel.from_model(model.estimator, id2word=renumbered)
    assert mine.num_terms == max(renumbered) + 1
    known = {word: i for i, word in renumbered.items()}
    text = [word for word in corpus.documents[0].split() if word in known]
    bag = [(known[word], 1) for word in text]
    same = dictionary.doc2bow(text)
    np.testing.assert_allclose(mine.inference([bag])[0], model.inference([same])[0], rtol=1e-4)
    assert {word for word, _ in mine.show_topic(0)} <= set(renumbered.values())
    assert np.isfinite(mine.log_perplexity([bag]))


def test_clear_frees_the_state_and_inference_goes_on(model, bags):
    before = model.inference(bags[:5])[0]
    model.clear()
    assert model.state is None
    np.testing.assert_array_equal(model.inference(bags[:5])[0], before)


def test_parameters_are_the_estimators_or_those_of_lda_without_effect(dictionary, caplog):
    with caplog.at_level(logging.INFO, logger="saetm_plugins"):
        model = SaeModel(None, N_TOPICS, dictionary, passes=10, merge="ward", n_atoms=16)
    assert model.passes == 10
    assert (model.estimator.merge, model.estimator.n_atoms) == ("ward", 16)
    assert "without effect on SaeModel" in caplog.text


def test_an_untrained_model_knows_its_prior_only(dictionary, bags):
    model = SaeModel(num_topics=4, id2word=dictionary)
    np.testing.assert_allclose(model.get_topics(), 1 / len(dictionary), rtol=1e-5)
    assert str(model).startswith("SaeModel<")
    for ask in (model.inference, model.bound, model.__getitem__):
        with pytest.raises(NotFittedError, match="update"):
            ask(bags)
    with pytest.raises(NotImplementedError):
        model.do_mstep(0.5, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_topic": 3}, "unknown parameters: n_topic"),
        ({"num_topics": 0}, "num_topics must be at least 1"),
        ({"chunksize": 0}, "chunksize must be at least 1"),
        ({"alpha": "gensim is cool"}, "alpha cannot be 'gensim is cool'"),
        ({"alpha": -1.0}, "alpha must be positive"),
        ({"alpha": 1e21}, "alpha must sum to at most 1e"),
        ({"eta": [0.1, 0.2]}, "eta has shape"),
        ({"eta": 1e21}, "eta must sum to at most 1e"),
        ({"embeddings": np.ones((3, 2))}, "embeddings has 3 entries and corpus 400"),
        ({"documents": "text", "embeddings": None}, "found one string"),
        ({"embeddings": None}, r"documents= .*embeddings=.*from_model"),
        ({"chunk": 30}, "chunk must be"),
    ],
)
def test_bad_parameters_are_named(corpus, bags, dictionary, wrong, message):
    arguments = {"corpus": bags, "id2word": dictionary, "embeddings": corpus.embeddings}
    with pytest.raises((ValueError, TypeError, AssertionError), match=message):
        SaeModel(**{**arguments, "num_topics": N_TOPICS, **wrong})


def test_wrapping_what_is_no_fitted_model_is_refused(corpus, model):
    with pytest.raises(TypeError, match="SAETopicModel"):
        SaeModel.from_model("model")
    with pytest.raises(NotFittedError):
        SaeModel.from_model(SAETopicModel())
    wordless = SAETopicModel(n_topics=N_TOPICS, sae=model.estimator.sae_).fit(
        None, embeddings=corpus.embeddings
    )
    with pytest.raises(ValueError, match="without documents"):
        SaeModel.from_model(wordless)
    with pytest.raises(ValueError, match="id2word has none"):
        SaeModel.from_model(model.estimator, id2word={0: "elsewhere"})


def test_long_texts_are_read_in_passages(long_texts, quick_atoms, tmp_path):
    rng = np.random.default_rng(0)
    pairs = [("abcde"[i % 5], "abcde"[(i + 1 + i // 5 % 4) % 5]) for i in range(100)]
    texts = [f"{long_texts.write(rng, a, 6)} {long_texts.write(rng, b, 6)}" for a, b in pairs]
    tokens = [re.findall(r"\w+", text.lower()) for text in texts]
    dictionary = Dictionary(tokens)
    bags = [dictionary.doc2bow(words) for words in tokens]
    settings = {"encoder": long_texts.Encoder(), "n_atoms": 16, "word_vectors": "corpus"}
    with pytest.warns(UserWarning, match="100 of 100 documents are longer than the 30 tokens"):
        model = SaeModel(bags, 5, dictionary, documents=texts, **settings)
    for theme, topic in zip("abcde", long_texts.theme_topics(model.estimator), strict=True):
        words = [word for word, _ in model.show_topic(topic)]
        assert sum(word.startswith(f"theme{theme}") for word in words) >= 9
    gamma, _ = model.inference(bags, documents=texts)
    assert np.median(np.sort(gamma / gamma.sum(axis=1, keepdims=True), axis=1)[:, -2]) > 0.3
    model.update(bags[:20], documents=texts[:20])
    model.save(str(tmp_path / "model"))
    loaded = SaeModel.load(str(tmp_path / "model"), encoder=long_texts.Encoder())
    assert loaded.chunk == "auto"
    cut = SaeModel(bags, 5, dictionary, documents=texts, chunk=None, **settings)
    gamma, _ = cut.inference(bags, documents=texts)
    assert np.median(np.sort(gamma / gamma.sum(axis=1, keepdims=True), axis=1)[:, -2]) < 0.1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("show_topics", {"num_words": "5"}, "topn must be an integer"),
        ("get_topic_terms", {"topicid": 99}, "99"),
        ("get_topic_terms", {"topicid": 0, "topn": -1}, "topn must be at least 0"),
        ("inference", {"chunk": [[(0, 1)]], "embeddings": 3}, "embeddings must hold one entry"),
        ("inference", {"chunk": [[(0, 1)]], "documents": {"a"}}, "documents must hold one entry"),
        ("bound", {"corpus": [[(0, 1)]], "gamma": 3}, "gamma .*2D"),
        ("bound", {"corpus": [[(0, 1)]], "gamma": np.ones((2, 5))}, "gamma has 2 rows"),
        ("bound", {"corpus": [[(0, 1)]], "gamma": np.ones((1, 2))}, "gamma of shape"),
        ("log_perplexity", {"chunk": sp.eye(3)}, "corpus must hold bags of words"),
        ("retopic", {"num_topics": "many"}, "num_topics must be one of auto"),
        ("retopic", {"num_topics": 0}, "num_topics must be at least 1"),
    ],
)
def test_wrong_arguments_are_named_and_leave_the_model(model, name, arguments, message):
    before = model.get_topics()
    with pytest.raises((ValueError, TypeError, IndexError), match=message):
        getattr(model, name)(**arguments)
    np.testing.assert_array_equal(model.get_topics(), before)
