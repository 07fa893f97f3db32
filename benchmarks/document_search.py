"""Search by meaning: `find_documents` beside plain cosine search on the same embeddings.

    python benchmarks/document_search.py --data DIR

Precision at 20 on 20 Newsgroups: three phrasings for each class, the first its name spelt out. And
what smoothing by atoms costs: sixteen words out of a post (300 posts of 60 words or more) as the
query, whether the post is among the first 20. Queries are encoded by the default encoder.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from pathlib import Path

import numpy as np

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import find_documents
from saetm_plugins.corpus import encode_texts, load_encoder

QUERIES = {
    "alt.atheism": [
        "atheism",
        "arguments against the existence of god",
        "what do atheists believe and why",
    ],
    "comp.graphics": [
        "computer graphics",
        "rendering images, polygons and 3d animation",
        "convert gif and jpeg image files",
    ],
    "comp.os.ms-windows.misc": [
        "microsoft windows",
        "windows 3.1 operating system problems",
        "graphics card drivers for windows",
    ],
    "comp.sys.ibm.pc.hardware": [
        "ibm pc hardware",
        "scsi and ide hard disk controllers",
        "motherboard, bios and memory of a 486 pc",
    ],
    "comp.sys.mac.hardware": [
        "apple macintosh hardware",
        "upgrading a mac quadra or centris",
        "powerbook and macintosh monitor",
    ],
    "comp.windows.x": [
        "x window system",
        "x11 server and motif widgets programming",
        "xterm client displays",
    ],
    "misc.forsale": [
        "items for sale",
        "selling my used equipment, best offer plus shipping",
        "wanted to buy, asking price",
    ],
    "rec.autos": [
        "cars and automobiles",
        "which car to buy, engine and dealer",
        "brakes, clutch and transmission of a car",
    ],
    "rec.motorcycles": [
        "motorcycles",
        "riding a bike, helmets and countersteering",
        "harley and bmw motorbike",
    ],
    "rec.sport.baseball": [
        "baseball",
        "pitchers, batting average and home runs",
        "major league baseball teams this season",
    ],
    "rec.sport.hockey": [
        "ice hockey",
        "nhl playoff games and goals",
        "stanley cup, penguins and leafs",
    ],
    "sci.crypt": [
        "cryptography",
        "clipper chip encryption and key escrow",
        "secret keys and government wiretapping",
    ],
    "sci.electronics": [
        "electronics",
        "circuit with resistor, voltage and amplifier",
        "building an electronic device from chips",
    ],
    "sci.med": [
        "medicine",
        "symptoms, disease and treatment by doctors",
        "what diet or drug helps patients",
    ],
    "sci.space": ["space", "nasa shuttle launch and orbit", "moon and mars missions of spacecraft"],
    "soc.religion.christian": [
        "christian religion",
        "faith in jesus christ, church and salvation",
        "catholic and protestant doctrine of sin",
    ],
    "talk.politics.guns": [
        "gun politics",
        "firearms, handguns and the second amendment",
        "waco branch davidian fbi raid",
    ],
    "talk.politics.mideast": [
        "politics of the middle east",
        "israel, palestinians and arabs",
        "armenian genocide by the turks",
    ],
    "talk.politics.misc": [
        "politics",
        "clinton administration taxes and government programs",
        "gay rights and homosexuals in society",
    ],
    "talk.religion.misc": [
        "religion",
        "bible interpretation and morality",
        "cults, mormons and new age beliefs",
    ],
}
WAYS = {
    "plain cosine": {"atom_weight": 0.0},
    "embeddings and atoms (default with embeddings)": {},
    "atoms alone (default without embeddings)": {"atom_weight": 1.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    parser.add_argument("--n-known", type=int, default=300)
    args = parser.parse_args()
    if args.data is None:
        raise SystemExit("--data (or SAETM_DATA) must name the data folder")
    data = Path(args.data)
    with gzip.open(data / "20newsgroups.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row["text"] for row in rows]
    labels = np.array([row["label"] for row in rows])
    embeddings = np.load(data / "20newsgroups_minilm_f16.npy").astype(np.float32)
    model = SAETopicModel(50).fit(texts, embeddings=embeddings)
    encoder = load_encoder()
    phrases = encode_texts(encoder, [text for each in QUERIES.values() for text in each])
    truth = [name for name, each in QUERIES.items() for _ in each]
    long = np.flatnonzero([len(text.split()) >= 60 for text in texts])
    known = np.random.default_rng(0).choice(long, args.n_known, replace=False)
    parts = encode_texts(encoder, [" ".join(texts[row].split()[20:36]) for row in known])

    def found(query: np.ndarray, options: dict) -> np.ndarray:
        matches = find_documents(
            model, query, n=20, embeddings=embeddings, doc_atoms=model.doc_atoms_, **options
        )
        return matches["document"].to_numpy()

    print("| search | class names | second | third phrasing | all 60 | a post by 16 of its words |")
    print("|---|---:|---:|---:|---:|---:|")
    for way, options in WAYS.items():
        hits = [
            (labels[found(query, options)] == name).mean()
            for query, name in zip(phrases, truth, strict=True)
        ]
        by_phrasing = np.reshape(hits, (-1, 3)).mean(axis=0)
        again = np.mean(
            [row in found(part, options) for row, part in zip(known, parts, strict=True)]
        )
        figures = [*by_phrasing, np.mean(hits), again]
        print(f"| {way} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")


if __name__ == "__main__":
    main()
