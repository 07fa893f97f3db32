import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from saetm_plugins import SAETopicModel


@pytest.fixture(scope="module")
def without_a_theme(corpus, sae):
    """A model of the documents of four themes but for every fifth."""
    known = corpus.themes != 4
    fitted = known & (np.arange(len(known)) % 5 > 0)
    documents = [text for text, chosen in zip(corpus.documents, fitted, strict=True) if chosen]
    model = SAETopicModel(4, sae=sae).fit(documents, embeddings=corpus.embeddings[fitted])
    return model, known, fitted


def test_documents_of_another_theme_have_the_largest_scores(without_a_theme, corpus):
    model, known, fitted = without_a_theme
    scores = model.outlier_scores(embeddings=corpus.embeddings)
    assert scores.min() >= 0
    assert scores.max() <= 1
    held_out = ~fitted
    assert roc_auc_score(~known[held_out], scores[held_out]) >= 0.95
    assert (scores[known & held_out] > 0.95).mean() <= 0.15


def test_scores_are_kept_by_a_saved_model_and_added_by_batches(without_a_theme, corpus, tmp_path):
    model, _, fitted = without_a_theme
    scores = model.outlier_scores(embeddings=corpus.embeddings)
    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.outlier_scores(embeddings=corpus.embeddings), scores)
    strange = corpus.themes == 4
    documents = [text for text, other in zip(corpus.documents, strange, strict=True) if other]
    loaded.partial_fit(documents, embeddings=corpus.embeddings[strange])
    assert loaded.atoms_.sums.cosine_counts.sum() == fitted.sum() + strange.sum()
    after = loaded.outlier_scores(embeddings=corpus.embeddings[strange])
    assert after.mean() < scores[strange].mean()


def test_blank_texts_have_none_and_a_model_without_embeddings_says_so(without_a_theme, corpus):
    model = without_a_theme[0]
    scores = model.outlier_scores(["  ", corpus.documents[0]], corpus.embeddings[:2])
    assert np.isnan(scores).tolist() == [True, False]
