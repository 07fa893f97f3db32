r"""Train and describe the atoms that ship with the package; `reuse.py` measures them.

    python benchmarks/foundation_texts.py DOWNLOADS --out texts.jsonl
    saetm embed texts.jsonl --out shards/ --shard-size 5000    # resumes
    saetm embed passages.jsonl --out passages/ --shard-size 5000
    python benchmarks/foundation_atoms.py train shards/ passages/ --sources texts.sources.json \
        --out atoms/
    python benchmarks/foundation_atoms.py describe texts.jsonl shards/ --atoms atoms/

``train`` takes the shards that are there, in the texts' shuffled order; more of them later make
better atoms. The first shard is held out, and what the card says is measured on it.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from saetm_plugins import SAETopicModel, SparseAutoencoder, train_sae
from saetm_plugins.atoms import atom_stability
from saetm_plugins.atoms.foundation import (
    CARD,
    DEFAULT_SIZE,
    DESCRIPTIONS,
    FOUNDATION_KIND,
    STEP,
    read_foundation,
    unexplained,
    unpack_foundation,
)
from saetm_plugins.corpus.encoders import DEFAULT_ENCODER
from saetm_plugins.files.folders import save_folder

SIZES = (1024, 4096, 16384)
K = 16
N_WORDS, N_SENTENCES = 10, 3
SHORTEST, LONGEST = 25, 140  # characters of a typical sentence
COARSE = {  # atoms may know what is said there; their words are read by everybody
    "cardiffnlp+tweeteval",
    "nltk+nltk_data#web",
    "t-davidson+hate-speech-and-offensive-language",
    "taivop+joke-dataset",
}
COARSE_WORDS = re.compile(r"\b(bitch|fagg|fuck|kike|nigg|rape|rapist|whore)", re.IGNORECASE)
README = "README.md"
CARD_TEXT = """# Foundation atoms

Topic atoms for any short English text, {sizes} of them (nested: the first are a set of their own),
over embeddings of `{encoder}`, trained on {n_texts:,} texts of many kinds:
sentences and paragraphs, longer passages, and some of both as rows of lemmas without stop words.

```python
SAETopicModel(sae="default")                            # 4,096; or: n_atoms=1024
```

16,384 atoms are a package of their own: `pip install saetm-plugins-atoms`, then `n_atoms=16384`.

The encoder and the decoder are in int8, each atom in steps of its own, which changes .8 % of the
active atoms of a text.

## Measured on texts held out

FVU: fraction of variance unexplained; l0: active atoms a text; n_dead: atoms that none of 100,000
training texts activates; stability: share of atoms that a second training, from other texts at its
start, finds again (cosine above .7).

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


