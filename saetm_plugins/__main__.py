"""``python -m saetm_plugins``: the `saetm` command, for torchrun and for machines without PATH."""

from saetm_plugins.cli import main

if __name__ == "__main__":
    main()
