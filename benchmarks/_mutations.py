"""Ways to spoil an artifact: bytes, files, JSON, arrays, headers; under old hashes or new ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.errors import ArtifactError
from barstack.core.files import seal

Rng = np.random.Generator
MANIFEST, SEAL, INNER_SEAL = "manifest.json", "manifest.sha256", "sealed.json"

# Texts, not values: JSON as Python reads it knows NaN and numbers without end.
_HOSTILE = (
    "NaN", "Infinity", "1e999", "-1", "0", "1", "2", "1000000", "1000000000", "9" * 30, "9" * 5000,
    "-9223372036854775809", "1e-320", "1e99", "1e308", "0.5", "null", "true", "[]", "{}", '""',
    '"../../../etc/passwd"', '"/etc/passwd"', '"os.system"', '"builtins.eval"', '"sklearn.svm.SVC"',
    '"\\u0000"', '"\\ud800"', '"' + "x" * 100_000 + '"', "[" * 50_000 + "]" * 50_000,
    '{"a":' * 5_000 + "1" + "}" * 5_000, "[[1, 2], [3]]", '"ridge"', '"lstm"', '"9999-12-31"',
    '"NaT"', '"1e9w"', "[" + "0," * 100_000 + "0]",
)  # fmt: skip


def mutate(folder: Path, rng: Rng, resealed: bool) -> str:
    """Spoil one thing in a copy of an artifact; what it was."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if resealed:
        files = [file for file in files if file.name not in (SEAL, INNER_SEAL)]
    # The large files of a member would otherwise seldom be hit: there are more small ones.
    file = files[rng.integers(len(files))]
    ways = list(_ANY)
    if file.suffix == ".json":
        ways += [_hostile_json] * 8
    if file.suffix in (".npz",):
        ways += [_hostile_zip] * 6
    if file.suffix == ".safetensors":
        ways += [_hostile_header] * 6
    way = ways[rng.integers(len(ways))]
    way(file, rng)
    if resealed:
        reseal(folder, lie=bool(rng.integers(8) == 0), rng=rng)
    return f"{way.__name__.strip('_')} {file.relative_to(folder)}"


def reseal(folder: Path, lie: bool, rng: Rng) -> None:
    """Make every hash right again, as somebody hostile would; `lie` names a file too many."""
    for inner in folder.rglob(INNER_SEAL):
        with suppress(ArtifactError):  # of what is spoilt so that it cannot be sealed
            seal(inner.parent)
    if not _is_plain(folder / MANIFEST):
        return
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        manifest["files"] = {
            file.relative_to(folder).as_posix(): {
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "bytes": file.stat().st_size,
            }
            for file in sorted(folder.rglob("*"))
            if _is_plain(file) and file.name not in (MANIFEST, SEAL)
        }
        if lie:
            name = ("../secret", "/etc/passwd", "members", ".", "a\x00b")[rng.integers(5)]
            manifest["files"][name] = {"sha256": "0" * 64, "bytes": 2**62}
        (folder / MANIFEST).write_text(json.dumps(manifest))
    except (ValueError, TypeError, RecursionError, OSError):
        pass  # spoilt itself: as it is, under a right seal
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    if _is_plain(folder / SEAL):
        (folder / SEAL).write_text(digest + "\n")


def _is_plain(file: Path) -> bool:
    """Whether its bytes end: not so of a device behind a link."""
    return file.is_file() and not file.resolve().is_relative_to("/proc")


def _flip(file: Path, rng: Rng) -> None:
    data = bytearray(file.read_bytes())
    for _ in range(int(rng.integers(1, 9))) if data else ():
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    file.write_bytes(data)


def _cut(file: Path, rng: Rng) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: rng.integers(len(data) + 1)])


def _lengthen(file: Path, rng: Rng) -> None:
    with file.open("ab") as stream:
        stream.write(rng.bytes(int(rng.integers(1, 200))))


def _overwrite(file: Path, rng: Rng) -> None:
    data = bytearray(file.read_bytes())
    at = int(rng.integers(len(data) + 1))
    stretch = int(rng.integers(1, 64))
    filled = (rng.bytes(stretch), b"\0" * stretch, b"\xff" * stretch)[rng.integers(3)]
    data[at : at + stretch] = filled
    file.write_bytes(data)


def _swap(file: Path, rng: Rng) -> None:
    folder = next(each for each in file.parents if (each / SEAL).exists())
    others = sorted(each for each in folder.rglob("*") if each.is_file() and each != file)
    other = others[rng.integers(len(others))]
    one, two = file.read_bytes(), other.read_bytes()
    file.write_bytes(two)
    other.write_bytes(one)


def _remove(file: Path, rng: Rng) -> None:
    file.unlink()


def _add(file: Path, rng: Rng) -> None:
    name = ("more.pkl", "x.py", ".hidden", "horizon_0.json", "conftest.py", "a" * 200)
    (file.parent / name[rng.integers(len(name))]).write_bytes(rng.bytes(50))


def _link(file: Path, rng: Rng) -> None:
    target = ("/etc/passwd", "/dev/zero", "../../../..", str(file), "/proc/self/mem")
    file.unlink()
    os.symlink(target[rng.integers(len(target))], file)


def _link_elsewhere(file: Path, rng: Rng) -> None:
    """The same bytes, outside the artifact."""
    folder = next(each for each in file.parents if (each / SEAL).exists())
    away = folder.parent / "away"
    shutil.move(file, away)
    os.symlink(away, file)


