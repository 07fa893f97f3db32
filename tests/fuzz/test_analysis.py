"""Generated input to what is read off a fitted model: groups, times, mixtures, queries, plots."""

import copy
import inspect

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from fuzzing import (
    BOW,
    EMBEDDINGS,
    FITTED,
    GROUPS,
    REFUSED,
    TEXTS,
    WORDS,
    Encoder,
    Entry,
    arguments,
    check_call,
    check_mixtures,
    examples,
)
from hypothesis import given
from strategies import Choice, Only, documents, junk, labels, weights

from saetm_plugins import analysis, plotting
from saetm_plugins.atoms.foundation import load_foundation

N = len(TEXTS)
MIXTURES = FITTED.doc_topics_
YEARS = [f"{2000 + row // 4}-01-01" for row in range(N)]
COMPARED = analysis.compare_groups(FITTED, GROUPS, "a", n_resamples=20, n_permutations=20)
COVERED = analysis.coverage(FITTED, GROUPS)
TRENDS = analysis.topic_trends(FITTED, list(range(N)), bins=3, n_resamples=20)
CORRELATED = analysis.topic_correlations(FITTED, threshold=0.1, min_documents=2)
SHIPPED = load_foundation(1024).mean_ + load_foundation(1024).decoder_[:9]  # embeddings of texts
SUGGESTED = analysis.suggest_n_topics(FITTED, [2, 3, 4], documents=TEXTS, embeddings=EMBEDDINGS)
TAXONOMY = analysis.taxonomy(FITTED, [2, 4])
# Legal values of arguments, whichever function they are of.
LEGAL = {
    "groups": GROUPS, "strata": ["x", "y", "y", "x"] * 10, "a": Choice("a", "b"),
    "b": Choice(None, "b"), "ids": list(range(N)), "texts": documents(TEXTS),
    "times": st.one_of(labels(list(range(N))), labels(YEARS),
                       st.lists(st.datetimes(), min_size=N, max_size=N)),
    "bins": Choice(5, 4, "auto", "2Y", 1, 40), "threshold": 0.1, "max_mean": 0.4,
    "doc_topics": MIXTURES, "doc_atoms": weights(FITTED.doc_atoms_), "confidence": 0.95,
    "n_resamples": 20, "n_permutations": 20, "n_documents": 2, "n_words": 4, "n_topics": 2,
    "random_state": 0, "level": Choice("topics", "atoms"),
    "method": Choice("spearman", "mann-kendall"),
    "min_documents": 2, "document": Choice(0, 3, TEXTS[0]), "embedding": EMBEDDINGS[0],
    "columns": pd.DataFrame({"extra": range(N)}), "topic": Choice(0, 1, 3),
    "atoms": Choice([0, 1], 3), "words": Choice([WORDS[0]], WORDS[:3]),
    "like": Choice(0, EMBEDDINGS[0], TEXTS[0]), "query": documents(TEXTS).map(
        lambda found: found[0] if isinstance(found, list) and found else found),
    "n": Choice(2, 3), "embeddings": EMBEDDINGS, "atom_weight": 0.5, "n_atoms": 2,
    "levels": Choice([2, 4], [2], [3], None), "topics": Choice([0, 1, 2], None, [0, 1]),
    "documents": documents(TEXTS), "merge": Choice("ward", "kmeans", "nmf"), "n_splits": 2,
    "least_overlap": 0.5, "seeds": Choice(1, [3]), "bootstraps": Choice(0, 1),
    "counts": Choice([2, 3], [4]), "text": Choice(TEXTS[0], TEXTS[0] + ". " + TEXTS[1]),
    "names": Choice(None, ["one", "two", "three", "four"]), "least": 0.75,
    "title": "t", "max_documents": 20, "bow": weights(BOW),
}  # fmt: skip
# What each function is given always; all its other arguments that stand above, now and then.
GIVEN = {
    "topic_shares": ("groups",), "coverage": ("groups",), "rank_topics_by_variance": ("groups",),
    "compare_groups": ("groups", "a", "n_resamples", "n_permutations"),
    "topic_trends": ("times", "bins", "n_resamples"), "trend_tests": ("times", "bins"),
    "topic_correlations": ("threshold", "min_documents"), "explain_document": ("document",),
    "export_documents": (), "find_documents": ("topic",), "taxonomy": (), "topic_levels": (),
    "topic_linkage": (), "drill_down": ("topic",), "topic_words": (), "atom_words": (),
    "mixtures": ("documents", "embeddings"), "document_atoms": ("documents", "embeddings"),
    "atoms_of_topics": (), "topic_names": (), "spans": ("text",), "name_scores": ("documents",),
    "suggest_n_topics": ("counts", "documents", "embeddings"),
    "topic_stability": ("documents", "embeddings", "seeds"), "name_topics": ("documents",),
}  # fmt: skip
ALSO = (
    "documents", "groups", "doc_topics", "topics", "embeddings", "Complex", "period", "times",
    "threshold", "encoder", "live atoms", "words", "like", "give one of", "bow", "names", "strata",
)  # fmt: skip
SLOW = {"suggest_n_topics": 0.1, "topic_stability": 0.1, "name_topics": 0.3, "name_scores": 0.3}


