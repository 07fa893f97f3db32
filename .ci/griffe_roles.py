"""Show Sphinx roles of docstrings (:meth:`fit`) as code."""

import re

import griffe


class Roles(griffe.Extension):
    """Rewrite docstrings as they are read."""

    def on_instance(self, *, obj, **kwargs):
        """Replace roles by the name that they hold; ``~a.b.c`` shows c."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r":[a-z]+:`(?:~[\w.]*\.)?([^`]+)`", r"`\1`", obj.docstring.value
            )
