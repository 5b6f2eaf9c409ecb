"""Headless Chromium on an emulator's bare join page, driven over the DevTools protocol."""

import asyncio
import base64
import hashlib
import itertools
import json
import pathlib
import ssl
import subprocess
import urllib.parse
import urllib.request

import websockets
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

EARS = pathlib.Path(__file__).with_name("ears.js").read_text(encoding="utf-8")


def public_key_pin(url):
    """What Chromium calls the SPKI hash of the server's certificate: trust in exactly this key."""
    parts = urllib.parse.urlsplit(url)
    pem = ssl.get_server_certificate((parts.hostname, parts.port))
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return base64.b64encode(digest).decode()


class Browser:
    """One Chromium process with one page."""

    def __init__(self, chromium, folder, url):
        profile = pathlib.Path(folder) / "chromium"
        self.port_file = profile / "DevToolsActivePort"
        self.process = subprocess.Popen(
            [
                chromium,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                f"--user-data-dir={profile}",
                "--remote-debugging-port=0",
                "--autoplay-policy=no-user-gesture-required",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                "--allow-loopback-in-peer-connection",
                f"--ignore-certificate-errors-spki-list={public_key_pin(url)}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.socket = None
        self.ids = itertools.count(1)

    async def open(self, page):
        """Connects to the first page, installs the ears, goes to `page`."""
        for _ in range(300):
            if self.port_file.exists() and self.port_file.read_text().strip():
                break
            await asyncio.sleep(0.1)
        port = self.port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as reply:
            pages = [target for target in json.load(reply) if target["type"] == "page"]
        self.socket = await websockets.connect(pages[0]["webSocketDebuggerUrl"], max_size=None)
        await self.call("Page.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=EARS)
        await self.call("Page.navigate", url=page)

    async def call(self, method, **params):
        number = next(self.ids)
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 20))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    async def evaluate(self, expression):
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return result["result"].get("value")

    async def connected(self, seconds=20):
        states = None
        for _ in range(int(seconds * 10)):
            states = await self.evaluate("window.antiphonInterop ? antiphonInterop.states() : null")
            if states and "connected" in states:
                return
            await asyncio.sleep(0.1)
        text = await self.evaluate("document.body ? document.body.innerText : ''")
        raise TimeoutError(f"the page did not connect (peer connections: {states}); it shows: {text!r}")

    async def peaks(self):
        return await self.evaluate("antiphonInterop.peaks()") or []

    async def close(self):
        if self.socket:
            await self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
