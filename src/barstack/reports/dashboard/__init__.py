"""A page in the browser on experiments while they run. It needs the extra `dashboard`.

Figures are plain functions of experiments; routes only read the database and call them.
"""

from ._app import dashboard_app as dashboard_app
from ._serve import serve as serve
