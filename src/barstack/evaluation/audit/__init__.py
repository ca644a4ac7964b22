"""The leak audit: proofs that nothing in a pipeline has seen what came later."""

from ._coherence import hit_rate, incoherent
from ._hunt import assert_clean, hunt
from ._leak import AuditRecord, Leak
from ._pipeline import Data, Fit, Pipeline, Stage
from ._prefix import assert_causal, find_leaks
from ._refits import files_read

__all__ = [
    "AuditRecord",
    "Data",
    "Fit",
    "Leak",
    "Pipeline",
    "Stage",
    "assert_causal",
    "assert_clean",
    "files_read",
    "find_leaks",
    "hit_rate",
    "hunt",
    "incoherent",
]
