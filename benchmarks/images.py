"""Topics of photographs: CIFAR-10 by a small encoder, beside k-means, BERTopic and Turftopic.

    python benchmarks/images.py topics --data DIR     # NMI, purity, coverage; topics read
    python benchmarks/images.py pages --data DIR      # the pictures of docs/images.md

Features are kept in ``--cache``. It needs the ``bench`` extra.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from imagenet_encoder import ImageNetEncoder
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import normalized_mutual_info_score

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import compare_groups
from saetm_plugins.corpus.images import embed_images
from saetm_plugins.corpus.images.encoding import read_embedded_images
from saetm_plugins.plotting import image_sheet, plot_comparison

N_TOPICS = (10, 20, 40)
KINDS = {  # what ImageNet calls members of the ten classes; it has no deer, and antelopes are none
    "airplane": "airliner warplane aircraft airplane",
    "automobile": "car convertible cab taxi limousine racer wagon minivan jeep automobile",
    "bird": "bird finch ostrich robin jay junco brambling cock hen hawk eagle owl magpie "
    "sandpiper hummingbird quail partridge bulbul kite vulture crane heron bustard",
    "cat": "cat tabby siamese persian egyptian",
    "deer": "deer elk",
    "dog": "dog terrier spaniel retriever hound poodle pug papillon chihuahua pekinese "
    "pomeranian maltese shepherd collie spitz",
    "frog": "frog bullfrog toad",
    "horse": "horse sorrel mare",
    "ship": "ship liner boat catamaran schooner fireboat lifeboat vessel containership",
    "truck": "truck trailer lorry pickup van",
}
MISNOMERS = {"madagascar cat", "passenger car", "freight car", "african hunting dog"}


class Pictures(NamedTuple):
    """CIFAR-10: images (5000, 32, 32, 3), labels (5000,), features (5000, 1280) and captions."""

    images: np.ndarray
    labels: np.ndarray
    classes: list[str]
    features: np.ndarray
    captions: list[str]


def main() -> None:
    args = parse_arguments()
    COMMANDS[args.command](args)


def topics(args: argparse.Namespace) -> None:
    """Compare topics with the ten classes, and read their words."""
    pictures = read_pictures(args)
    print("| topics | model | NMI | purity | coverage | s |\n|---|---|---:|---:|---:|---:|")
    for n_topics in N_TOPICS:
        for name, fit in MODELS.items():
            if args.no_peers and name in PEERS:
                continue
            scores, coverages, seconds = [], [], []
            for seed in range(args.seeds):
                began = time.perf_counter()
                found = fit(pictures, n_topics, seed)
                seconds.append(time.perf_counter() - began)
                scores.append(
                    (
                        normalized_mutual_info_score(pictures.labels, found),
                        purity(found, pictures.labels),
                    )
                )
                coverages.append(float((found >= 0).mean()))
            (mutual, pure), spread = np.mean(scores, axis=0), np.std(scores, axis=0)[0]
            print(
                f"| {n_topics} | {name} | {mutual:.3f} ±{spread:.3f} | {pure:.3f} | "
                f"{np.mean(coverages):.2f} | {np.mean(seconds):.1f} |",
                flush=True,
            )
    for seed in range(args.seeds):
        model = fit_model(pictures, N_TOPICS[0], seed)
        for n_topics in N_TOPICS:
            n_read = read_topics(model.retopic(n_topics), pictures)
            print(f"Topics read ({n_topics} topics, seed {seed}): {n_read} of 10\n", flush=True)


def read_topics(model: SAETopicModel, pictures: Pictures) -> int:
    """Print the topic that most of each class is in; return how many are named by their words."""
    words, n_read = model.get_topics(10), 0
    for number, name in enumerate(pictures.classes):
        topic = int(np.bincount(model.labels_[pictures.labels == number]).argmax())
        kinds = {*KINDS[name].split()}
        named = [
            label
            for label in words[topic]
            if label not in MISNOMERS and kinds & {*re.split("[ -]", label)}
        ]
        n_read += bool(named)
        print(f"  {name}: topic {topic}, {', '.join(words[topic])} -> {', '.join(named) or '-'}")
    return n_read


def plant(
    rng: np.random.Generator, labels: np.ndarray, number: int, rate: float, size: int = 2000
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of two disjoint collections, and which are in the one with more of a class.

    The class has a share of ``0.1 + rate / 2`` in one and ``0.1 - rate / 2`` in the other.
    """
    members = rng.permutation(np.flatnonzero(labels == number))
    others = rng.permutation(np.flatnonzero(labels != number))
    n_more, n_fewer = round(size * (0.1 + rate / 2)), round(size * (0.1 - rate / 2))
    more = np.concatenate([members[:n_more], others[: size - n_more]])
    left = others[size - n_more :]
    fewer = np.concatenate([members[n_more : n_more + n_fewer], left[: size - n_fewer]])
    return np.concatenate([more, fewer]), np.arange(len(more) + len(fewer)) < len(more)


