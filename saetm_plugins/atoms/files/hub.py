"""Sparse autoencoders on the Hugging Face hub: model card, upload, download."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from saetm_plugins.validation import check_path

LARGEST_DOWNLOAD = 16 * 2**30
"""Bytes of a repository."""

_CARD = """# Topic atoms: a sparse autoencoder over embeddings

Each of the {n_atoms} decoder rows is a topic atom; a document's activations, divided by their sum,
are its mixture of atoms.

| | |
|---|---|
| embeddings of | {encoder_name} |
| dimension d | {n_features} |
| atoms K | {n_atoms} |
| activation | {activation}, k = {k} |
| trained on | {data} |
| fraction of variance unexplained | {fvu} |
| active atoms a document (l0) | {l0} |
| atoms never active | {n_dead} |
| stability (share of atoms found again with another seed) | {stability} |

```python
from saetm_plugins import SparseAutoencoder

sae = SparseAutoencoder.from_pretrained("{name}")
doc_atoms = sae.transform(embeddings)
```
"""


def model_card(config: Mapping[str, Any], shape: tuple[int, int], name: str) -> str:
    """Return the README of a model of (n_atoms, d) `shape`, to be loaded by `name`."""
    n_documents = config["settings"].get("n_documents")
    fields: dict[str, Any] = {
        "name": name,
        "encoder_name": config["encoder_name"] or "not stated",
        "n_atoms": shape[0],
        "n_features": shape[1],
        "activation": config["activation"],
        "k": config["k"],
        "data": config["settings"].get("data_name")
        or (f"{n_documents:,} documents" if n_documents else "not stated"),
    }
    for figure in ("fvu", "l0", "n_dead", "stability"):
        value = config["statistics"].get(figure, "not measured")
        fields[figure] = f"{value:.3g}" if isinstance(value, float) else value
    header = (
        "---\nlibrary_name: saetm-plugins\ntags:\n- topic-modeling\n- sparse-autoencoder\n---\n"
    )
    return header + _CARD.format(**fields)


def upload(
    write: Callable[[Path], None], repo_id: str, *, private: bool = False, token: str | None = None
) -> str:
    """Upload what `write` puts into a new folder; see :meth:`SparseAutoencoder.push_to_hub`."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    api.create_repo(repo_id, private=private, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "model"
        write(local)
        return str(api.upload_folder(repo_id=repo_id, folder_path=local))


def resolve_path(
    path: str | os.PathLike[str], *, subfolder: str | None = None, revision: str | None = None
) -> Path:
    """Return `path` if it exists, else the local copy of the hub repository of that name.

    `subfolder` is a folder within either; `revision` a branch, tag or commit of a repository.
    """
    local = check_path(path)
    inside = PurePath(subfolder or "")
    if inside.is_absolute() or ".." in inside.parts:
        raise ValueError(f"subfolder must lie within {str(path)!r}; found {subfolder!r}")
    if local.exists():
        if revision is not None:
            raise ValueError(f"revision is for hub names; {str(path)!r} is a local path")
    else:
        local = _download(path, subfolder, revision)
    if subfolder is not None and not (local / inside).is_dir():
        raise FileNotFoundError(f"{str(path)!r} has no subfolder {subfolder!r}")
    return local / inside


def _download(path: str | os.PathLike[str], subfolder: str | None, revision: str | None) -> Path:
    if not isinstance(path, str) or path.count("/") != 1 or path.startswith((".", "/", "~")):
        raise FileNotFoundError(f"path {str(path)!r} does not exist")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import DryRunError, HFValidationError

    wanted = None if subfolder is None else f"{PurePath(subfolder).as_posix()}/*"
    download = partial(snapshot_download, str(path), revision=revision, allow_patterns=wanted)
    try:
        try:
            planned: Any = download(dry_run=True)
        except DryRunError:  # the hub is out of reach: take what was downloaded before
            planned = []
        size = sum(file.file_size or 0 for file in planned if file.will_download)
        if size > LARGEST_DOWNLOAD:
            raise ValueError(
                f"path {str(path)!r} is a hub repository of {size / 2**30:,.0f} GiB; at most "
                f"{LARGEST_DOWNLOAD / 2**30:.0f} GiB are downloaded: give a local copy, or a part"
            )
        return Path(download())
    except (HFValidationError, OSError) as error:  # errors of the connection are of these
        raise FileNotFoundError(
            f"path {str(path)!r} is neither a local path nor a hub repository in reach"
            f"{f' at revision {revision!r}' if revision else ''}: {error}"
        ) from error