def _other_kind(file: Path, rng: Rng) -> None:
    file.unlink()
    if rng.integers(2):
        file.mkdir()
    else:
        os.mkfifo(file)


def _sparse(file: Path, rng: Rng) -> None:
    os.truncate(file, file.stat().st_size + 2**26)


_ANY: tuple[Callable[[Path, Rng], None], ...] = (
    *(_flip, _flip, _cut, _lengthen, _overwrite, _overwrite, _swap, _remove, _add),
    *(_link, _link_elsewhere, _other_kind, _sparse),
)


def _hostile_json(file: Path, rng: Rng) -> None:
    file.write_bytes(_spoilt_json(file.read_bytes(), rng))


def _spoilt_json(data: bytes, rng: Rng) -> bytes:
    """One value, key or more of a JSON text replaced by what nobody would write."""
    mark = "\x01here\x01"
    content = json.loads(data)
    places = list(_places(content, ()))
    kind, hostile = int(rng.integers(10)), _HOSTILE[rng.integers(len(_HOSTILE))]
    if kind == 0 or not places:
        return hostile.encode()
    *way, last = places[rng.integers(len(places))]
    holder = content
    for step in way:
        holder = holder[step]
    if kind == 1:
        del holder[last]
    elif kind == 2 and isinstance(holder, dict):
        holder[str(rng.choice(["", "x", "__class__", "kind", "model", "files"]))] = mark
    elif kind == 3 and isinstance(holder, dict):  # the same key twice
        return (
            json.dumps(content).replace("{", '{"format": 2, "model": ' + hostile + ", ", 1).encode()
        )
    else:
        holder[last] = mark
    return json.dumps(content).replace(json.dumps(mark), hostile).encode("utf-8", "surrogatepass")


def _places(content: Any, way: tuple[Any, ...]) -> Any:
    inside = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inside:
        yield (*way, key)
        if isinstance(value, (dict, list)):
            yield from _places(value, (*way, key))


def _hostile_zip(file: Path, rng: Rng) -> None:
    """Arrays, headers or JSON within, and the archive made anew around them."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(members)[rng.integers(len(members))]
    kind = int(rng.integers(8))
    packed = zipfile.ZIP_STORED
    if name.endswith(".json"):
        members[name] = _spoilt_json(members[name], rng)
    elif kind == 0:
        packed = zipfile.ZIP_DEFLATED
        members[name] = _array_file(np.zeros(4_000_000))
    elif kind == 1:
        del members[name]
    elif kind == 2:
        members[f"../{name}"] = members[name]
    elif kind == 3:
        shape = ("(1125899906842624, 2)", "(-5, -2)", "(2,)", "()", "(9,)*9", "(10**9,)")
        descr = ("<f8", "|O", "<i4", "<c16", "|S8", "V8")
        members[name] = _with_header(
            f"{{'descr': '{descr[rng.integers(6)]}', 'fortran_order': False, "
            f"'shape': {shape[rng.integers(6)]}, }}\n".encode()
        )
    else:
        members[name] = _spoilt_array(members[name], rng)
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", packed) as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    file.write_bytes(stream.getvalue())


def _array_file(array: Any) -> bytes:
    stream = BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _with_header(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 80


def _spoilt_array(data: bytes, rng: Rng) -> bytes:
    try:
        array = np.load(BytesIO(data), allow_pickle=False)
    except ValueError:  # not an array: some other part of an archive
        return data[: rng.integers(len(data) + 1)]
    how = int(rng.integers(6))
    if how == 0:
        return _array_file(array[:-1] if array.ndim else array[None])
    if how == 1:
        return _array_file(array.astype(str(rng.choice(["float32", "int64", "S8", "bool"]))))
    flat = array.copy().reshape(-1)
    if not len(flat):
        return _array_file(np.zeros(3))
    places = rng.integers(len(flat), size=int(rng.integers(1, 4)))
    if array.dtype.kind == "i":
        flat[places] = rng.choice([-(2**31), -2, -1, 0, 1, 5, 2**31 - 1, min(len(flat), 2**31 - 1)])
    elif array.dtype.kind == "f":
        flat[places] = rng.choice([np.nan, np.inf, -np.inf, 1e308, -1e99, 1e99, 0.0, 5e-324, -1.0])
    else:
        flat[places] = flat[0]
    return _array_file(flat.reshape(array.shape))


def _hostile_header(file: Path, rng: Rng) -> None:
    """Of safetensors: its length, then JSON with type, shape and place of each array."""
    data = file.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    kind = int(rng.integers(4))
    if kind == 0:
        lengths = (0, 1, size - 1, size + 1, 2**31, 2**63, 2**64 - 1)
        data = struct.pack("<Q", lengths[rng.integers(7)]) + data[8:]
    elif kind == 1:  # numbers that training never gives
        array = np.frombuffer(data[8 + size :], "<f4").copy()
        array[rng.integers(len(array), size=3)] = rng.choice(
            np.array([np.nan, np.inf, 3e38, -3e38, 1e20, 1e-45], "f4")
        )
        data = data[: 8 + size] + array.tobytes()
    else:
        header = _spoilt_json(data[8 : 8 + size], rng)
        data = struct.pack("<Q", len(header)) + header + data[8 + size :]
    file.write_bytes(data)
