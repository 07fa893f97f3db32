"""Train and describe the atoms that ship with the package; `reuse.py` measures them.

    python benchmarks/foundation_texts.py DOWNLOADS --out texts.jsonl
    saetm embed texts.jsonl --out shards/ --shard-size 5000    # resumes
    python benchmarks/foundation_atoms.py train shards/ --sources texts.sources.json --out atoms/
    python benchmarks/foundation_atoms.py describe texts.jsonl shards/ --atoms atoms/

``train`` takes the shards that are there, in the texts' shuffled order; more of them later make
better atoms. The first shard is held out, and what the card says is measured on it.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from saetm_plugins import SAETopicModel, SparseAutoencoder, train_sae
from saetm_plugins.atoms import atom_stability
from saetm_plugins.atoms.foundation import CARD, DESCRIPTIONS, unexplained
from saetm_plugins.persistence import load_folder, save_folder
from saetm_plugins.text.encoding import DEFAULT_ENCODER

SIZES = (1024, 4096)
K = 16
N_WORDS, N_SENTENCES = 10, 3
SHORTEST, LONGEST = 25, 140  # characters of a typical sentence
COARSE = {  # atoms may know what is said there; their words are read by everybody
    "cardiffnlp+tweeteval",
    "nltk+nltk_data#web",
    "t-davidson+hate-speech-and-offensive-language",
    "taivop+joke-dataset",
}
README = "README.md"
CARD_TEXT = """# Foundation atoms

Topic atoms for any short English text, {sizes} of them (nested: the first are a set of their own),
over embeddings of `{encoder}`, trained on {n_texts:,} sentences and paragraphs of many kinds.

```python
SAETopicModel(sae="default")                            # or: sae = load_foundation(1024)
```

## Measured on texts held out

FVU: fraction of variance unexplained; l0: active atoms a text; n_dead: atoms that none of 100,000
training texts activates; stability: share of atoms that a second seed finds again (cosine .7).

| atoms | FVU | FVU, 16 active | l0 | n_dead | stability |
|---|---|---|---|---|---|
{rows}

## Data

Texts gathered of each source; atoms are trained on a random part of them, of the number above.
Typical sentences of atoms are quoted only from sources whose licence allows it ("quoted"), and
remain under that licence. Words and sentences of atoms are not taken from tweets, jokes, forums and
overheard talk, which hold slurs. Reviews of IMDB, titles of DBLP, 20 Newsgroups, AG News, BBC News,
M10, NYT and the Tate's titles are in none of them. The weights are Apache-2.0.

| source | what | licence | quoted | texts |
|---|---|---|---|---|
{data}

Made by `benchmarks/foundation_texts.py` and `benchmarks/foundation_atoms.py`.
"""
_ARRAYS = ("encoder", "decoder", "encoder_bias", "decoder_bias", "thresholds", "mean")


def read_shards(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the held-out embeddings, which are the first shard, and all others, float16.

    Shards are taken up to the first that is missing, so that rows stay those of the texts.
    """
    shards = [np.load(folder / "shard-00000.npy")]
    while (file := folder / f"shard-{len(shards):05d}.npy").exists():
        shards.append(np.load(file))
    return shards[0], np.concatenate(shards[1:])


def rounded(sae: SparseAutoencoder) -> dict[str, np.ndarray]:
    """Return the weights in half precision, as they ship."""
    return {name: getattr(sae, f"{name}_").astype(np.float16) for name in _ARRAYS}


def threshold_of(sae: SparseAutoencoder, embeddings: np.ndarray, k: int = K) -> float:
    """Return the threshold above which `k` atoms are active on average."""
    rows = sae.normalizer_.apply(embeddings.astype(np.float32))
    scores = rows @ sae.encoder_.T + sae.encoder_bias_
    return float(np.partition(scores.ravel(), -k * len(rows))[-k * len(rows)])


def with_exactly(sae: SparseAutoencoder, k: int) -> SparseAutoencoder:
    """Return the same atoms with the `k` strongest of each document active."""
    weights = {name: getattr(sae, f"{name}_") for name in _ARRAYS}
    weights["thresholds"] = np.zeros(sae.n_atoms, dtype=np.float32)
    options = {"normalization": sae.normalizer_.mode, "scale": sae.normalizer_.scale}
    return SparseAutoencoder(weights, activation="topk", k=k, **options)


