"""Signatures of artifacts: who made one, which no hash can tell. Ed25519, by `cryptography`."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from barstack.core.errors import ArtifactError, ConfigError, MissingPackageError, StorageError
from barstack.core.files import new_file
from barstack.core.untrusted import read_bytes

from ._manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    SIGNATURE,
    VERDICT,
    Manifest,
    verified_manifest,
)
from ._verdict import read_verdict

# Signed before the content, so that no signature of anything else is one of an artifact, and none
# of an artifact without a verdict holds once one lies beside it.
_ALONE = b"barstack artifact manifest, version 1\n"
_WITH_VERDICT = b"barstack artifact manifest and verdict, version 2\n"
_LARGEST_KEY = 16_384
_FORM = re.compile(r"[0-9a-f]{128}\n")
_SIGNED = 129  # 128 hex digits and the end of the line


def new_key(file: Path) -> Path:
    """Write a private key, readable by its owner alone, and its public key at `FILE.pub`.

    Raises `ConfigError` where either is there already.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     public = new_key(Path(folder) / "mine.pem")
    >>> public.name
    'mine.pem.pub'
    """
    public = file.with_name(f"{file.name}.pub")
    if found := [each for each in (file, public) if each.exists() or each.is_symlink()]:
        raise ConfigError(f"{found[0]} is there already. Name another file, or move it away.")
    forms = _cryptography("hazmat.primitives.serialization")
    key = _cryptography("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey.generate()
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    own = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(private)
        public.write_bytes(own)
    except OSError as error:
        raise StorageError(f"Cannot write {file}: {error}. Name another file.") from None
    return public


def sign(folder: Path, key: Path) -> Path:
    """Sign an artifact whose every file is as its manifest says, with its verdict if it has one.

    The signature lies within.
    """
    verified_manifest(folder)
    signature = _private(key).sign(_signed(folder))
    file = folder / SIGNATURE
    with new_file(file) as scratch:
        scratch.write_text(f"{signature.hex()}\n")
    return file


def verify(folder: Path, key: Path) -> Manifest:
    """The manifest of an artifact that the owner of a key signed; `ArtifactError` for any other.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    ...     public = new_key(Path(folder) / "mine.pem")
    ...     _ = sign(run.folder / "artifact", Path(folder) / "mine.pem")
    ...     manifest = verify(run.folder / "artifact", public)
    >>> type(manifest).__name__
    'Manifest'
    """
    public = _public(key)
    manifest = verified_manifest(folder)
    file = folder / SIGNATURE
    if not file.exists() and not file.is_symlink():
        raise ArtifactError(
            f"{folder} is not signed. Sign it where you know that it is yours: barstack sign "
            "ARTIFACT --key KEY."
        )
    wrong = _cryptography("exceptions").InvalidSignature
    try:
        text = read_bytes(file, _SIGNED).decode()
        if not _FORM.fullmatch(text):
            raise ValueError("is no signature")  # one form, so that no byte of it can change
        public.verify(bytes.fromhex(text.strip()), _signed(folder))
    except (wrong, ValueError):
        raise ArtifactError(
            f"{folder} was not signed by the owner of {key}, or has changed since. Load it only "
            "where you know who made it."
        ) from None
    return manifest


def _signed(folder: Path) -> bytes:
    """What a signature is of: the manifest, or the hashes of it and of the verdict beside it."""
    manifest = read_bytes(folder / MANIFEST, LARGEST_MANIFEST)
    if read_verdict(folder) is None:
        return _ALONE + manifest
    parts = manifest, read_bytes(folder / VERDICT, LARGEST_MANIFEST)
    return _WITH_VERDICT + "".join(f"{sha256(part).hexdigest()}\n" for part in parts).encode()


def _private(file: Path) -> Any:
    forms = _cryptography("hazmat.primitives.serialization")
    kind = _cryptography("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey
    return _key(file, lambda data: forms.load_pem_private_key(data, None), kind, "private")


def _public(file: Path) -> Any:
    forms = _cryptography("hazmat.primitives.serialization")
    kind = _cryptography("hazmat.primitives.asymmetric.ed25519").Ed25519PublicKey
    return _key(file, forms.load_pem_public_key, kind, "public")


def _key(file: Path, read: Any, kind: Any, what: str) -> Any:
    unsupported = _cryptography("exceptions").UnsupportedAlgorithm
    try:
        with file.open("rb") as stream:
            found = read(stream.read(_LARGEST_KEY))
    except (OSError, ValueError, TypeError, unsupported) as error:
        raise ConfigError(
            f"{file} holds no {what} key: {str(error)[:200]}. Make one with: barstack new-key FILE"
        ) from None
    if not isinstance(found, kind):
        raise ConfigError(
            f"{file} holds a {what} key that is not of Ed25519. Make one with: barstack new-key "
            "FILE"
        )
    return found


def _cryptography(module: str) -> Any:
    try:
        return import_module(f"cryptography.{module}")
    except ImportError as error:
        raise MissingPackageError(
            f"Signatures need cryptography: pip install 'barstack[signing]' ({error})."
        ) from None
