"""The Python blocks of the README and of the documentation, run in order.

Numbers of topics are cut down with the corpus; names that a block takes for granted (``docs``,
``embeddings``, …) are what a reader would have.
"""

from __future__ import annotations

import ast
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.usefixtures("quick_atoms", "known_texts")
ROOT = Path(__file__).parents[1]
PAGES = ["README.md"]
PAGES += [
    f"docs/{page}.md"
    for page in (
        "atoms",
        "bertopic",
        "collections",
        "gensim",
        "images",
        "index",
        "quickstart",
        "scale",
        "serving",
        "texts",
    )
]
FEWER = {
    "20": "7",
    "50": "6",
    "100": "6",
    "40": "8",
    "120": "9",
    # Of many titles atoms are trained, of few they are not.
    "n_topics=6).fit(tate.title.tolist": "n_topics=6, sae=None).fit(tate.title.tolist",
    "number_of_call=30": "number_of_call=2",
    "Integer(5, 100)": "Integer(3, 6)",
}
ELSEWHERE = {  # what a block needs that is not here, and where it is tested
    "import ray": "Ray and Spark: integration/test_engines.py",
    "push_to_hub": "the hub: integration/test_hub.py",
    "localhost": "a server: tests/evaluation/test_judge.py",
    "clip-ViT": "a model from the hub: integration/test_images.py",
    "intfloat": "a model from the hub: tests/corpus/test_languages.py has another",
}
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_block(block: str, page: str, names: dict[str, Any]) -> None:
    """Run a block statement by statement, for names that depend on those before."""
    for statement in ast.parse(block).body:
        if "other_model" in ast.unparse(statement):  # of the same atoms, as the block says
            from saetm_plugins import SAETopicModel

            other = SAETopicModel(6, sae=names["model"].sae_)
            names["other_model"] = other.fit(names["docs"], embeddings=names["embeddings"])
        exec(compile(ast.Module([statement], []), page, "exec"), names)


class PixelEncoder:
    """An encoder of pictures."""

    def encode(self, pictures: list[Any]) -> np.ndarray:
        return np.stack([np.asarray(picture, dtype=np.float32).ravel() for picture in pictures])


def names_of_pictures() -> dict[str, Any]:
    """Return what a reader of docs/images.md has: pictures, captions, and what belongs to them."""
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 200, size=(8, 8, 8, 3))
    pictures = scenes[np.arange(160) % 8] + rng.integers(0, 50, size=(160, 8, 8, 3))
    colors = ["red", "green", "blue", "white", "black", "grey", "pink", "gold"]
    captions = [f"a {colors[row % 8]} scene" for row in range(160)]
    return {
        "pictures": pictures.astype(np.uint8),
        "new_pictures": pictures[:80].astype(np.uint8),
        "captions": captions,
        "new_captions": captions[:80],
        "captioner": lambda batch: ["a scene"] * len(batch),
        "encoder": PixelEncoder(),
        "collections": ["web", "archive"] * 80,
        "years": [1990 + row % 20 for row in range(160)],
    }


