"""A predictor made quick: in a stream it says what a batch says, and how each member runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from barstack import load
from barstack.testing import walk

ARTIFACT = Path(__file__).parent / "data" / "format_2" / "artifact"


def test_a_quick_stream_equals_a_batch() -> None:
    """Ridge, LightGBM and an LSTM, over 100 bars: to 1e-5 of the forecasts' deviation."""
    predictor, bars = load(ARTIFACT), walk(600)
    fast = predictor.fast()
    assert fast.compiled == {"ridge": "predict", "lightgbm": "predict", "lstm": "compiled"}
    batch = predictor.forecasts(bars)["stack"].values[-100:]
    stream, live = fast.stream(bars[:-100]), []
    for row in range(len(bars) - 100, len(bars)):
        forecast = stream.update(bars[row : row + 1])
        assert forecast is not None
        live.append(forecast.values[0])
    assert (np.abs(np.array(live) - batch) <= 1e-5 * batch.std(axis=0)).all()


WITHOUT = """
import sys
import numpy as np

class OutOfReach:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[2].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OutOfReach())
import barstack as bs

model = bs.load(sys.argv[1])
fast = model.fast()
print(fast.compiled)
rows = np.linspace(-0.02, 0.02, 12).reshape(6, 2)
print(fast.predict_row(rows) == model.predict_row(rows), "lightgbm" in sys.modules)
"""


def test_without_the_extra_networks_run_as_before_and_it_is_said() -> None:
    """Nor does an artifact need the library that grew its trees."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(ARTIFACT), "onnxruntime,lightgbm"],
        capture_output=True,
        text=True,
        check=True,
    )
    said, equal = done.stdout.splitlines()
    assert "'lstm': \"predict. For ONNX Runtime, pip install 'barstack[fast]'" in said
    assert equal == "True False"
