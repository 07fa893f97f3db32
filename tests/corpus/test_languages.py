"""Words of languages other than English, and topics over several languages."""

import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import mutual_info_score

from saetm_plugins import SAETopicModel
from saetm_plugins.corpus import WordVectorizer, default_vectorizer
from saetm_plugins.corpus.words import choose_languages, detect_languages, find_even_words

LANGUAGES = ("zh", "ja", "de", "ar", "hi", "ru")


def words_of(text, **settings):
    return WordVectorizer(stop_words=None, **settings).build_analyzer()(text)


def test_texts_that_say_nothing_or_are_in_another_language_are_told_once(corpus):
    pytest.importorskip("py3langid")
    english = [f"the {text} and it is not for us" for text in corpus.documents[:100]]
    odd = ["N/A", "12345", "+49 170 123", "Das Essen war gut und die Bedienung ist nett zu uns."]
    embeddings = corpus.embeddings[:104]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        SAETopicModel(5, n_atoms=8, word_vectors="corpus").fit(english + odd, embeddings=embeddings)
    told = [str(one.message) for one in found if "say hardly anything" in str(one.message)]
    assert len(told) == 1
    assert told[0].startswith("3 of 104 documents say hardly anything ('N/A', '12345', '+49")
    assert "and 1 are not in 'en' (de)" in told[0]


def test_a_topic_of_one_document_is_told(corpus):
    documents = [*corpus.documents[:200], " ".join(f"word{n} word{n}" for n in range(150))]
    far = np.zeros((1, corpus.embeddings.shape[1]))
    far[0, 0] = 9
    embeddings = np.vstack([corpus.embeddings[:200], far])
    model = SAETopicModel(6, n_atoms=12, word_vectors="corpus", vectorizer=CountVectorizer())
    with pytest.warns(UserWarning, match=r"come from one document each: \d+ \(document 200\)"):
        model.fit(documents, embeddings=embeddings)


def test_texts_in_none_of_the_languages_are_fitted(corpus):
    model = SAETopicModel(5, n_atoms=8, word_vectors="corpus", language=["th", "ja"])
    model.fit(corpus.documents[:100], embeddings=corpus.embeddings[:100])
    assert np.isfinite(model.components_).all()


