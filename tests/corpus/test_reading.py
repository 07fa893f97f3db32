"""What documents may be handed over as."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import default_vectorizer, fit_vectorizer

TEXTS = ["one text", "another", ""]
COLUMNS = {
    "generator": lambda texts: (text for text in texts),
    "pandas frame": lambda texts: pd.DataFrame({"text": texts}, index=[7, 7, 1]),
    "pandas series": lambda texts: pd.Series(texts, dtype="string[pyarrow]"),
    "polars frame": lambda texts: pl.DataFrame({"text": texts}),
    "polars series": lambda texts: pl.Series(texts),
    "pyarrow table": lambda texts: pa.table({"text": texts}),
    "pyarrow array": lambda texts: pa.array(texts),
    "pyarrow large strings": lambda texts: pa.array(texts, pa.large_string()),
    "pyarrow dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "pyarrow chunks": lambda texts: pa.chunked_array([texts[:1], texts[1:]]),
    "array": lambda texts: np.array(texts),
    "column": lambda texts: np.array(texts, dtype=object)[:, None],
}
TABLES = {
    "pandas": lambda: pd.DataFrame({"id": TEXTS, "text": TEXTS}),
    "polars": lambda: pl.DataFrame({"id": TEXTS, "text": TEXTS}),
    "pyarrow": lambda: pa.table({"id": TEXTS, "text": TEXTS}),
    "array": lambda: np.array([TEXTS, TEXTS]).T,
    "sparse": lambda: sp.eye(3),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_one_column_of_texts_is_the_documents(kind):
    found = check_documents(COLUMNS[kind](TEXTS))
    assert found == TEXTS
    assert all(isinstance(text, str) for text in found)


@pytest.mark.parametrize("kind", TABLES)
def test_several_columns_are_refused_by_their_names(kind):
    named = ".*: id, text" if kind in ("pandas", "polars", "pyarrow") else ""
    with pytest.raises(ValueError, match="documents must be one column of texts; found" + named):
        check_documents(TABLES[kind]())


@pytest.mark.parametrize("kind", ["pandas frame", "pandas series", "polars frame", "pyarrow array"])
def test_a_missing_text_is_named_by_its_row(kind):
    with pytest.raises(TypeError, match=r"documents\[1\] must be a string; found (None|nan|<NA>)"):
        check_documents(COLUMNS[kind](["one", None, "three"]))


def test_words_are_counted_as_scikit_learn_counts_them(corpus):
    odd = ["don't the x2cat cat_dog dog2 DOG's", "_abc abc_", "isn't", ""]
    odd += ["Don’t café’s Ärger \u212aelvin İzmir naïve"]
    texts = list(dict.fromkeys([*odd * 2, *corpus.documents, *(2 * text for text in odd)]))
    expected = default_vectorizer(len(texts))
    for settings in ({"min_df": 1}, {"max_features": 20}, {"stop_words": ["cat", "dog"]}):
        by_sklearn = expected.set_params(**settings).fit_transform(texts)
        counts, fitted = fit_vectorizer(None, texts, **expected.get_params())
        assert fitted.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()
        for part in ("data", "indices", "indptr"):
            assert np.array_equal(getattr(counts, part), getattr(by_sklearn, part))
        assert (fitted.transform(texts) != counts).nnz == 0
    with pytest.raises(ValueError, match="empty vocabulary"):
        fit_vectorizer(None, ["the and", "of"])
