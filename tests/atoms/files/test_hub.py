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


@pytest.mark.parametrize(
    ("place", "revision", "arguments"),
    [
        ("snapshots/abc", "main", ""),
        ("snapshots/abc/layers/one", "main", ", subfolder='layers/one'"),
        ("snapshots/abc", "v2", ", revision='v2'"),
    ],
)
def test_model_loads_by_hub_name_from_the_hubs_own_cache(sae, tmp_path, place, revision, arguments):
    repository = tmp_path / "models--someone--atoms"
    sae.save_pretrained(repository / place)
    (repository / "refs").mkdir()
    (repository / "refs" / revision).write_text("abc")
    code = (
        "from saetm_plugins.atoms import SparseAutoencoder;"
        f"print(SparseAutoencoder.from_pretrained('someone/atoms'{arguments}).encoder_name)"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert found.stdout.strip() == "some/encoder"


def test_model_loads_from_a_subfolder(sae, tmp_path):
    sae.save_pretrained(tmp_path / "models" / "one")
    loaded = SparseAutoencoder.from_pretrained(tmp_path, subfolder="models/one")
    assert loaded.encoder_name == "some/encoder"
    with pytest.raises(FileNotFoundError, match="no subfolder 'models/two'"):
        SparseAutoencoder.from_pretrained(tmp_path, subfolder="models/two")
    with pytest.raises(ValueError, match="subfolder must lie within"):
        SparseAutoencoder.from_pretrained(tmp_path / "models", subfolder="../models/one")
    with pytest.raises(ValueError, match="revision is for hub names"):
        SparseAutoencoder.from_pretrained(tmp_path / "models" / "one", revision="v2")


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        SparseAutoencoder.from_pretrained(tmp_path / "nothing-here")


def test_a_file_with_code_in_it_is_not_run(tmp_path):
    import pickle

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "pwned"),)

    (tmp_path / "ae.pt").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ValueError, match="not loaded"):
        SparseAutoencoder.from_pretrained(tmp_path / "ae.pt")
    assert not (tmp_path / "pwned").exists()
