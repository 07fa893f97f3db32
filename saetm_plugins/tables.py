"""Tables in and out, under the name they are imported by; see `files.tables`."""

from saetm_plugins.files.tables import document_table, read_table, topic_table, write_table

__all__ = ["document_table", "read_table", "topic_table", "write_table"]
