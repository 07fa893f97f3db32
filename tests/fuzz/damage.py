"""Damage saved models over and over, in a process of its own: ``python damage.py N SEED``.

A folder that was damaged must be refused or give equal results. A folder that a stranger wrote,
with checksums of his own, must be refused or give mixtures; no file may crash, hang or take memory.
"""

from __future__ import annotations

import collections
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from fuzzing import EMBEDDINGS, FITTED, SAE, TEXTS, Encoder
from safetensors.numpy import load_file, save_file

from saetm_plugins import SAETopicModel, SparseAutoencoder
from saetm_plugins.atoms import foundation
from saetm_plugins.atoms.training.checkpoints import CheckpointFolder
from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.files.folders import CHECKSUMS_NAME, write_checksums
from saetm_plugins.gensim import SaeModel
from saetm_plugins.octis.data import read_cached, write_cached

MEMORY = 2**30  # bytes of address space above what is mapped before the first load
SECONDS = 60  # for one load: longer is a hang
REFUSED = (ValueError, OSError)


def use_topic_model(path):
    model = SAETopicModel.load(path)
    return [model.transform(None, EMBEDDINGS), model.retopic(3).components_]


def use_autoencoder(path):
    return [SparseAutoencoder.from_pretrained(path).transform(EMBEDDINGS).toarray()]


def use_gensim(path):
    model = SaeModel.load(path)
    return [model.inference([[(0, 2), (model.num_terms - 1, 1)], []])[0], model.get_topics()]


def use_bertopic(path):
    return [SAEBERTopic.load(path).sae_model_.transform(None, EMBEDDINGS)]


def use_cache(path):
    found = read_cached(path, len(EMBEDDINGS))
    if found is None:
        raise ValueError("not usable")
    return [found]


def use_checkpoint(path):
    found = CheckpointFolder(path, {"k": 1}).load()
    if found is None:
        raise ValueError("not usable")
    return [np.float32(found[0]), *found[1].values()]


def use_foundation(path):
    """Use a copy of the atoms that ship with the package in their place."""
    foundation.FOLDER = path
    for cached in (foundation.load_foundation, foundation.foundation_card,
                   foundation.atom_descriptions, foundation._checked_folder):  # fmt: skip
        cached.cache_clear()
    codes = foundation.load_foundation(1024).transform(np.eye(5, 384, dtype=np.float32))
    described = foundation.atom_descriptions(1024)
    return [codes.toarray(), np.array([each.share for each in described])]


USES = {
    "autoencoder": use_autoencoder, "bertopic": use_bertopic, "checkpoint": use_checkpoint,
    "dictionary_learning": use_autoencoder, "embedding cache": use_cache,
    "foundation": use_foundation, "gensim": use_gensim, "saelens": use_autoencoder,
    "sparsify": use_autoencoder, "topic model": use_topic_model,
}  # fmt: skip
INSTALLED = "foundation"  # who can write checksums there can change the installed code
FOREIGN = ("saelens", "sparsify")  # whose formats hold no checksum


