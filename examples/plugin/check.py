"""The contract of barstack's models, run on the one in this package."""

from barstack.models import MODELS
from barstack.testing import MODEL_CHECKS, small_dataset

model = MODELS.get("median")()
dataset = small_dataset("return")
for check in MODEL_CHECKS:
    check(model, dataset)
    print("passed", check.__name__)
