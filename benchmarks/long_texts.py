"""Long documents: what reading them in passages gives beside cutting them off, and beside others.

    python benchmarks/long_texts.py --data DIR [--n-documents 400] [--only mixtures,evidence,book]

Documents are glued from 2 to 5 posts of 20 Newsgroups, each of another class, of 60 to 300 words;
the true mixture is the classes' share of words. Topics are mapped to classes on one half of the
documents (non-negative least squares), measured on the other: Jensen-Shannon distance (base 2) of
the mixtures, F1 of the classes found (share above 0.1). All models get 40 topics.

`evidence`: Pk of the boundaries between posts, by the spans of `analysis.spans`; and how often
deleting the passage that is named for a document's main topic lowers that topic's share more than
deleting a random one as long. `book`: seconds, and the largest memory above that held before, for
one text of up to 5 MB, split by the encoder's own tokenizer, with the mean of its input vectors of
tokens in place of the transformer.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from corpora import read_posts
from scipy.spatial.distance import jensenshannon
from sklearn.linear_model import LinearRegression

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import spans
from saetm_plugins.corpus import Chunker, Passages, default_vectorizer, encode_texts, load_encoder
from saetm_plugins.corpus.chunker import split_long
from saetm_plugins.corpus.passages import encode_passages
from saetm_plugins.evaluation import topic_coherence

N_TOPICS = 40


def glue(data: Path, n_documents: int, seed: int = 0):
    """Return documents, their true mixtures of 20 classes, and where each post ends."""
    posts = [
        (p["label"], p["text"].strip())
        for p in read_posts(data)
        if 60 <= len(p["text"].split()) <= 300
    ]
    classes = sorted({label for label, _ in posts})
    by_class = {c: [text for label, text in posts if label == c] for c in classes}
    rng = np.random.default_rng(seed)
    texts, truth, ends = [], np.zeros((n_documents, len(classes))), []
    for row in range(n_documents):
        chosen = rng.choice(len(classes), size=rng.integers(2, 6), replace=False)
        parts = [by_class[classes[c]].pop(rng.integers(len(by_class[classes[c]]))) for c in chosen]
        for c, part in zip(chosen, parts, strict=True):
            truth[row, c] = len(part.split())
        texts.append("\n\n".join(parts))
        ends.append(np.cumsum([len(part) + 2 for part in parts])[:-1])
    return texts, truth / truth.sum(axis=1, keepdims=True), ends


def score(doc_topics: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Map topics to classes on the even documents, measure on the odd ones."""
    learn, held = slice(0, None, 2), slice(1, None, 2)
    fit = LinearRegression(positive=True, fit_intercept=False).fit(doc_topics[learn], truth[learn])
    found = np.maximum(fit.predict(doc_topics[held]), 1e-9)
    found /= found.sum(axis=1, keepdims=True)
    true = truth[held]
    distance = np.mean([jensenshannon(p, q, base=2) for p, q in zip(found, true, strict=True)])
    hits = ((found > 0.1) & (true > 0)).sum()
    return {"js": float(distance), "f1": float(2 * hits / ((found > 0.1).sum() + (true > 0).sum()))}


