"""gensim: a topic model that code written for ``LdaModel`` accepts without a change.

``import gensim`` inside these files is the library.
"""

try:
    import gensim
except ImportError as error:
    raise ImportError("SaeModel needs gensim: pip install 'saetm-plugins[gensim]'") from error

from saetm_plugins.gensim.model import SaeModel

__all__ = ["SaeModel"]

del gensim
