"""A bot's webhook: HTTPS, believes only what the service signed, keeps everything in order of arrival.

The sender is checked as the published C# samples do: OpenID document → `jwks_uri` → RS256 by `kid`, one of the two
issuers, audience = the app's id, lifetime with five minutes of skew, and a `tid`. Requests go to `/{app id}/{tag}`;
a caller waits for what it needs by call id and predicate, never by time alone.
"""

import asyncio
import json
import ssl
import urllib.request

import jwt
from aiohttp import web

ISSUERS = ("https://graph.microsoft.com", "https://api.botframework.com")
SKEW = 300


def plain(text):
    """Ids compare without dashes and case."""
    return text.replace("-", "").lower()


class Missing(AssertionError):
    """A notification that should have come did not."""


class Note:
    """One `commsNotification` as it arrived."""

    def __init__(self, arrival, app, tag, headers, claims, one):
        self.arrival, self.app, self.tag, self.headers, self.claims = arrival, app, tag, headers, claims
        self.change = one.get("changeType")
        self.url = one.get("resourceUrl") or one.get("resource") or ""
        self.data = one.get("resourceData")
        self.one = one
        parts = [part for part in self.url.split("/") if part]
        self.call = plain(parts[2]) if len(parts) > 2 else ""
        self.rest = "/".join(parts[3:])

    @property
    def kind(self):
        """`call`, `participants`, `operations`, `contentsharingsessions`."""
        return self.rest.partition("/")[0].lower() or "call"

    @property
    def state(self):
        return self.data.get("state") if self.kind == "call" and isinstance(self.data, dict) else None

    def participants(self):
        """Everybody in a roster, full or delta."""
        entries = self.data if isinstance(self.data, list) else [self.data or {}]
        return [one for entry in entries for one in (entry["participants"] if "participants" in entry else [entry])]

    def __str__(self):
        what = self.state or (self.data.get("status") if isinstance(self.data, dict) else None) or ""
        return f"{self.change} {self.rest or 'call'} {what}".strip()


class Webhook:
    """The receiver, and who waits for what."""

    def __init__(self, identity, judge):
        """`judge(body, tag)` is told every accepted body, to hold it against the metadata."""
        self.ca_file, self.chain_file, self.key_file = identity
        self.judge = judge
        self.notes = []
        self.refused = []
        self.forged = 0
        self.changed = asyncio.Condition()
        self.keys = {}
        self.statuses = {}

    async def start(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file, self.key_file)
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_post("/{app}/{tag}", self.receive)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=context).start()
        self.url = f"https://127.0.0.1:{self.runner.addresses[0][1]}"

    async def stop(self):
        await self.runner.cleanup()

    def trust(self, service_url, ca_file):
        """Reads the service's OpenID document and keys, as a bot does at its start."""
        tls = ssl.create_default_context(cafile=ca_file)

        def fetch(url):
            with urllib.request.urlopen(url, context=tls, timeout=20) as reply:
                return json.load(reply)

        document = fetch(f"{service_url}/v1/.well-known/OpenIdConfiguration")
        for key in fetch(document["jwks_uri"])["keys"]:
            self.keys[key["kid"]] = jwt.PyJWK(key, algorithm="RS256")
        return document

    def claims(self, request):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise jwt.InvalidTokenError("no bearer token")
        key = self.keys.get(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise jwt.InvalidTokenError("unknown kid")
        required = {"require": ["exp", "nbf", "iss", "aud"]}
        claims = jwt.decode(
            token, key.key, ["RS256"], required, audience=request.match_info["app"], issuer=ISSUERS, leeway=SKEW
        )
        if not claims.get("tid"):
            raise jwt.InvalidTokenError("no tid")
        return claims

    async def receive(self, request):
        tag = request.match_info["tag"]
        queue = self.statuses.get(tag)
        if queue:
            await self._wake()
            return web.Response(status=queue.pop(0))
        try:
            claims = self.claims(request)
        except jwt.InvalidTokenError as error:
            self.refused.append(f"{request.path}: {error}")
            await self._wake()
            return web.Response(status=401)
        body = await request.json()
        headers = {name.lower(): value for name, value in request.headers.items()}
        for one in body["value"]:
            self.notes.append(Note(len(self.notes), request.match_info["app"], tag, headers, claims, one))
        self.judge(body, tag)
        await self._wake()
        answer = {
            "Client-Request-Id": headers.get("x-microsoft-skype-message-id", ""),
            "Scenario-Id": headers.get("scenario-id", ""),
        }
        return web.Response(status=202, headers=answer)

    async def _wake(self):
        async with self.changed:
            self.changed.notify_all()

    def mark(self):
        """A place in the stream: `wait(..., since=mark)` sees only what comes later."""
        return len(self.notes)

    async def wait(self, wanted, what, since=0, timeout=20.0, call=None):
        """The first note after `since` for which `wanted(note)` holds; `what` says it in an error."""
        call = plain(call) if call else None

        def find():
            return next(
                (note for note in self.notes[since:] if (call is None or note.call == call) and wanted(note)), None
            )

        async with self.changed:
            try:
                await asyncio.wait_for(self.changed.wait_for(lambda: find() is not None), timeout)
            except (asyncio.TimeoutError, TimeoutError):
                seen = [str(note) for note in self.notes[since:] if call is None or note.call == call]
                raise Missing(
                    f"no notification of {what} within {timeout:.0f} s; came: {', '.join(seen[-8:]) or 'nothing'}"
                ) from None
        return find()

    def of(self, call, since=0):
        call = plain(call)
        return [note for note in self.notes[since:] if note.call == call]
