"""The contract of barstack's models, run on the one in this package."""

from barstack.models import MODELS
from barstack.testing import checks_of

for check in checks_of(MODELS.get("median")()):
    check(check.part)
    print("passed", check.name)