def config_of(sae: SparseAutoencoder) -> dict[str, Any]:
    """Return all but the weights, as the constructor takes it."""
    return {
        "activation": sae.activation,
        "k": sae.k,
        "normalization": sae.normalizer_.mode,
        "scale": sae.normalizer_.scale,
        "encoder_name": sae.encoder_name,
        "statistics": sae.statistics_,
        "settings": sae.settings_,
    }


def figures(sae: SparseAutoencoder, embeddings: np.ndarray, many: np.ndarray) -> dict[str, float]:
    """Return what is measured on held-out embeddings, and of `many` how many atoms none uses."""
    codes = sae.transform(embeddings)
    used = np.bincount(sae.transform(many).indices, minlength=sae.n_atoms) > 0
    return {
        "fvu": round(unexplained(sae, embeddings), 4),
        "fvu_16_active": round(unexplained(with_exactly(sae, K), embeddings), 4),
        "l0": round(codes.nnz / len(embeddings), 2),
        "n_dead": int((~used).sum()),
        "n_documents": len(embeddings),
    }


def train(given: argparse.Namespace) -> None:
    held_out, rows = read_shards(given.shards)
    rows = rows[: given.n_texts]
    print(f"{len(rows):,} texts, {len(held_out):,} held out", flush=True)
    levels = tuple(size / SIZES[-1] for size in SIZES)
    options = {"n_atoms": SIZES[-1], "k": K, "levels": levels, "batch_size": given.batch_size}
    options |= {"n_steps": given.n_steps, "learning_rate": given.learning_rate}
    options |= {"encoder_name": DEFAULT_ENCODER, "activation": given.activation}
    sae = train_sae(rows, random_state=0, verbose=True, checkpoint_dir=given.checkpoints, **options)
    sae.settings_["data_name"] = f"{len(rows):,} short texts of many kinds"
    sample = rows[:: max(1, len(rows) // 8192)][:8192]
    often = rows[:: max(1, len(rows) // 100_000)]
    shipped = SparseAutoencoder(rounded(sae), **config_of(sae))
    thresholds, statistics = {}, {}
    for size in SIZES:
        part, key = shipped.prefix(size), str(size)
        thresholds[key] = threshold_of(part, sample)
        part.thresholds_ = np.full(size, thresholds[key], dtype=np.float32)
        statistics[key] = figures(part, held_out, often)
        print(size, statistics[key], flush=True)
    if given.stability:
        again = train_sae(rows, random_state=1, verbose=True, **options)
        for size in SIZES:
            share = atom_stability(sae.prefix(size), again.prefix(size))
            statistics[str(size)]["stability"] = round(share, 4)
    sae.thresholds_ = np.full(sae.n_atoms, thresholds[str(sae.n_atoms)], dtype=np.float32)
    sae.statistics_ = statistics[str(sae.n_atoms)]
    card = {"encoder": DEFAULT_ENCODER, "sizes": SIZES, "thresholds": thresholds}
    card |= {"statistics": statistics, "n_texts": len(rows), "settings": sae.settings_}
    if given.sources is not None:
        card["data"] = json.loads(given.sources.read_text())
    more = {CARD: json.dumps(card, indent=1).encode(), README: readme(card).encode()}
    write(given.out, rounded(sae), config_of(sae), more)


def readme(card: dict[str, Any]) -> str:
    """Return the model card."""
    measured = card["statistics"]
    figures_of = ("fvu", "fvu_16_active", "l0", "n_dead", "stability")
    rows = [
        f"| {size} | "
        + " | ".join(str(measured[size].get(name, "-")) for name in figures_of)
        + " |"
        for size in measured
    ]
    data = [
        f"| [{row['folder']}]({row['source']}) | {row['what']} | {row['licence']} "
        f"| {'yes' if row['quotable'] else 'no'} | {row['texts']:,} |"
        for row in card.get("data", [])
    ]
    return CARD_TEXT.format(
        n_texts=card["n_texts"],
        encoder=card["encoder"],
        sizes=" and ".join(f"{size:,}" for size in card["sizes"]),
        rows="\n".join(rows),
        data="\n".join(data),
    )


def write(
    out: Path, weights: dict[str, np.ndarray], config: dict[str, Any], more: dict[str, bytes]
) -> None:
    """Write the folder that the package loads, whole or not at all."""

    def write_more(folder: Path) -> None:
        for name, content in more.items():
            (folder / name).write_bytes(content)

    save_folder(out, "sparse-autoencoder", config, weights, overwrite=True, write_more=write_more)


def read_rows(texts: Path, n: int) -> Iterator[tuple[str, str]]:
    """Yield text and source of the first `n` rows."""
    with texts.open(encoding="utf-8") as stream:
        for line in islice(stream, n):
            row = json.loads(line)
            yield row["text"], row["source"]


def describe(given: argparse.Namespace) -> None:
    """Find words and typical sentences of each atom, and write them beside the weights."""
    held_out, rows = read_shards(given.shards)
    rows = np.concatenate([held_out, rows])[: given.n_texts]
    read = list(read_rows(given.texts, len(rows)))
    kept = [row for row, (_, source) in enumerate(read) if source not in COARSE]
    texts, sources = zip(*(read[row] for row in kept), strict=True)
    rows = rows[kept]
    card = json.loads((given.atoms / CARD).read_text())
    sae = SparseAutoencoder.from_pretrained(given.atoms)
    model = SAETopicModel(n_topics=50, sae=sae).fit(list(texts), rows.astype(np.float32))
    keywords, vocabulary = model.atoms_.keywords, model.vocabulary_
    codes = sae.transform(rows).tocsc()
    address = {row["folder"]: row["source"] for row in card["data"] if row["quotable"]}
    named = sorted(set(address.values()))
    words, sentences = [], []
    for atom in range(sae.n_atoms):
        entries = slice(*keywords.indptr[atom : atom + 2])
        strongest = np.argsort(-keywords.data[entries], kind="stable")[:N_WORDS]
        words.append([str(vocabulary[w]) for w in keywords.indices[entries][strongest]])
        entries = slice(*codes.indptr[atom : atom + 2])
        order = codes.indices[entries][np.argsort(-codes.data[entries], kind="stable")]
        quoted = (
            (texts[row], named.index(address[sources[row]]))
            for row in order
            if sources[row] in address and SHORTEST <= len(texts[row]) <= LONGEST
        )
        sentences.append(list(islice(quoted, N_SENTENCES)))
    shares = np.round(model.atoms_.prevalence / model.atoms_.prevalence.sum(), 7).tolist()
    told = {"words": words, "sentences": sentences, "shares": shares, "sources": named}
    content = gzip.compress(json.dumps(told, ensure_ascii=False).encode("utf-8"), 9, mtime=0)
    config, weights = load_folder(given.atoms, "sparse-autoencoder")
    kept = {name: (given.atoms / name).read_bytes() for name in (CARD, README)}
    write(given.atoms, weights, config, {**kept, DESCRIPTIONS: content})
    print(f"{len(content):,} bytes; {sum(map(bool, words))} atoms with words", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("train", help="train atoms on shards of embeddings")
    one.add_argument("shards", type=Path)
    one.add_argument("--sources", type=Path, help="table that foundation_texts.py wrote")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--n-texts", type=int)
    one.add_argument("--n-steps", type=int, default=3000)
    one.add_argument("--batch-size", type=int, default=2048)
    one.add_argument("--learning-rate", type=float, default=3e-3)
    one.add_argument("--activation", default="batch_topk")
    one.add_argument("--checkpoints", type=Path, help="folder; a later call goes on from there")
    one.add_argument("--stability", action="store_true", help="train with a second seed as well")
    one.set_defaults(run=train)
    two = commands.add_parser("describe", help="find words and typical sentences of the atoms")
    two.add_argument("texts", type=Path)
    two.add_argument("shards", type=Path)
    two.add_argument("--atoms", type=Path, required=True)
    two.add_argument("--n-texts", type=int, default=200_000)
    two.set_defaults(run=describe)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
