"""Evaluation: how good topics are, on plain lists of words and plain matrices.

Measures a library has are that library's (coherence: gensim; NMI, F1: scikit-learn; optimal
transport: POT), loaded when called; SAE-TM (arXiv 2511.16309), section 5, says which matter.
"""

from saetm_plugins.evaluation.chat import (
    AnswerCache,
    CallableChat,
    JudgeError,
    OpenAIChat,
    PipelineChat,
    Prices,
)
from saetm_plugins.evaluation.judge import CostEstimate, TopicJudge
from saetm_plugins.evaluation.mixtures import (
    TopicSignificance,
    classification_f1,
    coverage,
    normalized_mutual_information,
    purity,
    topic_significance,
)
from saetm_plugins.evaluation.words import (
    embedding_coherence,
    embedding_intruder_accuracy,
    topic_coherence,
    topic_diversity,
    wmd_diversity,
)

__all__ = [
    "AnswerCache",
    "CallableChat",
    "CostEstimate",
    "JudgeError",
    "OpenAIChat",
    "PipelineChat",
    "Prices",
    "TopicJudge",
    "TopicSignificance",
    "classification_f1",
    "coverage",
    "embedding_coherence",
    "embedding_intruder_accuracy",
    "normalized_mutual_information",
    "purity",
    "topic_coherence",
    "topic_diversity",
    "topic_significance",
    "wmd_diversity",
]
