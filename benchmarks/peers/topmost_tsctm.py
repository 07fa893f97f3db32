"""TSCTM (topmost), its defaults: the runner-up in the SAE-TM paper's tables."""

import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

from peers import from_matrices

VERSION_OF = "topmost"


def fit(corpus, n_topics, seed):
    import torch

    _stand_in_for_torchvision()
    from topmost.models.basic.TSCTM.TSCTM import TSCTM
    from topmost.trainers.basic.basic_trainer import BasicTrainer
    from torch.utils.data import DataLoader

    torch.manual_seed(seed)
    counts = torch.from_numpy(corpus.bow.toarray())
    dataset = SimpleNamespace(
        vocab=corpus.vocabulary,
        train_data=counts,
        train_dataloader=DataLoader(counts, batch_size=200, shuffle=True),
    )
    trainer = BasicTrainer(TSCTM(len(corpus.vocabulary), n_topics), dataset)
    _, doc_topics = trainer.train()
    return from_matrices(trainer.get_beta(), doc_topics, corpus.vocabulary)


def _stand_in_for_torchvision():
    """Let topmost be imported without torchvision, of which it uses one download function."""
    if find_spec("torchvision") is not None:
        return
    for name in ("torchvision", "torchvision.datasets", "torchvision.datasets.utils"):
        sys.modules[name] = ModuleType(name)
    sys.modules["torchvision.datasets.utils"].download_url = None
