"""TimesFM, on a tiny checkpoint that is made at random, saved, and read as the real one is."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from barstack.core.errors import ArtifactError, ConfigError, LeakError
from barstack.datasets import Dataset
from barstack.models import MODELS, FittedModel, Model, train
from barstack.models.pretrained._checkpoint import path, read_network
from barstack.testing import MODEL_CHECKS, small_dataset, training_rows
from barstack.testing._models import check_saves_and_loads, check_sees_only_its_rows

pytestmark = pytest.mark.slow


def tiny_network(seed: int = 0) -> Any:
    """The package's own class with small layers: 2 of width 16, patches of 8 bars."""
    package: Any = import_module("timesfm.timesfm_2p5.timesfm_2p5_torch")
    usual = package.TimesFM_2p5_200M_torch_module.config

    def block(of: Any, inputs: int, outputs: int) -> Any:
        return replace(of, input_dims=inputs, hidden_dims=16, output_dims=outputs)

    stacked = usual.stacked_transformers
    layer = replace(stacked.transformer, model_dims=16, hidden_dims=16, num_heads=2)
    config = replace(
        usual,
        input_patch_len=8,
        output_patch_len=16,
        output_quantile_len=32,
        tokenizer=block(usual.tokenizer, 16, 16),
        stacked_transformers=replace(stacked, num_layers=2, transformer=layer),
        output_projection_point=block(usual.output_projection_point, 16, 160),
        output_projection_quantiles=block(usual.output_projection_quantiles, 16, 320),
    )
    kind = type("Tiny", (package.TimesFM_2p5_200M_torch_module,), {"config": config})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: Any = kind()
        for value in network.parameters():  # norms begin at 0, which would silence every layer
            torch.nn.init.normal_(value, std=0.3)
    return network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(tiny_network().state_dict(), file)
    return file


def model_of(weights: Path, **settings: Any) -> Model:
    own = {"weights": str(weights), "lookback": 32, "seen_through": "1970-01-01"}
    return MODELS.parse({"model": "timesfm"} | own | settings)


dataset = small_dataset("return")


# With all of it tuned, only what the head's checks do not show: they take as long again.
CASES = [(check, "head") for check in MODEL_CHECKS]
CASES += [(check_saves_and_loads, "all"), (check_sees_only_its_rows, "all")]


@pytest.mark.parametrize(
    ("check", "tune"), CASES, ids=[f"{check.__name__}-{tune}" for check, tune in CASES]
)
def test_contract(check: Callable[[Model, Dataset], None], tune: str, weights: Path) -> None:
    model = model_of(weights, tune=tune, learning_rate=1e-3)
    if check.__name__ in model.exempt:
        pytest.skip(model.exempt[check.__name__])
    check(model, dataset)


def test_the_network_is_the_one_that_was_saved(weights: Path) -> None:
    """Its path is what the package itself decodes, as the package itself would load it."""
    network, original = read_network(weights), tiny_network(seed=1)
    original.load_checkpoint(str(weights))
    series = torch.randn(5, 64).cumsum(dim=1)
    masks = torch.zeros(5, 64, dtype=torch.bool)
    with torch.inference_mode():
        decoded, _, _ = original.cpu().decode(16, series, masks)
        found = path(network, series)
    assert found.shape == (5, 16)
    np.testing.assert_allclose(found, decoded[:, -1, :, 5], rtol=1e-4, atol=1e-5)
    assert float(found.std()) > 0.01


def test_tuning_all_moves_the_network_and_fits_better(weights: Path) -> None:
    """Labels that are a sum of the latest returns, which the head alone reads poorly."""
    rows = training_rows(dataset)
    past = dataset.features.values[:, 0].copy()
    known = np.nan_to_num(past)
    turned = np.sign(known) * np.abs(np.roll(known, 3))
    labels = np.where(np.isnan(dataset.labels.values), np.nan, turned[:, None])
    own = replace(dataset, labels=replace(dataset.labels, values=labels))

    def error(model: Model) -> float:
        fitted = train(model, own, rows, seed=0)
        kept = own.with_history(rows, model.lookback_bars)
        found = fitted.predict(own.features, kept)[:, :, 0]
        return float(np.mean((found - labels[kept]) ** 2))

    settings = {"learning_rate": 3e-3, "epochs": 8, "penalty": 0.01}
    head, every = (error(model_of(weights, tune=tune, **settings)) for tune in ("head", "all"))
    assert every < 0.95 * head
    before, after = load_file(weights), read_network(weights).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)  # the file stays