def read_shards(folders: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return the held-out embeddings, which are the first shard, and all others, float16.

    Shards of a folder are taken up to the first that is missing, so that rows stay those of the
    texts.
    """
    shards = []
    for folder in folders:
        for number in itertools.count():
            if not (file := folder / f"shard-{number:05d}.npy").exists():
                break
            shards.append(np.load(file))
    return shards[0], np.concatenate(shards[1:])


def in_steps(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row in whole steps of its own, int8, and the steps, as the weights ship.

    Of the active atoms of held-out texts .8 % change.
    """
    steps = np.abs(rows).max(axis=1) / 127
    return np.round(rows / steps[:, None]).astype(np.int8), steps.astype(np.float32)


def stored(sae: SparseAutoencoder) -> dict[str, np.ndarray]:
    """Return the weights as they ship."""
    arrays = {name: getattr(sae, f"{name}_").astype(np.float32) for name in _ARRAYS}
    for name in ("encoder", "decoder"):
        arrays[name], arrays[f"{name}{STEP}"] = in_steps(arrays[name])
    return arrays


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
    sizes = given.sizes
    print(f"{len(rows):,} texts, {len(held_out):,} held out", flush=True)
    levels = tuple(size / sizes[-1] for size in sizes)
    options = {"n_atoms": sizes[-1], "k": K, "levels": levels, "batch_size": given.batch_size}
    options |= {"n_steps": given.n_steps, "learning_rate": given.learning_rate}
    options |= {"encoder_name": DEFAULT_ENCODER, "activation": given.activation}
    sae = train_sae(rows, random_state=0, verbose=True, checkpoint_dir=given.checkpoints, **options)
    sae.settings_["data_name"] = f"{len(rows):,} short texts of many kinds"
    shares = {}
    if given.stability:
        # Trainings start from a sample of the rows: reversed, they start elsewhere.
        again = train_sae(rows[::-1], random_state=1, verbose=True, **options)
        shares = {n: atom_stability(sae.prefix(n), again.prefix(n)) for n in sizes}
    card = {"encoder": DEFAULT_ENCODER, "n_texts": len(rows), "settings": sae.settings_}
    if given.sources is not None:
        card["data"] = json.loads(given.sources.read_text())
    write(given.out, sae, card | measure(sae, sizes, held_out, rows, shares))


def measure(
    sae: SparseAutoencoder,
    sizes: Sequence[int],
    held_out: np.ndarray,
    rows: np.ndarray,
    shares: dict[int, float],
) -> dict[str, Any]:
    """Return thresholds and figures of each size, for the card."""
    shipped = unpack_foundation(config_of(sae), stored(sae))
    sample = rows[:: max(1, len(rows) // 8192)][:8192]
    often = rows[:: max(1, len(rows) // 100_000)]
    thresholds, statistics = {}, {}
    for size in sizes:
        part, key = shipped.prefix(size), str(size)
        thresholds[key] = threshold_of(part, sample)
        part.thresholds_ = np.full(size, thresholds[key], dtype=np.float32)
        statistics[key] = figures(part, held_out, often)
        if size in shares:
            statistics[key]["stability"] = round(shares[size], 4)
        print(size, statistics[key], flush=True)
    return {"sizes": sizes, "thresholds": thresholds, "statistics": statistics}


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
        sizes=", ".join(f"{size:,}" for size in card["sizes"]),
        rows="\n".join(rows),
        data="\n".join(data),
    )


def write(
    out: Path, sae: SparseAutoencoder, card: dict[str, Any], more: dict[str, bytes] | None = None
) -> None:
    """Write the folder that the package loads, whole or not at all."""
    size = str(sae.n_atoms)
    sae.thresholds_ = np.full(sae.n_atoms, card["thresholds"][size], dtype=np.float32)
    sae.statistics_ = card["statistics"][size]
    files = {CARD: json.dumps(card, indent=1).encode(), README: readme(card).encode()}

    def write_more(folder: Path) -> None:
        for name, content in (files | (more or {})).items():
            (folder / name).write_bytes(content)

    save_folder(
        out, FOUNDATION_KIND, config_of(sae), stored(sae), overwrite=True, write_more=write_more
    )


def read_rows(texts: Path, n: int) -> Iterator[tuple[str, str]]:
    """Yield text and source of the first `n` rows."""
    with texts.open(encoding="utf-8") as stream:
        for line in itertools.islice(stream, n):
            row = json.loads(line)
            yield row["text"], row["source"]


def describe(given: argparse.Namespace) -> None:
    """Find words and typical sentences of each atom, and write them beside the weights."""
    held_out, rows = read_shards([given.shards])
    rows = np.concatenate([held_out, rows])[: given.n_texts]
    read = list(read_rows(given.texts, len(rows)))
    kept = [row for row, (_, source) in enumerate(read) if source not in COARSE]
    texts, sources = zip(*(read[row] for row in kept), strict=True)
    rows = rows[kept]
    card = json.loads((given.atoms / CARD).read_text())
    address = {row["folder"]: row["source"] for row in card["data"] if row["quotable"]}
    named = sorted(set(address.values()))
    quoted = {row: named.index(address[s]) for row, s in enumerate(sources) if s in address}
    words, sentences, shares = [], [], []
    for size in (size for size in card["sizes"] if size >= DEFAULT_SIZE):
        sae = read_foundation(given.atoms, size)
        sae.thresholds_ = np.full(size, card["thresholds"][str(size)], dtype=np.float32)
        model = SAETopicModel(n_topics=50, sae=sae).fit(
            list(texts), embeddings=rows.astype(np.float32)
        )
        new = range(len(words), size)  # others are described in the smaller set
        words += typical_words(model, new)
        sentences += typical_sentences(sae.transform(rows).tocsc(), texts, quoted, new)
        prevalence = model.atoms_.prevalence.astype(np.float64)
        shares += np.round(prevalence / prevalence.sum(), 7).tolist()[new.start :]
    found = {"words": words, "sentences": sentences, "shares": shares, "sources": named}
    content = gzip.compress(json.dumps(found, ensure_ascii=False).encode("utf-8"), 9, mtime=0)
    write(given.atoms, read_foundation(given.atoms), card, {DESCRIPTIONS: content})
    print(f"{len(content):,} bytes; {sum(map(bool, words))} atoms with words", flush=True)


def typical_words(model: SAETopicModel, atoms: range) -> list[list[str]]:
    """Return the words of each atom, the most typical first."""
    keywords, vocabulary, words = model.atoms_.keywords, model.vocabulary_, []
    for atom in atoms:
        entries = slice(*keywords.indptr[atom : atom + 2])
        strongest = np.argsort(-keywords.data[entries], kind="stable")[:N_WORDS]
        words.append([str(vocabulary[w]) for w in keywords.indices[entries][strongest]])
    return words


def typical_sentences(
    codes: sparse.csc_matrix, texts: Sequence[str], quoted: dict[int, int], atoms: range
) -> list[list[tuple[str, int]]]:
    """Return the sentences that activate each atom most, with the numbers of their sources."""
    sentences = []
    for atom in atoms:
        entries = slice(*codes.indptr[atom : atom + 2])
        order = codes.indices[entries][np.argsort(-codes.data[entries], kind="stable")]
        found = (
            (texts[row], quoted[row])
            for row in order
            if row in quoted and SHORTEST <= len(texts[row]) <= LONGEST
            if not COARSE_WORDS.search(texts[row])
        )
        sentences.append(list(itertools.islice(found, N_SENTENCES)))
    return sentences


def listed(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("train", help="train atoms on shards of embeddings")
    one.add_argument("shards", type=Path, nargs="+", help="the first one's first shard is held out")
    one.add_argument("--sizes", type=listed, default=SIZES, help="numbers of atoms, nested")
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
