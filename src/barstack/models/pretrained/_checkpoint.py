"""A checkpoint of TimesFM 2.5: what network it is of, and that network with its weights."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from barstack.core.errors import ArtifactError, ConfigError

from ..neural._learned import read_weights

Shapes = dict[str, tuple[int, ...]]
_LARGEST = 16_384  # width of any layer
_MOST_LAYERS = 128


def read_network(file: Path) -> nn.Module:
    """The network of a checkpoint; `ArtifactError` for a file that holds no such network.

    Sizes follow from the arrays' shapes, so that a small checkpoint takes the same way as the one
    of 200 million parameters. Names, shapes and values are checked before any is used.
    """
    shapes = _shapes(file)
    # On the device "meta" a network has shapes and takes no memory.
    with torch.device("meta"):
        network = _network(file, shapes)
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    network.load_state_dict(read_weights(file, own), assign=True)
    return network.eval()


def _network(file: Path, shapes: Shapes) -> nn.Module:
    package: Any = import_module("timesfm.timesfm_2p5.timesfm_2p5_torch")
    usual = package.TimesFM_2p5_200M_torch_module.config
    try:
        wide, inputs = shapes["tokenizer.hidden_layer.weight"]
        width = shapes["tokenizer.output_layer.weight"][0]
        inner = shapes["stacked_xf.0.ff0.weight"][0]
        head = shapes["stacked_xf.0.attn.query_ln.scale"][0]
        point = shapes["output_projection_point.output_layer.weight"]
        quantiles = shapes["output_projection_quantiles.output_layer.weight"]
    except (KeyError, ValueError) as error:
        raise ArtifactError(
            f"{file} is no checkpoint of TimesFM 2.5: {error!r} is missing or of another form. "
            "Give its model.safetensors."
        ) from None
    layers = {int(m[1]) for name in shapes if (m := re.match(r"stacked_xf\.(\d{1,3})\.", name))}
    per_step = len(usual.quantiles) + 1
    sizes = (wide, inputs, width, inner, head, *point, *quantiles)
    fits = (
        all(0 < size <= _LARGEST for size in sizes)
        and len(layers) <= _MOST_LAYERS
        and width % head == 0
        and inputs % 2 == 0
        and point[0] % (per_step * (inputs // 2)) == 0
        and quantiles[0] % per_step == 0
    )
    if not fits:
        raise ArtifactError(f"{file} has layers of sizes {sizes}, which make no TimesFM 2.5.")
    stacked = usual.stacked_transformers
    config = replace(
        usual,
        input_patch_len=inputs // 2,
        output_patch_len=point[0] // per_step,
        output_quantile_len=quantiles[0] // per_step,
        tokenizer=_block(usual.tokenizer, inputs, wide, width),
        stacked_transformers=replace(
            stacked,
            num_layers=len(layers),
            transformer=replace(
                stacked.transformer,
                model_dims=width,
                hidden_dims=inner,
                num_heads=width // head,
            ),
        ),
        output_projection_point=_block(usual.output_projection_point, width, point[1], point[0]),
        output_projection_quantiles=_block(
            usual.output_projection_quantiles, width, quantiles[1], quantiles[0]
        ),
    )
    kind = type("TimesFM", (package.TimesFM_2p5_200M_torch_module,), {"config": config})
    network: nn.Module = kind()
    return network


def path(network: Any, series: Tensor) -> Tensor:
    """(n_rows, n_bars) a series -> (n_rows, n_ahead) the median forecast of its next bars.

    The package's `decode` up to one output patch, without the caches that forbid a gradient.
    """
    util: Any = import_module("timesfm.torch.util")
    n_rows = len(series)
    patches = series.reshape(n_rows, -1, network.p)
    masks = torch.zeros_like(patches, dtype=torch.bool)
    n = mean = deviation = torch.zeros(n_rows)
    means, deviations = [], []
    for place in range(patches.shape[1]):
        (n, mean, deviation), _ = util.update_running_stats(
            n, mean, deviation, patches[:, place], masks[:, place]
        )
        means.append(mean)
        deviations.append(deviation)
    scales = torch.stack(means, dim=1), torch.stack(deviations, dim=1)
    (_, _, ahead, _), _ = network(util.revin(patches, *scales), masks)
    back = util.revin(ahead, *scales, reverse=True)
    found: Tensor = back[:, -1].reshape(n_rows, network.o, network.q)[..., network.aridx]
    return found


def _block(usual: Any, inputs: int, hidden: int, outputs: int) -> Any:
    return replace(usual, input_dims=inputs, hidden_dims=hidden, output_dims=outputs)


def _shapes(file: Path) -> Shapes:
    if not file.is_file():
        raise ConfigError(
            f"There is no file {str(file)!r} with TimesFM's weights. Set weights to the path of a "
            "model.safetensors that you have; barstack fetches none."
        )
    try:
        with safe_open(file, "pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except Exception as error:  # noqa: BLE001 (safetensors raises its own, unexported class)
        raise ArtifactError(f"{file} cannot be read: {error}. Get it anew.") from None
