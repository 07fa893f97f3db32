import os
import subprocess
import sys

import pytest
from huggingface_hub import ModelCard

from saetm_plugins.atoms import SparseAutoencoder, train_sae


@pytest.fixture(scope="module")
def sae(embeddings):
    return train_sae(embeddings, n_atoms=16, k=2, n_steps=10, encoder_name="some/encoder")


def test_saved_folder_has_a_card_with_the_figures(sae, tmp_path):
    sae.save_pretrained(tmp_path / "sae")
    card = ModelCard.load(tmp_path / "sae" / "README.md")
    assert card.data.library_name == "saetm-plugins"
    for fact in ("some/encoder", "1,500 documents", "| 16 |", f"{sae.statistics_['fvu']:.3g}"):
        assert fact in card.text


LOADED = """
from saetm_plugins.atoms import SparseAutoencoder
for options in ({}, {"subfolder": "layers/one"}, {"revision": "v2"}):
    print(SparseAutoencoder.from_pretrained("someone/atoms", **options).n_atoms)
"""


def test_models_load_by_hub_name_from_the_hubs_own_cache(sae, tmp_path):
    repository = tmp_path / "models--someone--atoms"
    sae.save_pretrained(repository / "snapshots/abc")
    sae.prefix(8).save_pretrained(repository / "snapshots/abc/layers/one")
    sae.prefix(4).save_pretrained(repository / "snapshots/def")
    (repository / "refs").mkdir()
    for revision, commit in (("main", "abc"), ("v2", "def")):
        (repository / "refs" / revision).write_text(commit)
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", LOADED],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert found.stdout.split() == ["16", "8", "4"]


def test_model_loads_from_a_subfolder(sae, tmp_path):
    sae.save_pretrained(tmp_path / "models" / "one")
    loaded = SparseAutoencoder.from_pretrained(tmp_path, subfolder="models/one")
    assert loaded.encoder_name == "some/encoder"
    for path, options, error, message in [
        ("nothing-here", {}, FileNotFoundError, "nothing-here"),
        (".", {"subfolder": "models/two"}, FileNotFoundError, "no subfolder 'models/two'"),
        ("models", {"subfolder": "../models/one"}, ValueError, "subfolder must lie within"),
        ("models/one", {"revision": "v2"}, ValueError, "revision is for hub names"),
    ]:
        with pytest.raises(error, match=message):
            SparseAutoencoder.from_pretrained(tmp_path / path, **options)
