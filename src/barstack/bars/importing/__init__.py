"""Files into the catalog, with repairs where they are asked for, and a log of what was done."""

from ._import import Import, run_import
from ._outcome import LOG, Outcome
from ._plan import Plan, plan_import, preview
from ._repairs import Repairs

__all__ = ["LOG", "Import", "Outcome", "Plan", "Repairs", "plan_import", "preview", "run_import"]
