"""How a sparse autoencoder is trained; :func:`train.train_sae` is where to start reading."""
