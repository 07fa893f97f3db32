"""Sparse-autoencoder topic models inside the tools people already use."""
