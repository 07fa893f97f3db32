"""Search finds the documents of a theme, says by which atoms, and refuses what it cannot know."""

import copy

import numpy as np
import pandas as pd
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import explain_document, export_documents, find_documents
from saetm_plugins.bertopic import SAEBERTopic


class Encoder:
    """Puts a text where the planted corpus has its first word's theme."""

    def __init__(self, corpus):
        self.mean = {
            theme: corpus.embeddings[corpus.themes == theme].mean(axis=0) for theme in range(5)
        }
        self.mean[-1] = corpus.embeddings.mean(axis=0)  # of a word that is in all themes

    def encode(self, texts, **_):
        return np.stack([self.mean["abcde".find(text[5:6])] for text in texts])


@pytest.fixture(scope="module")
def model(corpus, sae):
    return SAETopicModel(5, sae=sae, encoder=Encoder(corpus), word_vectors="corpus").fit(
        corpus.documents, embeddings=corpus.embeddings
    )


@pytest.mark.parametrize("with_embeddings", [False, True])
def test_a_phrase_finds_its_theme_and_the_atoms_that_say_so(model, corpus, with_embeddings):
    embeddings = corpus.embeddings if with_embeddings else None
    found = find_documents(model, "themeaword", n=20, embeddings=embeddings)
    assert (corpus.themes[found["document"]] == 0).all()
    assert found["score"].is_monotonic_decreasing
    for row in found.itertuples():
        assert 1 <= len(row.atoms) <= 3
        assert set(row.atoms) <= set(model.doc_atoms_[row.document].indices)
        assert "themea" in row.words.split("; ")[0]


def test_atom_weight_zero_is_plain_cosine(model, corpus):
    query = corpus.embeddings[7]
    found = find_documents(model, query, n=400, embeddings=corpus.embeddings, atom_weight=0)
    cosine = corpus.embeddings @ query / np.linalg.norm(corpus.embeddings, axis=1)
    assert found["document"].tolist() == np.argsort(-cosine, kind="stable").tolist()
    with pytest.raises(ValueError, match=r"atom_weight=0\.5 needs embeddings"):
        find_documents(model, query, atom_weight=0.5)


def test_topics_atoms_words_and_likeness(model, corpus):
    topic = find_documents(model, topic=2, n=5)
    assert topic["document"].tolist() == model.get_representative_indices(5)[2].tolist()
    np.testing.assert_allclose(topic["score"], model.doc_topics_[topic["document"], 2])
    atom = topic["atoms"][0][0]
    by_atom = find_documents(model, atoms=atom, n=5)
    share = model.doc_atoms_[:, [atom]].toarray().ravel()
    assert share[by_atom["document"]].tolist() == sorted(share)[::-1][:5]
    assert all(atoms == [atom] for atoms in by_atom["atoms"])
    words = find_documents(model, words="themecworda themecwordb", n=20)
    assert (corpus.themes[words["document"]] == 2).all()
    assert (words["score"] > 0).all()
    like = find_documents(model, like=3, n=10)
    assert 3 not in set(like["document"])
    assert (corpus.themes[like["document"]] == corpus.themes[3]).all()


def test_groups_say_where_to_search(model, corpus):
    mask = np.arange(400) % 2 == 0
    found = find_documents(model, topic=0, n=30, groups=mask)
    assert (found["document"] % 2 == 0).all()
    each = find_documents(model, topic=0, n=2, groups=corpus.themes)
    assert each["group"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert (corpus.themes[each["document"]] == each["group"]).all()


def test_other_documents_ids_and_texts(model, corpus):
    found = find_documents(
        model, "themedword", documents=corpus.documents[:50], embeddings=corpus.embeddings[:50],
        ids=[f"d{row}" for row in range(50)], n=3,
    )  # fmt: skip
    assert found["id"].tolist() == [f"d{row}" for row in found["document"]]
    assert found["text"].tolist() == [corpus.documents[row] for row in found["document"]]
    assert (corpus.themes[found["document"]] == 3).all()


def test_an_adapter_finds_what_its_estimator_finds(model, corpus):
    topic_model = SAEBERTopic(
        5, sae=model.sae_, embedding_model=Encoder(corpus), word_vectors="corpus"
    )
    topic_model.fit(corpus.documents, corpus.embeddings)
    found = find_documents(topic_model, "themebword", n=5)
    assert (corpus.themes[found["document"]] == 1).all()
    explained = explain_document(topic_model, 3)
    own = topic_model.explain_document(3)
    assert explained["atom"].tolist() == own["Atom"].tolist()
    assert explained["words"].tolist() == [", ".join(words) for words in own["Words"]]


def test_what_is_not_known_is_refused(model, wordless, corpus):
    for arguments, message in (
        ({}, "give one of query, topic"),
        ({"topic": 1, "words": "a"}, "topic and words"),
        ({"words": "unheard of"}, "words holds no word of the vocabulary"),
        ({"like": 400}, "like=400 of 400 documents"),
        ({"topic": 1, "groups": [1, 2]}, "groups has 2 entries for 400 documents"),
        ({"topic": 1, "ids": [1]}, "ids has 1 entries for 400"),
        ({"query": " "}, "query is an empty text"),
    ):
        with pytest.raises(ValueError, match=message):
            find_documents(model, **arguments)
    with pytest.raises(ValueError, match="fitted without documents"):
        find_documents(wordless, words="themecworda")
    assert find_documents(wordless, topic=0, n=2)["words"].tolist() == ["", ""]


def test_a_text_is_explained_by_its_words(model, corpus):
    found = explain_document(model, corpus.documents[0])
    assert found["weight"].sum() == pytest.approx(1, abs=1e-5)
    theme = f"theme{'abcde'[corpus.themes[0]]}"
    text_words = set(corpus.documents[0].split())
    named = [word for words in found["words_in_text"] for word in words.split(", ") if word]
    assert set(named) <= text_words
    assert len(named) == len(set(named))
    assert sum(word.startswith(theme) for word in named) > len(named) / 2
    by_vector = explain_document(model, None, embedding=corpus.embeddings[0])
    assert by_vector["atom"].tolist() == explain_document(model, 0)["atom"].tolist()
    with pytest.raises(IndexError, match="document 400 of 400"):
        explain_document(model, 400)
    with pytest.raises(TypeError, match="document must be a position or a text"):
        explain_document(model, 1.5)


def test_documents_are_exported(fitted, corpus, tmp_path):
    model = copy.copy(fitted).set_topic_labels({0: "=first"})
    years = pd.DataFrame({"year": np.arange(400)}, index=np.arange(400) + 7)
    path = tmp_path / "documents.csv"
    table = export_documents(model, path, texts=corpus.documents, columns=years)
    assert list(table)[:5] == ["id", "text", "topic", "name", "share"]
    assert table["text"].tolist() == corpus.documents
    assert table["topic"].tolist() == model.doc_topics_.argmax(axis=1).tolist()
    assert set(table.loc[table["topic"] == 0, "name"]) == {"=first"}
    assert table["year"].tolist() == list(range(400))
    written = pd.read_csv(path)
    assert list(written) == list(table)
    assert written["text"].tolist() == corpus.documents


def test_exports_that_do_not_fit_are_refused(fitted):
    with pytest.raises(ValueError, match="texts has 1 rows for 400 documents"):
        export_documents(fitted, texts=["a"])
    with pytest.raises(ValueError, match="columns names topic, which"):
        export_documents(fitted, columns=pd.DataFrame({"topic": range(400)}))
