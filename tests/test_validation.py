import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from saetm_plugins.corpus.classes import one_hot_classes
from saetm_plugins.validation import (
    all_or_nothing,
    as_list,
    check_choice,
    check_count,
    check_embeddings,
)


def test_embeddings_come_back_as_contiguous_float32():
    found = check_embeddings(np.arange(6, dtype=np.float16).reshape(2, 3).T)
    assert (found.dtype, found.shape) == (np.float32, (3, 2))
    assert found.flags.c_contiguous
    assert np.shares_memory(check_embeddings(found), found)
    assert check_embeddings(torch.ones(2, 3, dtype=torch.bfloat16)).sum() == 6


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (sp.eye(3), "Sparse"),
        (np.ones(3), "2D"),
        (np.ones((0, 3)), r"\(0, 3\)"),
        ([["a"]], "real numbers"),
        (np.array([[1.0, 2], [np.nan, 1]]), "NaN or infinity in row 1"),
        (np.array([[1.0, 2], [1, -np.inf]]), "NaN or infinity in row 1"),
        (np.array([[1.0, 2], [1e30, 0]], dtype=np.float32), r"too large .*\(row 1\)"),
        (np.array([[1.0, 2], [1e300, 0]]), "NaN or infinity in row 1"),
        (torch.ones(2, 3, device="meta"), "meta"),
        (torch.eye(3).to_sparse(), "Sparse"),
        (np.ones((2, 2)) + 1j, "Complex data not supported"),
        (torch.ones(2, 2, dtype=torch.complex64), "Complex data not supported"),
        (np.ma.masked_equal(np.eye(2), 0), "masked array with entries masked"),
        (list(np.ma.masked_equal(np.eye(2), 0)), "masked array with entries masked"),
        (np.array([[1.0, "a"]], dtype=object), "vectors of real numbers"),
        ([[1.0, 2], [3.0]], "does not hold vectors"),
        (pd.Series([[1.0, 2], [3.0]]), "does not hold vectors"),
        (pd.Series([None, [3.0]]), "does not hold vectors"),
    ],
)
def test_bad_embeddings_are_named(embeddings, message):
    with pytest.raises(ValueError, match=message):
        check_embeddings(embeddings)


def test_rows_and_width_are_compared():
    with pytest.raises(ValueError, match="2 rows for 3 documents"):
        check_embeddings(np.ones((2, 4)), n_rows=3)
    with pytest.raises(ValueError, match="4 dimensions; the sparse autoencoder was trained on 5"):
        check_embeddings(np.ones((2, 4)), width=5)


@pytest.mark.parametrize(
    "embeddings",
    [
        pd.Series([np.arange(3.0), np.ones(3)]),
        pd.Series([[0, 1, 2], [1, 1, 1]]),
        [torch.arange(3.0), torch.ones(3, requires_grad=True)],
        torch.tensor([[0.0, 1, 2], [1, 1, 1]], requires_grad=True),
        np.array([[0, 1, 2], [1, 1, 1]], dtype=object),
        np.ma.array([[0, 1, 2], [1, 1, 1]]),
    ],
)
def test_vectors_in_any_container_are_taken(embeddings):
    assert np.array_equal(check_embeddings(embeddings), [[0, 1, 2], [1, 1, 1]])


def test_a_list_is_not_made_of_masked_entries():
    with pytest.raises(ValueError, match="ids is a masked array"):
        as_list(np.ma.array([1, 2], mask=[True, False]), "ids", "names")
    assert as_list(np.ma.array([1, 2]), "ids", "names") == [1, 2]


def test_classes_may_be_bytes_of_any_encoding():
    classes = [b"caf\xe9" if row % 2 else b"-1" for row in range(40)]
    one_hot = one_hot_classes(classes, 40).codes
    np.testing.assert_array_equal(one_hot.toarray().ravel(), np.arange(40) % 2)
    mixed = [*classes[:-1], 3]  # an array of objects
    np.testing.assert_array_equal(one_hot_classes(mixed, 40).codes.sum(axis=0), [[1, 19]])


def test_counts_and_choices_name_the_argument():
    with pytest.raises(TypeError, match=r"n_topics must be an integer; found 2\.5"):
        check_count(2.5, "n_topics")
    with pytest.raises(ValueError, match="n_topics must be at least 1; found 0"):
        check_count(0, "n_topics")
    with pytest.raises(ValueError, match="merge must be one of a, b; found 'c'"):
        check_choice("c", "merge", ("a", "b"))


def test_a_failed_block_leaves_no_trace():
    class Estimator:
        pass

    estimator = Estimator()
    estimator.kept = 1

    def fail():
        with all_or_nothing(estimator):
            estimator.kept, estimator.added = 2, 3
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert vars(estimator) == {"kept": 1}


@pytest.mark.parametrize("values", [[["1", "2"]], np.array([["2020-01-01"]], dtype="M8[D]")])
def test_texts_and_dates_are_no_vectors(values):
    with pytest.raises(ValueError, match="embeddings does not hold vectors of real numbers"):
        check_embeddings(values)
