"""The command line: parse, call, print."""

# Importing a module adds its commands; `--help` lists them in this order.
from . import _study  # noqa: F401  # isort: skip
from . import _init  # noqa: F401  # isort: skip
from . import _sweep  # noqa: F401  # isort: skip
from . import _tune  # noqa: F401  # isort: skip
from . import _judge  # noqa: F401  # isort: skip
from . import _calibrate  # noqa: F401  # isort: skip
from . import _dashboard  # noqa: F401  # isort: skip
from . import _results  # noqa: F401  # isort: skip
from . import _ensemble  # noqa: F401  # isort: skip
from . import _simulate  # noqa: F401  # isort: skip
from . import _list  # noqa: F401  # isort: skip
from . import _doctor  # noqa: F401  # isort: skip
from . import (  # noqa: F401
    _artifacts,
    _data,
    _features,
    _fetch,
    _holdout,
    _import,
    _ledger,
    _models,
    _splits,
    _tracking,
    _world,
)
from ._main import main

__all__ = ["main"]
