"""Damaged and hostile files of every kind that is loaded; ``make fuzz`` tries a thousand.

A folder that was damaged must be refused or give equal results. A folder that a stranger wrote,
with checksums of his own, must be refused or give mixtures; no file may crash, hang or take memory.
"""

import json
import os
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzzing import EMBEDDINGS, FITTED, SAE, TEXTS, Encoder
from safetensors.numpy import load_file, save_file

from saetm_plugins import SAETopicModel, SparseAutoencoder
from saetm_plugins.atoms import foundation
from saetm_plugins.atoms.training.checkpoints import CheckpointFolder
from saetm_plugins.files.folders import CHECKSUMS_NAME, write_checksums
from saetm_plugins.octis.data import read_cached, write_cached

bertopic = pytest.importorskip("saetm_plugins.bertopic")
gensim = pytest.importorskip("saetm_plugins.gensim")

MUTATIONS = int(os.environ.get("SAETM_MUTATIONS", "30"))
MEMORY = 2**30  # bytes of address space above what is mapped before the first load
REFUSED = (ValueError, OSError)


def use_topic_model(path):
    model = SAETopicModel.load(path)
    return [model.transform(None, EMBEDDINGS), model.retopic(3).components_]


def use_gensim(path):
    model = gensim.SaeModel.load(path)
    return [model.inference([[(0, 2), (model.num_terms - 1, 1)], []])[0], model.get_topics()]


def use_autoencoder(path):
    return [SparseAutoencoder.from_pretrained(path).transform(EMBEDDINGS).toarray()]


def use_cached(found):
    if found is None:
        raise ValueError("not usable")
    return [found] if isinstance(found, np.ndarray) else [np.float32(found[0]), *found[1].values()]


