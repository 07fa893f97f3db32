"""A model over batches of other libraries."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset
from sklearn.exceptions import NotFittedError

from saetm_plugins import SAETopicModel


@pytest.fixture
def served(fitted):
    return pickle.loads(pickle.dumps(fitted.without_documents().map_batches))


def test_datasets_map(served, fitted, corpus):
    columns = {"text": [*corpus.documents[:20], ""], "embedding": list(corpus.embeddings[:21])}
    found = Dataset.from_dict(columns).map(served, batched=True, batch_size=8)
    expected = fitted.transform(columns["text"], np.array(columns["embedding"]))
    np.testing.assert_allclose(np.array(found["mixture"]), expected, atol=1e-6)
    assert found["topic"][:20] == fitted.topics_of(fitted.doc_atoms_[:20])[0].tolist()
    assert found["topic"][20] == -1  # blank


def test_columns_of_numpy_and_arrow(served, fitted, corpus):
    rows = {"id": np.arange(30), "text": np.array(corpus.documents[:30], dtype=object)}
    found = served({**rows, "embeddings": corpus.embeddings[:30].astype(np.float16)})
    assert list(found) == ["id", "text", "embeddings", "topic", "mixture"]
    np.testing.assert_allclose(found["mixture"], fitted.doc_topics_[:30], atol=5e-3)
    columns = {**rows, "embedding": list(corpus.embeddings[:30])}
    batches = pa.table(columns).to_batches(max_chunksize=13)
    mapped = pa.Table.from_batches(fitted.map_in_arrow([batches[0].slice(0, 0), *batches]))
    assert mapped.column_names == ["id", "text", "topic", "mixture"]
    mixtures = np.stack(mapped["mixture"].to_numpy())
    np.testing.assert_allclose(mixtures, fitted.doc_topics_[:30], atol=1e-6)


def test_texts_alone_are_embedded(fitted, corpus):
    class Encoder:
        def encode(self, texts):
            return np.stack([corpus.embeddings[corpus.documents.index(text)] for text in texts])

    model = SAETopicModel(5, sae=fitted.sae_, encoder=Encoder(), word_vectors="corpus")
    model.fit(corpus.documents, embeddings=corpus.embeddings)
    found = model.map_batches({"text": corpus.documents[:9]})
    np.testing.assert_allclose(found["mixture"], model.doc_topics_[:9], atol=1e-6)


def test_what_is_not_fitted_or_has_no_columns(served):
    with pytest.raises(NotFittedError):
        SAETopicModel().map_batches({"text": ["word"]})
    with pytest.raises(ValueError, match="columns 'embedding' and 'text'; found id"):
        served({"id": [3]})