def names_of_shards(names: dict[str, Any]) -> dict[str, Any]:
    """Write two shards of the documents; return their files, and the documents as a data set."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset

    table = pa.table({"text": names["docs"], "embedding": list(names["embeddings"])})
    Path("shards").mkdir()
    files = [f"shards/{number}.parquet" for number in range(2)]
    for number, file in enumerate(files):
        pq.write_table(table.slice(100 * number, 100), file)
    return {"files": files, "dataset": Dataset(table)}


@pytest.fixture(scope="module")
def known_texts() -> Iterator[None]:
    """Let encoders embed a text once: the pages fit many models to the same texts."""
    from sentence_transformers import SentenceTransformer

    encode, known = SentenceTransformer.encode, {}

    def remember(self: Any, texts: Any, **options: Any) -> Any:
        plain = options.keys() <= {"batch_size", "show_progress_bar", "convert_to_numpy"}
        if isinstance(texts, str) or not len(texts) or not plain:
            return encode(self, texts, **options)
        new = sorted({text for text in texts if text not in known})
        known.update(zip(new, encode(self, new, **options) if new else [], strict=True))
        return np.stack([known[text] for text in texts])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SentenceTransformer, "encode", remember)
        yield


@pytest.fixture(scope="module")
def names(news, encoder) -> dict[str, Any]:
    docs = [" ".join(text.split()[:15]) for text in news.documents[:200]]
    tokens = [re.findall(r"[a-z]{3,}", text.lower()) for text in docs]
    tokens = [words or ["nothing"] for words in tokens]
    vectors = {
        word: np.random.default_rng(zlib.crc32(word.encode())).normal(size=20)
        for text in tokens
        for word in text
    }
    embeddings = encoder.encode(docs, show_progress_bar=False)
    return {
        **dict.fromkeys(("docs", "documents", "texts", "other_documents"), docs),
        **dict.fromkeys(("new_documents", "held_out_documents", "more_documents"), docs[:60]),
        "table": pd.DataFrame({"source": ["news", "blogs"] * 30, "year": [2000, 2001, 2002] * 20}),
        "tokens": tokens,
        "embeddings": embeddings,
        "vectors": vectors,
        "one_corpus": docs[:100],
        "another": docs[100:],
    }


def octis_folder(folder: Path, tokens: list[list[str]]) -> None:
    folder.mkdir(parents=True)
    rows = [
        f"{' '.join(words)}\t{'train' if row % 5 else 'test'}\t{row % 3}"
        for row, words in enumerate(tokens)
    ]
    (folder / "corpus.tsv").write_text("\n".join(rows) + "\n")
    words = sorted({word for text in tokens for word in text})
    (folder / "vocabulary.txt").write_text("\n".join(words) + "\n")
    (folder / "metadata.json").write_text('{"last-training-doc": 160, "last-validation-doc": 160}')


@pytest.mark.parametrize("page", PAGES)
def test_blocks_of_code_run(page, names, encoder, tmp_path, monkeypatch, recwarn):
    blocks = _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    if not blocks:
        pytest.skip("no Python in it")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # where OCTIS' adapter keeps embeddings
    reader = names | names_of_shards(names)
    if any("octis" in block for block in blocks):
        from octis.dataset.dataset import Dataset

        import saetm_plugins.octis  # noqa: F401

        octis_folder(tmp_path / "BBC_News", names["tokens"])
        reader["dataset"] = Dataset()
        reader["dataset"].load_custom_dataset_from_folder(str(tmp_path / "BBC_News"))
    if page == "docs/images.md":
        from saetm_plugins import SAETopicModel

        reader |= {**names_of_pictures(), "SAETopicModel": SAETopicModel}
    if page == "docs/texts.md":
        from saetm_plugins import SAETopicModel

        # Of few different words: each fit embeds them.
        documents = [" ".join(names["docs"][row : row + 20]) for row in range(0, 40, 2)]
        reader |= {"SAETopicModel": SAETopicModel, "documents": documents, "text": documents[0]}
        reader["encoder"] = encoder
    if page == "docs/serving.md":
        pytest.importorskip("fastapi")
        from saetm_plugins import SAETopicModel

        model = SAETopicModel(6).fit(names["docs"], embeddings=names["embeddings"])
        model.save("model")
    if page == "docs/collections.md":
        painters = ["Joseph Mallord William Turner", "John Constable"] * 100
        years = [1780 + row % 23 * 10 for row in range(200)]
        titles = pd.DataFrame({"title": names["docs"], "year": years, "artist": painters})
        titles.to_csv("tate.csv", index=False)
    for block in blocks:
        for given, fewer in FEWER.items():
            block = re.sub(rf"(?<![\w.]){re.escape(given)}(?![\w.])", fewer, block)
        if any(mark in block for mark in ELSEWHERE):
            compile(block, page, "exec")
        else:
            run_block(block, page, reader)
    if page == "docs/serving.md":
        row = names["embeddings"][0].tolist()
        (shares,) = reader["topics"]([row])
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    if page == "README.md":
        assert reader["mixtures"].shape == (len(names["docs"]), 6)
        np.testing.assert_allclose(reader["mixtures"].sum(axis=1), 1, atol=1e-5)
        assert len(reader["topic_model"].get_topics()) == 9


def test_readmes_line_for_an_unmodified_bertopic_reads_well(news, encoder):
    """The block as printed, fitted: words of meaning, not "the of to is"."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    block = _BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))[0]
    reader: dict[str, Any] = {}
    exec(block.split("topic_model = SAEBERTopic")[0].replace("50", "10"), reader)
    topic_model = reader["topic_model"]
    topic_model.embedding_model = encoder
    docs = news.documents[:800]
    topic_model.fit(docs, news.embeddings[:800])
    topics = [[word for word, _ in words if word] for words in topic_model.get_topics().values()]
    assert not {word for words in topics for word in words} & ENGLISH_STOP_WORDS
