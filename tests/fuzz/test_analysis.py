"""Generated input to what is read off a fitted model: groups, times, mixtures, queries."""

import copy

import hypothesis.strategies as st
import numpy as np
import pandas as pd
from fuzzing import EMBEDDINGS, FITTED, TEXTS, clear, fuzz, junk, matrices, state, texts, weights
from hypothesis import given

from saetm_plugins import analysis

N = len(TEXTS)
GROUPS = ["a", "b"] * (N // 2)
MIXTURES = FITTED.doc_topics_
FEW = {"n_resamples": 20}
# The arguments of each function that are generated, one at a time, and what stands for the others.
CALLS = {
    "topic_shares": ("groups", "doc_topics", "doc_atoms", "n_resamples", "confidence", "n_words"),
    "coverage": ("groups", "threshold", "doc_topics", "doc_atoms"),
    "rank_topics_by_variance": ("groups", "max_mean", "threshold", "doc_topics"),
    "compare_groups": ("groups", "a", "b", "level", "strata", "threshold", "doc_topics", "ids")
    + ("n_documents", "n_permutations", "confidence", "random_state"),
    "topic_trends": ("times", "bins", "threshold", "doc_topics", "n_resamples", "confidence"),
    "trend_tests": ("times", "bins", "method", "doc_topics"),
    "topic_correlations": ("level", "threshold", "min_documents", "doc_topics", "n_words"),
    "explain_document": ("document", "n_words", "embedding"),
    "export_documents": ("texts", "ids", "columns", "doc_topics", "n_topics"),
    "find_documents": ("topic", "atoms", "words", "like", "n", "groups", "embeddings")
    + ("doc_atoms", "ids", "texts", "atom_weight", "n_atoms"),
    "taxonomy": ("levels", "n_words"),
    "topic_levels": ("levels",),
    "topic_linkage": ("topics",),
    "drill_down": ("topic", "n", "n_words"),
    "topic_words": ("n_words",),
    "atom_words": ("n_words", "atoms"),
    "mixtures": ("documents", "embeddings"),
    "match_topics": ("words", "other_words", "labels", "other_labels"),
    "suggest_n_topics": ("counts", "merge", "n_splits", "least_overlap"),
    "topic_stability": ("seeds", "bootstraps", "least_overlap"),
    "name_topics": ("documents", "levels", "embeddings"),
}
VALID = {
    "topic_shares": {"groups": GROUPS},
    "coverage": {"groups": GROUPS},
    "rank_topics_by_variance": {"groups": GROUPS},
    "compare_groups": {"groups": GROUPS, "a": "a", "n_permutations": 20, **FEW},
    "topic_trends": {"times": list(range(N)), "bins": 3, **FEW},
    "trend_tests": {"times": list(range(N)), "bins": 4},
    "topic_correlations": {"threshold": 0.1, "min_documents": 2},
    "explain_document": {"document": 0},
    "drill_down": {"topic": 0},
    "find_documents": {"topic": 0},
    "match_topics": {
        "words": [["x", "y"]] * 4,
        "other_words": [["x", "z"]] * 4,
        "labels": FITTED.labels_,
        "other_labels": FITTED.labels_,
    },
    "suggest_n_topics": {"counts": [2, 3], "documents": TEXTS, "embeddings": EMBEDDINGS},
    "topic_stability": {"documents": TEXTS, "embeddings": EMBEDDINGS, "seeds": 1},
    "name_topics": {"documents": TEXTS},
}
# What an error may name beside the argument.
ALSO = {
    "bins": ("period", "times"),
    "times": ("bins",),
    "doc_atoms": ("documents",),
    "groups": ("a ", "b "),
    "level": ("doc_topics",),
    "embedding": ("embeddings", "Complex"),
    "embeddings": ("documents", "Complex"),
    "texts": ("documents",),
    "documents": ("embeddings",),
    "doc_topics": ("Complex", "documents"),  # of another number than the rest
    "levels": ("n_topics",),
    "counts": ("n_topics",),
}
values = st.one_of(
    junk,
    matrices(columns=4),
    weights(MIXTURES),
    st.lists(st.one_of(texts, junk), max_size=4),
    st.lists(junk, min_size=N, max_size=N),
    st.lists(st.sampled_from(["a", "b", float("nan"), 3, None]), min_size=N, max_size=N),
    st.lists(st.integers(-2, 6), max_size=4),
    st.lists(st.datetimes(), min_size=N, max_size=N),
    st.lists(st.floats(), min_size=N, max_size=N),
    st.sampled_from(["topics", "atoms", "auto", "10Y", "M", "spearman", "nmf", "ward"]),
    st.just(pd.Series(GROUPS, index=range(5, N + 5), dtype="category")),
    st.just(pd.DataFrame({"text": TEXTS})),
)  # fmt: skip
SHARES = {"share", "coverage", "share_a", "share_b", "mean"}  # columns that hold shares


@fuzz
@given(
    call=st.sampled_from([(name, argument) for name, each in CALLS.items() for argument in each]),
    value=values,
)
def test_analysis(call, value):
    name, argument = call
    arguments = {**VALID.get(name, {}), argument: value}
    if argument in ("atoms", "words", "like"):
        arguments.pop("topic", None)
    model = copy.copy(FITTED)  # which name_topics() gives labels to
    subject = () if name == "match_topics" else (model,)
    before = state(FITTED)
    errors = (ValueError, TypeError, *([IndexError] if argument in ("document", "like") else []))
    found = clear(
        lambda: (getattr(analysis, name)(*subject, **arguments),),
        *(argument, *ALSO.get(argument, ())),
        errors=errors,
    )
    assert all(before[key] is kept for key, kept in state(FITTED).items())
    if found is None or name != "name_topics":
        assert all(before[key] is kept for key, kept in state(model).items())
    if found is not None and isinstance(found[0], pd.DataFrame):
        for column in SHARES & set(found[0]):
            # Missing for a period without documents, and coverage without atoms.
            assert found[0][column].dropna().between(0, 1 + 1e-6).all()
    elif found is not None and name == "mixtures":
        np.testing.assert_allclose(found[0].sum(axis=1), 1, atol=1e-3)
