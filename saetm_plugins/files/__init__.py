"""Files: folders written whole or not at all, tables, texts, shards, weights."""