def save_all(folder):
    """Save one of every kind."""
    FITTED.save(folder / "topic model")
    SAE.save_pretrained(folder / "autoencoder")
    FITTED.to_gensim().save(str(folder / "gensim"))
    bertopic = SAEBERTopic(4, sae=SAE, embedding_model=Encoder(), word_vectors="corpus")
    bertopic.fit(TEXTS, EMBEDDINGS).save(folder / "bertopic", save_embedding_model=False)
    shutil.copytree(foundation.FOLDER, folder / "foundation")
    write_cached(folder / "embedding cache", EMBEDDINGS)
    for step in (1, 2):
        CheckpointFolder(folder / "checkpoint", {"k": 1}).save(step, {"w": EMBEDDINGS})
    for name in ("dictionary_learning", *FOREIGN):
        (folder / name).mkdir()
    decoder, encoder = SAE.decoder_, SAE.encoder_
    zeros = {"b_enc": np.zeros(len(decoder), "f4"), "b_dec": np.zeros(decoder.shape[1], "f4")}
    torch.save({
        "encoder.weight": torch.tensor(encoder), "decoder.weight": torch.tensor(decoder.T.copy()),
        "encoder.bias": torch.tensor(zeros["b_enc"]), "b_dec": torch.tensor(zeros["b_dec"]),
        "k": torch.tensor(2), "threshold": torch.tensor(0.1),
    }, folder / "dictionary_learning" / "ae.pt")  # fmt: skip
    configs = {"dictionary_learning/config": {"trainer": {"dict_class": "BatchTopKSAE"}},
               "saelens/cfg": {"architecture": "topk", "k": 2},
               "sparsify/cfg": {"activation": "topk", "k": 2}}  # fmt: skip
    for name, config in configs.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    save_file({"W_enc": encoder.T.copy(), "W_dec": decoder, **zeros},
              folder / "saelens" / "sae_weights.safetensors")  # fmt: skip
    save_file({"encoder.weight": encoder, "encoder.bias": zeros["b_enc"], "W_dec": decoder,
               "b_dec": zeros["b_dec"]}, folder / "sparsify" / "sae.safetensors")  # fmt: skip


def flip(file, rng):
    content = bytearray(file.read_bytes())
    for _ in range(rng.integers(1, 4)):
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def truncate(file, rng):
    file.write_bytes(file.read_bytes()[: rng.integers(file.stat().st_size)])


def remove(file, rng):
    file.unlink()


def link(file, rng):
    file.unlink()
    file.symlink_to(str(rng.choice(["/dev/zero", "/etc/hostname", str(file), "../../nowhere"])))


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
    lambda value, rng: value[:0] if value.ndim else value,
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
    place = content
    while keys := list(place) if isinstance(place, dict) else list(range(len(place))):
        key = keys[int(rng.integers(len(keys)))]
        if not (isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.6):
            place[key] = values[int(rng.integers(len(values)))]
            break
        place = place[key]
    text = json.dumps(content).replace('"NUMBER"', "1e999").replace('"NAN"', "NaN")
    file.write_text(text.replace('"DEEP"', "[" * 10_000 + "]" * 10_000))


def mutate(folder, rng, *, by_strangers):
    """Change one file of a saved model; return how, and whether checksums were written anew."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = files[int(rng.integers(len(files)))]
    ways = [flip, truncate, remove, link]
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


def check(name, how, found, expected):
    """Return what a load that was not refused gave, or None for another model in silence."""
    if len(found) == len(expected) and all(map(np.array_equal, found, expected)):
        return "equal"
    if not all(np.isfinite(np.asarray(part, dtype=np.float64)).all() for part in found):
        return None
    legal = how[2] or name in FOREIGN or name == "checkpoint" or "config.json" in how[1]
    return "another whole model" if legal else None


def hang(*_):
    raise AssertionError("a load hangs")


def main(n_mutations, seed):
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, hang)
    work = Path(tempfile.mkdtemp(prefix="damage-"))
    (work / "whole").mkdir()
    save_all(work / "whole")
    expected = {name: use(work / "whole" / name) for name, use in USES.items()}
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    counts, failures = collections.Counter(), []
    for number in range(n_mutations):
        rng = np.random.default_rng([seed, number])
        name = list(USES)[number % len(USES)]
        path = work / "damaged"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(work / "whole" / name, path)
        how = mutate(path, rng, by_strangers=name != INSTALLED)
        signal.alarm(SECONDS)
        try:
            found = check(name, how, USES[name](path), expected[name])
        except REFUSED:
            found = "refused"
        except BaseException as error:
            failures.append(f"{number}: {name}, {how}: {type(error).__name__}: {error}")
            continue
        finally:
            signal.alarm(0)
        if found is None:
            failures.append(f"{number}: {name}, {how}: another model in silence")
        counts[found] += 1
    shutil.rmtree(work)
    print(dict(counts), *failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2])))
