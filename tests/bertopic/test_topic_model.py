"""SAEBERTopic and SAERepresentation on planted themes, where the right answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bertopic import BERTopic
from bertopic.dimensionality import BaseDimensionalityReduction
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import adjusted_rand_score

from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer, SAERepresentation
from saetm_plugins.bertopic.representation import top_words


def themes_of(topics: dict) -> set[str]:
    """The theme whose words lead each topic; a topic of mixed words has none."""
    leading = ({word[:6] for word, _ in words[:4]} for words in topics.values())
    return {theme.pop() for theme in leading if len(theme) == 1}


@pytest.mark.parametrize("representation", [None, SAERepresentation(), [SAERepresentation()]])
def test_each_theme_is_a_topic_with_its_words(corpus, sae, representation):
    model = SAEBERTopic(5, sae=sae, representation_model=representation)
    model.fit(corpus.documents, corpus.embeddings)
    assert themes_of(model.get_topics()) == {f"theme{letter}" for letter in "abcde"}


def test_three_themes_of_few_counted_words_are_found(chinese_corpus):
    model = SAEBERTopic(n_topics=3).fit(chinese_corpus.documents, chinese_corpus.embeddings)
    assert adjusted_rand_score(chinese_corpus.themes, model.topics_) > 0.95


def stock(representation: object, clusterer: object) -> BERTopic:
    return BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=clusterer,
        representation_model=representation,
    )


def test_an_unmodified_bertopic_gets_words_from_emissions(corpus, sae):
    model = stock(SAERepresentation(top_n_words=6), SAEClusterer(5, sae))
    model.fit(corpus.documents, corpus.embeddings)
    assert themes_of(model.get_topics()) == {f"theme{letter}" for letter in "abcde"}
    assert all(len(words) == 6 for words in model.get_topics().values())
    model.merge_topics(corpus.documents, [0, 1])
    assert len(themes_of(model.get_topics())) >= 3


def test_words_of_a_part_are_those_that_its_documents_hold(corpus, sae):
    model = stock(SAERepresentation(), SAEClusterer(5, sae))
    model.fit(corpus.documents, corpus.embeddings)
    late = ["late" in text or row >= 200 for row, text in enumerate(corpus.documents)]
    frame = model.topics_per_class(corpus.documents, late)
    for row in frame.itertuples():
        main = {word[:6] for word in row.Words.split(", ")}
        assert main == {model.get_topic(row.Topic)[0][0][:6]}


def test_a_vectorizer_of_ones_own_counts_for_everything(corpus, sae):
    vectorizer = CountVectorizer(vocabulary=["themeaworda", "themebworda", "themecworda"])
    model = SAEBERTopic(3, sae=sae, vectorizer_model=vectorizer)
    with pytest.warns(UserWarning, match="no word of the vocabulary"):
        model.fit(corpus.documents, corpus.embeddings)
    assert model.c_tf_idf_.shape == (3, 3)
    assert {word for words in model.get_topics().values() for word, _ in words} <= {
        *vectorizer.vocabulary,
        "",
    }


def test_emissions_need_atoms(corpus):
    model = stock(SAERepresentation(), KMeans(3))
    with pytest.raises(TypeError, match="needs atoms"):
        model.fit(corpus.documents, corpus.embeddings)


def test_parameters_come_from_both_sides():
    model = SAEBERTopic(7, top_n_words=5, n_atoms=64)
    parameters = model.get_params()
    assert (parameters["n_topics"], parameters["top_n_words"], parameters["n_atoms"]) == (7, 5, 64)
    assert set(BERTopic().get_params()) < set(parameters)


def test_online_sizes_add_up_and_words_move_on(corpus, sae):
    model = SAEBERTopic(5, sae=sae)
    model.partial_fit(corpus.documents[:250], corpus.embeddings[:250])
    model.partial_fit(corpus.documents[250:], corpus.embeddings[250:])
    assert sum(model.topic_sizes_.values()) == 400
    assert len(model.topics_) == 150
    assert themes_of(model.get_topics()) == {f"theme{letter}" for letter in "abcde"}
    model.reduce_topics(corpus.documents[250:], 3)
    assert len(model.get_topics()) == 3
    assert abs(sum(model.topic_sizes_.values()) - 400) <= 3


def test_words_are_padded_as_bertopic_pads_them():
    words = top_words(np.array([[0.5, 0.0, 0.5]]), np.array(["a", "b", "c"]), 4)
    assert words == [[("a", 0.5), ("c", 0.5), ("", 1e-05), ("", 1e-05)]]


def test_the_hierarchy_goes_on_where_the_cut_of_a_ward_tree_ended(corpus, sae):
    model = SAEBERTopic(12, sae=sae, merge="ward").fit(corpus.documents, corpus.embeddings)
    hierarchy = model.hierarchical_topics(corpus.documents)
    assert isinstance(hierarchy, pd.DataFrame)
    topics = model.topics_
    for n_topics in (9, 6, 3):
        model.reduce_topics(corpus.documents, n_topics)
        groups = {}
        for fine, coarse in zip(topics, model.topics_, strict=True):
            groups.setdefault(fine, set()).add(coarse)
        unmixed = [fine for fine, coarse in groups.items() if len(coarse) == 1]
        assert len(unmixed) >= 0.5 * len(groups)


def test_words_of_chinese_texts_are_words(corpus):
    pytest.importorskip("rjieba")
    nouns = [["火箭", "卫星", "轨道", "月球"], ["足球", "比赛", "球队", "教练"],
             ["医院", "医生", "疫苗", "手术"]]  # fmt: skip
    rows = [row for row, theme in enumerate(corpus.themes) if theme < 3]
    texts = []
    for row in rows:
        own = nouns[corpus.themes[row]]
        first, second, third = (own[(row + step) % 4] for step in range(3))
        texts.append(f"今天的{first}和{second}非常重要，因为我们看到了{third}的变化。")
    model = SAEBERTopic(3).fit(texts, corpus.embeddings[rows])
    leading = [{word for word, _ in model.get_topic(topic)[:3]} for topic in range(3)]
    assert all(any(words <= set(own) for own in nouns) for words in leading)
