"""Files at addresses: a real S3 server, web server and SFTP server on loopback, started here."""

from __future__ import annotations

import json
import os
import pickle
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode, InputError, OutputError, UnreachableError
from tita_cli.files import Address, is_address, open_input, path_of, split_page
from tita_cli.images import read_picture

PictureFile = Callable[..., Path]
SMALL = ("--workers", "1", "--threads", "1", "-q")


class Store:
    """An S3 server with one bucket, ``survey``, looked into behind tita's back."""

    def __init__(self, url: str) -> None:
        import boto3

        self.url = url
        self.client = boto3.client("s3")

    def put(self, key: str, content: bytes) -> str:
        self.client.put_object(Bucket="survey", Key=key, Body=content)
        return f"s3://survey/{key}"

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket="survey", Key=key)["Body"].read()

    def listed(self, prefix: str = "") -> list[str]:
        listed = self.client.list_objects_v2(Bucket="survey", Prefix=prefix)
        return sorted(each["Key"] for each in listed.get("Contents", ()))

    def ask_for_keys(self, wanted: bool) -> None:
        """Whether the server checks credentials from now on; those of the tests are none that it knows."""
        body = b"0" if wanted else b"inf"
        ask = urllib.request.Request(f"{self.url}/moto-api/reset-auth", body, {"Content-Type": "text/plain"})
        urllib.request.urlopen(ask).close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    threaded = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = threaded.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def store(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    from tita_cli.files import remote

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(remote, "_cache", remote.Cache(1 << 20))
    made = Store(server)
    made.client.create_bucket(Bucket="survey")
    yield made
    try:
        for key in made.listed():
            made.client.delete_object(Bucket="survey", Key=key)
        made.client.delete_bucket(Bucket="survey")
    except made.client.exceptions.NoSuchBucket:
        pass


@pytest.fixture
def flight(store: Store, picture_file: PictureFile) -> Store:
    """Two pairs in the bucket."""
    for number in range(2):
        for side, color in (("vis", True), ("ir", False)):
            path = picture_file(f"in/{side}/{number}.png", seed=number + 10 * color, color=color)
            store.put(f"in/{side}/{number}.png", path.read_bytes())
    return store


def batch(*arguments: str, model: Path) -> int:
    return run(["batch", *arguments, "-m", str(model), *SMALL])


def test_an_address_is_a_path_that_keeps_its_slashes() -> None:
    address = path_of("s3://bucket/flight/0001_T.JPG")
    assert isinstance(address, Address)
    assert os.fspath(address) == str(address) == "s3://bucket/flight/0001_T.JPG"
    assert (address.stem, address.suffix, str(address.parent)) == ("0001_T", ".JPG", "s3://bucket/flight")
    assert str(address.parent / "x.png") == "s3://bucket/flight/x.png"
    assert address.relative_to(Address("s3://bucket")).parts == ("flight", "0001_T.JPG")
    assert pickle.loads(pickle.dumps(address)) == address == address.resolve() == address.absolute()
    assert not is_address("c:/x.png") and not is_address("./s3://x") and not is_address("file:///tmp/x.png")
    assert path_of("file:///tmp/a%20b.png") == Path("/tmp/a b.png")
    assert split_page("s3://bucket/stack.tif@3") == ("s3://bucket/stack.tif", "3")
    assert split_page("sftp://me@host/a.png") == ("sftp://me@host/a.png", None)


def test_fuse_reads_and_writes_as_it_does_here(flight: Store, tiny_model: Path, tmp_path: Path) -> None:
    how = ["-m", str(tiny_model), "--threads", "1", "-q"]
    here = [str(tmp_path / "in" / side / "1.png") for side in ("vis", "ir")]
    there = [f"s3://survey/in/{side}/1.png" for side in ("vis", "ir")]
    assert run(["fuse", *here, "-o", str(tmp_path / "here.png"), *how]) == 0
    assert run(["fuse", *there, "-o", "s3://survey/out/there.png", *how]) == 0
    assert flight.get("out/there.png") == (tmp_path / "here.png").read_bytes()
    assert run(["fuse", *there, "-o", "s3://survey/out/there.png", *how]) == ExitCode.UNWRITABLE_OUTPUT  # no --force
    assert run(["fuse", "s3://survey/in/*/0.png", "-o", str(tmp_path / "x.png"), *how]) == 0
    assert run(["fuse", *there, "-o", there[0], *how, "-f"]) == ExitCode.USAGE
    assert flight.get("in/vis/1.png") == Path(here[0]).read_bytes()


def test_a_batch_from_bucket_to_bucket_resumes(flight: Store, tiny_model: Path, tmp_path: Path, capfd) -> None:
    assert batch("s3://survey/in", "-o", "s3://survey/out", model=tiny_model) == 0
    assert flight.listed("out/") == ["out/0.png", "out/1.png", "out/tita-batch.jsonl"]
    assert run(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "here"), "-m", str(tiny_model), *SMALL]) == 0
    assert all(flight.get(f"out/{n}.png") == (tmp_path / "here" / f"{n}.png").read_bytes() for n in range(2))
    lines = flight.get("out/tita-batch.jsonl").splitlines()
    done = next(record for record in map(json.loads, lines) if record["event"] == "done")
    assert done["sources"][0]["path"].startswith("s3://survey/in/")
    # On another machine: only the bucket is the same.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        flight.put("in/ir/0.png", (tmp_path / "in" / "vis" / "1.png").read_bytes())
        assert run(["batch", "s3://survey/in", "-o", "s3://survey/out", "-m", str(tiny_model), *SMALL[:-1]]) == 0
        assert run(["report", "s3://survey/out", "-o", str(tmp_path / "report.html"), "-q"]) == 0
    assert "1 fused, 1 already done" in capfd.readouterr().err
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_missing_key_fails_alone(flight: Store, tiny_model: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "pairs.csv"
    rows = [f"s3://survey/in/vis/{n}.png,s3://survey/in/ir/{n}.png" for n in (0, 7, 1)]
    manifest.write_text("\n".join(["visible,infrared", *rows]))
    out = tmp_path / "out"
    assert batch(str(manifest), "-o", str(out), model=tiny_model) == ExitCode.SOME_FAILED
    assert sorted(path.name for path in out.glob("*.png")) == ["0.png", "1.png"]
    records = map(json.loads, (out / "tita-batch.jsonl").read_text().splitlines())
    (failed,) = (record for record in records if record["event"] == "failed")
    assert failed["error"]["message"] == "s3://survey/in/vis/7.png: no such file"
    assert failed["error"]["code"] == ExitCode.UNREADABLE_INPUT


def test_a_bucket_that_vanishes_fails_what_is_left(
    flight: Store, tiny_model: Path, tmp_path: Path, monkeypatch
) -> None:
    from tita_cli.files import remote

    stored: list[str] = []
    put = remote._put

    def put_once(system: Any, local: Path, path: str, scheme: str) -> None:
        if stored:
            for key in flight.listed():
                flight.client.delete_object(Bucket="survey", Key=key)
            flight.client.delete_bucket(Bucket="survey")
        stored.append(path)
        put(system, local, path, scheme)

    monkeypatch.setattr(remote, "_put", put_once)
    assert batch(str(tmp_path / "in"), "-o", "s3://survey/out", model=tiny_model) == ExitCode.SOME_FAILED
    (journal,) = (tmp_path / "state").rglob("tita-batch.jsonl")
    events = {record["event"]: record for record in map(json.loads, journal.read_text().splitlines())}
    assert events["failed"]["error"]["message"].endswith(": no such bucket")
    assert events["failed"]["error"]["code"] == ExitCode.UNWRITABLE_OUTPUT
    assert events["end"]["done"] == 1
    assert batch("s3://survey/in", "-o", str(tmp_path / "x"), model=tiny_model) == ExitCode.UNREADABLE_INPUT
    flight.client.create_bucket(Bucket="survey")


def test_refused_credentials_are_one_sentence(flight: Store, tiny_model: Path, tmp_path: Path, capfd) -> None:
    flight.ask_for_keys(True)
    try:
        with pytest.raises(UnreachableError, match=r"s3://survey/in/vis/0\.png: access is refused: "):
            read_picture("s3://survey/in/vis/0.png")
        there = [f"s3://survey/in/{side}/1.png" for side in ("vis", "ir")]
        assert run(["fuse", *there, "-o", str(tmp_path / "o.png"), "-m", str(tiny_model)]) == ExitCode.UNREADABLE_INPUT
        assert batch(str(tmp_path / "in"), "-o", "s3://survey/out", model=tiny_model) == ExitCode.UNWRITABLE_OUTPUT
        error = capfd.readouterr().err
        assert error.count("tita: error: ") == 2 and "Traceback" not in error
        manifest = tmp_path / "pairs.csv"
        manifest.write_text("visible,infrared\n" + ",".join(there) + "\nin/vis/0.png,in/ir/0.png")
        assert batch(str(manifest), "-o", str(tmp_path / "out"), model=tiny_model) == ExitCode.SOME_FAILED
    finally:
        flight.ask_for_keys(False)
    # It says nothing about the file, so it is tried again unasked.
    assert batch(str(manifest), "-o", str(tmp_path / "out"), model=tiny_model) == 0


def test_no_server_and_no_package_are_one_sentence(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9/a\.png: the server does not answer"):
        read_picture("http://127.0.0.1:9/a.png")
    with pytest.raises(InputError, match="no such kind of address"):
        read_picture("nothing://bucket/a.png")
    with pytest.raises(OutputError, match="web servers are read only"):
        from tita_cli.images import check_writable

        check_writable("https://127.0.0.1/a.png", overwrite=False)
    from tita_cli.files import remote

    def missing(address: Address) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(remote, "_system", missing)
    monkeypatch.setattr(remote, "find_spec", lambda name: None if name == "s3fs" else object())
    with pytest.raises(InputError, match="s3:// needs s3fs, not installed here") as caught:
        read_picture("s3://survey/a.png")
    assert caught.value.hint == "pip install s3fs"


def test_an_upload_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from tita_cli.images import atomic_output

    with pytest.raises(ZeroDivisionError), atomic_output(Address("s3://survey/half.png"), overwrite=False) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert store.listed() == []


def test_a_listed_folder_leaves_the_output_out(flight: Store) -> None:
    from tita_cli.pairing.scan import scan_folder

    flight.put("in/out/0.png", b"a result")
    flight.put("in/.hidden/0.png", b"")
    flight.put("in/notes.txt", b"")
    scan = scan_folder(Address("s3://survey/in"), exclude=[Address("s3://survey/in/out")])
    assert [str(image.place) for image in scan.images] == ["ir/0.png", "ir/1.png", "vis/0.png", "vis/1.png"]
    assert [leftover.path.name for leftover in scan.others] == ["notes.txt"]
    with pytest.raises(InputError, match="no such file"):
        scan_folder(Address("s3://survey/nowhere"))


def test_a_web_server_is_read(picture_file: PictureFile, tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("aiohttp")
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *parts: Any) -> None:
            pass

    local = picture_file("web/a.png")
    picture_file("web/b.png", seed=3)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path / "web"))) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{web.server_port}"
        assert np.array_equal(read_picture(f"{base}/a.png").pixels, read_picture(local).pixels)
        out = str(tmp_path / "o.png")
        assert run(["fuse", f"{base}/a.png", f"{base}/b.png", "-o", out, "-m", str(tiny_model), "-q"]) == 0
        with pytest.raises(InputError, match="no such file"), open_input(f"{base}/c.png"):
            pass
        web.shutdown()
