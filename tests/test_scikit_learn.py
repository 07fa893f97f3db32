"""SAETopicModel as scikit-learn's tools call it: columns, targets, pipelines, metadata, scores."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from saetm_plugins import SAETopicModel

N_TOPICS = 5


class KnownEncoder:
    """Knows the embeddings of the planted corpus, so that a fit to texts equals one to them."""

    def __init__(self, corpus):
        self.known = dict(zip(corpus.documents, corpus.embeddings, strict=True))

    def encode(self, texts):
        return np.stack([self.known[text] for text in texts])


class TriedEncoder(KnownEncoder):
    """Stands where embeddings are given: a few texts are tried, to see that they are its own."""

    def encode(self, texts):
        assert len(texts) <= 4, "texts were encoded although embeddings were given"
        return super().encode(texts)


@pytest.fixture(scope="module")
def make(corpus, sae):
    def make(encoder=None):
        encoder = encoder or KnownEncoder(corpus)
        return SAETopicModel(N_TOPICS, sae=sae, encoder=encoder, word_vectors="corpus")

    return make


@pytest.fixture(scope="module")
def fitted(make, corpus):
    return make().fit(corpus.documents)


@pytest.mark.parametrize(
    "as_column",
    [
        lambda texts: pd.DataFrame({"text": texts}),
        lambda texts: pl.DataFrame({"text": texts}),
        lambda texts: np.array(texts, dtype=object)[:, None],
    ],
    ids=["pandas", "polars", "array"],
)
def test_a_table_of_one_column_is_its_documents(make, fitted, corpus, as_column):
    table = as_column(corpus.documents)
    np.testing.assert_array_equal(make().fit_transform(table), fitted.doc_topics_)
    np.testing.assert_array_equal(fitted.transform(table), fitted.doc_topics_)
    both = np.hstack([np.asarray(table)] * 2)
    for call in (make().fit, fitted.transform, fitted.partial_fit, fitted.score):
        with pytest.raises(ValueError, match="documents must be one column of texts"):
            call(both)


@pytest.mark.parametrize("chosen", ["text", ["text"]])
def test_a_column_transformer_hands_over_its_column(make, fitted, corpus, chosen):
    table = pd.DataFrame({"n": np.arange(400), "text": corpus.documents})
    columns = ColumnTransformer([("topics", make(), chosen), ("n", "passthrough", ["n"])])
    found = columns.set_output(transform="pandas").fit_transform(table)
    assert list(found.columns) == [*(f"topics__topic{t}" for t in range(N_TOPICS)), "n__n"]
    np.testing.assert_array_equal(found.to_numpy(np.float32)[:, :-1], fitted.doc_topics_)


@pytest.mark.parametrize(
    "as_target",
    [
        np.asarray,
        lambda themes: pd.Series(themes).map("theme{}".format),
        lambda themes: np.eye(5)[themes],
        lambda themes: pd.DataFrame({"y": themes / 3}),
        lambda themes: [["a"] * (theme + 1) for theme in themes],
    ],
    ids=["classes", "names", "indicators", "frame", "label lists"],
)
def test_a_target_is_ignored(make, fitted, corpus, as_target):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = make().fit_transform(corpus.documents, as_target(corpus.themes))
    np.testing.assert_array_equal(found, fitted.doc_topics_)


@pytest.mark.parametrize("as_target", [pd.DataFrame, lambda rows: pd.Series(list(rows))])
def test_vectors_in_the_place_of_a_target_are_ignored_with_a_warning(
    make, fitted, corpus, as_target
):
    with pytest.warns(UserWarning, match=r"fit\(documents, embeddings=…\)"):
        found = make().fit_transform(corpus.documents, as_target(corpus.embeddings[::-1]))
    np.testing.assert_array_equal(found, fitted.doc_topics_)
    with (
        pytest.warns(UserWarning, match="embeddings are given by name"),
        pytest.raises(ValueError, match="documents and embeddings= are both None"),
    ):
        make().fit(None, as_target(corpus.embeddings))
    with pytest.raises(TypeError, match="embeddings are given by name"):
        make().partial_fit(corpus.documents, "shards/")


@pytest.mark.parametrize("as_column", [pd.Series, list])
def test_a_column_of_vectors_is_used_as_embeddings(make, fitted, corpus, as_column):
    column = as_column(list(corpus.embeddings))
    found = make(TriedEncoder(corpus)).fit(corpus.documents, embeddings=column)
    np.testing.assert_array_equal(found.doc_topics_, fitted.doc_topics_)
    np.testing.assert_array_equal(found.transform(corpus.documents, column), fitted.doc_topics_)


@pytest.mark.parametrize("embeddings", [[[1.0, 2], [3]], pd.Series([[1.0, 2], None]), [], [0, 1]])
def test_embeddings_that_are_no_vectors_are_named(make, embeddings):
    with pytest.raises(ValueError, match="embeddings"):
        make().fit(["one", "two"], embeddings=embeddings)


def test_a_pipeline_hands_embeddings_on_by_the_name_of_the_step(make, fitted, corpus):
    pipeline = make_pipeline(make(TriedEncoder(corpus)), LogisticRegression())
    pipeline.fit(corpus.documents, corpus.themes, saetopicmodel__embeddings=corpus.embeddings)
    np.testing.assert_array_equal(pipeline[0].doc_topics_, fitted.doc_topics_)
    assert pipeline[1].score(fitted.doc_topics_, corpus.themes) > 0.7


def test_metadata_routing_hands_embeddings_on_to_every_method(make, fitted, corpus):
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(TriedEncoder(corpus))
        for method in ("fit", "transform", "score"):
            getattr(model, f"set_{method}_request")(embeddings=True)
        pipeline = make_pipeline(model, LogisticRegression())
        pipeline.fit(corpus.documents, corpus.themes, embeddings=corpus.embeddings)
        np.testing.assert_array_equal(pipeline[0].doc_topics_, fitted.doc_topics_)
        new = pipeline.predict(corpus.documents[:9], embeddings=corpus.embeddings[:9])
        assert len(new) == 9
        search = GridSearchCV(model, {"n_topics": [2, 5]}, cv=2, refit=False)
        search.fit(corpus.documents, embeddings=corpus.embeddings)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_search_without_a_scorer_prefers_topics_that_predict_words(make, corpus):
    search = GridSearchCV(make(), {"n_topics": [1, 5]}, cv=2).fit(corpus.documents, corpus.themes)
    assert search.best_params_ == {"n_topics": 5}
    one, five = search.cv_results_["mean_test_score"]
    assert one + 0.1 < five < 0


def test_topics_of_the_embeddings_predict_new_words_better_than_random_ones(make, plant_corpus):
    fitted_to, new = plant_corpus(300, seed=1), plant_corpus(200, seed=2)
    shuffled = np.random.default_rng(0).permutation(fitted_to.embeddings)
    scores = [
        make(KnownEncoder(SimpleNamespace(documents=fitted_to.documents, embeddings=rows)))
        .fit(fitted_to.documents, embeddings=rows)
        .score(new.documents, embeddings=new.embeddings)
        for rows in (fitted_to.embeddings, shuffled)
    ]
    assert scores[1] + 0.2 < scores[0] < 0


def test_a_score_needs_words(make, fitted, corpus):
    wordless = make().fit(None, embeddings=corpus.embeddings)
    with pytest.raises(ValueError, match="fitted without documents"):
        wordless.score(corpus.documents)
    with pytest.raises(ValueError, match="no word of the vocabulary"):
        fitted.score(["unknown", "words"], embeddings=corpus.embeddings[:2])
