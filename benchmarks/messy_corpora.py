"""What mess in a corpus does to topics: copies, one repetitive text, guidance, the count by "auto".

    python benchmarks/messy_corpora.py --data DIR            # a few minutes on 2 cores

Posts of 20 Newsgroups with at least 20 words; guidance also on BBC News and AG News. Agreement with
the labels (NMI) is measured on the posts themselves, not on what was added to them. Coherence is
NPMI in the posts.
"""

from __future__ import annotations

import argparse
import os
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from corpora import READERS

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.corpus import default_vectorizer, encode_texts, load_encoder
from saetm_plugins.evaluation import normalized_mutual_information, topic_coherence

LINE = "error connection timeout server retry failed host port socket closed "
SEED_WORDS = {
    "20newsgroups": [
        ["space", "nasa", "orbit", "shuttle"],
        ["god", "jesus", "christian", "bible"],
        ["hockey", "nhl", "team", "game"],
        ["encryption", "clipper", "key", "chip"],
    ],
    "bbc": [
        ["film", "actor", "oscar", "award"],
        ["election", "labour", "blair", "minister"],
        ["rugby", "england", "wale", "ireland"],
        ["phone", "mobile", "broadband", "network"],
    ],
    "agnews": [
        ["iraq", "baghdad", "troops", "insurgents"],
        ["oil", "prices", "crude", "barrel"],
        ["microsoft", "windows", "software", "linux"],
        ["olympic", "athens", "gold", "medal"],
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("SAETM_DATA")
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", help="copies, repetition, guidance, count")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    posts = read("20newsgroups", Path(args.data))
    parts = {
        "copies": lambda: copies(posts, args.seeds),
        "repetition": lambda: repetitive_text(posts, args.seeds),
        "guidance": lambda: [
            guidance(name, read(name, Path(args.data)), args.seeds) for name in SEED_WORDS
        ],
        "count": lambda: automatic_count(posts),
    }
    for part in args.only.split(",") if args.only else parts:
        parts[part]()


def read(name, data):
    texts, names, vectors, _ = READERS[name](data)
    labels = np.unique(names, return_inverse=True)[1]
    long_enough = np.flatnonzero([len(text.split()) >= 20 for text in texts])
    return texts, labels, np.load(vectors).astype(np.float32), long_enough


def copies(posts, n_seeds):
    texts, labels, embeddings, long_enough = posts
    cases = [("none", 0.0)] + [(k, s) for k in ("random posts", "one post") for s in (0.1, 0.5)]
    for n, (kind, share) in product((300, 600), cases):
        found = []
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            rows = rng.choice(long_enough, n, replace=False)
            n_copies = int(n * share / (1 - share))
            again = (
                np.repeat(rows[:1], n_copies) if kind == "one post" else rng.choice(rows, n_copies)
            )
            every = np.concatenate([rows, again])
            model = SAETopicModel(20, word_vectors="corpus", random_state=seed)
            model.fit([texts[row] for row in every], embeddings=embeddings[every])
            own = model.labels_[:n]
            found.append(
                [normalized_mutual_information(own, labels[rows]), np.bincount(own).max() / n]
            )
        nmi, largest = np.mean(found, axis=0)
        print(
            f"{n} posts, copies of {kind} {share:.0%}: NMI {nmi:.3f}, largest topic {largest:.2f}"
        )


def repetitive_text(posts, n_seeds):
    texts, _, embeddings, long_enough = posts
    vector = encode_texts(load_encoder(), [LINE * 40])
    words = set(LINE.split())
    for n in (289, 1000):
        for n_words in (50_000, 500_000):
            for seed in range(n_seeds):
                rows = np.random.default_rng(seed).choice(long_enough, n, replace=False)
                model = SAETopicModel(20, word_vectors="corpus", random_state=seed)
                model.fit(
                    [*(texts[row] for row in rows), LINE * (n_words // 10)],
                    embeddings=np.vstack([embeddings[rows], vector]),
                )
                held = [len(words & set(topic)) for topic in model.get_topics(10)]
                print(
                    f"{n} posts and a text of {n_words:,} words, seed {seed}: "
                    f"{sum(h >= 2 for h in held)} of 20 topics hold two of its words or more"
                )


def guidance(corpus, posts, n_seeds):
    texts, labels, embeddings, long_enough = posts
    seed_words = SEED_WORDS[corpus]
    for seed in range(n_seeds):
        n = min(3000, len(long_enough))
        rows = np.random.default_rng(seed).choice(long_enough, n, replace=False)
        own = [texts[row] for row in rows]
        vectorizer = default_vectorizer(len(own)).fit(own)
        analyze, known = vectorizer.build_analyzer(), set(vectorizer.get_feature_names_out())
        tokens = [[word for word in analyze(text) if word in known] for text in own]
        sae = train_sae(embeddings[rows], random_state=seed)
        classes = labels[rows].astype(str)
        for name, parameters, y in (
            ("none", {}, None),
            ("seed_topic_list", {"seed_topic_list": seed_words}, None),
            ("y", {}, classes),
        ):
            model = SAEBERTopic(50, sae=sae, word_vectors="corpus", random_state=seed, **parameters)
            topics, _ = model.fit_transform(own, embeddings=embeddings[rows], y=y)
            words = model.sae_model_.get_topics(10)
            npmi = topic_coherence(words, tokens).mean()
            nmi = normalized_mutual_information(np.array(topics), labels[rows])
            held = [
                f"{max(len(set(seeds) & set(topic)) for topic in words)} of "
                f"{len(set(seeds) & known)}"
                for seeds in seed_words
            ]
            print(
                f"{corpus}, guidance {name}, seed {seed}: NPMI {npmi:.3f}, NMI {nmi:.3f}, "
                f"seed words that occur, in one topic's first ten: {', '.join(held)}"
            )


def automatic_count(posts):
    _, _, embeddings, long_enough = posts
    for n in (300, 1000, 4000, 12_000):
        rows = np.random.default_rng(0).choice(long_enough, n, replace=False)
        model = SAETopicModel("auto", merge="ward").fit(None, embeddings=embeddings[rows])
        print(f'{n} posts: n_topics="auto" is {model.n_topics_}')


if __name__ == "__main__":
    main()