def entry_of(name):
    function = getattr(analysis, name)
    known = [each for each in inspect.signature(function).parameters if each in LEGAL]
    given_always = {each: LEGAL[each] for each in GIVEN[name]}

    def call(**made):
        if {"atoms", "words", "like", "query"} & made.keys() and name == "find_documents":
            made.pop("topic", None)
        return function(copy.copy(FITTED), **made)  # which name_topics() gives labels to

    options = {each: LEGAL[each] for each in known if each not in given_always}
    if name == "find_documents":
        options.pop("documents")  # others need as many
    check = check_mixtures if name == "mixtures" else None
    return Entry(call, given_always, options, ALSO, check)


@pytest.mark.parametrize("name", GIVEN)
def test_analysis(name):
    entry = entry_of(name)

    @examples(SLOW.get(name, 0.5))
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed, errors=(*REFUSED, IndexError))

    run()


def tables(whole, *, rows=True):
    """Draw a table as one is returned, with rows or columns gone: cells are as they were."""
    columns = list(whole.columns)
    some = st.lists(st.integers(0, len(whole) - 1), max_size=9).map(lambda kept: whole.iloc[kept])
    return Only(st.one_of(
        some if rows else st.just(whole),
        st.just(whole), st.sampled_from(columns).map(lambda name: whole.drop(columns=name)),
        st.none(),
    ))  # fmt: skip


def match(words, other_words, labels, other_labels):
    return analysis.match_topics(words, other_words, labels, other_labels)


FOUR = Choice([["x", "y"]] * 4, [["x", "z"], ["y"], [], ["y", "x"]])
TABLES = {
    "match_topics": Entry(match, {"words": FOUR, "other_words": FOUR, "labels": FITTED.labels_,
                                  "other_labels": FITTED.labels_}, {}, ("words", "labels")),
    "taxonomy_json": Entry(analysis.taxonomy_json, {"table": tables(TAXONOMY)}),
    "taxonomy_newick": Entry(analysis.taxonomy_newick, {"table": tables(TAXONOMY)}),
    "document_npmi": Entry(
        analysis.document_npmi,
        {"topic_words": Choice(np.array([[0, 1], [3, 2]])), "bow": Only(weights(BOW))},
        {}, ("bow", "Complex"),
    ),
    "explain_text": Entry(
        analysis.explain_text,
        {"text": LEGAL["text"], "embedding": Only(st.sampled_from(list(SHIPPED)))},
        {"n_words": 3}, ("embedding", "encoder"),
    ),
    "plot_comparison": Entry(plotting.plot_comparison, {"table": tables(COMPARED)},
                             {"n_topics": 3, "alpha": 0.05, "names": LEGAL["names"], "title": "t",
                              "a": "a", "b": "b"}, ("table",)),
    "plot_coverage": Entry(plotting.plot_coverage, {"table": tables(COVERED)},
                           {"n_topics": 3, "max_mean": 0.4, "names": LEGAL["names"]}, ("table",)),
    "plot_trends": Entry(plotting.plot_trends, {"table": tables(TRENDS, rows=False)},
                         {"topics": Choice(None, [0, 1]), "n_topics": 2, "names": LEGAL["names"],
                          "kind": Choice("lines", "areas", "heatmap", "ridges"),
                          "value": Choice("share", "coverage")}, ("table",)),
    "plot_correlations": Entry(plotting.plot_correlations, {"table": tables(CORRELATED)},
                               {"n_topics": 3, "names": LEGAL["names"],
                                "value": Choice("npmi")}, ("table",)),
    "plot_topic_counts": Entry(
        plotting.plot_topic_counts,
        {"suggestion": Only(st.one_of(
            tables(SUGGESTED.table).strategy.map(lambda table: SUGGESTED._replace(table=table)),
            st.just(SUGGESTED), junk,
        ))},
        {"title": Choice("t", None)},
    ),
    "map_documents": Entry(plotting.map_documents, {"vectors": EMBEDDINGS, "method": Choice("pca")},
                           {"random_state": 0}, ("Complex",)),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    entry = TABLES[name]

    @examples(0.2)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


def explore(folder):
    def call(**made):  # placed beforehand: UMAP takes a second
        made = {
            "documents": TEXTS,
            "embeddings": EMBEDDINGS,
            "encoder": Encoder(),
            "positions": EMBEDDINGS[:, :2],
        } | made
        path = folder / "page.html"
        return plotting.explore(FITTED, path=path, overwrite=True, **made).read_text()

    return Entry(
        call, {"levels": Choice([2])},
        {name: LEGAL[name] for name in ("documents", "embeddings", "ids", "groups", "times",
                                        "title", "max_documents", "random_state")},
        (*ALSO, "positions", "ids"),
    )  # fmt: skip


def test_pages(tmp_path):
    entry = explore(tmp_path)

    @examples(0.05)
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()
