"""Model cards, and the Hub's unmodified client against a hub on this machine."""

import base64
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import torch
from huggingface_hub import constants

from qvlm_qiskit.cli import main
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLM
from qvlm_qiskit.publishing import model_card, push, read_evaluation
from qvlm_qiskit.runs import Run


class Hub(BaseHTTPRequestHandler):
    """Takes repositories and commits of small files; ``files`` and ``made`` keep them."""

    files: dict
    made: list
    status = 200

    def do_POST(self):
        """Answer what the client asks when it uploads a folder."""
        body = self._body()
        if self.status != 200:
            return self._answer({"error": "not allowed"}, self.status)
        if self.path == "/api/repos/create":
            self.made.append(json.loads(body))
            return self._answer({"url": f"{self.address}/me/mine"})
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            regular = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            return self._answer({"files": [{"path": f["path"], **regular} for f in asked]})
        if self.path.endswith("/validate-yaml"):  # the card's front matter
            return self._answer({"errors": [], "warnings": []})
        assert "/commit/" in self.path
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                self.files[entry["value"]["path"]] = content
        url = f"{self.address}/me/mine/commit/abc"
        return self._answer({"success": True, "commitOid": "abc", "commitUrl": url})

    def _body(self):
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):  # in chunks
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self):
        """Say that a repository is there."""
        self._answer({"id": "me/mine", "sha": "abc", "siblings": []})

    def _answer(self, content, status=200):
        encoded = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_):
        """Nothing."""


@contextmanager
def serving(status=200):
    kind = type("OneHub", (Hub,), {"files": {}, "made": [], "status": status})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    kind.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kind
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def evaluation(tiny_run, tmp_path, capsys):
    capsys.readouterr()
    words = ["evaluate", str(tiny_run.path), "--limit", "4", "--json", "--backend"]
    words += ["noisy:fake_manila", "--shots", "20", "--seed", "0"]
    assert main(words) == 0
    path = tmp_path / "noisy.json"
    path.write_text(capsys.readouterr().out)
    return path


def test_a_card_says_what_a_stranger_has_to_know(tiny_run, evaluation):
    found = read_evaluation(evaluation)
    card = model_card(tiny_run, [found])
    front = card.split("---\n")[1]
    assert "library_name: transformers" in front
    assert f"{tiny_run.info['parameters']:,} parameters" in card
    assert f"{found['correct']}/{found['total']}" in card
    assert re.search(r"\| noisy:fake_manila \| 2024-\d\d-\d\d \| 20 \| none \|", card)
    assert "seed 0" in card
    assert "None were given" in model_card(tiny_run)
    assert "it is a control" not in card


def test_a_card_names_blocks_that_are_not_the_recipes(tiny_run, run_copy):
    assert "block `" not in model_card(tiny_run)
    record = run_copy / "run.json"
    info = json.loads(record.read_text("utf-8"))
    info["options"]["vision_block"] = "qcnn(encoding=mps)"
    record.write_text(json.dumps(info), "utf-8")
    assert "- vision block `qcnn(encoding=mps)`\n" in model_card(Run.open(run_copy))


def test_a_model_is_uploaded_with_its_card(tiny_run, evaluation, monkeypatch, capsys, tmp_path):
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        words = [
            "push",
            str(tiny_run.path),
            "me/mine",
            "--private",
            "--evaluation",
            str(evaluation),
        ]
        assert main(words) == 0
    assert capsys.readouterr().out.strip().endswith("/me/mine/commit/abc")
    assert (hub.made[0]["name"], hub.made[0]["organization"]) == ("mine", "me")
    assert hub.made[0].get("private") or hub.made[0].get("visibility") == "private"
    for name, content in hub.files.items():
        (tmp_path / "got" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "got" / name).write_bytes(content)
    loaded = HybridVLM.from_pretrained(tmp_path / "got").state_dict()
    own = tiny_run.model().state_dict()
    assert all(torch.equal(own[name], loaded[name]) for name in own)
    assert b"noisy:fake_manila" in hub.files["README.md"]
    assert not (tiny_run.path / "model" / "README.md").exists()


def test_what_the_hub_refuses_is_one_line(tiny_run, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(403) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        with pytest.raises(InputError, match="can't upload to me/mine") as raised:
            push(tiny_run, "me/mine")
    assert "hf_secret" not in str(raised.value)
    with pytest.raises(InputError, match="can't upload to no name"):
        push(tiny_run, "no name")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"backend": {}}'])
def test_another_file_is_no_evaluation(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match="is not what qvlm evaluate --json prints"):
        read_evaluation(path)


def test_a_dry_run_prints_the_card(tiny_run, capsys):
    assert main(["push", str(tiny_run.path), "me/mine", "--dry-run"]) == 0
    assert capsys.readouterr().out.strip() == model_card(tiny_run).strip()
