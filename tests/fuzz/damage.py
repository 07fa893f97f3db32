"""Damage saved models over and over, in a process of its own: `python damage.py N SEED`.

What was only damaged must be refused or give equal results. What a stranger wrote, checksums and
all, must be refused or give mixtures that are whole; no mutation may crash, hang or take memory.
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
from safetensors.numpy import load_file, save_file

from saetm_plugins import SAETopicModel, SparseAutoencoder, train_sae
from saetm_plugins.atoms import foundation
from saetm_plugins.atoms.training.checkpoints import CheckpointFolder
from saetm_plugins.octis.data import read_cached, write_cached
from saetm_plugins.persistence import CHECKSUMS_NAME, write_checksums

MEMORY = 2**30  # bytes of address space above what is mapped before the first load
SECONDS = 60  # for one load: a hang, on a machine shared with others
REFUSED = (ValueError, OSError)  # FileNotFoundError is an OSError

RNG = np.random.default_rng(0)
THEMES = RNG.integers(4, size=60)
EMBEDDINGS = (np.eye(4, 8)[THEMES] + 0.2 * RNG.normal(size=(60, 8))).astype(np.float32)
TEXTS = [" ".join(f"{'abcd'[t]}{'klmno'[i]}word" for i in RNG.integers(5, size=8)) for t in THEMES]


def use_topic_model(path):
    model = SAETopicModel.load(path)
    return [model.transform(None, EMBEDDINGS), model.retopic(3).components_]


def use_autoencoder(path):
    codes = SparseAutoencoder.from_pretrained(path).transform(EMBEDDINGS).toarray()
    return [codes]


def use_gensim(path):
    from saetm_plugins.gensim import SaeModel

    model = SaeModel.load(path)
    words = model.num_terms
    return [model.inference([[(0, 2), (words - 1, 1)], []])[0], model.get_topics()]


def use_bertopic(path):
    from saetm_plugins.bertopic import SAEBERTopic

    model = SAEBERTopic.load(path)
    return [model.sae_model_.transform(None, EMBEDDINGS)]


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
    for cached in CACHED:
        cached.cache_clear()
    codes = foundation.load_foundation(1024).transform(np.eye(5, 384, dtype=np.float32))
    described = foundation.atom_descriptions(1024)
    return [codes.toarray(), np.array([each.share for each in described])]


CACHED = (
    foundation.load_foundation, foundation.foundation_card, foundation.atom_descriptions,
    foundation._whole_folder,
)  # fmt: skip
USES = {
    "foundation": use_foundation,
    "topic model": use_topic_model,
    "autoencoder": use_autoencoder,
    "gensim": use_gensim,
    "bertopic": use_bertopic,
    "bertopic pytorch": use_bertopic,
    "embedding cache": use_cache,
    "checkpoint": use_checkpoint,
    "dictionary_learning": use_autoencoder,
    "saelens": use_autoencoder,
    "sparsify": use_autoencoder,
}
# Who can write new checksums there could write code: it is within the installed package.
INSTALLED = "foundation"
# Whose formats hold no checksum: what changes a weight to another weight cannot be told.
FOREIGN = ("saelens", "sparsify")


def save_all(folder):
    """Save one of every kind."""
    sae = train_sae(EMBEDDINGS, n_atoms=12, k=2, n_steps=60)
    model = SAETopicModel(4, sae=sae).fit(TEXTS, embeddings=EMBEDDINGS)
    model.save(folder / "topic model")
    sae.save_pretrained(folder / "autoencoder")
    model.to_gensim().save(str(folder / "gensim"))
    from saetm_plugins.bertopic import SAEBERTopic

    bertopic = SAEBERTopic(n_topics=4, sae=sae, embedding_model=Encoder())
    bertopic.fit(TEXTS, EMBEDDINGS)
    bertopic.save(folder / "bertopic", save_embedding_model=False)
    bertopic.save(folder / "bertopic pytorch", "pytorch", save_embedding_model=False)
    shutil.copytree(foundation.FOLDER, folder / "foundation")
    write_cached(folder / "embedding cache", EMBEDDINGS)
    for step in (1, 2):
        CheckpointFolder(folder / "checkpoint", {"k": 1}).save(step, {"w": EMBEDDINGS})
    save_foreign(folder, sae)


def save_foreign(folder, sae):
    encoder, decoder = torch.tensor(sae.encoder_), torch.tensor(sae.decoder_)
    bias, centre = torch.zeros(12), torch.zeros(8)
    (folder / "dictionary_learning").mkdir()
    weights = {"encoder.weight": encoder, "encoder.bias": bias, "decoder.weight": decoder.T.clone()}
    torch.save({**weights, "b_dec": centre, "k": torch.tensor(2), "threshold": torch.tensor(0.1)},
               folder / "dictionary_learning" / "ae.pt")  # fmt: skip
    (folder / "dictionary_learning" / "config.json").write_text(
        json.dumps({"trainer": {"dict_class": "BatchTopKSAE"}})
    )
    (folder / "saelens").mkdir()
    save_file({"W_enc": sae.encoder_.T.copy(), "b_enc": bias.numpy(), "W_dec": sae.decoder_,
               "b_dec": centre.numpy()},
              folder / "saelens" / "sae_weights.safetensors")  # fmt: skip
    (folder / "saelens" / "cfg.json").write_text(json.dumps({"architecture": "topk", "k": 2}))
    (folder / "sparsify").mkdir()
    save_file({"encoder.weight": sae.encoder_, "encoder.bias": bias.numpy(), "W_dec": sae.decoder_,
               "b_dec": centre.numpy()}, folder / "sparsify" / "sae.safetensors")  # fmt: skip
    (folder / "sparsify" / "cfg.json").write_text(json.dumps({"activation": "topk", "k": 2}))


class Encoder:
    def encode(self, texts):
        return np.asarray([np.bincount([ord(c) % 8 for c in t], minlength=8) for t in texts], "f4")


def flip(file, rng):
    content = bytearray(file.read_bytes())
    for _ in range(rng.integers(1, 4)):
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def truncate(file, rng):
    file.write_bytes(file.read_bytes()[: rng.integers(file.stat().st_size)])


def append(file, rng):
    file.write_bytes(file.read_bytes() + bytes(rng.integers(256, size=9, dtype=np.uint8)))


def remove(file, rng):
    file.unlink()


def link(file, rng):
    file.unlink()
    target = rng.choice(["/dev/zero", "/etc/hostname", str(file), "../../nowhere", "/dev/urandom"])
    file.symlink_to(str(target))


def claim_terabytes(file, rng):
    entry = {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}
    header = json.dumps({"decoder": entry}).encode()
    length = len(header) if rng.random() < 0.5 else 2**62
    file.write_bytes(length.to_bytes(8, "little") + header)


def change_tensor(file, rng):
    """Change one tensor of a safetensors file to another that is legal there."""
    tensors = load_file(file)
    name = str(rng.choice(sorted(tensors)))
    value, kind = tensors[name], int(rng.integers(9))
    if kind == 0:
        value = value.reshape(-1) if value.ndim > 1 else value.reshape(1, -1)
    elif kind == 1:
        value = value.astype(str(rng.choice(["f2", "f8", "i1", "i8", "u1", "bool", "u4"])))
    elif kind == 2:
        value = (value * 1.0) * np.nan
    elif kind == 3:
        value = np.full_like(value, 2**31 - 1 if value.dtype.kind in "iu" else 1e30)
    elif kind == 4:
        value = -np.abs(value) - 1
    elif kind == 5:
        value = value[: len(value) // 2] if value.ndim else value
    elif kind == 6:
        value = value[:0] if value.ndim else value
    elif kind == 7:
        other = str(rng.choice(sorted(tensors)))
        tensors[other], value = value, tensors[other]
    else:
        del tensors[name]
        save_file(tensors, file)
        return
    tensors[name] = np.ascontiguousarray(value)
    save_file(tensors, file)


def change_json(file, rng):
    """Change one value somewhere in a file of JSON."""
    content = json.loads(file.read_text())
    value = [
        None, True, -1, 2**70, 1.5, "../../etc/passwd", "\x00", [], {}, [[[]]], "NUMBER", "DEEP",
        "NAN", ["x"] * 3, "trust_remote_code",
    ][int(rng.integers(15))]  # fmt: skip
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.6:
            place = place[key]
            continue
        place[key] = value
        break
    text = json.dumps(content)
    deep = "[" * 10_000 + "]" * 10_000
    text = text.replace('"NUMBER"', "1e999").replace('"DEEP"', deep).replace('"NAN"', "NaN")
    file.write_text(text)


def mutate(folder, rng, *, by_strangers=True):
    """Change one file of a saved model; tell how, and whether as a stranger would write it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = files[int(rng.integers(len(files)))]
    kinds = [flip, truncate, append, remove, link]
    if file.suffix == ".safetensors":
        kinds += [claim_terabytes, *[change_tensor] * 5]
    if file.suffix == ".json" and file.name != CHECKSUMS_NAME:
        kinds += [change_json] * 5
    kind = kinds[int(rng.integers(len(kinds)))]
    kind(file, rng)
    stranger = by_strangers and bool(rng.random() < 0.7)
    if stranger:
        for listed in folder.rglob(CHECKSUMS_NAME):
            if listed.is_file() and not listed.is_symlink():
                write_checksums(listed.parent)
    return kind.__name__, file.name, stranger


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
    names = sorted(USES)
    for number in range(n_mutations):
        rng = np.random.default_rng([seed, number])
        name = names[number % len(names)]
        path = work / "damaged"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(work / "whole" / name, path)
        how = mutate(path, rng, by_strangers=name != INSTALLED)
        signal.alarm(SECONDS)
        try:
            found = USES[name](path)
        except REFUSED:
            counts["refused"] += 1
        except BaseException as error:
            failures.append(f"{number}: {name}, {how}: {type(error).__name__}: {error}")
        else:
            equal = len(found) == len(expected[name]) and all(
                np.array_equal(a, b) for a, b in zip(found, expected[name], strict=True)
            )
            whole = all(np.isfinite(np.asarray(part, dtype=np.float64)).all() for part in found)
            damaged_weight = name in FOREIGN and how[0] in ("flip", "change_tensor")
            if equal:
                counts["equal"] += 1
            elif whole and (how[2] or damaged_weight or name == "checkpoint" or name in FOREIGN
                            or "config.json" in how[1]):  # fmt: skip
                counts["another whole model"] += 1
            else:
                failures.append(f"{number}: {name}, {how}: another model in silence")
        finally:
            signal.alarm(0)
    shutil.rmtree(work)
    print(dict(counts), *failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2])))