def test_an_artifact_refers_to_the_weights_by_their_hash(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no file is opened because an artifact names it."""
    told: set[Path] = set()
    monkeypatch.setattr("barstack.models.pretrained._tuned.NAMED_WEIGHTS", told)
    mine = tmp_path / "model.safetensors"
    mine.write_bytes(weights.read_bytes())
    fitted = train(model_of(mine), dataset, training_rows(dataset), seed=0)
    fitted.save(tmp_path / "artifact")
    assert not list((tmp_path / "artifact").rglob("*.safetensors"))
    FittedModel.load(tmp_path / "artifact")
    save_file(tiny_network(seed=7).state_dict(), mine)
    with pytest.raises(ArtifactError, match="No file that an artifact names is opened"):
        FittedModel.load(tmp_path / "artifact")
    mine.write_bytes(weights.read_bytes())
    told.clear()  # as in a process that trained nothing
    with pytest.raises(ArtifactError, match=r"BARSTACK_WEIGHTS=PATH \(no file is named there"):
        FittedModel.load(tmp_path / "artifact")
    monkeypatch.setenv("BARSTACK_WEIGHTS", str(mine))
    FittedModel.load(tmp_path / "artifact")


def test_a_tuned_network_is_kept_whole(weights: Path, tmp_path: Path) -> None:
    mine = tmp_path / "model.safetensors"
    mine.write_bytes(weights.read_bytes())
    rows = training_rows(dataset)
    fitted = train(model_of(mine, tune="all", learning_rate=1e-3), dataset, rows, seed=0)
    fitted.save(tmp_path / "artifact")
    mine.unlink()
    loaded = FittedModel.load(tmp_path / "artifact")
    asked = rows[-20:]
    np.testing.assert_array_equal(
        loaded.predict(dataset.features, asked), fitted.predict(dataset.features, asked)
    )


def test_what_is_no_checkpoint_is_refused(weights: Path, tmp_path: Path) -> None:
    rows = training_rows(dataset)
    whole = load_file(weights)
    wrong: dict[str, Callable[[], Any]] = {
        "cut": lambda: (tmp_path / "cut").write_bytes(weights.read_bytes()[:2000]),
        "other": lambda: save_file({"a": torch.zeros(3)}, tmp_path / "other"),
        "short": lambda: save_file(dict(list(whole.items())[1:]), tmp_path / "short"),
        "nan": lambda: save_file(whole | {SOME: whole[SOME] * torch.nan}, tmp_path / "nan"),
        "wide": lambda: save_file(whole | {SOME: torch.zeros(40_000, 16)}, tmp_path / "wide"),
    }
    for name, write in wrong.items():
        write()
        with pytest.raises(ArtifactError, match=name):
            train(model_of(tmp_path / name), dataset, rows, seed=0)
    with pytest.raises(ConfigError, match="barstack fetches none"):
        train(model_of(Path("nowhere")), dataset, rows, seed=0)
    with pytest.raises(ConfigError, match="multiple of 32"):
        model_of(weights, lookback=33)
    with pytest.raises(ConfigError, match="reads feature 9"):
        train(model_of(weights, feature=9), dataset, rows, seed=0)


def test_nothing_is_forecast_that_the_weights_may_have_seen(weights: Path) -> None:
    rows = training_rows(dataset)
    decided = dataset.decisions.decided_at
    known = dataset.labels.all_known_at[rows].max()
    later = np.flatnonzero(decided >= known)
    plain = train(model_of(weights), dataset, rows, seed=0)
    assert len(plain.forecast(dataset.features, later)) == len(later)
    seen = str(decided[later[0]].astype("datetime64[D]") + 1)
    for model in (
        model_of(weights, seen_through=seen),
        MODELS.parse({"model": "per_ticker", "of": model_of(weights, seen_through=seen).content()}),
    ):
        fitted = train(model, dataset, rows, seed=0)
        assert fitted.trained_through == np.datetime64(seen, "us")
        for kind in ("forward", "crossed"):
            with pytest.raises(LeakError, match=r"may have seen bars through .* could remember"):
                fitted.forecast(dataset.features, later, kind)
    for wrong in ("", "soon", "2025-13-01"):
        with pytest.raises(ConfigError, match="seen_through"):
            model_of(weights, seen_through=wrong)


SOME = "stacked_xf.0.ff0.weight"


def test_other_weights_at_the_same_path_are_another_model(tmp_path: Path) -> None:
    """By its files, since the path is all that its settings hold."""
    file = tmp_path / "model.safetensors"
    model = MODELS.parse({"model": "timesfm", "weights": str(file)})
    seen = {model.files_id()}
    for content in (b"one", b"two"):
        file.write_bytes(content)
        seen.add(model.files_id())
    assert len(seen) == 3
    assert MODELS.parse("ridge").files_id() == ""
