"""How good names and taxonomies are: do names find held-out documents, do trees follow classes.

    SAETM_DATA=… python benchmarks/names.py --corpus 20newsgroups,bbc --n-topics 20,50
    SAETM_DATA=… python benchmarks/names.py --taxonomy --n-topics 50,200

Names are made from 80 % of the documents and scored on the rest: the area under the ROC curve of
the cosine of a name with documents, mean over topics. All names are of the same topics; BERTopic's
are made by BERTopic itself from the same partition.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings

import numpy as np
from bertopic import BERTopic
from bertopic.cluster import BaseCluster
from bertopic.dimensionality import BaseDimensionalityReduction
from bertopic.representation import KeyBERTInspired
from corpora import Corpus, load_corpus
from scipy.cluster.hierarchy import linkage

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import (
    name_levels,
    name_scores,
    name_topics,
    topic_levels,
    topic_linkage,
)
from saetm_plugins.analysis.names.phrases import name_key
from saetm_plugins.corpus import default_vectorizer, load_encoder
from saetm_plugins.evaluation import topic_coherence


def score_names(corpus: Corpus, n_topics: int, encoder: object, seed: int) -> dict[str, float]:
    order = np.random.default_rng(seed).permutation(len(corpus.texts))
    fitted, unseen = np.sort(order[len(order) // 5 :]), np.sort(order[: len(order) // 5])
    texts = [corpus.texts[row] for row in fitted]
    embeddings = corpus.embeddings[fitted]
    model = SAETopicModel(n_topics, encoder=encoder, random_state=seed).fit(
        texts, embeddings=embeddings
    )
    started = time.perf_counter()
    ours = name_topics(model, texts, embeddings=embeddings)
    seconds = time.perf_counter() - started
    default, inspired = bertopic_names(model, texts, embeddings, encoder)
    named = {
        "ours": ours,
        "ours, embeddings not given": name_topics(model, texts),
        "ten words joined": [" ".join(words) for words in model.get_topics(10)],
        "first word": [words[0] for words in model.get_topics(1)],
        "BERTopic's labels": default,
        "KeyBERTInspired's first": inspired,
    }
    scores = {}
    for what, names in named.items():
        table = name_scores(model, embeddings=corpus.embeddings[unseen], names=names)
        scores[what] = float(table["auc"].mean())
    flagged = name_scores(model, embeddings=corpus.embeddings[unseen], names=ours)["flagged"]
    return {**scores, "flagged": int(flagged.sum()), "seconds": seconds}


def bertopic_names(
    model: SAETopicModel, texts: list[str], embeddings: np.ndarray, encoder: object
) -> tuple[list[str], list[str]]:
    """Name the model's partition by BERTopic: its default labels, and KeyBERTInspired's words.

    KeyBERTInspired gets no embeddings: BERTopic 0.17.4 hands it those of other documents than its
    representative ones, and its words are then at random.
    """
    topic_model = BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=BaseCluster(),
        vectorizer_model=default_vectorizer(len(texts)),
        embedding_model=encoder,
    )
    topics, _ = topic_model.fit_transform(texts, embeddings=embeddings, y=model.labels_)
    number = dict(zip(model.labels_.tolist(), topics, strict=True))  # BERTopic's own
    default = dict(topic_model.topic_labels_)
    topic_model.update_topics(
        texts,
        vectorizer_model=default_vectorizer(len(texts)),
        representation_model=KeyBERTInspired(),
    )
    inspired = {topic: topic_model.get_topic(topic)[0][0] for topic in topics}
    return tuple(
        [names[number[topic]] if topic in number else "" for topic in range(model.n_topics_)]
        for names in (default, inspired)
    )


def count_alike(corpus: Corpus, n_topics: int, encoder: object) -> int:
    """Count names, over all levels, that another topic has as well."""
    model = SAETopicModel(n_topics, encoder=encoder).fit(corpus.texts, embeddings=corpus.embeddings)
    tree = topic_levels(model)
    names = name_levels(model, tree, corpus.texts, embeddings=corpus.embeddings)
    keys = [name_key(name) for of_level in names for name in of_level]
    return len(keys) - len(set(keys))


def dendrogram_purity(tree: np.ndarray, counts: np.ndarray) -> float:
    """Return the expected purity of the smallest cluster that holds two documents of one class.

    Heller & Ghahramani, "Bayesian hierarchical clustering", ICML 2005. `tree`: SciPy's linkage of
    topics; `counts` (T, C): documents of each class in each topic.
    """
    clusters = [row.astype(np.float64) for row in counts]
    pairs = [row * (row - 1) / 2 for row in clusters]
    for left, right in tree[:, :2].astype(np.int64):
        pairs.append(clusters[left] * clusters[right])
        clusters.append(clusters[left] + clusters[right])
    found = sum((p * c).sum() / max(c.sum(), 1) for p, c in zip(pairs, clusters, strict=True))
    return float(found / sum(p.sum() for p in pairs))


def bertopic_tree(model: SAETopicModel, texts: list[str], embeddings: np.ndarray) -> np.ndarray:
    """Return BERTopic's hierarchical_topics of the model's partition, as a linkage."""
    topic_model = BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=BaseCluster(),
        vectorizer_model=default_vectorizer(len(texts)),
    )
    kept = np.flatnonzero(model.labels_ >= 0)  # texts without content are in no topic
    texts, labels = [texts[row] for row in kept], model.labels_[kept]
    topics, _ = topic_model.fit_transform(texts, embeddings=embeddings[kept], y=labels)
    ours = {theirs: mine for mine, theirs in zip(labels.tolist(), topics, strict=True)}
    frame = topic_model.hierarchical_topics(texts)
    frame = frame.astype({"Parent_ID": int}).sort_values("Parent_ID")
    n_topics = len(ours)
    order = [ours[topic] for topic in range(n_topics)]
    rows = []
    for row in frame.itertuples():
        sides = [int(row.Child_Left_ID), int(row.Child_Right_ID)]
        rows.append([order[s] if s < n_topics else s - n_topics + model.n_topics_ for s in sides])
    return np.array(rows)


def score_trees(corpus: Corpus, classes: dict[str, np.ndarray], n_topics: int) -> None:
    model = SAETopicModel(n_topics).fit(corpus.texts, embeddings=corpus.embeddings)
    mass = model.atom_topics_.T.multiply(model.atom_prevalence_).tocsr()
    centroids = np.asarray(mass @ model.atoms_.centroids / mass.sum(axis=1))
    topic_levels(model)
    started = time.perf_counter()
    levels = topic_levels(model)
    milliseconds = 1000 * (time.perf_counter() - started)
    trees = {
        "taxonomy": topic_linkage(model),
        "Ward on centroids": linkage(centroids, "ward"),
        "BERTopic's hierarchical_topics": bertopic_tree(model, corpus.texts, corpus.embeddings),
    }
    for what, tree in trees.items():
        line = []
        for kind, of in classes.items():
            codes = np.unique(of, return_inverse=True)[1]
            counts = np.zeros((n_topics, codes.max() + 1))
            np.add.at(counts, (model.labels_, codes), 1)
            line.append(f"{kind} {dendrogram_purity(tree, counts):.4f}")
        print(f"{corpus.name} {n_topics} topics | {what} | {' | '.join(line)}", flush=True)
    flat = SAETopicModel(n_topics, sae=model.sae_).fit(corpus.texts, embeddings=corpus.embeddings)
    leaves = levels.topics[-1].words.argsort(axis=1)[:, ::-1][:, :10]
    nested = [[model.vocabulary_[word] for word in row] for row in leaves]
    npmi = [
        np.mean(topic_coherence(words, corpus.tokens, "c_npmi"))
        for words in (nested, flat.get_topics(10))
    ]
    print(
        f"{corpus.name} {n_topics} topics | levels {[len(t) for t in levels.topics]} in "
        f"{milliseconds:.1f} ms | NPMI of leaves {npmi[0]:.4f}, of the flat cut {npmi[1]:.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="20newsgroups,bbc")
    parser.add_argument("--n-topics", default="20,50")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--taxonomy", action="store_true", help="score trees instead of names")
    parser.add_argument("--unique", action="store_true", help="count names alike instead")
    parser.add_argument("--data", default=os.environ.get("SAETM_DATA", "shared/data"))
    parser.add_argument("--cache", default=os.path.join("/tmp", "saetm-bench"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    encoder = load_encoder()
    for name in arguments.corpus.split(","):
        corpus = load_corpus(name, arguments.data, arguments.cache)
        for n_topics in map(int, arguments.n_topics.split(",")):
            if arguments.taxonomy:
                labels = np.array(read_labels(name, arguments.data))
                tops = np.array([label.split(".")[0] for label in labels])
                score_trees(corpus, {"classes": labels, "groups of classes": tops}, n_topics)
            elif arguments.unique:
                alike = count_alike(corpus, n_topics, encoder)
                print(f"{name} {n_topics} topics | names alike: {alike}", flush=True)
            else:
                for seed in range(arguments.seeds):
                    scores = score_names(corpus, n_topics, encoder, seed)
                    shown = " | ".join(f"{what} {value:.4g}" for what, value in scores.items())
                    print(f"{name} {n_topics} topics, seed {seed} | {shown}", flush=True)


def read_labels(name: str, data: str) -> list[str]:
    from pathlib import Path

    from corpora import READERS

    return READERS[name](Path(data))[1]


if __name__ == "__main__":
    main()
