"""State carried from bar to bar: one step says what the network says of the whole window."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from barstack.core.forecast import Target
from barstack.datasets import Inputs, StandardScaler
from barstack.models import MODELS
from barstack.models.neural._learned import Learned
from barstack.models.neural._neural import Neural

CAUSAL = [
    name for name in MODELS.names()
    if issubclass(MODELS.get(name), Neural) and MODELS.get(name).causal  # type: ignore[attr-defined]
]  # fmt: skip
# Odd sizes: a mistake that a default forgives shows.
OTHERS: dict[str, dict[str, Any]] = {
    "cnn_lstm": {"kernel": 4, "layers": 1},
    "gru": {"layers": 3, "hidden": 9},
    "hierarchical": {"timeframes": (2, 5, 1, 3)},
    "lstm": {"layers": 1, "hidden": 9},
    "tcn": {"channels": 7},
    "tft": {"heads": 2, "width": 14},
    "transformer": {"layers": 3},
}
N_FEATURES, N_OUTPUTS = 5, 3


def network_of(name: str, lookback: int, **more: Any) -> nn.Module:
    """Weights drawn at random, large ones: forecasts of a fresh network hardly move."""
    model = MODELS.parse({"model": name, "lookback": lookback} | more)
    assert isinstance(model, Neural)
    torch.manual_seed(1)
    network = model.network(N_FEATURES, N_OUTPUTS).eval()
    with torch.no_grad():
        for part, parameter in network.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(2.0).add_(torch.randn_like(parameter), alpha=0.1)
            elif part == "read.bias":
                parameter.zero_()
    return network


def stepped(network: Any, bars: Tensor) -> Tensor:
    """(n_bars, n_outputs) of bars one by one."""
    state, said = network.initial(), []
    for bar in bars:
        shapes = [each.shape for each in state]
        found, *state = network.step(bar[None], *state)
        assert [each.shape for each in state] == shapes
        assert found.shape == (1, N_OUTPUTS)
        said.append(found)
    return torch.cat(said)


@pytest.mark.parametrize(
    ("name", "lookback", "more"),
    [
        *((name, 24, {}) for name in CAUSAL),
        *((name, 17, more) for name, more in OTHERS.items()),
    ],
    ids=str,
)
def test_a_step_says_what_the_window_says(name: str, lookback: int, more: dict[str, Any]) -> None:
    """At every bar from the first whole window on, to float32's rounding."""
    network = network_of(name, lookback, **more)
    torch.manual_seed(2)
    bars = torch.randn(3 * lookback, N_FEATURES)
    with torch.inference_mode():
        said = stepped(network, bars)[lookback - 1 :]
        windows = bars.unfold(0, lookback, 1).transpose(1, 2)
        expected = network(windows)[:, -1]
    assert expected.std() > 0.03
    assert (said - expected).abs().max() < 1e-6 * max(expected.std(), expected.abs().max())


@pytest.mark.parametrize("name", CAUSAL)
def test_what_lies_before_the_window_is_forgotten(name: str) -> None:
    """Whatever came first, after `lookback` bars the forecasts are the same to the bit."""
    network = network_of(name, 18)
    torch.manual_seed(3)
    same = torch.randn(20, N_FEATURES)
    with torch.inference_mode():
        one, other = (
            stepped(network, torch.cat([torch.randn(5, N_FEATURES) * 50.0, same])) for _ in range(2)
        )
    assert not torch.equal(one[:20], other[:20])
    assert torch.equal(one[5 + 17 :], other[5 + 17 :])


@pytest.mark.parametrize("name", CAUSAL)
def test_a_step_leaves_the_state_it_was_given_alone(name: str) -> None:
    network: Any = network_of(name, 18)
    with torch.inference_mode():
        _, *state = network.step(torch.randn(1, N_FEATURES), *network.initial())
        before = [each.clone() for each in state]
        network.step(torch.randn(1, N_FEATURES), *state)
    assert all(torch.equal(one, other) for one, other in zip(before, state, strict=True))


@pytest.mark.parametrize("name", CAUSAL)
def test_a_compiled_state_says_what_predict_says(name: str) -> None:
    """Of every whole window, whatever came before, in two streams at a time."""
    lookback = 18
    model = MODELS.parse({"model": name, "lookback": lookback})
    assert isinstance(model, Neural)
    start = torch.tensor([0.05, -0.02, 0.1])
    learned = Learned(network_of(name, lookback), start, N_FEATURES, "windows", ())
    target = Target("return", ("1h", "4h", "1d"))
    rng = np.random.default_rng(0)
    table = rng.standard_t(5, (40, N_FEATURES))
    scaler = StandardScaler().fit(table)
    scaled, rows = scaler.apply(table), np.arange(lookback - 1, len(table))
    expected = model.predict(learned, Inputs(table, rows, scaler, rows + 1), target)
    begin = model.carried(learned, target)
    assert begin is not None
    one, other = begin(), begin()
    for turn in (rng.standard_t(5, table.shape), scaled):
        said = []
        for row in range(len(table)):
            said.append(one(turn[row : row + 1]))
            other(rng.standard_normal((1, N_FEATURES)))
    found = np.concatenate(said)[lookback - 1 :]
    assert (np.abs(found - expected) <= 1e-5 * expected.std(axis=0)).all()


def test_models_that_read_whole_windows_carry_nothing() -> None:
    model = MODELS.parse({"model": "dlinear", "lookback": 12})
    assert isinstance(model, Neural)
    network = model.network(N_FEATURES, N_OUTPUTS)
    learned = Learned(network, torch.zeros(N_OUTPUTS), N_FEATURES, "windows", ())
    assert model.carried(learned, Target("return", ("1h", "4h", "1d"))) is None
