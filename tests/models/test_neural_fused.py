"""Networks trained as one learn what each learns alone, with its own settings, draws and end."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from barstack.core.errors import DataError
from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.models import MODELS
from barstack.models._trainer import Prepared, prepare
from barstack.models.neural._fused import Stack, _members, fit_together
from barstack.models.neural._learned import Learned
from barstack.models.neural._neural import Neural
from barstack.models.neural._random import Dropout, Noise, drawing_from
from barstack.models.neural._stacked import LayerNorm, Linear, max_pool
from barstack.testing import small_dataset, training_rows

dataset_for: Callable[[Task], Dataset] = cache(small_dataset)

FUSED: dict[str, dict[str, Any]] = {
    "autoencoder_mlp": {"lookback": 2, "hidden": (16,), "code": 4},
    "dlinear": {"trend_bars": 3},
    "mlp": {"hidden": (16, 8)},
    "nhits": {"pools": (3, 1), "hidden": 16},
    "patchtst": {"patch": 3, "stride": 1, "width": 8, "heads": 2, "layers": 1},
}
SHARED: dict[str, Any] = {"lookback": 6, "batch": 32, "learning_rate": 2e-3, "epochs": 5}
# What members of one stack may differ in; the second and the last end before the others.
OWN: tuple[dict[str, Any], ...] = (
    {"dropout": 0.4, "weight_decay": 0.2},
    {"dropout": 0.0, "epochs": 2, "schedule": "one_cycle"},
    {"learning_rate": 4e-3, "clip_norm": 0.05},
    {"patience": 1, "learning_rate": 0.02, "epochs": 12},
)


def model_of(name: str, **settings: Any) -> Neural:
    model = MODELS.parse({"model": name} | SHARED | FUSED[name] | settings)
    assert isinstance(model, Neural)
    return model


def prepared(task: Task, lookback: int) -> Prepared:
    dataset = dataset_for(task)
    return prepare(model_of("mlp", lookback=lookback), dataset, training_rows(dataset))


def test_all_that_fuse_are_held_to_it() -> None:
    neural = {n: c for n in MODELS.names() if issubclass(c := MODELS.get(n), Neural)}
    assert {name for name, each in neural.items() if each.fuses} == set(FUSED)


@pytest.mark.parametrize(
    ("name", "task"), [*((name, "return") for name in FUSED), ("mlp", "three_class")]
)
def test_each_learns_what_it_learns_alone(name: str, task: Task) -> None:
    models = [model_of(name, **own) for own in OWN]
    given, dataset = prepared(task, models[0].lookback), dataset_for(task)
    assert given.stop is not None
    seeds = [11, 12, 13, 14]
    together = fit_together(models, given.fit, given.stop, dataset.target, seeds)
    lengths = []
    for model, seed, learned in zip(models, seeds, together, strict=True):
        assert isinstance(learned, Learned)
        alone = model.fit(given.fit, given.stop, dataset.target, seed)
        lengths.append(len(alone.curves))
        # AdamW divides by how far gradients went: where they nearly vanish it turns rounding
        # into steps, more in each epoch, so later ones are held to less.
        for one, other in zip(learned.curves[:3], alone.curves[:3], strict=True):
            assert one.number == other.number
            assert one.steps == other.steps
            assert one.learning_rate == other.learning_rate
            assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)
            assert one.stop_loss == pytest.approx(other.stop_loss, rel=1e-4)
        if model.epochs <= 5:
            assert len(learned.curves) == len(alone.curves)
            said, expected = (
                model.predict(own, given.stop, dataset.target) for own in (learned, alone)
            )
            assert np.abs(said - expected).max() < 1e-4 * expected.std()
    assert lengths[1] == 2  # it left the stack, and the others went on
    assert lengths[0] == lengths[2] == 5


def test_early_stopping_is_each_members_own() -> None:
    """With other patience, members of one stack end at other epochs, as they do alone."""
    given, target = prepared("return", 6), dataset_for("return").target
    assert given.stop is not None
    own = [{"patience": patience, "batch": 8, "learning_rate": 0.02} for patience in (1, 4)]
    models = [model_of("mlp", epochs=30, **each) for each in own]
    found = fit_together(models, given.fit, given.stop, target, [0, 0])
    lengths = []
    for model, learned in zip(models, found, strict=True):
        assert isinstance(learned, Learned)
        assert len(learned.curves) == learned.best.number + 1 + model.patience
        lengths.append(len(learned.curves))
    assert lengths[0] < lengths[1] < 30


def test_one_that_diverges_says_so_and_spoils_no_other() -> None:
    given, target = prepared("return", 6), dataset_for("return").target
    assert given.stop is not None
    models = [model_of("mlp", loss="mse", learning_rate=rate, epochs=2) for rate in (2e-3, 1e30)]
    good, bad = fit_together(models, given.fit, given.stop, target, [0, 0])
    assert isinstance(bad, DataError)
    assert "Training diverged" in str(bad)
    alone = models[0].fit(given.fit, given.stop, target, 0)
    assert isinstance(good, Learned)
    assert good.best.stop_loss == pytest.approx(alone.best.stop_loss, rel=1e-4)


def test_members_that_are_done_leave_the_stack() -> None:
    """No step of the stack works for a member that has ended."""
    given, target = prepared("return", 6), dataset_for("return").target
    sizes = []
    begin = Stack.__init__

    def counting(self: Stack, members: Any) -> None:
        sizes.append(len(members))
        begin(self, members)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stack, "__init__", counting)
        assert given.stop is not None
        models = [model_of("mlp", epochs=epochs) for epochs in (1, 3, 3, 2)]
        fit_together(models, given.fit, given.stop, target, [0, 1, 2, 3])
    assert sizes == [4, 3, 2]


@pytest.mark.parametrize("kind", [Dropout, Noise])
def test_stacked_members_draw_what_they_draw_alone(kind: Any) -> None:
    sizes = (0.0, 0.25, 0.5)
    x = torch.rand(3, 40, 7) + 1.0
    alone = []
    for place, size in enumerate(sizes):
        torch.manual_seed(place)
        alone.append(kind(size).train()(x[place]))
    stack = kind(0.1).train()
    stack.sizes = list(sizes)
    with drawing_from([torch.Generator().manual_seed(place) for place in range(3)]):
        torch.testing.assert_close(stack(x), torch.stack(alone), rtol=0, atol=0)
    assert torch.equal(stack.eval()(x), x)


def test_dropout_hides_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = torch.ones(400, 500)
    for share in (0.1, 0.5, 0.9):
        kept = Dropout(share).train()(x)
        error = (share * (1 - share) / x.numel()) ** 0.5
        assert abs(float((kept == 0).float().mean()) - share) < 5 * error + 2**-16
        assert float(kept.mean()) == pytest.approx(1.0, abs=6 * error / (1 - share))
        assert kept[kept > 0].unique().numel() == 1


@pytest.mark.parametrize("kind", [Linear, LayerNorm])
def test_stacked_layers_are_those_of_each_member(kind: Any) -> None:
    torch.manual_seed(0)
    layers = [kind(5, 3) if kind is Linear else kind(5) for _ in range(4)]
    for layer in layers:
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter)
    x = torch.randn(4, 6, 2, 5)
    expected = torch.stack([layer(own) for layer, own in zip(layers, x, strict=True)])
    stack = layers[0]
    weights, biases = (torch.stack([getattr(each, name).data for each in layers])
                       for name in ("weight", "bias"))  # fmt: skip
    stack.weight.data, stack.bias.data = weights, biases
    torch.testing.assert_close(stack(x), expected)


def test_pooling_takes_any_number_of_dimensions() -> None:
    x = torch.randn(3, 4, 2, 7)
    expected = torch.stack([torch.nn.functional.max_pool1d(own, 3, ceil_mode=True) for own in x])
    assert torch.equal(max_pool(x, 3), expected)
    assert torch.equal(max_pool(x[0], 3), expected[0])


def test_a_member_begins_as_alone() -> None:
    """The same weights, from the same seed, whatever its place in the stack."""
    given, target = prepared("return", 6), dataset_for("return").target
    device = torch.device("cpu")
    model = model_of("mlp")
    one, two = _members([model, model], given.fit, target, [5, 6], device)
    (again,) = _members([model], given.fit, target, [6], device)
    for own, same in zip(two.run.network.parameters(), again.run.network.parameters(), strict=True):
        assert torch.equal(own, same)
    assert torch.equal(two.generator.get_state(), again.generator.get_state())
    assert not torch.equal(one.generator.get_state(), two.generator.get_state())
