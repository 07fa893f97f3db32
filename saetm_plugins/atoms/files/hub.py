"""Sparse autoencoders on the Hugging Face hub: model card, upload, download."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saetm_plugins.atoms.autoencoder import SparseAutoencoder

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


def model_card(sae: SparseAutoencoder, name: str = "path/or/hub-id") -> str:
    """Return the README of a model: what it was trained on, its size and its statistics."""
    figures = dict(sae.statistics_)
    n_documents = sae.settings_.get("n_documents")
    fields: dict[str, Any] = {
        "name": name,
        "encoder_name": sae.encoder_name or "not stated",
        "n_features": sae.n_features,
        "n_atoms": sae.n_atoms,
        "activation": sae.activation,
        "k": sae.k,
        "data": sae.settings_.get("data_name")
        or (f"{n_documents:,} documents" if n_documents else "not stated"),
    }
    for figure in ("fvu", "l0", "n_dead", "stability"):
        value = figures.get(figure, "not measured")
        fields[figure] = f"{value:.3g}" if isinstance(value, float) else value
    header = (
        "---\nlibrary_name: saetm-plugins\ntags:\n- topic-modeling\n- sparse-autoencoder\n---\n"
    )
    return header + _CARD.format(**fields)


def push_to_hub(
    sae: SparseAutoencoder, repo_id: str, *, private: bool = False, token: str | None = None
) -> str:
    """Upload a model and its card, making the repository if need be.

    Parameters
    ----------
    sae : SparseAutoencoder
    repo_id : str
        "owner/name".
    private : bool, default=False
    token : str, optional
        None: the one that ``hf auth login`` stored.

    Returns
    -------
    str
        The address of the commit.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    api.create_repo(repo_id, private=private, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "model"
        sae.save_pretrained(local)
        (local / "README.md").write_text(model_card(sae, repo_id), encoding="utf-8")
        return str(api.upload_folder(repo_id=repo_id, folder_path=local))


def resolve_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` if it exists, else the local copy of the hub repository of that name.

    Raises
    ------
    FileNotFoundError
        When it is neither.
    """
    local = Path(path)
    if local.exists():
        return local
    looks_like_id = (
        isinstance(path, str) and path.count("/") == 1 and not path.startswith((".", "/", "~"))
    )
    if not looks_like_id:
        raise FileNotFoundError(f"path {str(path)!r} does not exist")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(path)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise FileNotFoundError(
            f"path {str(path)!r} is neither a local path nor a hub repository in reach: {error}"
        ) from error