def pages(args: argparse.Namespace) -> None:
    """Draw the pictures of docs/images.md."""
    pictures = read_pictures(args)
    model, sheet = fit_model(pictures), args.out / "cifar10_sheet.png"
    image_sheet(model, pictures.images, sheet, n_images=10, size=64, overwrite=True)
    rows, sides = plant(np.random.default_rng(7), pictures.labels, 7, 0.10)
    names = np.where(sides, "A", "B")
    table = compare_groups(model, names, "A", "B", doc_atoms=model.doc_atoms_[rows])
    figure = plot_comparison(table, a="A", b="B")
    page = args.out / "cifar10_comparison.html"  # docs show it as a browser's picture of it
    figure.write_html(page, config={"displayModeBar": False})


def read_pictures(args: argparse.Namespace) -> Pictures:
    """Return the pictures with features, from the cache where they are there, and captions."""
    images, labels, classes = read_cifar10(args.data)
    encoder = ImageNetEncoder(args.size)
    folder = embed_images(
        images, args.cache / f"cifar10_{args.size}", encoder, shard_size=500, dtype="float32"
    )
    features = read_embedded_images(images, folder).embeddings
    return Pictures(images, labels, classes, features, encoder.name(features))


def read_cifar10(data: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return pictures (5000, 32, 32, 3), labels (5000,) and the names of the classes."""
    with np.load(data / "cifar10" / "cifar10_5000.npz", allow_pickle=False) as file:
        return file["images"], file["labels"].astype(int), [str(name) for name in file["classes"]]


def purity(found: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of pictures that are of their topic's largest class; none for topic -1."""
    right = sum(
        np.bincount(labels[found == topic]).max() for topic in np.unique(found) if topic >= 0
    )
    return right / len(labels)


def fit_model(
    pictures: Pictures, n_topics: int = 20, seed: int = 0, *, has_words: bool = True
) -> SAETopicModel:
    """Fit a model whose words are whole labels: "moving van", not "moving" and "van"."""
    labels = CountVectorizer(token_pattern="[^, ][^,]*", min_df=5)
    model = SAETopicModel(n_topics, vectorizer=labels, random_state=seed)
    captions = pictures.captions if has_words else None
    return model.fit(captions, embeddings=pictures.features, images=pictures.images)


def fit_ours(pictures: Pictures, n_topics: int, seed: int) -> np.ndarray:
    return fit_model(pictures, n_topics, seed).labels_


def fit_wordless(pictures: Pictures, n_topics: int, seed: int) -> np.ndarray:
    return fit_model(pictures, n_topics, seed, has_words=False).labels_


def fit_kmeans(pictures: Pictures, n_topics: int, seed: int) -> np.ndarray:
    return KMeans(n_topics, n_init=1, random_state=seed).fit_predict(pictures.features)


def fit_kmeans_unit(pictures: Pictures, n_topics: int, seed: int) -> np.ndarray:
    centred = pictures.features - pictures.features.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    return KMeans(n_topics, n_init=1, random_state=seed).fit_predict(centred)


def fit_bertopic(pictures: Pictures, n_topics: int, seed: int) -> np.ndarray:
    from bertopic import BERTopic
    from umap import UMAP

    umap = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed)
    model = BERTopic(umap_model=umap, nr_topics=n_topics + 1)
    return np.array(model.fit_transform(pictures.captions, pictures.features)[0])


def fit_turftopic(pictures: Pictures, n_topics: int, seed: int) -> np.ndarray:
    from turftopic import ClusteringTopicModel

    class Features:
        def encode(self, texts: list[str]) -> np.ndarray:
            raise AssertionError("embeddings are given")

    model = ClusteringTopicModel(
        n_reduce_to=n_topics, feature_importance="c-tf-idf", encoder=Features(), random_state=seed
    )
    model.fit(pictures.captions, embeddings=pictures.features)
    return np.asarray(model.labels_)


MODELS = {
    "ours": fit_ours,
    "ours, without words": fit_wordless,
    "k-means": fit_kmeans,
    "k-means, centred unit": fit_kmeans_unit,
    "BERTopic (UMAP, HDBSCAN)": fit_bertopic,
    "Turftopic (clustering)": fit_turftopic,
}
PEERS = ("BERTopic (UMAP, HDBSCAN)", "Turftopic (clustering)")
COMMANDS = {"topics": topics, "pages": pages}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "saetm-images")
    parser.add_argument("--size", type=int, default=224, help="pixels that pictures are scaled to")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    args = parser.parse_args()
    if args.data is None:
        parser.error("--data, or SAETM_DATA, is the folder with cifar10/cifar10_5000.npz")
    args.data = Path(args.data)
    return args


if __name__ == "__main__":
    main()
