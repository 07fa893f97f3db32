"""Tables in and out, under the name they are imported by."""

from saetm_plugins.files.tables import read_table, write_table
from saetm_plugins.model_tables import document_table, topic_table

__all__ = ["document_table", "read_table", "topic_table", "write_table"]
