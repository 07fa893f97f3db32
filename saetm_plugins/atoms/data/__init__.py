"""Where embeddings come from: arrays, files, shards, streams, texts to encode, synthetic draws."""