def measure_mixtures(data: Path, n_documents: int, encoder) -> None:
    """Compare mixtures, and coherence where a model has topics of its own."""
    from bertopic import BERTopic
    from gensim.corpora import Dictionary
    from gensim.models import LdaModel

    texts, truth, ends = glue(data, n_documents)
    analyze = default_vectorizer(n_documents).build_analyzer()
    tokens = [analyze(text) for text in texts]
    started = time.perf_counter()
    passages = encode_passages(encoder, texts, split_long(texts, encoder, "auto"))
    in_passages = time.perf_counter() - started
    started = time.perf_counter()
    beginnings = encode_texts(encoder, texts)
    print(f"{len(passages)} passages in {in_passages:.0f} s, beginnings in "
          f"{time.perf_counter() - started:.0f} s")  # fmt: skip

    def show(name: str, doc_topics: np.ndarray, topics=None) -> None:
        line = score(doc_topics, truth)
        if topics is not None:
            line["npmi"] = float(np.mean(topic_coherence(topics, tokens, measure="c_npmi")))
        print(f"{name:42}", {key: round(value, 3) for key, value in line.items()}, flush=True)

    for seed in range(2):
        settings = {"encoder": encoder, "random_state": seed, "word_vectors": "corpus"}
        chunked = SAETopicModel(N_TOPICS, **settings).fit(texts, embeddings=passages)
        show(f"passages, seed {seed}", chunked.doc_topics_, chunked.get_topics())
        cut = SAETopicModel(N_TOPICS, **settings).fit(texts, embeddings=beginnings)
        show(f"beginnings, seed {seed}", cut.doc_topics_, cut.get_topics())
    posts = encode_passages(encoder, texts, _posts(texts, ends))
    whole = SAETopicModel(N_TOPICS, **settings).fit(texts, embeddings=posts)
    show("the posts themselves as passages", whole.doc_topics_, whole.get_topics())
    longest = SAETopicModel(N_TOPICS, **settings).fit(
        texts, embeddings=Chunker().embed(texts, encoder)
    )
    show("passages as long as the encoder reads", longest.doc_topics_, longest.get_topics())
    each = chunked.topics_of(chunked.atoms_.mixtures(passages.embeddings))[1]
    rows = [np.flatnonzero(passages.documents == row) for row in range(len(texts))]
    weights = passages.tokens
    show("passages: plain mean", np.array([each[r].mean(axis=0) for r in rows]))
    root = [np.average(each[r], axis=0, weights=np.sqrt(weights[r])) for r in rows]
    show("passages: mean by root of tokens", np.array(root))
    largest = np.array([each[r].max(axis=0) for r in rows])
    show("passages: largest share", largest / largest.sum(axis=1, keepdims=True))
    mean = passages.mean(passages.embeddings)
    show("passages: mean of embeddings", chunked.transform(None, mean))

    stock = BERTopic(nr_topics=N_TOPICS + 1, vectorizer_model=default_vectorizer(n_documents),
                     embedding_model=encoder, calculate_probabilities=False)  # fmt: skip
    stock.umap_model.random_state = 0
    stock.fit(texts, beginnings)
    known = [t for t in sorted(stock.get_topics()) if t >= 0]
    topics = [[word for word, _ in stock.get_topic(t) if word] for t in known]
    show(f"BERTopic, {len(known)} topics, approximate_distribution",
         stock.approximate_distribution(texts)[0], topics)  # fmt: skip
    dictionary = Dictionary(tokens)
    dictionary.filter_extremes(no_below=2, no_above=0.5, keep_n=10_000)
    bags = [dictionary.doc2bow(words) for words in tokens]
    lda = LdaModel(bags, N_TOPICS, dictionary, passes=20, random_state=0)
    shares = np.zeros((len(texts), N_TOPICS))
    for row, bag in enumerate(bags):
        for topic, share in lda.get_document_topics(bag, minimum_probability=0):
            shares[row, topic] = share
    show("gensim LDA, 20 passes", shares,
         [[word for word, _ in lda.show_topic(t)] for t in range(N_TOPICS)])  # fmt: skip


def _posts(texts, ends) -> Passages:
    """Return the posts that documents were glued from as their passages."""
    rows = [
        (document, start, start, end, len(text[start:end].split()))
        for document, (text, at) in enumerate(zip(texts, ends, strict=True))
        for start, end in pairwise([0, *at, len(text)])
    ]
    return Passages.at(np.array(rows).T, len(texts))


