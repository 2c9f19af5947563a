"""Files at addresses, through fsspec: looked up, listed, fetched into a cache of this process, and stored whole.

Credentials and servers are those of fsspec and its packages: ``AWS_*``, ``~/.aws``, ``GOOGLE_APPLICATION_CREDENTIALS``,
``~/.config/fsspec``. Nothing of them goes through tita.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from tita_cli.errors import STORAGE_ERRORS, InputError, OutputError, TitaError, UnreachableError, first_line
from tita_cli.files.address import Address
from tita_cli.files.cache import Cache

UNKNOWN_TIME = -1
_CACHE_BYTES = 1 << 29
_PART = 1 << 18
FETCHERS = 16
"""Files that are asked for at the same time, where the answer takes longer than the work."""
# Where a file appears when all of it is there. Elsewhere it is stored beside its name and renamed.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "obs"})
_READ_ONLY = frozenset({"http", "https"})
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
_PACKAGES |= {"sftp": "paramiko", "ssh": "paramiko", "az": "adlfs", "abfs": "adlfs"}
_REFUSED = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "403",
    "401",
    "Forbidden",
    "credential",
    "Authentication",
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a server tells of a file or folder; ``changed``: nanoseconds, or :data:`UNKNOWN_TIME`."""

    size: int
    changed: int
    is_folder: bool = False


def scheme_of(address: Address) -> str:
    return str(address.parts[0]).removesuffix(":").lower()


def look_up(address: Address) -> Found:
    """Ask the server. Raises FileNotFoundError, or InputError where it does not answer.

    What a listing just told is believed once.
    """
    listed = _listed.pop(str(address), None)
    if listed is not None:
        return listed
    with _explained(address, InputError, missing_passes=True):
        system, path = _system(address)
        return _found(system.info(path))


def find_files(folder: Address) -> Iterator[tuple[Address, Found]]:
    """All files below ``folder``, in order of their names. Raises InputError where it is not there, or cannot tell."""
    if scheme_of(folder) in _READ_ONLY:
        raise InputError(f"{folder}: a web server lists no folder", hint="name the files in a manifest")
    with _explained(folder, InputError):
        system, path = _system(folder)
        found = system.find(path, detail=True)
        if not found:
            system.info(path)  # raises where there is no such folder
    base = path.rstrip("/") + "/"
    for name in sorted(found):
        if found[name]["type"] == "file" and name.startswith(base):
            address = folder / name.removeprefix(base)
            _listed[str(address)] = _found(found[name])
            yield address, _listed[str(address)]


def match(pattern: Address) -> list[Address]:
    """The files that a pattern with stars matches, sorted. Raises InputError."""
    with _explained(pattern, InputError):
        system, path = _system(pattern)
        names = sorted(system.glob(path))
    bare = str(pattern).find(path.lstrip("/"))
    return [Address(str(pattern)[:bare] + name.lstrip("/")) for name in names]


@contextmanager
def opened(address: Address, *, whole: bool = True) -> Iterator[BinaryIO]:
    """The content of ``address`` as a seekable file at its start; parts are asked for one by one if not ``whole``.

    Raises InputError.
    """
    if not whole:
        with _explained(address, InputError):
            system, path = _system(address)
            stream = system.open(path, "rb", block_size=_PART, cache_type="readahead")
        with stream:
            yield stream
        return
    with fetch(address).open("rb") as file:
        yield file


def prefetch(addresses: Iterable[Any]) -> None:
    """Fetch those of ``addresses`` that are addresses in parallel; what fails will say so when it is opened."""
    wanted = [one for one in addresses if isinstance(one, Address)]
    if len(wanted) < 2:
        return

    def get(address: Address) -> None:
        with suppress(TitaError):
            fetch(address)

    with ThreadPoolExecutor(min(len(wanted), FETCHERS), "tita-fetch") as pool:
        list(pool.map(get, wanted))


def fetch(address: Address) -> Path:
    """A local copy, which later calls may remove. Raises InputError."""

    def download(local: Path) -> None:
        with _explained(address, InputError):
            system, path = _system(address)
            if system.info(path)["type"] == "directory":
                raise InputError(f"{address}: is a folder, not a file")
            system.get_file(path, str(local))

    return _cache.get(address, download)


@contextmanager
def storing(address: Address) -> Iterator[BinaryIO]:
    """A local file that is stored at ``address`` when the block ends well, whole or not at all. Raises OutputError."""
    check_writable(address)
    local = _cache.new_name()
    try:
        with local.open("x+b") as file:
            yield file
        with _explained(address, OutputError):
            system, path = _system(address)
            _put(system, local, path, scheme_of(address))
    except BaseException:
        local.unlink(missing_ok=True)
        raise
    _cache.keep(address, local)


