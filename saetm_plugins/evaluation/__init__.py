"""Evaluation of topics, from plain lists of words and plain matrices.

Coherence is gensim's, NMI and F1 are scikit-learn's, optimal transport is POT's; they are imported
when called. SAE-TM (arXiv 2511.16309), section 5, uses these measures. A wrong argument
raises a TypeError or ValueError that names it.
"""

from saetm_plugins.evaluation.chat import (
    AnswerCache,
    CallableChat,
    CostEstimate,
    JudgeError,
    OpenAIChat,
    PipelineChat,
    Prices,
)
from saetm_plugins.evaluation.judge import TopicJudge
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
