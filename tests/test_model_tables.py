from copy import copy

import numpy as np
import pandas as pd
import pytest

from saetm_plugins.model_tables import document_table, topic_table


def test_documents_have_their_largest_topics(fitted):
    table = document_table(fitted)
    assert list(table)[:4] == ["id", "topic", "name", "share"]
    assert list(table)[4:8] == ["sure", "topic_2", "name_2", "share_2"]
    assert list(table)[8:] == ["topic_3", "name_3", "share_3"]
    assert table["id"].tolist() == list(range(400))
    np.testing.assert_array_equal(table["topic"], fitted.labels_)
    ordered = np.sort(fitted.doc_topics_, axis=1)[:, ::-1]
    for rank, column in enumerate(["share", "share_2", "share_3"]):
        expected = np.where((ordered[:, rank] >= 0.1) | (rank == 0), ordered[:, rank], np.nan)
        np.testing.assert_array_equal(table[column], expected)
        topics = table[column.replace("share", "topic")]
        found = topics.notna().to_numpy()
        np.testing.assert_array_equal(found, ~np.isnan(expected))
        rows = np.flatnonzero(found)
        shares = fitted.doc_topics_[rows, topics[found].astype(int)]
        np.testing.assert_array_equal(shares, expected[found])


def test_a_document_is_sure_by_its_rank_among_the_fitted_ones(fitted, corpus):
    table = document_table(fitted)
    np.testing.assert_allclose(table["sure"], table["share"].rank(method="max") / 400, atol=1e-6)
    mixed = fitted.transform(None, corpus.embeddings[corpus.themes == 0].mean(axis=0, keepdims=True)
                             + corpus.embeddings[corpus.themes == 1].mean(axis=0))  # fmt: skip
    assert document_table(fitted, mixed)["sure"][0] < 0.2  # of two themes alike
    sure = table["sure"] > 0.5
    rest = fitted.doc_topics_.argmax(axis=1)[sure]
    assert all(len(set(rest[corpus.themes[sure] == theme])) == 1 for theme in range(5))


def test_topics_of_small_shares_are_not_named(fitted):
    every, few = (document_table(fitted, min_share=least) for least in (0, 0.6))
    shares = np.sort(fitted.doc_topics_, axis=1)
    assert every["share_3"].notna().sum() == (shares[:, -3] > 0).sum()
    assert few["share_2"].isna().all()
    np.testing.assert_array_equal(few["topic"] == -1, shares[:, -1] < 0.6)
    assert few["name"].isna().equals(few["topic"] == -1)
    with pytest.raises(ValueError, match="min_share must be a number in"):
        document_table(fitted, min_share=2)


def test_a_blank_text_is_of_no_topic(model, corpus):
    with pytest.warns(UserWarning, match="1 of 6 documents are blank"):
        model.partial_fit(["  ", *corpus.documents[:5]], embeddings=corpus.embeddings[:6])
    with pytest.warns(UserWarning, match="1 of 6 documents are blank"):
        atoms = model.transform_atoms(["  ", *corpus.documents[:5]], corpus.embeddings[:6])
    labels, mixtures = model.topics_of(atoms)
    for table in (document_table(model), model.document_table(mixtures, labels=labels)):
        assert table["topic"].tolist() == [-1, *labels[1:]]
        assert table.loc[0, ["name", "share", "topic_2", "share_3"]].isna().all()
        assert table.loc[1:, ["name", "share"]].notna().all().all()
    with pytest.raises(ValueError, match="labels has shape"):
        model.document_table(mixtures, labels=labels[:3])


def test_names_are_labels_or_words_or_numbers(fitted, wordless):
    words = [" ".join(words) for words in fitted.get_topics(3)]
    assert topic_table(fitted)["name"].tolist() == words
    labelled = copy(fitted).set_topic_labels({1: "sports [all]"})
    assert topic_table(labelled)["name"].tolist() == [words[0], "sports [all]", *words[2:]]
    assert document_table(labelled).groupby("topic")["name"].first()[1] == "sports [all]"
    table = topic_table(wordless)
    assert table["name"].tolist() == [f"topic {topic}" for topic in range(5)]
    assert table["words"].tolist() == [""] * 5
    assert set(document_table(wordless)["name"]) <= set(table["name"])


def test_topics_have_sizes_and_words(fitted):
    table = topic_table(fitted, n_words=4)
    assert list(table) == ["topic", "name", "documents", "share", "words"]
    assert table["documents"].tolist() == np.bincount(fitted.labels_, minlength=5).tolist()
    np.testing.assert_array_equal(table["share"], fitted.topic_prevalence_)
    assert table["words"].tolist() == [" ".join(words) for words in fitted.get_topics(4)]


def test_new_documents_and_ids_that_miss(fitted):
    mixtures = fitted.doc_topics_[:3]
    table = document_table(fitted, mixtures, ids=[7, None, float("nan")], n_next=0)
    assert list(table) == ["id", "topic", "name", "share", "sure"]
    assert table["id"][0] == 7
    assert str(table["id"][0]) == "7"  # not 7.0
    assert table["id"].isna().tolist() == [False, True, True]
    assert len(document_table(fitted, mixtures[:1])) == 1
    with pytest.raises(ValueError, match="ids has 2 values for 3 documents"):
        document_table(fitted, mixtures, ids=["a", "b"])
    with pytest.raises(ValueError, match=r"doc_topics must have 5 columns; found shape \(3, 4\)"):
        document_table(fitted, mixtures[:, :4])


def test_more_documents_than_are_ranked_at_a_time(fitted):
    mixtures = np.tile(fitted.doc_topics_, (200, 1))  # 80,000 rows
    table = document_table(fitted, mixtures)
    np.testing.assert_array_equal(table["topic"], np.tile(fitted.labels_, 200))
    last, first = table.iloc[-400:, 1:].reset_index(drop=True), table.iloc[:400, 1:]
    pd.testing.assert_frame_equal(last, first)


def test_large_integers_beside_missing_ids_stay_exact(fitted):
    ids = [9007199254740993, None, 2**70]
    table = document_table(fitted, fitted.doc_topics_[:3], ids=ids)
    assert table["id"].dropna().tolist() == [9007199254740993, 2**70]
