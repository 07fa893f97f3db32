import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.scale import sources


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of 100 documents, so that a small corpus has several."""
    monkeypatch.setattr(sources, "PART", 100)


@pytest.fixture(scope="session")
def copies(corpus):
    """Documents of which some repeat others, and some are blank."""
    texts = [*corpus.documents, *corpus.documents[:40], "", " ... "]
    rows = [*range(400), *range(40), 7, 7]
    return texts, corpus.embeddings[rows]


@pytest.fixture(scope="session")
def in_memory(copies, sae):
    texts, embeddings = copies
    return SAETopicModel(5, sae=sae).fit(texts, embeddings=embeddings)


@pytest.fixture(scope="session")
def write_shards(copies):
    """The function that writes the documents as shards of a kind, cut where it is told to."""
    texts, embeddings = copies

    def write(folder, kind="parquet", cuts=(130, 131, 300), dtype=np.float32):
        folder.mkdir()
        edges = [0, *cuts, len(texts)]
        for number, (first, last) in enumerate(pairwise(edges)):
            rows = embeddings[first:last].astype(dtype)
            file = folder / f"shard-{number}.{kind}"
            table = pa.table({"text": texts[first:last], "embedding": list(rows)})
            if kind == "npy":
                np.save(file, rows)
                listed = json.dumps(texts[first:last])
                file.with_suffix(".texts.json").write_text(listed)
            elif kind == "parquet":
                pq.write_table(table, file, row_group_size=77)
            else:
                with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as out:
                    out.write_table(table)
        return folder

    return write
