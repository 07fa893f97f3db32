"""Code in every part of a saved model that could hold some: none of it may run."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from saetm_plugins import SAETopicModel, SparseAutoencoder
from saetm_plugins.files.folders import write_checksums
from saetm_plugins.files.shards import open_shard


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return (Path.touch, (Path(self.file),))


def edit(file, change):
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")
    write_checksums(file.parent)


@pytest.fixture
def canary(tmp_path):
    """The file that a canary would write."""
    return tmp_path / "sang"


@pytest.fixture
def trap(tmp_path, canary):
    """A folder that sentence-transformers would import code from."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "trap.py").write_text(f"open({str(canary)!r}, 'w')\nclass Trap:\n    pass\n")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "trap.Trap"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "trap.Trap"}}))
    return folder


@pytest.fixture
def saved(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("place", ["parameters", "sae"])
def test_a_folder_named_as_encoder_is_not_opened(
    saved, trap, canary, corpus, monkeypatch, relative, place
):
    monkeypatch.chdir(trap.parent)
    name = trap.name if relative else str(trap)
    if place == "sae":
        edit(saved / "sae" / "config.json", lambda config: config.update(encoder_name=name))
        write_checksums(saved)
    else:
        edit(saved / "config.json", lambda config: config["parameters"].update(encoder=name))
    model = SAETopicModel.load(saved)
    with pytest.raises(ValueError, match="pass encoder="):
        model.transform(corpus.documents[:3])
    assert not canary.exists()
    assert np.isfinite(model.transform(None, corpus.embeddings)).all()


def test_an_encoder_that_is_passed_is_used(saved, trap, corpus):
    edit(saved / "config.json", lambda config: config["parameters"].update(encoder=str(trap)))
    model = SAETopicModel.load(saved, encoder=Encoder())
    np.testing.assert_array_equal(
        model.transform(corpus.documents[:9]), model.transform(None, Encoder().encode(range(9)))
    )


def test_a_vectorizer_that_opens_files_is_refused(saved):
    edit(saved / "vectorizer.json", lambda settings: settings.update(input="filename"))
    with pytest.raises(ValueError, match="filename"):
        SAETopicModel.load(saved)


@pytest.mark.parametrize("name", ["ae.pt", "ae.pth", "ae.bin", "other.pt"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_among_weights_is_refused(tmp_path, canary, name, zipped):
    torch.save({"bias": Canary(canary)}, tmp_path / name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="more than weights"):
        SparseAutoencoder.from_pretrained(tmp_path / name)
    (tmp_path / name).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(ValueError, match="more than weights"):
        SparseAutoencoder.from_pretrained(tmp_path / name)
    assert not canary.exists()


def test_a_shard_of_objects_is_refused(tmp_path, canary):
    np.save(tmp_path / "shard.npy", np.array([Canary(canary)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="shard"):
        open_shard(tmp_path / "shard.npy")
    assert not canary.exists()


def test_weights_that_are_larger_than_their_file_are_refused(tmp_path):
    wide = torch.zeros(1).expand(10**6, 10**6)
    torch.save({"bias": wide}, tmp_path / "ae.pt")
    with pytest.raises(ValueError, match="larger than the file"):
        SparseAutoencoder.from_pretrained(tmp_path / "ae.pt")


class Encoder:
    def encode(self, texts):
        return np.ones((len(texts), 24), dtype=np.float32)


class TestBERTopic:
    @pytest.fixture(scope="class")
    def bertopic(self):
        return pytest.importorskip("saetm_plugins.bertopic")

    @pytest.fixture(scope="class")
    def whole(self, bertopic, corpus, sae, tmp_path_factory):
        """A saved model, which is not changed."""
        folder = tmp_path_factory.mktemp("whole") / "bertopic"
        model = bertopic.SAEBERTopic(5, sae=sae, embedding_model=Encoder())
        model.fit(corpus.documents, embeddings=corpus.embeddings)
        model.save(folder, "pytorch", save_embedding_model=False)
        return folder

    @pytest.fixture
    def folder(self, whole, tmp_path):
        return Path(shutil.copytree(whole, tmp_path / "bertopic"))

    @pytest.mark.parametrize("name", ["topic_embeddings.bin", "ctfidf.bin"])
    def test_a_pickle_is_refused_whatever_the_environment_says(
        self, bertopic, folder, canary, monkeypatch, name
    ):
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        assert bertopic.SAEBERTopic.load(folder).sae_model_.n_topics_ == 5
        torch.save({"topic_embeddings": Canary(canary)}, folder / name)
        write_checksums(folder)
        with pytest.raises(ValueError, match="more than weights"):
            bertopic.SAEBERTopic.load(folder)
        assert not canary.exists()

    def test_a_pickled_file_is_refused(self, bertopic, tmp_path, canary):
        (tmp_path / "model").write_bytes(pickle.dumps(Canary(canary)))
        with pytest.raises(ValueError, match="allow_pickle=True"):
            bertopic.SAEBERTopic.load(tmp_path / "model")
        assert not canary.exists()

    def test_a_folder_named_as_embedding_model_is_not_opened(self, bertopic, folder, trap, canary):
        edit(folder / "config.json", lambda config: config.update(embedding_model=str(trap)))
        with pytest.warns(UserWarning, match="not opened"):
            bertopic.SAEBERTopic.load(folder)
        assert not canary.exists()

    @pytest.mark.parametrize("name", ["sae_model_", "__class__", "transform"])
    def test_a_config_sets_nothing_but_parameters(self, bertopic, folder, name):
        config = folder / "saetm" / "config.json"
        edit(config, lambda content: content["parameters"].update({name: "x"}))
        with pytest.raises(ValueError, match="damaged"):
            bertopic.SAEBERTopic.load(folder)
