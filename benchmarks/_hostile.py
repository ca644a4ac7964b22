"""Artifacts crafted to break one rule of one format each, by generators that know the formats.

Each breaks a rule of shape, bounds, finiteness or relation, so that none may answer.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from _mutations import MANIFEST, SEAL

Rng = np.random.Generator
Arrays = dict[str, Any]
Craft = Callable[[Path, Rng], str]

_GREAT = (np.nan, np.inf, -np.inf, 1e308, -1e200)
_NEVER = ("NaT", "", "soon", "9999-12-31T00:00:00", "2020-13-01T00:00:00", 0, None)
_TRAINED_ON = (".txt", ".ubj", ".cbm")  # what a library keeps, which no forecast reads


def craft(folder: Path, rng: Rng) -> str:
    """Break one rule of an artifact; which, and where."""
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    ways = [
        (name, file, way)
        for file in files
        for name, make in _CRAFTS.items()
        for way in make(file, folder)
    ]
    kinds = sorted({name for name, _, _ in ways})
    kind = kinds[rng.integers(len(kinds))]  # or the files that are many would have all
    own = [each for each in ways if each[0] == kind]
    name, file, way = own[rng.integers(len(own))]
    return f"{name} {file.relative_to(folder)} {way(file, rng)}"


def _some(*values: Any) -> tuple[Any, ...]:
    return values


def _set(file: Path, way: tuple[Any, ...], value: Any) -> str:
    content = json.loads(file.read_bytes())
    holder = content
    for step in way[:-1]:
        holder = holder[step]
    holder[way[-1]] = value
    file.write_text(json.dumps(content))
    return f"{'.'.join(map(str, way))} = {str(value)[:40]}"


def _one_of(choices: list[tuple[tuple[Any, ...], Any]]) -> Craft:
    return lambda file, rng: _set(file, *choices[rng.integers(len(choices))])


def _manifest(file: Path, folder: Path) -> list[Craft]:
    if file.name != MANIFEST:
        return []
    content = json.loads(file.read_bytes())
    wrong: list[tuple[tuple[Any, ...], Any]] = [
        *((("bars", "length_us"), value) for value in _some(0, -1, 2**62, 1.5, "60", True)),
        *((("bars", "symbols"), value) for value in _some([], ["A", "A"], [7], "A", None, [""])),
        *((("bars", name), 7) for name in ("calendar", "hours", "stamp", "timezone", "bar")),
        (("bars", "resample"), "1e9w"),
        *((("bars",), value) for value in _some({}, [], None)),
        *((("about",), value) for value in _some([], None, {"verdict": 3}, {"label": 1})),
        *(((name,), value) for value in _NEVER for name in ("trained_through",)),
        (("trained_through",), "2001-01-01T00:00:00.000000"),
        *((("ensembles", 0, "trained_through"), value) for value in _NEVER),
        *((("ensembles", 0, "of"), value) for value in _some([], ["nobody"], "ridge", None)),
        *((("ensembles", 0, "name"), value) for value in _some("..", "../x", "", 3, None)),
        *((("ensembles",), value) for value in _some([], {}, None, content["ensembles"] * 2)),
        *((("horizons",), value) for value in _some([], ["x"], content["horizons"] * 2, ["0bars"])),
        *(
            (("columns",), value)
            for value in _some([], content["columns"][::-1], content["columns"] * 2)
        ),
        *((("members",), value) for value in _some([], ["../x"], [".."], [3])),
        *((("versions",), value) for value in _some({"python": 3}, [], None)),
        *((("format",), value) for value in _some(1, 2, 4, 2.5, "3", None, True)),
        (("features", "features", 0, "params"), {"bars": 10**9}),
        (("features", "features"), content["features"]["features"] * 2),
        (("features_id",), "0" * 16),
        (("surprise",), 1),
        (("ensembles", 0, "ensemble"), "none such"),
    ]
    return [_one_of(wrong)]


def _member(file: Path, folder: Path) -> list[Craft]:
    if file.name != "fitted.json":
        return []
    content = json.loads(file.read_bytes())
    n = len(content["columns"])
    learned = ("scaler", "learned")
    wrong: list[tuple[tuple[Any, ...], Any]] = [
        *(((*learned, "scale"), [x] + [1.0] * (n - 1)) for x in (0.0, -1.0, 1e308, "1", True)),
        *(((*learned, name), [[1.0]] * n) for name in ("scale", "centre")),
        *(((*learned, name), [1.0] * (n + k)) for name in ("scale", "centre") for k in (-1, 1)),
        ((*learned, "more"), [1.0] * n),
        *((("scaler",), _ranks(each)) for each in _some([[]] * n, [[1.0, 0.0]] * n, [[1.0]] * n)),
        *((("y_scale",), [value] * 2) for value in _some(0.0, -1.0, 1e308, "1")),
        *((("y_scale",), [1.0] * k) for k in (0, len(content["horizons"]) + 1)),
        *((("trained_through",), value) for value in _NEVER),
        *((("max_gap",), value) for value in _some("", "0s", "-1h", "9" * 99 + "w", 5)),
        *((("columns",), value) for value in _some([], content["columns"] * 2, [1] * n)),
        *((("format",), value) for value in _some(1, 3, None)),
        (("model", "lookback"), 10**9),
        (("model", "surprise"), 1),
        (("model",), "none such"),
    ]  # fmt: skip
    return [_one_of(wrong)]


def _ranks(quantiles: Any) -> dict[str, Any]:
    return {"scaler": {"scaler": "rank_gauss", "knots": 5}, "learned": {"quantiles": quantiles}}


def _weights(file: Path, folder: Path) -> list[Craft]:
    if file.name != "ensemble.json":
        return []
    weights = json.loads(file.read_bytes())["weights"]
    wrong: list[tuple[tuple[Any, ...], Any]] = [
        (("weights",), each)
        for each in _some(
            [], [[]], weights * 2, [row * 2 for row in weights], [[-1.0]] * len(weights)
        )
    ]
    return [_one_of([*wrong, (("weights", 0, 0), "1"), (("weights", 0, 0), 1e300), (("x",), 1)])]


def _story(file: Path, folder: Path) -> list[Craft]:
    if file.name != "training.json":
        return []
    start = json.loads(file.read_bytes())["start"]
    wrong: list[tuple[tuple[Any, ...], Any]] = [
        *((("n_features",), value) for value in _some(0, -1, 2**40, 1.5, True, "5", None)),
        *((("start",), value) for value in _some([], [*start, 0.0], [1e300] * len(start), "x")),
        *((("mode",), value) for value in _some("x", None, ["dense"])),
        *((("curves",), value) for value in _some(None, [{}], [1], "x")),
        (("surprise",), 1),
    ]
    return [_one_of(wrong)]


def _tickers(file: Path, folder: Path) -> list[Craft]:
    if file.name != "tickers.json":
        return []
    learned = (0, "scaler", "learned")
    wrong: list[tuple[tuple[Any, ...], Any]] = [
        *(((0, "y_scale"), value) for value in _some([], [0.0, 1.0], [-1.0, 1.0], [1e308, 1.0])),
        *(((*learned, "scale"), value) for value in _some([], [0.0] * 5, [[1.0]] * 5, ["1"] * 5)),
        ((0, "symbol"), "B"),
        ((0, "symbol"), 7),
        ((0, "surprise"), 1),
    ]
    return [_one_of(wrong)]


def _bomb(file: Path, folder: Path) -> list[Craft]:
    """JSON that takes memory or time, or is none."""
    if file.suffix != ".json" or file.name == "sealed.json":
        return []
    texts = (
        b"[" * 100_000 + b"]" * 100_000, b"[" + b"[]," * 2_000_000 + b"[]]",
        b"[" + b"0," * 8_000_000 + b"0]", b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"format": 2, "format": 2}', b'{"\\ud800": 1}', b"[NaN]", b"[1e999]", b"[" + b"9" * 9_999,
        b"", b"\xff\xfe[]", b"null", b"3", b'"' + b"x" * 20_000_000 + b'"',
    )  # fmt: skip

    def spoil(file: Path, rng: Rng) -> str:
        place = int(rng.integers(len(texts)))
        file.write_bytes(texts[place])
        return f"text {place}"

    return [spoil]


def _link(file: Path, folder: Path) -> list[Craft]:
    def spoil(file: Path, rng: Rng) -> str:
        targets = ("/dev/zero", "/proc/kmsg", "/etc/passwd", "/dev/stdin", ".", str(file))
        target = targets[rng.integers(len(targets))]
        file.unlink()
        if rng.integers(6) == 0:
            os.mkfifo(file)
            return "pipe"
        file.symlink_to(target)
        return f"-> {target}"

    return [spoil]


def _hole(file: Path, folder: Path) -> list[Craft]:
    """A few bytes on the disk that say they are gigabytes."""

    def spoil(file: Path, rng: Rng) -> str:
        size = 2 ** int(rng.integers(29, 42))
        os.truncate(file, size)
        return f"{size} bytes"

    return [spoil]


def _archive(file: Path, folder: Path) -> list[Craft]:
    """The archive around arrays that are whole."""
    if file.suffix != ".npz":
        return []

    def spoil(file: Path, rng: Rng) -> str:
        members = _members(file)
        name = sorted(members)[rng.integers(len(members))]
        kind = int(rng.integers(7))
        if kind == 0:
            members[name] = _array(np.zeros(4_000_000))
            _write(file, members, zipfile.ZIP_DEFLATED)
        elif kind == 1:
            _write(file, members | {"more.npy": members[name]})
        elif kind == 2:
            _write(file, {each: data for each, data in members.items() if each != name})
        elif kind == 3:
            shapes = (
                "(1125899906842624, 2)",
                "(-5, -2)",
                "(9,)*9",
                "(10**9,)",
                "(4611686018427387904, 4)",
            )
            types = ("<f8", "|O", "<c16", "|S8", "<i8")
            dtype, shape = types[rng.integers(5)], shapes[rng.integers(5)]
            head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n"
            members[name] = (
                b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + b"\0" * 80
            )
            _write(file, members)
        elif kind == 4:
            _write(file, members | {f"{at}.npy": b"" for at in range(60_000)})
        elif kind == 5:
            data = file.read_bytes()
            file.write_bytes(
                data[:-22] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, 2**31, 0, 0)
            )
        else:
            file.write_bytes(file.read_bytes()[:-1])
        return f"kind {kind} of {name}"  # fmt: skip

    return [spoil]


def _values(file: Path, folder: Path) -> list[Craft]:
    """One array of a file: a value, its type, or its shape."""
    if file.suffix != ".npz":
        return []

    def spoil(file: Path, rng: Rng) -> str:
        arrays = _arrays(file)
        names = sorted(arrays)
        name = names[rng.integers(len(names))]
        array = arrays[name]
        kind = int(rng.integers(4))
        if array.dtype.kind == "f" and array.size and kind < 2:
            array = array.copy()
            array.reshape(-1)[rng.integers(array.size)] = _GREAT[rng.integers(len(_GREAT))]
        elif kind == 2:
            array = array[..., None] if rng.integers(2) else array.reshape(-1)[:0].reshape(0, 0, 0)
        else:
            array = array.astype(("float32", "int64", "float16")[rng.integers(3)])
        _save(file, arrays | {name: array})
        return f"{name} {array.dtype} {array.shape}"

    return [spoil]


def _trees(file: Path, folder: Path) -> list[Craft]:
    """Nodes that lead nowhere, ask for what there is not, or are none."""
    if file.suffix != ".npz":
        return []
    arrays = _arrays(file)
    front = next(
        (name.removesuffix("left") for name in arrays if name.split(".")[-1] == "left"), None
    )
    if front is None:
        return []
    inner = np.flatnonzero(arrays[f"{front}left"] >= 0)

    def spoil(file: Path, rng: Rng) -> str:
        own = {name: array.copy() for name, array in arrays.items()}
        kind = int(rng.integers(9)) if len(inner) else 7
        at = inner[rng.integers(len(inner))] if len(inner) else 0
        side = own[f"{front}{('left', 'right')[rng.integers(2)]}"]
        if kind < 4:
            side[at] = (at, 0, len(side) + int(rng.integers(1000)), -(2**31) + 1)[kind]
        elif kind == 4:
            side[at] = -1
        elif kind == 5:
            own[f"{front}feature"][at] = (-1, 5, 2**31 - 1)[rng.integers(3)]
        elif kind == 6:
            own[f"{front}right"][at] = own[f"{front}left"][at]
        elif kind == 7:
            first = own[f"{front}first"]
            own[f"{front}first"] = (first[::-1].copy(), first[1:], first + 1)[rng.integers(3)]
        else:
            own[f"{front}n_features"][0] = (-1, 0, 4, 6, 2**30)[rng.integers(5)]
        _save(file, own)
        return f"kind {kind}"

    return [spoil]


def _rules(file: Path, folder: Path) -> list[Craft]:
    """Numbers that are finite and break a rule of their own."""
    if file.suffix != ".npz":
        return []
    arrays = _arrays(file)
    wrong = [
        (name, value)
        for name in arrays
        for value in _OUT_OF_BOUNDS.get(name.split(".")[-1], ())
        if (name.split(".")[-1], file.name) != ("weight", "neighbours.npz") or value <= 0
    ]
    if file.name == "moments.npz":
        wrong = [("weight", 0.0), ("weight", -1.0)]

    def spoil(file: Path, rng: Rng) -> str:
        name, value = wrong[rng.integers(len(wrong))]
        own = {each: array.copy() for each, array in arrays.items()}
        own[name].reshape(-1)[rng.integers(own[name].size)] = value
        _save(file, own)
        return f"{name} = {value}"

    return [spoil] if wrong else []


# By the array's name; what of it no training gives.
_OUT_OF_BOUNDS: dict[str, tuple[float, ...]] = {
    "gamma": (0.0, -1.0), "degree": (-2, 17, 2**30), "scale": (0.0,), "variance": (0.0, -1.0),
    "powers": (-1, 17, 2**30), "places": (-1, 2**30), "width": (-1, 0, 2**30), "grid": (1e90,),
    "weight": (0.0, -1.0),
}  # fmt: skip


def _plan(file: Path, folder: Path) -> list[Craft]:
    if not file.name.endswith(".form.json"):
        return []
    whole = json.loads(file.read_bytes())
    wrong: list[Any] = [
        "linear", [], {}, {"form": "os.system"}, {"form": "chain", "of": []}, {"form": "svc"},
        {"form": "chain", "of": [whole]} | {"n_jobs": 64}, {"form": "function", "name": "eval"},
        {"form": "chain", "of": [whole, whole]}, {"form": "beside", "of": [whole, whole]},
        {"form": "chain", "of": [whole] * 5_000}, {"form": ["linear"]}, {"form": None},
    ]  # fmt: skip
    if whole["form"] == "chain":
        wrong += [
            {"form": "chain", "of": whole["of"][:-1]},
            {"form": "chain", "of": whole["of"][1:]},
        ]
        wrong.append({"form": "beside", "of": whole["of"]})

    def spoil(file: Path, rng: Rng) -> str:
        found = wrong[rng.integers(len(wrong))]
        file.write_text(json.dumps(found))
        return str(found)[:60]

    return [spoil]


def _unchanging(file: Path, folder: Path) -> list[Craft]:
    """A list of numbers in the place of arrays that is not what is forecast."""
    if file.name not in ("horizon_0.npz", "horizon_1.npz"):
        return []
    texts = (
        "[]",
        "[NaN]",
        "[1e200]",
        '["1"]',
        "[true]",
        "[[0.5]]",
        "{}",
        "[" + "0," * 30_000 + "0]",
        "[2.0, -1.0, 0.5, 0.1, 0.0, 7]",
    )

    def spoil(file: Path, rng: Rng) -> str:
        text = texts[rng.integers(len(texts))]
        file.unlink()
        file.with_suffix(".json").write_text(text)
        return text[:40]  # fmt: skip

    return [spoil]


def _network(file: Path, folder: Path) -> list[Craft]:
    if file.suffix != ".safetensors":
        return []

    def spoil(file: Path, rng: Rng) -> str:
        data = file.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        head, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
        names = [name for name in head if name != "__metadata__"]
        name = names[rng.integers(len(names))]
        facts, kind = head[name], int(rng.integers(8))
        if kind == 0:
            at = int(rng.integers(len(body) // 4)) * 4
            body[at : at + 4] = struct.pack("<f", (np.nan, np.inf, 3e38, -1e30)[rng.integers(4)])
        elif kind == 1:
            facts["shape"] = [*facts["shape"], 1]
        elif kind == 2:
            facts["shape"] = [2**40, 2**40]
        elif kind == 3:
            facts["dtype"] = ("I32", "F16", "F64", "BOOL", "X")[rng.integers(5)]
        elif kind == 4:
            facts["data_offsets"] = [0, 2**60]
        elif kind == 5:
            del head[name]
        elif kind == 6:
            head["more"] = facts
        else:
            length = (0, size - 1, 2**31, 2**63, 2**64 - 1)[rng.integers(5)]
            file.write_bytes(struct.pack("<Q", length) + data[8:])
            return f"header of {length}"
        text = json.dumps(head).encode()
        file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(body))
        return f"kind {kind} of {name}"

    return [spoil]


def _seal(file: Path, folder: Path) -> list[Craft]:
    if file.name != SEAL:
        return []

    def spoil(file: Path, rng: Rng) -> str:
        texts = (b"", b"\n", b"0" * 64 + b"\n", b"x" * 20_000_000)
        data = texts[rng.integers(len(texts))]
        file.write_bytes(data)
        return f"{len(data)} bytes"

    return [spoil]


_CRAFTS: dict[str, Callable[[Path, Path], list[Craft]]] = {
    "archive": _archive, "bomb": _bomb, "hole": _hole, "link": _link, "manifest": _manifest,
    "member": _member, "network": _network, "plan": _plan, "rules": _rules, "seal": _seal,
    "story": _story, "tickers": _tickers, "trees": _trees, "unchanging": _unchanging,
    "values": _values, "weights": _weights,
}  # fmt: skip
# After these the seals stay as they are: they are what was spoilt, or cannot be read to the end.
AS_THEY_ARE = ("hole", "link", "seal")


def _members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _arrays(file: Path) -> Arrays:
    with np.load(file, allow_pickle=False) as read:
        return dict(read)


def _save(file: Path, arrays: Arrays) -> None:
    np.savez(file, allow_pickle=False, **arrays)


def _array(array: Any) -> bytes:
    stream = BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _write(file: Path, members: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(file, "w", packed) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
