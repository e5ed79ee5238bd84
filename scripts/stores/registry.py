"""A registry that knows a folder of blobs (layers.py wrote it) and only answers what runtimes ask in order to pull."""
import hashlib
import http.server
import json
import re
import socketserver
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def find(self):
        if self.path.split("?")[0] in ("/v2/", "/v2"):
            return b"{}", "application/json"
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", self.path.split("?")[0])
        if not match:
            return None
        repository, kind, what = match.groups()
        if not what.startswith("sha256:"):
            what = self.server.names.get(f"{self.headers['Host'].split(':')[0]}/{repository}:{what}", {}).get("digest", "")
        try:
            with open(f"{self.server.folder}/blobs/{what[7:]}", "rb") as file:
                data = file.read()
        except OSError:
            return None
        return data, json.loads(data)["mediaType"] if kind == "manifests" else "application/octet-stream"

    def do_GET(self, body=True):
        found = self.find()
        data, media = found or (b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}', "application/json")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(data).hexdigest())
        self.end_headers()
        if body:
            self.wfile.write(data)

    def do_HEAD(self):
        self.do_GET(body=False)

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # who hangs up has what it wants


class NoTls(socketserver.BaseRequestHandler):
    """Answers so that who begins with TLS goes on without it, if it may."""

    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


def serve(folder):
    threading.Thread(target=socketserver.ThreadingTCPServer(("127.0.0.1", 443), NoTls).serve_forever, daemon=True).start()
    server = Server(("127.0.0.1", 80), Handler)
    server.folder = folder
    with open(folder + "/refs.json") as file:
        server.names = json.load(file)
    threading.Thread(target=server.serve_forever, daemon=True).start()