@pytest.mark.parametrize(("text", "words"), [
    ("Übergrößen, Straßenbahn", ["übergrößen", "straßenbahn"]),
    ("L'été, aujourd’hui et l’économie", ["été", "aujourd'hui", "économie"]),
    ("AI in der EU; at 5G", ["ai", "der", "eu"]),
    ("हिन्दी में आर्थिक नीति", ["हिन्दी", "में", "आर्थिक", "नीति"]),
    ("سياسة اقتصادية", ["سياسة", "اقتصادية"]),
    ("Ёлка и экономика", ["ёлка", "экономика"]),
    ("政府 宣布 新的 经济 政策", ["政府", "宣布", "新的", "经济", "政策"]),
    ("정부는 새로운 정책을", ["정부는", "새로운", "정책을"]),
    ("fu\u0308r", ["für"]),  # a combining mark is the letter's
])  # fmt: skip
def test_words_stay_whole(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize(("module", "text", "words"), [
    ("rjieba", "政府宣布了新的经济政策，股市因此上涨。", ["政府", "宣布", "经济", "政策", "股市"]),
    ("sudachipy", "政府は新しい経済政策を発表した。", ["政府", "新しい", "経済", "政策", "発表"]),
    ("pythainlp", "รัฐบาลประกาศนโยบายเศรษฐกิจใหม่", ["รัฐบาล", "ประกาศ", "นโยบาย", "เศรษฐกิจ"]),
])  # fmt: skip
def test_texts_without_spaces_are_segmented(module, text, words):
    pytest.importorskip(module)
    assert words_of(text)[: len(words)] == words


def test_numbers_hashtags_and_words_with_digits_by_choice():
    text = "covid19 and 5G in 2024 #topic gpt4"
    assert words_of(text) == ["and", "topic"]
    assert words_of(text, keep=["digits"]) == ["covid19", "and", "5g", "topic", "gpt4"]
    assert "2024" in words_of(text, keep=["numbers"])
    assert "#topic" in words_of(text, keep=["hashtags"])
    with pytest.raises(ValueError, match="keep must hold"):
        words_of(text, keep=["emoji"])


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    from saetm_plugins.corpus import words

    monkeypatch.setitem(sys.modules, "rjieba", None)
    words._chinese.cache_clear()
    with pytest.raises(ImportError, match=r"Chinese.*saetm-plugins\[languages\]"):
        words_of("政府宣布了新的经济政策，股市因此上涨。")
    words._chinese.cache_clear()


def test_english_and_what_is_no_language_is_counted_as_ever(corpus, sentences):
    english, _ = sentences.of("en")
    for texts in (english, corpus.documents, ["run jump swim", "chip disk drive"]):
        assert choose_languages("auto", texts) == ()
    model = SAETopicModel(5, n_atoms=16).fit(corpus.documents, embeddings=corpus.embeddings)
    as_ever = SAETopicModel(5, sae=model.sae_, language=None)
    as_ever.fit(corpus.documents, embeddings=corpus.embeddings)
    assert np.array_equal(model.components_, as_ever.components_)
    expected = default_vectorizer(400).fit(corpus.documents).get_feature_names_out()
    assert model.vocabulary_.tolist() == expected.tolist()


def test_languages_are_found(sentences):
    pytest.importorskip("py3langid")
    for language in (*LANGUAGES, "fr"):
        texts, _ = sentences.of(language, ["football", "economy"])
        assert choose_languages("auto", texts) == (language,)
    mixed = [text for language in sentences.parallel for text in sentences.of(language)[0]]
    assert set(choose_languages("auto", mixed)) == set(sentences.parallel)
    truth = np.repeat(sentences.parallel, 200)
    assert np.mean(np.array(detect_languages(mixed)) == truth) > 0.9
    assert choose_languages("german", mixed) == ("de",)
    with pytest.raises(ValueError, match="language must be"):
        choose_languages("klingon", mixed)


@pytest.mark.parametrize("language", LANGUAGES)
def test_topics_are_of_whole_words_that_a_reader_expects(language, sentences, multilingual):
    pytest.importorskip("py3langid")
    texts, labels = sentences.of(language, ["football", "economy"])
    model = SAETopicModel(2, encoder=multilingual, word_vectors="corpus").fit(texts)
    expected = sentences.expected[language]
    assert {word for words in expected for word in words} <= set(model.vocabulary_)
    topics = model.get_topics(14)
    found = np.array([[len(set(topic) & set(words)) for words in expected] for topic in topics])
    own = found if np.trace(found) > found[0, 1] + found[1, 0] else found[:, ::-1]
    assert own.sum() >= 4, topics
    assert own[0, 1] + own[1, 0] == 0, topics  # words of one theme in one topic
    assert not set(model.vocabulary_) & {"der", "die", "在", "的", "は", "को", "की", "на", "في"}
    purity = np.mean([np.bincount(model.labels_[labels == theme]).max() / 25
                      for theme in ("football", "economy")])  # fmt: skip
    assert purity > 0.9


@pytest.fixture(scope="module")
def four_languages(sentences, multilingual):
    """A model of 100 sentences in four languages, and the language of each."""
    pytest.importorskip("py3langid")
    themes = ["football", "economy", "medicine", "space"]
    texts = [text for language in sentences.parallel for text in sentences.of(language, themes)[0]]
    model = SAETopicModel(4, encoder=multilingual, word_vectors="corpus").fit(texts)
    return model, np.repeat(sentences.parallel, 100)


def test_translations_share_topics(four_languages):
    model, languages = four_languages
    by_language = np.array([model.labels_[languages == code] for code in ("en", "de", "fr", "zh")])
    same = [np.mean(by_language[i] == by_language[j]) for i in range(4) for j in range(i)]
    assert np.mean(same) >= 0.9
    assert mutual_info_score(languages, model.labels_) / np.log(2) < 0.1


def test_topics_have_words_in_each_language(four_languages, tmp_path):
    model, _ = four_languages
    german, chinese = model.get_topics(12, language="de"), model.get_topics(9, language="chinese")
    assert all("\u4e00" <= word[0] <= "\u9fff" for topic in chinese for word in topic)
    assert not any("\u4e00" <= word[0] <= "\u9fff" for topic in german for word in topic)
    economy = next(t for t, words in enumerate(german) if "inflation" in words)
    assert {"银行", "政府", "经济"} & set(model.get_topics(12, language="zh")[economy])
    with pytest.raises(ValueError, match="language must be one of"):
        model.get_topics(language="ja")
    model.encoder = None
    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    assert loaded.get_topics(12, language="de") == german
    embeddings = np.random.default_rng(0).normal(size=(3, 384))
    loaded.partial_fit(["Die Rakete der Bank", "政府的银行", "The bank"], embeddings=embeddings)
    assert loaded.get_topics(5, language="de")


def test_languages_can_be_told(sentences):
    german, french = sentences.of("de")[0][:50], sentences.of("fr")[0][:50]
    embeddings = np.random.default_rng(0).normal(size=(100, 16))
    model = SAETopicModel(2, n_atoms=8)
    model.fit(german + french, embeddings=embeddings, languages=["german"] * 50 + ["fr"] * 50)
    assert set(model.words_of_language_) == {"de", "fr"}
    assert "stürmer" in model.words_of_language_["de"]
    assert "stürmer" not in model.words_of_language_["fr"]
    with pytest.raises(ValueError, match="languages names 3 for 100 documents"):
        model.fit(german + french, embeddings=embeddings, languages=["de"] * 3)
    with pytest.raises(ValueError, match="languages must be"):
        model.fit(german + french, embeddings=embeddings, languages=["deutsch"] * 100)
    with pytest.raises(ValueError, match="language must be one of"):
        model.get_topics(language="en")


def test_words_even_over_atoms_are_stop_words():
    rng = np.random.default_rng(0)
    atoms = rng.integers(8, size=400)
    doc_atoms = sp.csr_matrix((np.ones(400), (np.arange(400), atoms)), (400, 8))
    common = rng.random(400) < 0.4  # the first word; the second is of two atoms, the third is rare
    counts = np.column_stack([common, atoms < 2, np.arange(400) < 3])
    even = find_even_words(doc_atoms, sp.csr_matrix(counts.astype(np.float32)))
    assert even.tolist() == [True, False, False]


def test_what_a_contraction_leaves_is_no_word():
    texts = ["We didn't see it, it isn't won’t", "Don won the cup", "The donut didn't win"]
    words = default_vectorizer(len(texts)).fit(texts).get_feature_names_out()
    assert words.tolist() == ["cup", "don", "donut", "win", "won"]
