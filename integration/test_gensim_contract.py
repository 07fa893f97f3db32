"""gensim's own tests of topic models, unmodified, run on SaeModel.

``TestBaseTopicModel`` states what every topic model of gensim must do, ``TestLdaModel`` what code
written for an ``LdaModel`` relies on. Tests of the latter that cannot apply are left out below,
each with its reason.
"""

import functools
import unittest

from gensim.corpora import mmcorpus
from gensim.test import basetmtests, test_ldamodel
from gensim.test.utils import common_texts, datapath

from saetm_plugins import train_sae
from saetm_plugins.corpus import encode_texts, load_encoder
from saetm_plugins.gensim import SaeModel


@functools.cache
def encode_common_texts():
    return encode_texts(load_encoder(), [" ".join(text) for text in common_texts])


@functools.cache
def few_atoms():
    return train_sae(encode_common_texts(), n_atoms=16, n_steps=100)


class Fitted(SaeModel):
    """Brings embeddings and atoms where gensim's tests train on bags alone.

    And two topics where they ask for the default of 100: nine documents have a few atoms.
    """

    def __init__(self, corpus=None, num_topics=2, id2word=None, **options):
        super().__init__(corpus, num_topics, id2word, sae=few_atoms(), **options)

    def update(self, corpus, chunksize=None, *, documents=None, embeddings=None, **training):
        super().update(corpus, chunksize, embeddings=encode_common_texts(), **training)


class TestTopicModel(unittest.TestCase, basetmtests.TestBaseTopicModel):
    def setUp(self):
        self.model = Fitted(test_ldamodel.corpus, num_topics=2, id2word=test_ldamodel.dictionary)


class TestContractOfLdaModel(test_ldamodel.TestLdaModel):
    def setUp(self):
        self.corpus = mmcorpus.MmCorpus(datapath("testcorpus.mm"))
        self.class_ = Fitted
        self.model = Fitted(test_ldamodel.corpus, num_topics=2, id2word=test_ldamodel.dictionary)

    # They load pickles of old LdaModels, packaged with gensim.
    test_model_compatibility_with_python_versions = None
    test_random_state_backward_compatibility = None
    test_dtype_backward_compatibility = None
    # They state how SaveLoad's pickles keep arrays in .npy files beside them: memory-mapped, and
    # not so when compressed. Ours are in safetensors; `mmap` is accepted and means nothing.
    test_large_mmap = None
    test_large_mmap_compressed = None
    # It never uses the class under test; tests/gensim/test_files.py tests `ignore` on ours.
    test_persistence_ignore = None
    # It expects the mixture that variational Bayes finds for the first document, [0.13, 0.87].
    test_transform = None
