"""Mixtures of documents from their words alone: speed beside gensim's LdaModel, agreement with θ.

    python benchmarks/emission_inference.py --data DIR

20 Newsgroups, train and test split; a model of 50 topics is fitted to the train split. Agreement:
argmax topic and cosine of the inferred topic mixtures with those of the encoder, on the test split;
a ridge regression from tf-idf to the encoder's mixtures shows how much words can tell. Speed:
`infer_doc_atoms` and `LdaModel.inference` on 10,000 bags, in one process.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

import numpy as np
import scipy.sparse as sp
from emission_input import newsgroups_counts
from gensim.matutils import Sparse2Corpus
from gensim.models import LdaModel
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import Ridge

from saetm_plugins import SAETopicModel
from saetm_plugins.emission import infer_doc_atoms

N_TRAIN = 11_314  # the train split of "bydate" comes first
N_BAGS = 10_000


def agreement(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the share of equal argmax topics and the mean cosine."""
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    cosine = (found * wanted).sum(axis=1) / np.maximum(lengths, 1e-12)
    return np.array([(found.argmax(axis=1) == wanted.argmax(axis=1)).mean(), cosine.mean()])


def agree(bow: sp.csr_matrix, embeddings: np.ndarray, n_topics: int, seed: int):
    """Fit the train split; return the model and {method: (top-1, cosine)} on the test split."""
    model = SAETopicModel(n_topics, random_state=seed)
    vocabulary = [f"word{i}" for i in range(bow.shape[1])]
    model.fit(None, embeddings=embeddings[:N_TRAIN], bow=bow[:N_TRAIN], vocabulary=vocabulary)
    wanted = model.transform(None, embeddings[N_TRAIN:])
    found = {}
    for n_iter in (3, 30):
        theta = infer_doc_atoms(
            bow[N_TRAIN:], model.emissions_, model.atom_prevalence_, n_iter=n_iter
        )
        found[f"infer_doc_atoms, {n_iter} passes"] = theta @ model.atom_topics_.toarray()
    tfidf = TfidfTransformer(sublinear_tf=True).fit(bow[:N_TRAIN])
    ridge = Ridge(3.0, solver="lsqr").fit(tfidf.transform(bow[:N_TRAIN]), model.doc_topics_)
    found["ridge regression on the encoder's mixtures"] = ridge.predict(
        tfidf.transform(bow[N_TRAIN:])
    )
    return model, {name: agreement(mixtures, wanted) for name, mixtures in found.items()}


def race(model: SAETopicModel, bow: sp.csr_matrix, repeat: int = 3) -> tuple[float, float]:
    """Return the median seconds of ours and of gensim's inference, turn by turn."""
    bags = bow[:N_BAGS]
    corpus = list(Sparse2Corpus(bags, documents_columns=False))
    lda = LdaModel(corpus[:2000], num_topics=model.n_topics, random_state=0)
    ours, theirs = [], []
    for _ in range(repeat):
        start = time.perf_counter()
        infer_doc_atoms(bags, model.emissions_, model.atom_prevalence_)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        lda.inference(corpus)
        theirs.append(time.perf_counter() - start)
    return median(ours), median(theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--n-topics", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    bow, embeddings = newsgroups_counts(args.data)
    runs = []
    for seed in range(args.seeds):
        model, found = agree(bow, embeddings, args.n_topics, seed)
        runs.append(found)
    print("| θ from words by | top-1 agreement | mean cosine |\n|---|---|---|")
    for name in runs[0]:
        top, cosine = np.median([run[name] for run in runs], axis=0)
        print(f"| {name} | {top:.3f} | {cosine:.3f} |")
    ours, theirs = race(model, bow)
    print(
        f"\n{N_BAGS:,} bags, {args.n_topics} topics: infer_doc_atoms {ours:.2f} s, "
        f"LdaModel.inference {theirs:.2f} s ({theirs / ours:.1f} ×)"
    )


if __name__ == "__main__":
    main()