def check_writable(address: Address) -> None:
    """Raise OutputError where nothing can be stored by the scheme of ``address``."""
    if scheme_of(address) in _READ_ONLY:
        raise OutputError(f"{address}: web servers are read only", hint="write to a folder, s3://, gs:// or sftp://")
    with _explained(address, OutputError):
        _system(address)


def is_there(address: Address) -> bool:
    """Whether something is at ``address``, where something is to be written. Raises OutputError where none can tell."""
    with _explained(address, OutputError):
        system, path = _system(address)
        try:
            system.info(path)
        except FileNotFoundError as error:
            if _no_bucket(error):
                raise
            return False
        return True


def _put(system: Any, local: Path, path: str, scheme: str) -> None:
    if scheme in _OBJECT_STORES:
        system.put_file(str(local), path)
        return
    folder, _, name = path.rpartition("/")
    system.makedirs(folder, exist_ok=True)
    part = f"{folder}/.tita-{secrets.token_hex(6)}.part" if name else path
    try:
        system.put_file(str(local), part)
        system.mv(part, path)
    except BaseException:
        with suppress(Exception):  # the connection may be what failed
            system.rm_file(part)
        raise


def _system(address: Address) -> tuple[Any, str]:
    """fsspec's file system, one for each thread, and the path in it. Raises whatever fsspec and its packages raise."""
    import fsspec

    # A cached listing would hide what others write; SFTP has none, and takes its options for those of SSH.
    options = {"use_listings_cache": False} if scheme_of(address) in _OBJECT_STORES | _READ_ONLY else {}
    system, path = fsspec.url_to_fs(str(address), **options)
    return system, path


@contextmanager
def _explained(address: Address, kind: type[TitaError], *, missing_passes: bool = False) -> Iterator[None]:
    """Turn whatever fsspec and its packages raise over ``address`` into one error of ``kind``.

    ``missing_passes``: FileNotFoundError is left as it is, unless what is missing is the whole bucket.
    """
    try:
        yield
    except (TitaError, MemoryError):
        raise
    except FileNotFoundError as error:
        cause = error.__cause__  # of the web, everything is a file that is not there
        if isinstance(cause, Exception) and scheme_of(address) in _READ_ONLY and getattr(cause, "status", 0) != 404:
            raise _described(address, kind, cause) from error
        if missing_passes and not _no_bucket(error):
            raise
        raise kind(f"{address}: {'no such bucket' if _no_bucket(error) else 'no such file'}") from error
    except ImportError as error:
        scheme = scheme_of(address)
        missing = [name for name in ("fsspec", _PACKAGES.get(scheme)) if name and find_spec(name) is None]
        if not missing:  # a scheme that fsspec knows, with a package of its own, which it names
            raise kind(f"{address}: {first_line(error)}") from error
        raise kind(
            f"{address}: {scheme}:// needs {' and '.join(missing)}, not installed here",
            hint=f"pip install {' '.join(missing)}",
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in STORAGE_ERRORS and error.filename:
            raise kind(f"{error.filename}: {STORAGE_ERRORS[error.errno]}") from error
        raise _described(address, kind, error) from error


def _described(address: Address, kind: type[TitaError], error: Exception) -> TitaError:
    """What a server or a library said, as an error of ``kind``."""
    said = f"{type(error).__name__} {error} {error.__cause__ or ''}"
    unreachable = UnreachableError if kind is InputError else kind
    if isinstance(error, PermissionError) or any(word in said for word in _REFUSED):
        hint = "see docs/how-to/addresses.md for where credentials come from"
        return unreachable(f"{address}: access is refused: {first_line(error).rstrip('.')}", hint=hint)
    if isinstance(error, ValueError) and "rotocol not known" in said:
        return kind(f"{address}: no such kind of address", hint="s3://, gs://, https:// and sftp:// are known")
    reason = first_line(error) or type(error).__name__
    return unreachable(f"{address}: the server does not answer as it should: {reason.rstrip('.')}")


def _no_bucket(error: FileNotFoundError) -> bool:
    return "bucket does not exist" in str(error)


def _found(info: dict[str, Any]) -> Found:
    told = next((info[key] for key in ("LastModified", "mtime", "updated", "last_modified") if info.get(key)), None)
    return Found(int(info.get("size") or 0), _nanoseconds(told), info.get("type") == "directory")


def _nanoseconds(told: Any) -> int:
    """A time as servers and fsspec tell it, since 1970."""
    try:
        if isinstance(told, str):
            told = parsedate_to_datetime(told) if "," in told else datetime.fromisoformat(told.replace("Z", "+00:00"))
        if isinstance(told, datetime):
            since = (told if told.tzinfo else told.replace(tzinfo=timezone.utc)) - datetime(
                1970, 1, 1, tzinfo=timezone.utc
            )
            return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
        return UNKNOWN_TIME if told is None else int(float(told) * 1e9)
    except (TypeError, ValueError):
        return UNKNOWN_TIME


_listed: dict[str, Found] = {}
_cache = Cache(_CACHE_BYTES)
