"""What one does with a fitted model: cut topics anew, edit, take back, name and read them.

The base of :class:`~saetm_plugins.model.SAETopicModel`, which learns the two values held here: an
:class:`~saetm_plugins.atom_model.AtomModel` and a :class:`~saetm_plugins.topics.Topics`.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from math import isqrt
from numbers import Integral
from operator import attrgetter
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from saetm_plugins import edits, model_tables
from saetm_plugins import topics as cuts
from saetm_plugins.atom_model import AtomModel
from saetm_plugins.corpus.chunker import Chunker, fine_chunker
from saetm_plugins.corpus.passages import Passages
from saetm_plugins.corpus.read import Corpus, FittedPassages
from saetm_plugins.corpus.words import check_languages
from saetm_plugins.decisions import UNDECIDED
from saetm_plugins.model_encoder import encoder_of, read_documents
from saetm_plugins.numerics.parallel import even_ranges
from saetm_plugins.topics import Topics
from saetm_plugins.validation import check_count, check_mixtures_of_atoms

_DEFAULT_N_TOPICS = 20
_TOPICS_OF_A_BOOK = 10
DOCUMENTS_PER_TOPIC = 10
"""That a topic needs."""
_ROWS = 65_536  # documents whose mixtures are in memory at a time
_MAX_UNDO = 20
"""Edits that can be undone."""


class FittedTopics:
    """Topics of fitted documents, and every edit of them; each edit puts another value in place.

    Edits take topics by number or name. A merged group has its smallest number; a split topic keeps
    its own, and the new parts come last; numbers left free are closed up, and a warning names the
    topics that have other numbers now. The last 20 edits can be undone, also after saving.

    Attributes are those of :class:`~saetm_plugins.model.SAETopicModel`.
    """

    atoms_: AtomModel
    doc_atoms_: sp.csr_matrix
    merge: str
    outlier_threshold: float
    transform: Any
    words_of_language_: dict[str, list[str]] | None = None
    """Of documents in several languages: the words of each, by its ISO 639-1 code."""
    chunk_: Any = None
    """How long texts are read, see ``fit``."""
    passages_: FittedPassages | None = None
    """The passages of the fitted documents, or of the last batch, if any is long."""
    encoder_not_saved_ = False
    """Whether the model was loaded without the encoder object it was fitted with."""
    vectorizer_not_saved_ = False
    """Whether the model was loaded without the vectorizer it was fitted with."""
    encoder_named_in_file_: str | None = None
    """The encoder's name in the file of a saved model, where it has one; never a folder."""
    encoder_argument = "encoder"
    """What the user calls the encoder, for warnings."""
    _cut: Topics | None = None
    _earlier_cuts: tuple[Topics, ...] = ()
    _cut_is_old = False
    """Whether documents came since: the cuts' words and shares are then renewed when asked for."""
    _of_documents: dict[str, np.ndarray]

    def retopic(self, n_topics: int | str | None, merge: str | None = None) -> Any:
        """Cut the atoms into another number of topics, in place; nothing is retrained.

        Names stay with the topics that survive, see :func:`saetm_plugins.topics.carry_labels`.

        Parameters
        ----------
        n_topics : int, "auto" or None
            As of the constructor.
        merge : str, optional
            Another way of merging than the one the model was made with, for this cut.
        """
        check_is_fitted(self, "atoms_")
        merge = self.merge if merge is None else merge
        before = getattr(self, "topics_", None)
        self.set_topics(self.cut_atoms(self.atoms_, self.doc_atoms_, n_topics, merge, before))
        warn_of_topics(self, n_topics)
        return self

    def cut_atoms(
        self,
        atoms: AtomModel,
        doc_atoms: sp.csr_matrix,
        n_topics: int | str | None,
        merge: str,
        before: Topics | None = None,
    ) -> Topics:
        """Return the cut that :meth:`fit` and :meth:`retopic` take over; changes nothing.

        What was decided about the topics of `before` goes on: labels, deleted topics, documents'
        topics.
        """
        if n_topics is None:
            n_topics = default_n_topics(atoms)
        if before is None:
            found = cuts.cut(atoms, n_topics, merge)
            return replace(found, outlier_share=self.outlier_threshold)
        return cuts.recut(atoms, before, n_topics, merge)

    def merge_topics(self, topics_to_merge: Sequence[Any]) -> Any:
        """Merge each group of topics into one; see :func:`saetm_plugins.edits.merge_topics`."""
        check_is_fitted(self, "topics_")
        return self.take_edit(*edits.merge_topics(self.atoms_, self.topics_, topics_to_merge))

    def split_topic(self, topic: int | str, n: int = 2) -> Any:
        """Split one topic into `n`; see :func:`saetm_plugins.edits.split_topic`."""
        check_is_fitted(self, "topics_")
        return self.take_edit(*edits.split_topic(self.atoms_, self.topics_, topic, n))

    def delete_topics(self, topics_to_delete: Sequence[int | str]) -> Any:
        """Take topics out of this cut and of later ones.

        Mixtures then sum to 1 less what documents have of these topics, and documents that are
        mostly about them belong to topic -1.
        """
        check_is_fitted(self, "topics_")
        return self.take_edit(*edits.delete_topics(self.atoms_, self.topics_, topics_to_delete))

    def drop_atoms(self, atoms: Sequence[int]) -> Any:
        """Take atoms out of all topics; see :func:`saetm_plugins.edits.drop_atoms`.

        Mixtures and :attr:`topic_prevalence_` are shares of what is left, so they sum to 1.
        """
        check_is_fitted(self, "topics_")
        return self.take_edit(*edits.drop_atoms(self.atoms_, self.topics_, atoms))

    def set_topic_labels(self, topic_labels: Mapping[int | str, str] | Sequence[str]) -> Any:
        """Name topics; an edit or :meth:`undo` carries the names along.

        Parameters
        ----------
        topic_labels : dict of int or str to str, or list of one str per topic
            None takes a name away.
        """
        check_is_fitted(self, "topics_")
        labels = cuts.check_labels(topic_labels, self.topics_)
        self.earlier_topics_ = self._undo_to()
        self.topics_ = self.topics_.with_labels(labels)
        return self

    def undo(self) -> Any:
        """Take back the last edit since the topics were last cut."""
        check_is_fitted(self, "topics_")
        if not self.earlier_topics_:
            raise ValueError("there is no edit to undo since the topics were last cut")
        *earlier, topics = self.earlier_topics_
        self.set_topics(topics)
        self.earlier_topics_ = tuple(earlier)
        return self

    def take_edit(self, topics: Topics, comes_of: np.ndarray | None = None) -> Any:
        """Take over a value of :mod:`saetm_plugins.edits`; :meth:`undo` goes back.

        A warning says which numbers `comes_of` (T, T') changes; None: none is worth it.
        """
        if comes_of is not None and (changed := edits.changed_numbers(comes_of)):
            message = f"topics have other numbers now: {changed}"
            warnings.warn(message, UserWarning, stacklevel=3)
        undo = self._undo_to()
        self.set_topics(topics)
        self.earlier_topics_ = undo
        return self

    def _undo_to(self) -> tuple[Topics, ...]:
        return (*self.earlier_topics_, self.topics_)[-_MAX_UNDO:]

    def set_topics(self, topics: Topics) -> None:
        """Take over a cut of :attr:`atoms_`, see :mod:`saetm_plugins.topics`."""
        self._cut, self._earlier_cuts, self._cut_is_old = topics, (), False
        self._of_documents = {}

    def set_documents(self, atoms: AtomModel, doc_atoms: sp.csr_matrix) -> None:
        """Take over atoms that learned from more documents; `doc_atoms` (n, K) are the last ones.

        Topics keep their atoms and numbers. Their words and shares are solved when asked for.
        """
        undecided = np.zeros(doc_atoms.shape[0], dtype=np.int64)
        *earlier, cut = (
            each.of_documents(undecided) for each in (*self._earlier_cuts, self._now())
        )
        self.atoms_, self.doc_atoms_ = atoms, doc_atoms
        self._cut, self._earlier_cuts, self._cut_is_old = cut, tuple(earlier), True
        self._of_documents = {}

    def without_documents(self) -> Any:
        """Return a copy without what is known of each fitted document, for serving.

        It is small and independent of the size of the corpus. It transforms, re-cuts, edits and
        learns as this one does; :attr:`doc_atoms_`, :attr:`doc_topics_` and :attr:`labels_` have no
        rows, and what was decided about single documents is left out.
        """
        check_is_fitted(self, "atoms_")
        model: Any = copy.copy(self)
        model.set_topics(self.topics_.of_documents(np.zeros(0, dtype=np.int64)))
        model.doc_atoms_ = sp.csr_matrix((0, self.atoms_.n_atoms), dtype=np.float32)
        model.passages_ = None
        return model

    def _now(self) -> Topics:
        if self._cut is None:
            raise AttributeError("topics_")  # as Python says of a model that is not fitted
        return self._cut

    def _renew(self) -> None:
        if self._cut_is_old:
            cut = cuts.renew(self.atoms_, self._now())
            self._earlier_cuts = tuple(cuts.renew(self.atoms_, c) for c in self._earlier_cuts)
            self._cut, self._cut_is_old = cut, False

    @property
    def topics_(self) -> Topics:
        """The current cut."""
        self._now()
        self._renew()
        return self._now()

    @topics_.setter
    def topics_(self, topics: Topics) -> None:
        self._cut = topics

    @property
    def earlier_topics_(self) -> tuple[Topics, ...]:
        """What :meth:`undo` goes back to, the last edit last."""
        self._renew()
        return self._earlier_cuts

    @earlier_topics_.setter
    def earlier_topics_(self, earlier: tuple[Topics, ...]) -> None:
        self._earlier_cuts = earlier

    @property
    def doc_topics_(self) -> np.ndarray:
        """Mixtures of the fitted documents, (n, n_topics); a ValueError above 6 GiB."""
        topics, found = self.topics_, self._of_documents
        if "mixtures" not in found:
            found["labels"], found["mixtures"] = topics.mixtures(self.doc_atoms_, topics.groups)
        return found["mixtures"]

    @property
    def labels_(self) -> np.ndarray:
        """The main topic of each fitted document, (n,), or -1."""
        topics, found, n_rows = self.topics_, self._of_documents, self.doc_atoms_.shape[0]
        if n_rows <= _ROWS:
            found["mixtures"] = self.doc_topics_
        elif "labels" not in found:
            groups = np.full(n_rows, UNDECIDED) if topics.groups is None else topics.groups
            found["labels"] = np.concatenate(
                [
                    topics.mixtures(self.doc_atoms_[a:b], groups[a:b])[0]
                    for a, b in even_ranges(n_rows, _ROWS)
                ]
            )
        return found["labels"]

    @property
    def where_blank_(self) -> str:
        """Which topic blank documents count towards, for the warning that there are some."""
        return self._now().where_blank  # without solving topics that are old

    def topics_of(self, doc_atoms: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Return the topics of documents given by their atoms.

        Parameters
        ----------
        doc_atoms : csr_matrix of shape (n, n_atoms)

        Returns
        -------
        labels : ndarray of shape (n,), int64
        doc_topics : ndarray of shape (n, n_topics), float32
        """
        check_is_fitted(self, "topics_")
        return self.topics_.mixtures(check_mixtures_of_atoms(doc_atoms, self.atoms_.n_atoms))

    def get_topics(self, n_words: int = 10, *, language: str | None = None) -> list[list[str]]:
        """Return the most probable words of each topic, most probable first.

        Parameters
        ----------
        n_words : int, default=10
        language : str, optional
            Words of this language alone, where the documents were of several: a name or a code.
        """
        check_is_fitted(self, "topics_")
        n_words = check_count(n_words, "n_words")
        if self.components_ is None:
            raise ValueError("the model was fitted without documents, so its topics have no words")
        words, rows = self.vocabulary_, self.components_
        if language is not None:
            known = self.words_of_language_ or {}
            code = next(iter(check_languages(language)), None)
            if code not in known:
                languages = ", ".join(known) or "of which the model knows but one"
                raise ValueError(
                    f"language must be one of those the documents were in, {languages}; "
                    f"found {language!r}"
                )
            chosen = np.flatnonzero(np.isin(words, known[code]))
            words, rows = words[chosen], rows[:, chosen]
        return [list(words[_largest(row, n_words)]) for row in rows]

    def get_representative_indices(self, n_documents: int = 3) -> np.ndarray:
        """Return which fitted documents have the largest share of each topic.

        Returns
        -------
        ndarray of shape (n_topics, n_documents), int64
            Rows of :attr:`doc_topics_`, the largest share first.
        """
        check_is_fitted(self, "topics_")
        n_documents = min(check_count(n_documents, "n_documents"), len(self.doc_topics_))
        return np.argsort(-self.doc_topics_, axis=0, kind="stable")[:n_documents].T

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of :meth:`transform` (scikit-learn's transformer contract)."""
        check_is_fitted(self, "topics_")
        return np.array([f"topic{topic}" for topic in range(self.n_topics_)], dtype=object)

    document_table = model_tables.document_table
    topic_table = model_tables.topic_table

    def encode(self, documents: Any) -> np.ndarray:
        """Return the embeddings of texts by the model's encoder, (n, d) float32.

        Raises a ValueError when the encoder was not saved, or gives vectors of another length.
        """
        check_is_fitted(self, "topics_")
        return read_documents(self, documents, sae=self.sae_).embeddings

    def embed_passages(self, documents: Any, chunker: Chunker | None = None) -> Passages:
        """Split texts, and embed the passages by the encoder.

        Parameters
        ----------
        documents : iterable of str
        chunker : Chunker, optional
            None splits into a few sentences each.
        """
        check_is_fitted(self, "topics_")
        if chunker is not None and not isinstance(chunker, Chunker):
            raise TypeError(f"chunker must be a Chunker or None; found {chunker!r:.80}")
        encoder = encoder_of(self, self.sae_)
        return (chunker or fine_chunker(encoder)).embed(documents, encoder)

    def prepare_topic_data(self, corpus: Any, embeddings: Any = None) -> dict[str, Any]:
        """Return the topics of a corpus as ``topicwizard.visualize`` asks a model for them.

        See :func:`~saetm_plugins.plotting.topicwizard.topic_data`.

        Parameters
        ----------
        corpus : iterable of str
        embeddings : array-like of shape (n, d), optional
            None encodes the corpus.
        """
        from saetm_plugins.plotting.topicwizard import topic_data

        check_is_fitted(self, "topics_")
        read = read_documents(self, corpus, embeddings, sae=self.sae_)
        return topic_data(self, read.texts or [], read.embeddings, self.transform)

    def to_gensim(self, id2word: Any = None) -> Any:
        """Return this model as a gensim topic model, see ``saetm_plugins.gensim.SaeModel``.

        Parameters
        ----------
        id2word : gensim Dictionary or dict of int to str, optional
            None makes one of :attr:`vocabulary_`.
        """
        # The core imports no adapter: the installed package names it (pyproject.toml).
        (converter,) = entry_points(group="saetm_plugins.converters", name="gensim")
        return converter.load()(self, id2word=id2word)

    sae_ = property(attrgetter("atoms_.sae"), doc="The autoencoder.")
    vocabulary_ = property(attrgetter("atoms_.vocabulary"), doc="Words (V,); None without words.")
    emissions_ = property(attrgetter("atoms_.emissions"), doc="P(word | atom); None without words.")
    atom_words_ = property(
        lambda self: None if self.emissions_ is None else self.emissions_.atom_words,
        doc="P(word | atom), (n_atoms, V); None without words.",
    )
    background_ = property(
        lambda self: None if self.emissions_ is None else self.emissions_.background,
        doc="P(word) of the words no atom accounts for, (V,); None without words.",
    )
    atom_prevalence_ = property(attrgetter("atoms_.prevalence"), doc="Mean share of each atom.")
    n_documents_seen_ = property(attrgetter("atoms_.sums.n_documents"), doc="Documents, weighted.")
    atom_topics_ = property(attrgetter("topics_.atom_topics"), doc="Weights, (n_atoms, n_topics).")
    components_ = property(attrgetter("topics_.words"), doc="P(word | topic); None without words.")
    topic_prevalence_ = property(attrgetter("topics_.prevalence"), doc="Share of each topic.")
    topic_labels_ = property(lambda self: list(self.topics_.labels), doc="Names, or None.")
    n_topics_ = property(lambda self: len(self.topics_), doc="Number of topics.")


def warn_of_one_document(model: FittedTopics, corpus: Corpus) -> None:
    """Warn of topics of whose ten top words one document holds more than all others together.

    A document counts each word once, however long it is, times its share of the topic.
    """
    if corpus.counts is None or model.components_ is None:
        return
    top = np.argsort(-model.components_, axis=1)[:, :10]
    columns = np.unique(top)
    counts = corpus.counts[:, columns]
    if corpus.passages is not None:
        counts = corpus.passages.sum(counts)
    present = sp.csc_matrix(counts).sign()
    remarks = []
    for topic, words in enumerate(np.searchsorted(columns, top)):
        held = np.asarray(present[:, words].sum(axis=1)).ravel()
        rows = np.flatnonzero(held)
        shares = (model.doc_atoms_[rows] @ model.atom_topics_[:, [topic]]).toarray()[:, 0]
        held = held[rows] * shares
        if held.max(initial=0) > held.sum() / 2:
            remarks.append(f"{topic} (document {rows[held.argmax()]})")
    if remarks:
        message = f"most words of these topics come from one document each: {', '.join(remarks)}"
        warnings.warn(message, UserWarning, stacklevel=3)


def warn_of_topics(model: FittedTopics, asked: int | str | None) -> None:
    """Warn where topics are too many for the documents, or own none."""
    n_documents = max(model.n_documents_seen_, model.atoms_.sums.n_distinct)  # or passages
    remarks = []
    if isinstance(asked, Integral) and asked * DOCUMENTS_PER_TOPIC > n_documents:
        remarks.append(
            f"n_topics={asked} for {n_documents:g} documents leaves fewer than "
            f'{DOCUMENTS_PER_TOPIC} for a topic; "auto" chooses a number that they carry'
        )
    of_all = round(model.n_documents_seen_) <= model.doc_atoms_.shape[0]  # not a last batch alone
    idle = len(np.setdiff1d(np.arange(model.n_topics_), model.labels_)) if of_all else 0
    if idle:
        remarks.append(f"{idle} of {model.n_topics_} topics are the largest topic of no document")
    if remarks:
        warnings.warn("; ".join(remarks), UserWarning, stacklevel=4)


def say_count(asked: int | str | None, n_topics: int) -> None:
    """Print where the number of topics comes from."""
    reason = "as asked for"
    if asked is None:
        reason = "the default: 20, or the square root of the number of documents if less"
    elif asked == "auto":
        reason = "as many as the atoms suggest"
    print(
        f"{n_topics} topics, {reason}; retopic cuts others, suggest_n_topics weighs several",
        file=sys.stderr,
    )


def default_n_topics(atoms: AtomModel) -> int:
    """Return the number of topics where none is asked for: 20, or the square root of the documents.

    A few long texts, a book say, have up to ten topics, one per ten passages. Never more than there
    are live atoms.
    """
    n_topics = isqrt(int(atoms.sums.n_documents))
    if atoms.sums.n_distinct > atoms.sums.n_documents:  # passages of long texts
        n_passages = int(atoms.sums.n_distinct)
        n_topics = max(n_topics, min(_TOPICS_OF_A_BOOK, n_passages // DOCUMENTS_PER_TOPIC))
    n_live = int((atoms.prevalence > 0).sum())
    return min(_DEFAULT_N_TOPICS, n_live, max(1, n_topics))


def _largest(row: np.ndarray, n: int) -> np.ndarray:
    """Return the columns of the `n` largest, largest first; the first column wins a tie."""
    if n < len(row):
        reached = np.flatnonzero(row >= np.partition(row, -n)[-n])
    else:
        reached = np.arange(len(row))
    return reached[np.argsort(-row[reached], kind="stable")][:n]