def measure_evidence(data: Path, n_documents: int, encoder, n_shown: int) -> None:
    """Measure boundaries and deletions on documents that the model was not fitted to."""
    from nltk.metrics.segmentation import pk

    texts, _, ends = glue(data, n_documents)
    fitted, held = texts[:-n_shown], texts[-n_shown:]
    model = SAETopicModel(N_TOPICS, encoder=encoder, word_vectors="corpus").fit(fitted)
    rng = np.random.default_rng(0)
    errors, chance, wins = [], [], []
    mixtures = model.transform(held)
    for row, (text, true) in enumerate(zip(held, ends[-n_shown:], strict=True)):
        starts = [at for at, c in enumerate(text) if not c.isspace()
                  and (at == 0 or text[at - 1].isspace())]  # fmt: skip
        found = spans(model, text)["end"].to_numpy()[:-1]
        window = max(2, len(starts) // (2 * (len(true) + 1)))
        marks = [_marks(starts, at) for at in (true, found, rng.choice(len(text), len(true)))]
        errors.append(pk(marks[0], marks[1], window))
        chance.append(pk(marks[0], marks[2], window))
        topic = int(mixtures[row].argmax())
        best = spans(model, text, topic).iloc[0]
        start, end = int(best["start"]), int(best["end"])
        while True:
            other = int(rng.integers(len(text) - (end - start)))
            if other >= end or other + end - start <= start:
                break
        without = [text[:start] + text[end:], text[:other] + text[other + end - start :]]
        first, second = model.transform(without)[:, topic]
        wins.append(first < second)
    print(f"{n_shown} documents: Pk {np.mean(errors):.3f} (as many random boundaries "
          f"{np.mean(chance):.3f}); evidence deleted lowers the share more in "
          f"{np.mean(wins):.0%}")  # fmt: skip


def _marks(starts: list[int], ends) -> str:
    """Return a string of a character a word, 1 where a segment begins."""
    marks = np.zeros(len(starts), dtype=int)
    at = np.searchsorted(starts, ends)
    marks[at[at < len(starts)]] = 1
    return "".join(map(str, marks))


class TokenMeans:
    """The default encoder's tokenizer and limit, and the mean of its input vectors of tokens."""

    def __init__(self, encoder):
        self.tokenizer, self.max_seq_length = encoder.tokenizer, encoder.max_seq_length
        self._vectors = encoder[0].auto_model.embeddings.word_embeddings.weight.detach().numpy()

    def encode(self, texts):
        """Return (n, d) means."""
        backend = self.tokenizer.backend_tokenizer
        found = backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return np.array([self._vectors[tokens.ids].mean(axis=0) for tokens in found])


def measure_book(data: Path, encoder) -> None:
    """Measure time and memory of one long text, read in passages."""
    texts, _, _ = glue(data, 600, seed=1)
    settings = {"encoder": TokenMeans(encoder), "word_vectors": "corpus"}
    model = SAETopicModel(20, **settings).fit(texts)
    book = "\n\n".join(texts)
    book = (book * (5_000_000 // len(book) + 1))[:5_000_000]
    model.transform([book[:100_000]])
    for name, call in (("transform", model.transform), ("fit", SAETopicModel(20, **settings).fit)):
        for size in (1_250_000, 2_500_000, 5_000_000):
            text = book[:size]
            before = _reset_peak()
            started = time.perf_counter()
            call([text])
            taken = time.perf_counter() - started
            more = _memory("VmHWM") - before
            print(f"{name}, {size / 1e6:.2f} MB: {taken:.1f} s, peak {more:+.0f} MB", flush=True)


def _reset_peak() -> float:
    """Forget the largest memory so far (Linux), and return what is held now, in MB."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("SAETM_DATA"), help="the data folder")
    parser.add_argument("--n-documents", type=int, default=400)
    parser.add_argument("--n-shown", type=int, default=50)
    parser.add_argument("--only", default="mixtures,evidence,book")
    arguments = parser.parse_args()
    if arguments.data is None:
        raise SystemExit("--data (or SAETM_DATA) must name the data folder")
    warnings.simplefilter("ignore")
    data, encoder = Path(arguments.data), load_encoder()
    parts = arguments.only.split(",")
    if "book" in parts:
        measure_book(data, encoder)
    if "evidence" in parts:
        measure_evidence(data, arguments.n_documents, encoder, arguments.n_shown)
    if "mixtures" in parts:
        measure_mixtures(data, arguments.n_documents, encoder)


if __name__ == "__main__":
    main()
