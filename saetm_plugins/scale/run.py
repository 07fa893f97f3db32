"""A fit over shards: passes over the documents, their sums, and the folder that they resume from.

```
run_dir/
  run.json     what the run was started with; another one is refused
  look/        of each part: checksums, hashes, the documents of the sample
  sae/         the atoms
  words/ sums/ nodes of the trees that counts and sums are added up in; at the end the root
  documents/   topics of all documents, Parquet, one file a part
  model/       the fitted model
```
Each file is written whole, and what follows from it is computed alike: a run that was killed goes
on to the same bits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.utils import check_random_state

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.atoms.choice import choose_sae, choose_sharpening, given_sae
from saetm_plugins.corpus.duplicates import find_blank
from saetm_plugins.corpus.languages import read_languages
from saetm_plugins.corpus.read import Corpus
from saetm_plugins.corpus.vectorizers import (
    copy_vectorizer,
    count_known_words,
    vectorizer_of_languages,
)
from saetm_plugins.corpus.word_counts import WordCounts
from saetm_plugins.corpus_sums import CorpusSums, document_mixtures
from saetm_plugins.files.folders import read_json, write_json
from saetm_plugins.files.write import write_whole
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.scale.engines import make_engine
from saetm_plugins.scale.passes import (
    Item,
    as_bytes,
    assign,
    cosine_counts,
    count_words,
    documents_file,
    look,
    save_result,
    sum_part,
    without_words,
)
from saetm_plugins.scale.sources import Source
from saetm_plugins.validation import check_path

SAMPLE = 2**18
"""Documents that atoms are trained on, where they are not given."""
_FEW = 2**15  # that say which encoder and languages it is


def fit_shards(
    model: Any,
    source: Any,
    run_dir: str | os.PathLike[str],
    engine: str = "local",
    text_column: str | None = "text",
    n_workers: int | None = None,
) -> Any:
    """Fit `model` to documents in shards; see :meth:`saetm_plugins.SAETopicModel.fit_shards`."""
    model.check_parameters()
    counter = None if model.vectorizer is None else copy_vectorizer(model.vectorizer)
    if text_column is not None and counter is not None and _fixed_words(counter) is None:
        count_known_words(counter, np.array(["word"]))  # refuses what cannot be added up
    _need_pyarrow()
    folder, made = check_path(run_dir, "run_dir"), make_engine(engine, n_workers)
    documents = Source(source, text_column)
    run = Run(folder, documents, made, model.verbose)
    run.claim(model)

    # Pass 1: check, hash and sample.
    sae = given_sae(model.sae)
    run.look(_FEW if sae is not None else SAMPLE, None if sae is None else sae.n_features)
    sample = run.sample()
    if sae is None:
        sae = run.atoms(model, sample)
        sample = sample.first(_FEW)

    # Pass 2: words of all documents.
    sharpening, words, vectorizer = choose_sharpening(model.sharpening, sae), None, None
    spoken = read_languages(model.language, None, sample)
    if text_column is not None:
        chosen = counter or vectorizer_of_languages(run.n_distinct, spoken.codes)
        words = _fixed_words(chosen)
        if words is None:
            count = partial(count_words, chosen)
            counts = run.add_up("words", "Counting words", count, WordCounts)
            limits = {name: getattr(chosen, name) for name in ("min_df", "max_df", "max_features")}
            words = counts.vocabulary(**limits)
        vectorizer = count_known_words(chosen, words)
        sample = replace(sample.count_words(vectorizer, words), vectorizer=vectorizer)
        if spoken.codes:  # of English there is a list of them
            learned_from = document_mixtures(sae, sample.embeddings, sharpening, model.device)[1]
            sample = spoken.drop_stop_words(sample, learned_from)
            words, vectorizer = sample.vocabulary, sample.vectorizer

    # Pass 3: sums; then topics and their words, as in memory.
    task = partial(sum_part, sae, words, vectorizer, sharpening, str(model.device))
    sums = run.add_up("sums", "Summing", task, CorpusSums)
    model.take_sums(sums, vectorizer, sample)
    model.words_of_language_ = spoken.words_of_languages(sample)

    # Pass 4: topics of all documents.
    run.assign(model, folder / "documents", with_cosines=True)
    files = (documents_file(folder / "documents", n) for n in range(documents.n_parts))
    cosines: Any = sum(map(cosine_counts, files))
    counted = replace(model.atoms_.sums, cosine_counts=cosines)
    model.atoms_ = replace(model.atoms_, sums=counted)
    model.save(folder / "model", overwrite=True)
    return model


def transform_shards(
    model: Any,
    source: Any,
    out: str | os.PathLike[str],
    engine: str = "local",
    text_column: str | None = "text",
    n_workers: int | None = None,
) -> Path:
    """Write the topics of documents in shards; see :meth:`SAETopicModel.transform_shards`."""
    _need_pyarrow()
    folder = check_path(out, "out")
    if model.vocabulary_ is None:
        text_column = None
    documents = Source(source, text_column)
    documents.width = model.sae_.n_features
    run = Run(folder.parent, documents, make_engine(engine, n_workers), model.verbose)
    run.assign(model, folder)
    return folder


class Run:
    """The passes of one run, and its folder."""

    def __init__(self, folder: Path, source: Source, engine: Any, verbose: bool) -> None:
        self.folder, self.source, self.engine, self.verbose = folder, source, engine, verbose
        none = np.zeros(0, dtype=np.int64)
        self._repeated = [none] * source.n_parts
        self._checksums: list[dict[str, int]] = [{} for _ in range(source.n_parts)]
        self.n_distinct = 0
        self.seed = 0

    def claim(self, model: Any) -> None:
        """Write what the sums depend on, or refuse a folder of another run."""
        atoms = [str(model.sae), model.n_atoms, model.k, model.activation, model.sharpening]
        if (given := given_sae(model.sae)) is not None:
            atoms[0] = _digest(*given.weights().values())
        vectorizer = None if model.vectorizer is None else model.vectorizer.get_params()
        words = re.sub(r" at 0x\w+", "", repr([vectorizer, model.language]))
        drawn = int(check_random_state(model.random_state).randint(2**31 - 1))
        facts: dict[str, Any] = {"shards": self.source.described, "atoms": atoms, "words": words}
        facts["random_state"] = None if model.random_state is None else drawn
        file = self.folder / "run.json"
        if file.exists():
            found = read_json(file)
            self.seed = found["seed"]
            if other := [name for name in facts if found.get(name) != facts[name]]:
                raise ValueError(f"run_dir {str(self.folder)!r} holds a run of other {other[0]}")
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise ValueError(f"run_dir {str(self.folder)!r} is not empty, and holds no run")
        else:
            self.seed = drawn
            write_whole(file, lambda target: write_json(target, facts | {"seed": drawn}))

    def look(self, n_sample: int, width: int | None) -> None:
        """Check every part, hash its documents and take a sample."""
        if width is None:
            block: Any = next(next(iter(self.source)).read(False, True, {}))
            width = block.embeddings.shape[1]
        self.source.width = width
        most = min(2**64 - 1, int(2**64 * (n_sample / self.source.n_rows)))
        done = {n for n in range(self.source.n_parts) if self._look_file(n).exists()}
        with self._bar("Checking", done) as bar:
            for number, found in self.engine.map(partial(look, most), self._items(done)):
                write_whole(self._look_file(number), partial(save_file, found))
                bar.update(len(found["hashes"]))
        self._checksums = [json.loads(found.tobytes()) for found in self._looked("checksums")]
        hashes = list(self._looked("hashes"))
        _, first = np.unique(np.concatenate(hashes), return_index=True)
        repeated = np.ones(sum(map(len, hashes)), dtype=bool)
        repeated[first] = False
        ends = np.cumsum([len(each) for each in hashes])[:-1]
        self._repeated = [np.flatnonzero(each) for each in np.split(repeated, ends)]
        self.n_distinct = len(first)

    def sample(self) -> Corpus:
        """Return the documents of the sample without copies, in the order of their hashes."""
        hashes = np.concatenate(list(self._looked("sampled")))
        distinct, order = np.unique(hashes, return_index=True)
        rows, texts = np.empty((len(distinct), self.source.width or 0), dtype=np.float32), None
        first = 0
        for found in self._looked("rows"):  # one part at a time: this is the most memory of a run
            kept = np.flatnonzero((order >= first) & (order < first + len(found)))
            rows[kept] = found[order[kept] - first]
            first += len(found)
        if self.source.text_column is not None:
            every = [
                text for found in self._looked("texts") for text in json.loads(found.tobytes())
            ]
            texts = [every[row] for row in order]
        return Corpus(texts, rows, find_blank(texts, len(rows), embeddings=rows)).with_distinct()

    def atoms(self, model: Any, sample: Corpus) -> SparseAutoencoder:
        """Return the autoencoder, trained on the sample if it is not there yet."""
        folder = self.folder / "sae"
        if not folder.exists():
            sae = choose_sae(model, sample.embeddings[sample.distinct], self.seed)
            sae.save_pretrained(folder)
        return SparseAutoencoder.from_pretrained(folder)

    def add_up(self, name: str, title: str, task: Any, kind: Any) -> Any:
        """Return the sum of a task over all parts: WordCounts or CorpusSums."""
        tree = Tree(self.folder / name, self.source.n_parts, kind)
        group, done = self.engine.group, tree.done
        with self._bar(title, done) as bar:
            if group == 1:
                save = partial(save_result, task, tree.folder)
                for number, n_rows in self.engine.map(save, self._items(done)):
                    tree.climb(0, number)
                    bar.update(n_rows)
            else:
                level = group.bit_length() - 1
                of_group = groupby(self._items(done), lambda item: item.part.number // group)
                for index, members in of_group:
                    items = list(members)
                    self.engine.reduce(task, items).save(tree.file(level, index))
                    tree.climb(level, index)
                    bar.update(sum(item.part.n_rows for item in items))
        return tree.root()

    def assign(self, model: Any, folder: Path, *, with_cosines: bool = False) -> None:
        """Write the topics of all documents, but of those that are there of the same topics."""
        atoms = without_words(model.atoms_)
        topics = replace(model.topics_, words=None).of_documents(np.zeros(0, dtype=np.int64))
        weights, about = topics.atom_topics, as_bytes(self.source.described)
        digest = _digest(atoms.centroids, weights.data, weights.indices, weights.indptr, about)
        key = folder / "_topics.sha256"  # readers of Parquet pass over names that begin with "_"
        if not key.exists() or key.read_text() != digest:
            if folder.exists() and any(folder.iterdir()) and not key.exists():
                raise ValueError(f"out {str(folder)!r} is not empty, and holds no topics")
            shutil.rmtree(folder, ignore_errors=True)
            write_whole(key, lambda target: target.write_text(digest))
        done = {n for n in range(self.source.n_parts) if documents_file(folder, n).exists()}
        task = partial(assign, atoms, topics, model.vectorizer_, folder, with_cosines)
        with self._bar("Assigning topics", done) as bar:
            for _, n_rows in self.engine.map(task, self._items(done)):
                bar.update(n_rows)

    def _items(self, done: set[int]) -> Iterator[Item]:
        """Yield the parts that are not done."""
        for part in self.source:
            n = part.number
            if n not in done:
                yield Item(part, self._repeated[n], self._checksums[n], self.source.width)

    def _looked(self, name: str) -> Iterator[np.ndarray]:
        """Yield what the first pass found of each part."""
        for number in range(self.source.n_parts):
            with safe_open(self._look_file(number), framework="numpy") as found:
                yield found.get_tensor(name)

    def _look_file(self, number: int) -> Path:
        return self.folder / "look" / f"{number:06d}.safetensors"

    def _bar(self, title: str, done: set[int]) -> Any:
        return progress_bar(
            total=self.source.n_rows,
            initial=sum(self.source.sizes[number] for number in done),
            desc=title,
            unit="doc",
            unit_scale=True,
            disable=not self.verbose,
        )


class Tree:
    """Sums of parts, added in pairs, pairs of pairs and so on; each node is a file.

    Node (level, i) is the sum of the parts i 2^level to (i + 1) 2^level. Which are added first
    does not depend on which are done first. Two nodes are deleted when their sum is written.
    """

    def __init__(self, folder: Path, n_parts: int, kind: Any) -> None:
        self.folder, self.n_parts, self.kind = folder, n_parts, kind
        folder.mkdir(parents=True, exist_ok=True)
        nodes = sorted(self._nodes())
        for level, index in nodes:
            above = ((up, index >> (up - level)) for up, _ in nodes if up > level)
            if any(node in nodes for node in above):  # killed before it was deleted
                self.file(level, index).unlink()
        for level, index in nodes:
            self.climb(level, index)

    @property
    def done(self) -> set[int]:
        """Parts whose sums are in one of the nodes."""
        return {
            part
            for level, index in self._nodes()
            for part in range(index << level, min((index + 1) << level, self.n_parts))
        }

    def climb(self, level: int, index: int) -> None:
        """Add the node to its neighbour, and so on upwards, as far as neighbours are there."""
        while self.file(level, index).exists() and (n := -(-self.n_parts >> level)) > 1:
            left, right = self.file(level, index & ~1), self.file(level, index | 1)
            above = self.file(level + 1, index >> 1)
            if index | 1 >= n:  # the last one, alone
                os.replace(left, above)
            elif left.exists() and right.exists():
                (self.kind.load(left) + self.kind.load(right)).save(above)
                left.unlink()
                right.unlink()
            level, index = level + 1, index >> 1

    def root(self) -> Any:
        """Return the sum over all parts."""
        level, index = max(self._nodes())  # a worker of a killed run may have left a smaller one
        assert (index + 1) << level >= self.n_parts
        return self.kind.load(self.file(level, index))

    def _nodes(self) -> list[tuple[int, int]]:
        names = (file.stem.split("-") for file in self.folder.glob("[0-9]*.safetensors"))
        return [(int(level), int(index)) for level, index in names]

    def file(self, level: int, index: int) -> Path:
        """Return the file of a node."""
        return self.folder / f"{level}-{index}.safetensors"


def _fixed_words(vectorizer: Any) -> np.ndarray | None:
    """Return the words that a vectorizer was told to count; None where it is to find them."""
    if getattr(vectorizer, "vocabulary", None) is None:
        return None
    return np.asarray(vectorizer.get_feature_names_out(), dtype=object)


def _need_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{error}: pip install 'saetm-plugins[scale]'") from None


def _digest(*arrays: np.ndarray) -> str:
    joined = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return hashlib.sha256(joined).hexdigest()
