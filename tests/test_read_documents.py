"""What counts as embeddings, and what as the labels that a scikit-learn Pipeline passes on."""

import numpy as np
import pandas as pd
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.text import read_documents


class NoEncoder:
    """Stands where nothing may be encoded: the embeddings are given."""

    def encode(self, texts):
        raise AssertionError("texts were encoded although embeddings were given")


@pytest.mark.parametrize("series", [pd.Series, list])
def test_a_column_of_vectors_is_used_as_embeddings(corpus, series):
    frame = pd.DataFrame({"text": corpus.documents, "embedding": list(corpus.embeddings)})
    options = {"n_topics": 5, "encoder": NoEncoder(), "word_vectors": "corpus"}
    from_column = SAETopicModel(**options).fit(frame.text, series(frame.embedding))
    from_array = SAETopicModel(**options).fit(corpus.documents, corpus.embeddings)
    assert np.array_equal(from_column.doc_topics_, from_array.doc_topics_)
    assert np.array_equal(
        from_column.transform(frame.text, series(frame.embedding)),
        from_array.transform(corpus.documents, corpus.embeddings),
    )


@pytest.mark.parametrize("labels", [[0, 1], ["a", "b"], np.array([0, 1]), pd.Series(["a", "b"])])
def test_labels_are_not_taken_for_embeddings(labels):
    assert read_documents(["one", "two"], labels) == (["one", "two"], None)


@pytest.mark.parametrize("embeddings", [[[1.0, 2], [3]], pd.Series([[1.0, 2], None]), []])
def test_vectors_that_do_not_fit_are_an_error_and_no_labels(embeddings):
    with pytest.raises(ValueError, match="embeddings"):
        read_documents(["one", "two"], embeddings)
