"""Runs `antiphon emulator` and speaks its administration API over HTTPS."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request


class Emulator:
    """An emulator process with one registered application."""

    APP = "6f0d3c1e-52b1-4a4b-8f7e-1d2b3c4d5e6f"
    SECRET = "interop-secret"

    def __init__(self, antiphon, folder, webhook_ca, name="ca"):
        self.antiphon = antiphon
        self.ca_file = f"{folder}/{name}.pem"
        seed = f"{self.APP}:{self.SECRET}:Calls.JoinGroupCall.All,Calls.AccessMedia.All"
        self.process = subprocess.Popen(
            [antiphon, "emulator", "--listen", "127.0.0.1:0", "--ca-file", self.ca_file, "--seed-app", seed, "--json"]
            + (["--trust", webhook_ca] if webhook_ca else [])
            + ["--quiet"],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the emulator did not start; its message is above")
        self.facts = json.loads(line)
        self.url = self.facts["url"]
        self.tenant = self.facts["tenantId"]
        self.tls = ssl.create_default_context(cafile=self.ca_file)

    def admin(self, method, path, body=None, content_type="application/json"):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/emulator{path}", data=data, method=method, headers={"Content-Type": content_type}
        )
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=20) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} /emulator{path} was answered {error.code}: {error.read().decode()[:200]}") from None
        return json.loads(text) if text else None

    def meeting(self, subject):
        return self.admin("POST", "/meetings", {"subject": subject})

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
