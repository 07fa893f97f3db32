"""TSCTM (topmost), its defaults: the runner-up in the SAE-TM paper's tables."""

import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

from peers import from_matrices

VERSION_OF = "topmost"
IMPORTS = ("sentence_transformers",)


def fit(corpus, n_topics, seed):
    import torch

    model_class, trainer_class = _import_topmost()
    from torch.utils.data import DataLoader

    torch.manual_seed(seed)
    counts = torch.from_numpy(corpus.bow.toarray())
    dataset = SimpleNamespace(
        vocab=corpus.vocabulary,
        train_data=counts,
        train_dataloader=DataLoader(counts, batch_size=200, shuffle=True),
    )
    trainer = trainer_class(model_class(len(corpus.vocabulary), n_topics), dataset)
    _, doc_topics = trainer.train()
    return from_matrices(trainer.get_beta(), doc_topics, corpus.vocabulary)


def _import_topmost():
    """Import topmost, without torchvision where that is missing: it uses one download function."""
    import sentence_transformers  # noqa: F401  (looks for torchvision too; must find the truth)

    names = ("torchvision", "torchvision.datasets", "torchvision.datasets.utils")
    missing = find_spec("torchvision") is None
    if missing:
        sys.modules.update({name: ModuleType(name) for name in names})
        sys.modules[names[-1]].download_url = None
    from topmost.models.basic.TSCTM.TSCTM import TSCTM
    from topmost.trainers.basic.basic_trainer import BasicTrainer

    if missing:
        for name in names:
            del sys.modules[name]
    return TSCTM, BasicTrainer
