"""Data of saetm-plugins: 16,384 topic atoms."""
