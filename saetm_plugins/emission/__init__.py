"""Stage 2: from documents' atoms and word counts to the words of each atom (paper, sec. 4)."""

from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.emission.solver import fit_emissions

__all__ = ["Emissions", "fit_emissions"]