def use_foundation(path):
    """Use a copy of the atoms that ship with the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foundation, "FOLDER", path)
        forget_foundation()
        codes = foundation.load_foundation(1024).transform(np.eye(5, 384, dtype=np.float32))
        described = foundation.atom_descriptions(1024)
    return [codes.toarray(), np.array([each.share for each in described])]


def forget_foundation():
    for cached in vars(foundation).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


USES = {
    "autoencoder": use_autoencoder, "dictionary_learning": use_autoencoder,
    "saelens": use_autoencoder, "sparsify": use_autoencoder, "foundation": use_foundation,
    "topic model": use_topic_model, "gensim": use_gensim,
    "bertopic": lambda path: [
        bertopic.SAEBERTopic.load(path).sae_model_.transform(None, EMBEDDINGS)],
    "checkpoint": lambda path: use_cached(CheckpointFolder(path, {"k": 1}).load()),
    "embedding cache": lambda path: use_cached(read_cached(path, len(EMBEDDINGS))),
}  # fmt: skip
INSTALLED = "foundation"  # who can write checksums there can change the installed code
WITHOUT_CHECKSUMS = ("saelens", "sparsify", "checkpoint")


def save_all(folder):
    """Save one of every kind."""
    FITTED.save(folder / "topic model")
    SAE.save_pretrained(folder / "autoencoder")
    FITTED.to_gensim().save(str(folder / "gensim"))
    model = bertopic.SAEBERTopic(4, sae=SAE, embedding_model=Encoder(), word_vectors="corpus")
    model.fit(TEXTS, EMBEDDINGS).save(folder / "bertopic", save_embedding_model=False)
    shutil.copytree(foundation.FOLDER, folder / "foundation")
    write_cached(folder / "embedding cache", EMBEDDINGS)
    for step in (1, 2):
        CheckpointFolder(folder / "checkpoint", {"k": 1}).save(step, {"w": EMBEDDINGS})
    configs = {"dictionary_learning/config": {"trainer": {"dict_class": "BatchTopKSAE"}},
               "saelens/cfg": {"architecture": "topk", "k": 2},
               "sparsify/cfg": {"activation": "topk", "k": 2}}  # fmt: skip
    for name, config in configs.items():
        path = folder / f"{name}.json"
        path.parent.mkdir()
        path.write_text(json.dumps(config))
    decoder, encoder = SAE.decoder_, SAE.encoder_
    bias, mean = np.zeros(len(decoder), "f4"), np.zeros(decoder.shape[1], "f4")
    weights = {"encoder.weight": encoder, "decoder.weight": decoder.T.copy(), "b_dec": mean,
               "encoder.bias": bias, "k": np.int64(2), "threshold": np.float32(0.1)}  # fmt: skip
    torch.save({name: torch.tensor(each) for name, each in weights.items()},
               folder / "dictionary_learning" / "ae.pt")  # fmt: skip
    save_file({"W_enc": encoder.T.copy(), "W_dec": decoder, "b_enc": bias, "b_dec": mean},
              folder / "saelens" / "sae_weights.safetensors")  # fmt: skip
    save_file({"encoder.weight": encoder, "encoder.bias": bias, "W_dec": decoder, "b_dec": mean},
              folder / "sparsify" / "sae.safetensors")  # fmt: skip


def flip(file, rng):
    content = bytearray(file.read_bytes())
    for _ in range(rng.integers(1, 4)):
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def truncate(file, rng):
    file.write_bytes(file.read_bytes()[: rng.integers(file.stat().st_size)])


def link(file, rng):
    file.unlink()
    if rng.random() < 0.5:  # else it is missing
        file.symlink_to(str(rng.choice(["/dev/zero", "/etc/hostname", str(file), "../nowhere"])))


def claim_terabytes(file, rng):
    entry = {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}
    header = json.dumps({"decoder": entry}).encode()
    length = len(header) if rng.random() < 0.5 else 2**62
    file.write_bytes(length.to_bytes(8, "little") + header)


CHANGES = [
    lambda value, rng: value.reshape(-1) if value.ndim > 1 else value.reshape(1, -1),
    lambda value, rng: value.astype(str(rng.choice(["f2", "f8", "i1", "i8", "u1", "bool"]))),
    lambda value, rng: (value * 1.0) * np.nan,
    lambda value, rng: np.full_like(value, 2**31 - 1 if value.dtype.kind in "iu" else 1e30),
    lambda value, rng: -np.abs(value) - 1,
    lambda value, rng: value[: len(value) // 2] if value.ndim else value,
    lambda value, rng: None,
]


def change_tensor(file, rng):
    """Change one tensor of a safetensors file to another that is legal there, or leave it out."""
    tensors = load_file(file)
    name = str(rng.choice(sorted(tensors)))
    tensors[name] = CHANGES[int(rng.integers(len(CHANGES)))](tensors[name], rng)
    save_file({key: np.ascontiguousarray(each) for key, each in tensors.items()
               if each is not None}, file)  # fmt: skip


def change_json(file, rng):
    """Change one value somewhere in a file of JSON."""
    content = json.loads(file.read_text())
    values = [None, True, -1, 2**70, 1.5, "../../etc/passwd", "\x00", [], {}, "NUMBER", "DEEP",
              "NAN", ["x"] * 3, "trust_remote_code"]  # fmt: skip
    part = content
    while keys := list(part) if isinstance(part, dict) else list(range(len(part))):
        key = keys[int(rng.integers(len(keys)))]
        if not (isinstance(part[key], (dict, list)) and part[key] and rng.random() < 0.6):
            part[key] = values[int(rng.integers(len(values)))]
            break
        part = part[key]
    text = json.dumps(content).replace('"NUMBER"', "1e999").replace('"NAN"', "NaN")
    file.write_text(text.replace('"DEEP"', "[" * 10_000 + "]" * 10_000))


def mutate(folder, rng, by_strangers):
    """Change one file of a saved model; return how, which, and whether checksums are new."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = files[int(rng.integers(len(files)))]
    ways = [flip, truncate, link, link]
    if file.suffix == ".safetensors":
        ways += [claim_terabytes, *[change_tensor] * 5]
    if file.suffix == ".json" and file.name != CHECKSUMS_NAME:
        ways += [change_json] * 5
    way = ways[int(rng.integers(len(ways)))]
    way(file, rng)
    stranger = by_strangers and bool(rng.random() < 0.7)
    if stranger:
        for listed in folder.rglob(CHECKSUMS_NAME):
            if listed.is_file() and not listed.is_symlink():
                write_checksums(listed.parent)
    return way.__name__, file.name, stranger


def outcome(kind, path, how, expected):
    """Load and use a folder; say what came of it, or what is wrong."""
    try:
        found = USES[kind](path)
    except REFUSED:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if len(found) == len(expected) and all(map(np.array_equal, found, expected)):
        return "equal"
    if not all(np.isfinite(np.asarray(part, dtype=np.float64)).all() for part in found):
        return "numbers that are not finite"
    legal = how[2] or kind in WITHOUT_CHECKSUMS or "config.json" in how[1]
    return "another model" if legal else "another model in silence"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    save_all(folder)
    yield folder
    forget_foundation()


@pytest.fixture
def little_memory():
    """Limit the address space to a gigabyte more than is mapped."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the address space from /proc")
@pytest.mark.parametrize("kind", USES)
def test_damaged_files_are_refused_or_give_the_same(saved, tmp_path, kind, request):
    expected, path = USES[kind](saved / kind), tmp_path / "damaged"
    request.getfixturevalue("little_memory")
    for number in range(MUTATIONS // len(USES)):
        rng = np.random.default_rng([number, *kind.encode()])
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(saved / kind, path)
        how = mutate(path, rng, by_strangers=kind != INSTALLED)
        assert outcome(kind, path, how, expected) in ("equal", "another model", "refused"), how


@pytest.mark.parametrize("kind", USES)
def test_a_truncated_folder_is_refused(saved, tmp_path, kind):
    path = Path(shutil.copytree(saved / kind, tmp_path / "damaged"))
    for file in path.rglob("*.*"):
        file.write_bytes(file.read_bytes()[:20])
    assert outcome(kind, path, ("truncate", "", False), []) == "refused"
