"""Sparse autoencoders on disk and on the Hugging Face hub, of this library and of others."""
