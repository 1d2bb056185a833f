#!/usr/bin/env python3
"""A node in Python, standard library only: verifies kconfigd's notifications and prints them.

    ./receiver.py --secret-file edge-1.key [--address 127.0.0.1] [--port 9001]

Keys: whsec_ (HMAC-SHA256), one a line. For Ed25519 (whpk_) see receiver.sh.
"""

import argparse
import base64
import collections
import hashlib
import hmac
import http.server
import json
import sys
import time

BODY_BYTES_MAX = 1024 * 1024
TOLERANCE_SECONDS = 5 * 60
REMEMBERED_MAX = 10_000


def read_keys(path):
    """Read again for every request, so that a key can be changed without a restart."""
    with open(path, encoding="ascii") as file:
        lines = [line.strip() for line in file]
    keys = [line.removeprefix("whsec_") for line in lines if line.startswith("whsec_")]
    if not keys:
        raise ValueError(f"{path} holds no whsec_ key")
    return [base64.b64decode(key + "=" * (-len(key) % 4)) for key in keys]


def why_refused(headers, body, keys, now):
    """None when one of our keys signed this body a short time ago, else the reason."""
    identifier = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not identifier or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        return "webhook-id or webhook-timestamp is missing"
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return "signed too long ago: a replay, or a wrong clock"
    signed = f"{identifier}.{timestamp}.".encode("latin-1") + body
    for key in keys:
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        # During a key change there are several signatures; one that matches is enough.
        for signature in headers.get("webhook-signature", "").split():
            version, _, value = signature.partition(",")
            if version == "v1" and hmac.compare_digest(value.encode("latin-1"), expected):
                return None
    return "no signature matches: another key, or an altered body"


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    secret_file = None
    seen = collections.OrderedDict()

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413, "at most 1 MiB")
        body = self.rfile.read(int(length))
        refused = why_refused(self.headers, body, read_keys(self.secret_file), time.time())
        if refused:
            # Anything but 2xx: it is sent again, so nothing is lost while the key is put right.
            return self.answer(401, refused)
        identifier = self.headers["webhook-id"]
        # Delivery is at least once: the same id may come again and is not acted on twice.
        if identifier not in self.seen:
            self.act(json.loads(body))
            self.seen[identifier] = True
            if len(self.seen) > REMEMBERED_MAX:
                self.seen.popitem(last=False)
        return self.answer(204)

    def act(self, event):
        """What the node does. Quick: the sender waits for the answer, and sends in order."""
        data = event["data"]
        print(event["type"], data.get("deployment"), json.dumps(data.get("changes")), flush=True)

    def answer(self, status, text=""):
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        print(self.address_string(), *arguments[1:], file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001)
    arguments = parser.parse_args()
    Receiver.secret_file = arguments.secret_file
    read_keys(arguments.secret_file)
    server = http.server.ThreadingHTTPServer((arguments.address, arguments.port), Receiver)
    print(f"listening on http://{arguments.address}:{server.server_port}/", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
