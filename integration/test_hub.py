"""The real huggingface_hub client, against a hub on loopback that speaks the requests it makes.

The client's constants name that hub, as ``HF_ENDPOINT`` would. Safetensors go up as LFS objects and
the rest inside the commit, as huggingface.co asks for it.
"""

import base64
import hashlib
import json
import pickle
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from huggingface_hub import ModelCard, constants
from huggingface_hub.errors import HfHubHTTPError

from saetm_plugins.atoms import SparseAutoencoder, atom_stability, train_sae

TOKEN = "hf_loopback"
UNKNOWN = {"error": "this hub knows no such request"}


class Hub(ThreadingHTTPServer):
    """Repositories in memory: ``repositories[name]["files"]`` maps paths to bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Requests)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.repositories, self.objects = {}, {}

    def add(self, name, files, private=False):
        self.repositories[name] = {"files": dict(files), "private": private}

    def revision(self, name):
        """Return a digest of all files, for the name of a commit."""
        digest = hashlib.sha1()
        for path, content in sorted(self.repositories[name]["files"].items()):
            digest.update(path.encode() + content)
        return digest.hexdigest()

    def commit(self, name, lines):
        files = self.repositories[name]["files"]
        for line in map(json.loads, lines):
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.objects[value["oid"]]


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body, path, hub = self._body(), self.path.split("?")[0], self.server
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"error": "Invalid username or password."})
        if path == "/api/repos/create":
            wanted = json.loads(body)
            name = "/".join(filter(None, [wanted.get("organization"), wanted["name"]]))
            answer = {"url": f"{hub.address}/{name}", "name": name}
            if name in hub.repositories:
                return self._send(409, {**answer, "error": "You already created this model repo"})
            hub.add(name, {}, wanted.get("private") or wanted.get("visibility") == "private")
            return self._send(200, answer)
        if path == "/api/validate-yaml":
            assert json.loads(body)["content"].startswith("---\n")
            return self._send(200, {"errors": [], "warnings": []})
        if path.endswith("/preupload/main"):
            files = [{"path": file["path"], "shouldIgnore": False, "uploadMode": "regular"}
                     for file in json.loads(body)["files"]]  # fmt: skip
            for file in files:
                if file["path"].endswith(".safetensors"):
                    file["uploadMode"] = "lfs"
            return self._send(200, {"files": files})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            for each in objects:
                each["actions"] = {"upload": {"href": f"{hub.address}/lfs/{each['oid']}"}}
            return self._send(200, {"transfer": "basic", "objects": objects})
        if found := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            hub.commit(found[1], body.splitlines())
            revision = hub.revision(found[1])
            url = f"{hub.address}/{found[1]}/commit/{revision}"
            return self._send(200, {"success": True, "commitUrl": url, "commitOid": revision})
        return self._send(404, UNKNOWN)

    def do_PUT(self):
        body, oid = self._body(), self.path.removeprefix("/lfs/")
        if hashlib.sha256(body).hexdigest() != oid:
            return self._send(400, {"error": "the object is not what its name says"})
        self.server.objects[oid] = body
        return self._send(200, {})

    def do_GET(self):
        path, hub = self.path.split("?")[0], self.server
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/.+|/tree/.+)?", path)
        found = found or re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        if found is None:
            return self._send(404, UNKNOWN)
        name, rest = found[1], found[2] or ""
        if name not in hub.repositories:
            return self._send(404, {"error": "Repository not found"}, "RepoNotFound")
        files, revision = hub.repositories[name]["files"], hub.revision(name)
        if rest.startswith("/tree/"):
            return self._send(200, [
                {"type": "file", "path": path, "size": len(content), "oid": _blob(content)}
                for path, content in files.items()
            ])  # fmt: skip
        if path.startswith("/api/"):
            about = {"id": name, "sha": revision, "private": hub.repositories[name]["private"]}
            return self._send(200, {**about, "siblings": [{"rfilename": path} for path in files]})
        if rest not in files:
            return self._send(404, {"error": "Entry not found"}, "EntryNotFound")
        headers = {"ETag": f'"{_blob(files[rest])}"', "X-Repo-Commit": revision}
        if name.endswith("/huge"):
            return self._send(200, b"", length=2**40, **headers)
        return self._send(200, files[rest], **headers)

    do_HEAD = do_GET

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status, content, error_code="", length=None, **headers):
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers["Content-Length"] = len(payload) if length is None else length
        if error_code:
            headers["X-Error-Code"] = error_code
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)


def _blob(content):
    """Return the name that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture(scope="module")
def hub():
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(hub, tmp_path, monkeypatch):
    """Point the client at the hub on loopback, with a cache of its own."""
    resolve = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    changed = {
        "ENDPOINT": hub.address, "HUGGINGFACE_CO_URL_TEMPLATE": resolve,
        "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_DISABLE_XET": True,
    }  # fmt: skip
    for name, value in changed.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "hub"


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(400, 24)).astype(np.float32)


