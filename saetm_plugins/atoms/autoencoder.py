"""Stage 1, the trained model: embeddings in, sparse document-atom activations out (paper, sec. 3).

Decoder rows are topic directions (atoms). A document's mixture is over the atoms that it activates,
weighted by their cosines with it (:meth:`SparseAutoencoder.cosines`).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.atoms.data.readers import ArrayReader
from saetm_plugins.atoms.encoding import (
    ACTIVATIONS,
    cosines_at_entries,
    encode_block,
    rows_at_a_time,
    stack_blocks,
)
from saetm_plugins.atoms.files.hub import model_card, resolve_path, upload
from saetm_plugins.atoms.files.other_libraries import load_other_library
from saetm_plugins.atoms.normalization import NORMALIZATIONS, Normalizer
from saetm_plugins.files.folders import load_folder, save_folder
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.validation import (
    check_choice,
    check_count,
    check_embeddings,
    check_not_negative,
    check_text,
    resolve_device,
)

KIND = "sparse-autoencoder"
_ROWS = 4096  # at a time, for cosines
_DAMAGE = (TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError, OSError)
_ARRAYS = ("encoder", "encoder_bias", "decoder", "decoder_bias", "thresholds", "mean")


class SparseAutoencoder:
    """A sparse autoencoder over embeddings, ready to use; :func:`train_sae` makes one.

    Parameters
    ----------
    weights : mapping of str to ndarray
        ``encoder`` and ``decoder`` (n_atoms, d), ``encoder_bias`` and ``thresholds`` (n_atoms,),
        ``decoder_bias`` and ``mean`` (d,); float32. An atom is active where
        ``encoder @ x + encoder_bias`` is above its threshold.
    activation : {"topk", "batch_topk", "l1", "jumprelu"}
        Of the training; "topk" also keeps only the `k` strongest atoms of a row.
    k : int
        Active atoms per document: the limit for "topk", the average for others; 0 if unknown.
    normalization : {"unit", "scale", "none"}
        After subtracting the mean an embedding is divided by its norm, multiplied by `scale`, or
        left alone.
    scale : float, default=1.0
    keep_strongest : bool, default=True
        A document that activates nothing keeps its strongest atom.
    encoder_name : str, optional
        The model that made the embeddings.
    statistics : mapping, optional
        Of the training run: ``fvu`` (fraction of variance unexplained), ``l0`` (mean active atoms),
        ``n_dead``.
    settings : mapping, optional
        Of the training run; JSON-able.

    Attributes
    ----------
    encoder_, decoder_ : ndarray of shape (n_atoms, d), float32
        `decoder_` has unit rows, except in some models of other libraries.
    encoder_bias_, thresholds_ : ndarray of shape (n_atoms,), float32
    decoder_bias_, mean_ : ndarray of shape (d,), float32
    statistics_, settings_ : dict
    """

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        *,
        activation: str,
        k: int,
        normalization: str = "unit",
        scale: float = 1.0,
        keep_strongest: bool = True,
        encoder_name: str | None = None,
        statistics: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.activation = check_choice(activation, "activation", ACTIVATIONS)
        self.k = check_count(k, "k", minimum=0)
        self.keep_strongest = bool(keep_strongest)
        self.encoder_name = encoder_name and check_text(encoder_name, "encoder_name")
        self.statistics_ = dict(statistics or {})
        self.settings_ = dict(settings or {})
        arrays = _check_weights(weights)
        self.encoder_, self.decoder_ = arrays["encoder"], arrays["decoder"]
        self.encoder_bias_, self.decoder_bias_ = arrays["encoder_bias"], arrays["decoder_bias"]
        self.thresholds_ = arrays["thresholds"]
        check_choice(normalization, "normalization", NORMALIZATIONS)
        check_not_negative(scale, "scale")
        if scale == 0:
            raise ValueError("scale must be above 0")
        self.normalizer_ = Normalizer(arrays["mean"], normalization, float(scale))

    @property
    def n_atoms(self) -> int:
        """Number of atoms K."""
        return self.decoder_.shape[0]

    @property
    def n_features(self) -> int:
        """Dimension d of the embeddings."""
        return self.decoder_.shape[1]

    @property
    def mean_(self) -> np.ndarray:
        """The mean that is subtracted from every embedding, (d,) float32."""
        return self.normalizer_.mean

    def __repr__(self) -> str:
        return (
            f"SparseAutoencoder(n_atoms={self.n_atoms}, n_features={self.n_features}, "
            f"activation={self.activation!r}, k={self.k})"
        )

    def transform(
        self, embeddings: Any, *, block_size: int | None = None, device: str = "auto"
    ) -> sp.csr_matrix:
        """Return the activations of every document; each row depends on its own embedding alone.

        Parameters
        ----------
        embeddings : array-like of shape (n, d)
            Any real dtype; a memory-mapped array is read block by block.
        block_size : int, optional
            Rows whose dense scores are in memory at a time; None: as many as take 64 MiB.
        device : {"auto", "cpu", "cuda", ...}

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_atoms), float32
            Non-negative, sorted indices, not normalised.
        """
        device = resolve_device(device)
        blocks = self._blocks(embeddings, block_size, device)
        return stack_blocks([encode_block(self, block, device) for block in blocks], self.n_atoms)

    def cosines(self, embeddings: Any, activations: sp.csr_matrix) -> sp.csr_matrix:
        """Return the cosine of every document with each atom that it activates.

        An activation depends on the document's other atoms: of two similar ones, one may get all.
        The cosine with an atom's direction does not.

        Parameters
        ----------
        embeddings : array-like of shape (n, d)
        activations : csr_matrix of shape (n, n_atoms)
            From :meth:`transform`.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_atoms), float32
            The same entries; cosines of decoder rows with normalised embeddings less the decoder's
            bias, at least 0.001.
        """
        directions, cosines, done = unit_rows(self.decoder_), np.empty_like(activations.data), 0
        indptr, indices = activations.indptr, activations.indices
        for block in self._blocks(embeddings, _ROWS, "cpu"):
            rows = self.normalizer_.apply(block) - self.decoder_bias_
            ends = indptr[done : done + len(rows) + 1]
            entries = slice(ends[0], ends[-1])
            cosines[entries] = cosines_at_entries(
                ends - ends[0], indices[entries], rows, directions
            )
            done += len(rows)
        return sp.csr_matrix((cosines, indices, indptr), activations.shape)

    def reconstruct(self, embeddings: Any, *, block_size: int | None = None) -> np.ndarray:
        """Return the reconstruction of embeddings, (n, d) float32, in their original space."""
        parts = []
        for block in self._blocks(embeddings, block_size, "cpu"):
            codes = stack_blocks([encode_block(self, block, "cpu")], self.n_atoms)
            decoded = codes @ self.decoder_ + self.decoder_bias_
            parts.append(self.normalizer_.undo(decoded, block))
        return np.concatenate(parts)

    def save_pretrained(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model to a folder of JSON and safetensors, with a model card.

        A folder that exists is a FileExistsError, unless it holds a sparse autoencoder and
        `overwrite` is True.
        """
        self._save(path, "path/or/hub-id", overwrite)

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str],
        *,
        subfolder: str | None = None,
        revision: str | None = None,
        architecture: str | None = None,
    ) -> SparseAutoencoder:
        """Read a saved model, of this library or of another.

        Parameters
        ----------
        path : path or hub id
            A folder that :meth:`save_pretrained` wrote, a folder or single file of
            dictionary_learning, SAELens or eai-sparsify, or the name of a hub repository with one.
        subfolder : str, optional
            The folder within `path` that holds the model.
        revision : str, optional
            Branch, tag or commit of a hub repository.
        architecture : {"AutoEncoderTopK", "BatchTopKSAE"}, optional
            Needed for these two of dictionary_learning if ``config.json`` is missing.
        """
        folder = resolve_path(path, subfolder=subfolder, revision=revision)
        try:
            arguments = load_other_library(folder, architecture)
            if arguments is None:
                config, tensors = load_folder(folder, KIND)
                arguments = {**config, "weights": tensors}
            return cls(**arguments)
        except FileNotFoundError:
            raise
        except _DAMAGE as error:
            raise ValueError(f"{str(path)!r} cannot be read as a {KIND}: {error}") from error

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
        """Upload the model with its card to the Hugging Face hub; return the commit's address.

        The card shows ``settings_["data_name"]`` and ``statistics_``, to which a ``"stability"``
        (:func:`atom_stability`) may be added.

        Parameters
        ----------
        repo_id : str
            "owner/name"; created if it does not exist.
        private : bool, default=False
        token : str, optional
            None: the one that ``hf auth login`` stored.
        """
        write = functools.partial(self._save, name=repo_id, overwrite=False)
        return upload(write, repo_id, private=private, token=token)

    def has_weights_of(self, other: SparseAutoencoder) -> bool:
        """Tell whether both models give every embedding the same activations."""
        mine, others = self._config(), other._config()
        names = ("activation", "k", "keep_strongest", "normalization", "scale")
        return all(mine[name] == others[name] for name in names) and all(
            np.array_equal(getattr(self, f"{name}_"), getattr(other, f"{name}_"))
            for name in _ARRAYS
        )

    def prefix(self, n_atoms: int) -> SparseAutoencoder:
        """Return the coarse model of the first `n_atoms` atoms of a Matryoshka dictionary."""
        if check_count(n_atoms, "n_atoms") > self.n_atoms:
            raise ValueError(f"n_atoms must be at most {self.n_atoms}; found {n_atoms}")
        arrays = self._arrays()
        for name in ("encoder", "encoder_bias", "decoder", "thresholds"):
            arrays[name] = arrays[name][:n_atoms]
        config = {**self._config(), "k": min(self.k, n_atoms), "statistics": None}
        return SparseAutoencoder(arrays, **config)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, f"{name}_") for name in _ARRAYS}

    def _config(self) -> dict[str, Any]:
        """Return the constructor's arguments but for the weights."""
        return {
            "activation": self.activation,
            "k": self.k,
            "normalization": self.normalizer_.mode,
            "scale": self.normalizer_.scale,
            "keep_strongest": self.keep_strongest,
            "encoder_name": self.encoder_name,
            "statistics": self.statistics_,
            "settings": self.settings_,
        }

    def _save(self, path: str | os.PathLike[str], name: str, overwrite: bool) -> None:
        """Write the folder; the card gives `name` as the model's."""
        config = self._config()

        def write_card(folder: Path) -> None:
            card = model_card(config, self.decoder_.shape, name)
            (folder / "README.md").write_text(card, encoding="utf-8")

        save_folder(path, KIND, config, self._arrays(), overwrite=overwrite, write_more=write_card)

    def _blocks(self, embeddings: Any, block_size: int | None, device: str) -> Iterator[np.ndarray]:
        """Yield checked rows in blocks."""
        if block_size is None:
            block_size = rows_at_a_time(self.n_atoms, device)
        block_size = check_count(block_size, "block_size")
        reader = ArrayReader(embeddings, width=self.n_features)
        for start in range(0, reader.n_documents, block_size):
            yield reader.read(start, start + block_size)


def _check_weights(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays as float32; they must fit each other, and give no scores of NaN."""
    if missing := [name for name in _ARRAYS if name not in weights]:
        raise ValueError(f"weights lacks {missing[0]!r}")
    arrays = {"decoder": check_embeddings(weights["decoder"], name="weights['decoder']")}
    n_atoms, d = arrays["decoder"].shape
    shapes = {"encoder": (n_atoms, d), "encoder_bias": (n_atoms,), "thresholds": (n_atoms,)}
    for name, shape in {**shapes, "decoder_bias": (d,), "mean": (d,)}.items():
        label, is_vector = f"weights[{name!r}]", len(shape) == 1
        rows = check_embeddings([weights[name]] if is_vector else weights[name], name=label)
        arrays[name] = rows[0] if is_vector else rows
        if arrays[name].shape != shape:
            raise ValueError(f"{label} must have shape {shape}; found {arrays[name].shape}")
    if arrays["thresholds"].min() < 0:
        raise ValueError("weights['thresholds'] must not be negative")
    return arrays
