"""A name that the Hub is asked about: once, whatever it answers."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import huggingface_hub
import pytest

from qvlm_qiskit.adapter.decoders import open_decoder, open_tokenizer
from qvlm_qiskit.basics.hub import check_on_hub
from qvlm_qiskit.data import open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model.processing import pretrained_tokenizer

NAME = "some-owner/some-name"


class Answers(BaseHTTPRequestHandler):
    """Knows models called "there"."""

    def do_GET(self):
        self.server.asked.append(self.path)
        there = self.path.endswith("there")
        self.send_response(200 if there else 404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        self.wfile.write(b'{"id": "there"}' if there else b"")

    def log_message(self, *parts):
        pass


@pytest.fixture
def hub(monkeypatch):
    """A Hub on this machine, which remembers what it was asked."""
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        _ask(monkeypatch, server.server_port)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def nobody(monkeypatch):
    """No Hub at all; the seconds that somebody waits for it are noted and not waited for."""
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        port = server.server_port
    _ask(monkeypatch, port)
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def _ask(monkeypatch, port):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


@pytest.mark.parametrize(("kind", "said"), [("model", "model"), ("dataset", "data set")])
def test_the_hub_is_asked_once(hub, kind, said):
    check_on_hub("somebody/there", kind)
    with pytest.raises(InputError, match=f"^there is no .* no such {said} on the Hub"):
        check_on_hub(NAME, kind)
    assert hub.asked == [f"/api/{kind}s/somebody/there", f"/api/{kind}s/{NAME}"]


def test_what_is_no_name_is_not_asked_for(hub):
    with pytest.raises(InputError, match="no model has that name"):
        check_on_hub("a/b/c/d")
    assert hub.asked == []


@pytest.mark.parametrize(
    "opens",
    [
        open_decoder,
        open_tokenizer,
        pretrained_tokenizer,
        lambda name: open_data(f"hub:{name}", "train"),
    ],
    ids=["decoder", "tokenizer", "vocabulary", "data"],
)
def test_where_nobody_answers_nothing_is_waited_for(nobody, opens):
    with pytest.raises(InputError, match=r"some-name.*no such folder, and the Hub can't be asked"):
        opens(NAME)
    assert nobody == []


def test_what_lies_in_the_cache_is_not_asked_for(nobody, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    kept = tmp_path / "models--some-owner--some-name"
    commit = "0123456789" * 4
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(commit)
    (kept / "snapshots" / commit).mkdir(parents=True)
    (kept / "snapshots" / commit / "config.json").write_text("{}")
    check_on_hub(NAME)
    with pytest.raises(InputError, match="can't be asked"):
        check_on_hub(NAME, "dataset")
    assert nobody == []
