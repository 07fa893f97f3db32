"""OCTIS' CTM (zero-shot) on the corpus' embeddings, OCTIS' defaults otherwise."""

import pickle
import tempfile
from pathlib import Path

from peers.octis_models import fit_octis

VERSION_OF = "octis"
IMPORTS = ("octis.models.CTM",)


def fit(corpus, n_topics, seed):
    from octis.models.CTM import CTM

    with tempfile.TemporaryDirectory() as folder:
        # The file CTM itself would have written: embeddings it finds it does not compute.
        (Path(folder) / "ctm_train.pkl").write_bytes(pickle.dumps(corpus.embeddings))
        model = CTM(num_topics=n_topics, use_partitions=False, seed=seed, bert_path=f"{folder}/ctm")
        return fit_octis(model, corpus, seed)
