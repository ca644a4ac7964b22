"""Compiled layers against PyTorch's own calls: what they find, and all gradients, to rounding."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from barstack.models.neural.networks._attention import across, attend, band, small_attention
from barstack.models.neural.networks._dropout import Dropout
from barstack.models.neural.networks._layers import CausalConv, Recurrent, side_by_side
from barstack.models.neural.networks._recurrent import states


def found_and_asked(of: Callable[[], Tensor], pull: Tensor, asked: list[Tensor]) -> list[Tensor]:
    """What a function finds, and what `pull` on it asks of each tensor."""
    found = of()
    return [found.detach(), *torch.autograd.grad((found * pull).sum(), asked)]


def same(one: list[Tensor], other: list[Tensor]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("batch", [1, 4, 16])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
def test_recurrent_layers(
    kind: type[torch.nn.LSTM | torch.nn.GRU], layers: int, batch: int
) -> None:
    """Bars far out too."""
    torch.manual_seed(0)
    cells = kind(5, 11, layers, batch_first=True)
    bars = (torch.randn(batch, 30, 5) * 8.0).requires_grad_()
    pull, asked = torch.randn(batch, 30, 11), [bars, *cells.parameters()]
    theirs = found_and_asked(lambda: cells(bars)[0], pull, asked)
    same(found_and_asked(lambda: states(cells, bars), pull, asked), theirs)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("size", "keep", "steps", "width"),
    [(6, 7, 12, 4), (3, 9, 9, 1), (5, 2, 21, 20), (4, 30, 60, 31)],
)
def test_attention_over_a_band(size: int, keep: int, steps: int, width: int, shared: bool) -> None:
    torch.manual_seed(0)
    query = torch.randn(3, 2, keep, size, requires_grad=True)
    key = torch.randn(3, 2, steps, size, requires_grad=True)
    value = torch.randn(3, 1 if shared else 2, steps, 8, requires_grad=True)
    nearness = (3.0 * torch.randn(2, width)).requires_grad_()
    pull, asked = torch.randn(3, 2, keep, 8), [query, key, value, nearness]

    def plainly() -> Tensor:
        scores = query @ key.transpose(-1, -2) / size**0.5 + band(nearness, keep, steps)
        found: Tensor = scores.softmax(dim=-1) @ value
        return found

    theirs = found_and_asked(plainly, pull, asked)
    same(found_and_asked(lambda: attend(query, key, value, nearness), pull, asked), theirs)


@pytest.mark.parametrize("keys", [7, 12])
def test_a_band_is_what_lies_near(keys: int) -> None:
    """Key by key: the first of the latest three queries is the third key from the end."""
    nearness = torch.randn(2, 4)
    found = band(nearness, 3, keys)
    for query in range(3):
        for key in range(keys):
            back = keys - 3 + query - key
            expected = nearness[:, back] if 0 <= back < 4 else torch.full((2,), float("-inf"))
            assert torch.equal(found[:, query, key], expected)


def test_attention_across_sequences() -> None:
    torch.manual_seed(0)
    lines = torch.randn(4, 3, 2, 5, 9, requires_grad=True)
    pull = torch.randn(4, 2, 5, 9)

    def step_by_step() -> Tensor:
        query, key, value = (each.permute(3, 1, 0, 2) for each in lines.unbind(dim=1))
        weights = (query @ key.transpose(-1, -2) / 5**0.5).softmax(dim=-1)
        return (weights @ value).permute(2, 1, 3, 0)

    theirs = found_and_asked(step_by_step, pull, [lines])
    same(found_and_asked(lambda: across(lines), pull, [lines]), theirs)
    torch.testing.assert_close(across(lines[..., :1]), across(lines)[..., :1])


@pytest.mark.parametrize("shape", [(7, 2, 5, 3), (2, 6, 2, 4, 3), (1, 1, 1, 2)])
def test_attention_of_short_sequences(shape: tuple[int, ...]) -> None:
    """Stacked in front or not; PyTorch's own attention is the oracle."""
    torch.manual_seed(0)
    given = [(2.0 * torch.randn(shape)).requires_grad_() for _ in range(3)]
    pull = torch.randn(shape)
    q, k, v = given
    own = torch.nn.functional.scaled_dot_product_attention
    theirs = found_and_asked(lambda: own(q, k, v), pull, given)
    same(found_and_asked(lambda: small_attention(q, k, v), pull, given), theirs)


@pytest.mark.parametrize("dilation", [1, 3])
def test_convolutions_of_few_and_of_many_rows_agree(dilation: int) -> None:
    torch.manual_seed(0)
    conv = CausalConv(4, 6, 3, dilation)
    x = torch.randn(20, 12, 4)
    few = torch.cat([conv(x[:10]), conv(x[10:])])
    torch.testing.assert_close(conv(x), few)


def test_recurrent_layers_side_by_side_are_each_as_by_itself() -> None:
    """Gradients too, which are added up in place."""
    torch.manual_seed(0)
    layers = [Recurrent("lstm", 5, 11, 2, 0.0, 12) for _ in range(3)]
    bars, pull = torch.randn(3, 30, 5), torch.randn(3, 3, 30, 11)
    alone = torch.stack([layer(bars) for layer in layers])
    asked = [each for layer in layers for each in layer.parameters()]
    theirs = torch.autograd.grad((alone * pull).sum(), asked)
    for times in (1.0, 2.0):
        together = torch.stack([*side_by_side(layers, bars)])
        (together * pull).sum().backward()  # type: ignore[no-untyped-call]
        grads = [each.grad for each in asked if each.grad is not None]
        same([together, *grads], [alone, *(times * each for each in theirs)])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_dropout(share: float) -> None:
    """A share of 0, the others scaled; the gradient is that of the same places; none twice."""
    torch.manual_seed(0)
    drop, x = Dropout(share), torch.rand(40, 50, 60, requires_grad=True)
    torch.manual_seed(1)
    found = drop(x)
    kept = found != 0
    n = found.numel()
    assert abs(float(kept.sum()) / n - (1.0 - share)) < 5.0 * (share * (1.0 - share) / n) ** 0.5
    torch.testing.assert_close(found[kept], (x / (1.0 - share))[kept])
    found.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad != 0, kept)
    again = drop(x) != 0
    assert abs(float((again & kept).sum()) / n - (1.0 - share) ** 2) < 0.01  # drawn anew
    lagged = kept.flatten()[1:] & kept.flatten()[:-1]
    assert abs(float(lagged.sum()) / n - (1.0 - share) ** 2) < 0.01  # neighbours too
    torch.manual_seed(1)
    assert torch.equal(drop(x), found)
    assert drop.eval()(x) is x
