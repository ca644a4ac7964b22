"""Every registered model is importable by its class name, and costs nothing until it is."""

import subprocess
import sys

import pytest

import barstack.models
from barstack.models import MODELS

OWN = [name for name in MODELS.names() if MODELS.get(name).__module__.startswith("barstack.")]


@pytest.mark.parametrize("name", OWN)
def test_a_model_is_importable_by_its_class_name(name: str) -> None:
    kind = MODELS.get(name)
    assert getattr(barstack.models, kind.__name__) is kind
    assert kind.__name__ in barstack.models.__all__


def test_all_names_are_there() -> None:
    for name in barstack.models.__all__:
        assert getattr(barstack.models, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Rigde'"):
        _ = barstack.models.Rigde


def test_specs_need_no_libraries_and_networks_name_the_extra() -> None:
    code = """
import sys

class OutOfReach:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "safetensors", "lightgbm", "xgboost", "catboost", "sklearn"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, OutOfReach())
from barstack.models import LSTM, LightGBM, Ridge, TimesFM

print(LSTM().hidden, LightGBM().trees, Ridge().penalty, TimesFM().lookback)
try:
    import barstack.models.neural.networks.recurrent
except Exception as error:
    print(error)
"""  # noqa: E501
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    settings, error = ran.stdout.splitlines()
    assert settings == "64 200 1.0 512"
    assert error.startswith("This model needs PyTorch: pip install 'barstack[neural]'")
