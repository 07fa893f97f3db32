"""A fitted model over batches of other libraries: Ray Data, Hugging Face datasets, Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.corpus.read import read_batch


class MapBatches:
    """What a fitted model gives to frameworks that call it with batches.

    Both methods can be pickled with their model; ``model.without_documents()`` is smaller.
    """

    transform_atoms: Any
    topics_of: Any
    vocabulary_: Any

    def map_batches(self, batch: Any) -> Any:
        """Return a batch with the columns "topic" and "mixture".

        For ``map_batches`` of Ray Data and ``map(…, batched=True)`` of Hugging Face datasets.

        Parameters
        ----------
        batch : mapping of arrays or lists
            With embeddings in "embedding" or "embeddings", or texts in "text", which the model's
            encoder then embeds; blank texts have the mean mixture.
        """
        labels, mixtures = self._assign(batch, dict(batch).keys())
        return {**batch, "topic": labels, "mixture": mixtures}

    def map_in_arrow(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield batches of pyarrow with "topic" and "mixture" in place of the embeddings.

        For ``DataFrame.mapInArrow`` of Spark, with the other columns and ``topic int, mixture
        array<float>`` as the schema.
        """
        import pyarrow as pa

        for batch in batches:
            if not batch.num_rows:
                continue
            labels, mixtures = self._assign(batch, batch.schema.names)
            kept = [name for name in batch.schema.names if name not in ("embedding", "embeddings")]
            columns = {name: batch.column(name) for name in kept}
            columns["topic"] = pa.array(labels, pa.int32())
            columns["mixture"] = pa.array(list(mixtures), pa.list_(pa.float32()))
            yield pa.RecordBatch.from_pydict(columns)

    def _assign(self, batch: Any, names: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "topics_")
        with_texts = "text" in names and self.vocabulary_ is not None
        if "text" not in names or "embedding" in names or "embeddings" in names:
            corpus = read_batch(batch, with_texts)
            doc_atoms = self.transform_atoms(corpus.texts, corpus.embeddings)
        else:
            texts = batch["text"]
            doc_atoms = self.transform_atoms(getattr(texts, "to_pylist", lambda: texts)())
        labels, mixtures = self.topics_of(doc_atoms)
        return labels, mixtures