@pytest.fixture(scope="module")
def sae(rows):
    settings = {"n_atoms": 16, "k": 3, "n_steps": 30, "encoder_name": "someone/encoder"}
    sae = train_sae(rows, **settings, data_name="400 planted rows")
    sae.statistics_["stability"] = atom_stability(sae, train_sae(rows, **settings, random_state=1))
    return sae


def test_what_was_pushed_comes_back_bit_for_bit(hub, sae, rows):
    url = sae.push_to_hub("someone/atoms", private=True, token=TOKEN)
    revision = hub.revision("someone/atoms")
    assert url == f"{hub.address}/someone/atoms/commit/{revision}"
    assert hub.repositories["someone/atoms"]["private"] is True
    codes = SparseAutoencoder.from_pretrained("someone/atoms").transform(rows)
    expected = sae.transform(rows)
    for name in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(codes, name), getattr(expected, name)), name
    sae.push_to_hub("someone/atoms", private=True, token=TOKEN)  # the repository exists by now
    assert hub.revision("someone/atoms") == revision


def test_card_and_weights_are_all_that_arrives(hub, sae):
    sae.push_to_hub("someone/carded", token=TOKEN)
    files = hub.repositories["someone/carded"]["files"]
    assert sorted(files) == ["README.md", "checksums.json", "config.json", "model.safetensors"]
    assert not any(
        content.startswith(b"\x80") or b"pickle" in content for content in files.values()
    )
    assert json.loads(files["config.json"])["encoder_name"] == "someone/encoder"
    card = ModelCard(files["README.md"].decode())
    assert card.data.library_name == "saetm-plugins"
    table = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", card.text, flags=re.MULTILINE))
    assert table == {
        "embeddings of": "someone/encoder",
        "dimension d": "24",
        "atoms K": "16",
        "activation": "batch_topk, k = 3",
        "trained on": "400 planted rows",
        "fraction of variance unexplained": f"{sae.statistics_['fvu']:.3g}",
        "active atoms a document (l0)": f"{sae.statistics_['l0']:.3g}",
        "atoms never active": str(sae.statistics_["n_dead"]),
        "stability (share of atoms found again with another seed)": (
            f"{sae.statistics_['stability']:.3g}"
        ),
    }
    assert 'from_pretrained("someone/carded")' in card.text


def test_a_token_that_the_hub_refuses_is_an_error(sae):
    with pytest.raises(HfHubHTTPError, match="401"):
        sae.push_to_hub("someone/refused", token="hf_wrong")


DAMAGED = {
    "someone/foreign": (
        {"config.json": b'{"model_type": "bert"}'},
        "not hold a sparse-autoencoder",
    ),
    "someone/list": ({"config.json": b"[1, 2]"}, "does not hold a sparse-autoencoder"),
    "someone/truncated": ({"config.json": b'{"kind": "sparse-auto'}, "truncated or not JSON"),
    "someone/half": ({"config.json": b'{"kind": "sparse-autoencoder"}'}, "cannot be read"),
    "someone/weightless": ({"model.safetensors": None}, "model.safetensors is missing"),
    "someone/cut-off": ({"model.safetensors": b"\x10"}, "truncated or not safetensors"),
    "someone/pickled": ({"ae.pt": pickle.dumps(print)}, "holds more than weights; not loaded"),
    "someone/nothing": (None, "is neither a local path nor a hub repository in reach"),
}


@pytest.fixture
def whole(sae, tmp_path):
    """The files of a saved model."""
    sae.save_pretrained(tmp_path / "sae")
    return {file.name: file.read_bytes() for file in (tmp_path / "sae").iterdir()}


def test_one_of_several_models_in_a_repository_is_fetched_alone(hub, whole, cache):
    places = ("layers/one", "layers/two")
    hub.add(
        "someone/several", {f"{p}/{name}": data for p in places for name, data in whole.items()}
    )
    revision = hub.revision("someone/several")
    options = {"subfolder": "layers/one", "revision": revision}
    found = SparseAutoencoder.from_pretrained("someone/several", **options)
    assert found.encoder_name == "someone/encoder"
    cached = cache / "models--someone--several" / "snapshots" / revision
    assert [folder.name for folder in (cached / "layers").iterdir()] == ["one"]


@pytest.mark.parametrize("name", DAMAGED)
def test_a_repository_of_something_else_is_refused(hub, whole, name):
    damage, message = DAMAGED[name]
    if damage is not None:
        files = {**whole, **damage}
        hub.add(name, {path: data for path, data in files.items() if data is not None})
    with pytest.raises((ValueError, FileNotFoundError), match=message) as raised:
        SparseAutoencoder.from_pretrained(name)
    assert name.split("/")[1] in str(raised.value)


def test_downloads_are_bounded_in_size(hub):
    hub.add("someone/huge", {"config.json": b"{}", "model.safetensors": b"x"})
    with pytest.raises((ValueError, OSError), match="GiB; at most 16 GiB are downloaded"):
        SparseAutoencoder.from_pretrained("someone/huge")
