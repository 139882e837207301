"""The official archive: fetched from a local server, checked, unpacked whole or again, read as by torchvision."""

import functools
import hashlib
import http.server
import socket
import tarfile
import threading

import numpy as np
import pytest
from making_data import TEST, TRAINVAL, write_oxford
from torchvision.datasets import OxfordIIITPet

from petseg_utils.data import download, open_data
from petseg_utils.data.decode import read_mask_file, read_photo
from petseg_utils.data.download import ensure_oxford
from petseg_utils.data.layouts import read_layout
from petseg_utils.errors import DataError

ARCHIVES = ("images", "annotations")


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.fetched.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A local server of two small archives that torchvision takes for the official ones; lists what was fetched."""
    source = write_oxford(tmp_path / "source")
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ARCHIVES:
        with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(source / name, arcname=name)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    server.fetched, server.folder, server.source = [], folder, source
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    resources = tuple((f"http://127.0.0.1:{server.server_port}/{name}.tar.gz",
                       hashlib.md5((folder / f"{name}.tar.gz").read_bytes()).hexdigest()) for name in ARCHIVES)
    monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", resources)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def refusal_of(root) -> str:
    with pytest.raises(DataError) as caught:
        ensure_oxford(root)
    message = str(caught.value)
    assert "\n" not in message and "--dataset synthetic" in message and repr(str(root)) in message
    assert caught.value.__cause__ is None and caught.value.__suppress_context__  # no traceback behind the sentence
    assert caught.value.exit_code == 1
    assert not (root / "oxford-iiit-pet").exists()
    return message


def test_the_archive_is_fetched_and_unpacked_and_nothing_else_is_left(tmp_path, served):
    root = tmp_path / "data"
    assert ensure_oxford(root) == root
    assert files_of(root / "oxford-iiit-pet") == files_of(served.source)
    assert names(root) == ["oxford-iiit-pet"] and names(root / "oxford-iiit-pet") == ["annotations", "images"]
    assert sorted(set(served.fetched)) == ["/annotations.tar.gz", "/images.tar.gz"]
    assert open_data(root, 32, tmp_path / "cache").manifest["name"].tolist() == [*TRAINVAL, *TEST]


def test_a_second_call_fetches_nothing(tmp_path, served, monkeypatch):
    ensure_oxford(tmp_path)
    served.fetched.clear()
    monkeypatch.setattr(download, "OxfordIIITPet", lambda *_, **__: pytest.fail("asked torchvision again"))
    assert ensure_oxford(tmp_path) == tmp_path
    assert served.fetched == []


def test_a_damaged_archive_is_refused_and_replaced_by_the_next_call(tmp_path, served):
    path = served.folder / "annotations.tar.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    assert "corrupted" in refusal_of(tmp_path / "data")
    path.write_bytes(whole)
    served.fetched.clear()
    ensure_oxford(tmp_path / "data")
    assert set(served.fetched) == {"/annotations.tar.gz"}  # the photos' archive was whole and is kept
    assert files_of(tmp_path / "data" / "oxford-iiit-pet") == files_of(served.source)


@pytest.mark.parametrize("archive", ARCHIVES)
def test_interrupted_unpacking_is_done_again_from_the_kept_archives(tmp_path, served, monkeypatch, archive):
    extract = tarfile.TarFile.extractall

    def killed(self, path, *arguments, **options):
        extract(self, path, *arguments, **options)
        if self.name.endswith(f"{archive}.tar.gz"):
            victim = next((tmp_path / "data").rglob("pug_1.jpg" if archive == "images" else "pug_1.png"))
            victim.unlink()  # it had not come so far
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tarfile.TarFile, "extractall", killed)
        ensure_oxford(tmp_path / "data")
    assert not (tmp_path / "data" / "oxford-iiit-pet").exists()
    fetched = set(served.fetched)
    served.fetched.clear()
    ensure_oxford(tmp_path / "data")
    assert not fetched & set(served.fetched)
    assert files_of(tmp_path / "data" / "oxford-iiit-pet") == files_of(served.source)
    assert names(tmp_path / "data") == ["oxford-iiit-pet"]


def test_a_half_fetched_archive_is_fetched_again(tmp_path, served):
    staging = tmp_path / "data" / ".download" / "oxford-iiit-pet"
    staging.mkdir(parents=True)
    (staging / "images.tar.gz").write_bytes((served.folder / "images.tar.gz").read_bytes()[:1000])
    ensure_oxford(tmp_path / "data")
    assert files_of(tmp_path / "data" / "oxford-iiit-pet") == files_of(served.source)


def test_an_archive_that_is_not_on_the_server_is_one_sentence(tmp_path, served):
    (served.folder / "images.tar.gz").unlink()
    assert "404" in refusal_of(tmp_path / "data")


def test_offline_is_one_sentence(tmp_path, served, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # a port that nobody listens on
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/images.tar.gz"
        monkeypatch.setattr(OxfordIIITPet, "_RESOURCES", ((closed, "0"),))
        assert "go online and try again" in refusal_of(tmp_path / "data")
    assert served.fetched == []


def test_an_answer_that_is_not_http_is_one_sentence(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"Please log in to the hotel's network.\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(OxfordIIITPet, "_RESOURCES",
                            ((f"http://127.0.0.1:{server.getsockname()[1]}/images.tar.gz", "0"),))
        refusal_of(tmp_path / "data")
        thread.join(5)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "data").write_text("a file stands where the folder should")
    with pytest.raises(DataError, match="cannot be fetched into"):
        ensure_oxford(tmp_path / "data")


@pytest.mark.parametrize("split", ["trainval", "test"])
def test_torchvision_reads_what_our_reader_reads(tmp_path, served, split, synthetic_root):
    ensure_oxford(tmp_path / "data")
    for root in (tmp_path / "data", synthetic_root):
        theirs = OxfordIIITPet(root, split, ("segmentation", "binary-category"))
        ours = [sample for sample in read_layout(root).samples if sample.split == split]
        assert len(theirs) == len(ours) > 0
        for (image, (trimap, species)), sample in zip(theirs, ours, strict=False):
            np.testing.assert_array_equal(np.asarray(image), read_photo(sample.image_path))
            np.testing.assert_array_equal(np.asarray(trimap), read_mask_file(sample.mask_path, "oxford"))
            assert species + 1 == sample.species
