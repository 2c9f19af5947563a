"""Files at sftp:// addresses, on a server of paramiko's that the test starts on loopback."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode, OutputError
from tita_cli.files import Address, read_input
from tita_cli.images import atomic_output

paramiko: Any = pytest.importorskip("paramiko")
pytest.importorskip("fsspec")
SFTP_OK = 0


class Host(paramiko.ServerInterface):
    """Lets ``me`` in with the password ``secret``."""

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == ("me", "secret")
        return int(paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)


class Files(paramiko.SFTPServerInterface):
    """The file system below ``root``."""

    root = Path()

    def _real(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _try(self, act: Callable[[], Any]) -> Any:
        try:
            return act() or SFTP_OK
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def list_folder(self, path: str) -> Any:
        def listed() -> Any:
            return [
                paramiko.SFTPAttributes.from_stat(each.stat(), each.name) for each in sorted(self._real(path).iterdir())
            ]

        return self._try(listed)

    def stat(self, path: str) -> Any:
        return self._try(lambda: paramiko.SFTPAttributes.from_stat(self._real(path).stat()))

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        def opened() -> Any:
            handle = paramiko.SFTPHandle(flags)
            handle.readfile = handle.writefile = os.fdopen(
                os.open(self._real(path), flags, 0o600), "wb" if flags & os.O_WRONLY else "rb"
            )
            return handle

        return self._try(opened)

    def remove(self, path: str) -> Any:
        return self._try(self._real(path).unlink)

    def mkdir(self, path: str, attr: Any) -> Any:
        return self._try(self._real(path).mkdir)

    def posix_rename(self, old: str, new: str) -> Any:
        return self._try(lambda: self._real(old).replace(self._real(new)) and None)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """The address of the server's root, which is ``tmp_path / "there"``."""
    (tmp_path / "there").mkdir()
    files = type("Rooted", (Files,), {"root": tmp_path / "there"})
    key = paramiko.RSAKey.generate(1024)
    transports: list[Any] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
            transport.start_server(server=Host())
            transports.append(transport)

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    listening.close()
    for transport in transports:
        transport.close()


def test_pictures_are_read_from_and_renamed_into_place(
    host: str, picture_file: Callable[..., Path], tmp_path: Path, tiny_model: Path
) -> None:
    picture_file("there/in/a.png")
    picture_file("there/in/b.png", seed=2, color=False)
    base, how = f"sftp://me:secret@{host}", ["-m", str(tiny_model), "--threads", "1", "-q"]
    there = [f"{base}/in/{name}.png" for name in "ab"]
    here = [str(tmp_path / "there" / "in" / f"{name}.png") for name in "ab"]
    assert run(["fuse", *there, "-o", f"{base}/new/out.png", *how]) == 0
    assert run(["fuse", *here, "-o", str(tmp_path / "out.png"), *how]) == 0
    assert (tmp_path / "there/new/out.png").read_bytes() == (tmp_path / "out.png").read_bytes()
    assert [path.name for path in (tmp_path / "there/new").iterdir()] == ["out.png"]


def test_a_refused_password_is_one_sentence(host: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = f"sftp://me:wrong@{host}"
    out = str(tmp_path / "o.png")
    assert run(["fuse", f"{base}/a.png", f"{base}/b.png", "-o", out]) == ExitCode.UNREADABLE_INPUT
    error = capfd.readouterr().err
    assert "sftp://me:…@127.0.0.1" in error and "access is refused" in error and "Traceback" not in error


def test_what_breaks_off_leaves_nothing_there(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.sftp import SFTPFileSystem

    target = Address(f"sftp://me:secret@{host}/half.bin")
    with atomic_output(target, overwrite=False) as file:
        file.write(b"whole")
    assert read_input(target, max_bytes=10) == b"whole"

    def broken(self: Any, old: str, new: str) -> None:
        raise OSError("connection lost")

    monkeypatch.setattr(SFTPFileSystem, "mv", broken)
    with pytest.raises(OutputError, match="connection lost"), atomic_output(target, overwrite=True) as file:
        file.write(b"other")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["half.bin"]
    assert (tmp_path / "there" / "half.bin").read_bytes() == b"whole"
