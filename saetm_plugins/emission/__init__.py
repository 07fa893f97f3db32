"""Stage 2: from documents' atoms and word counts to the words of each atom (paper, sec. 4)."""

from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.emission.inference import infer_doc_atoms
from saetm_plugins.emission.pooled import fit_pooled_emissions
from saetm_plugins.emission.solver import fit_emissions

__all__ = ["Emissions", "fit_emissions", "fit_pooled_emissions", "infer_doc_atoms"]
