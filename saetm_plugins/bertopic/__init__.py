"""BERTopic on sparse-autoencoder topics: a leaf that nothing else imports; needs ``bertopic``.

============================  ====================================================================
:class:`SAEClusterer`         goes into an unmodified BERTopic's ``hdbscan_model`` slot
:class:`SAERepresentation`    goes into its ``representation_model`` slot
:class:`SAEBERTopic`          is a BERTopic: mixtures, words from emissions, re-cuts at will
============================  ====================================================================
"""

from saetm_plugins.bertopic.clusterer import SAEClusterer
from saetm_plugins.bertopic.representation import SAERepresentation
from saetm_plugins.bertopic.topic_model import SAEBERTopic

__all__ = ["SAEBERTopic", "SAEClusterer", "SAERepresentation"]
