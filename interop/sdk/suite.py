"""All drivers through all scenarios, on emulators that run already. Imported late: see main.py."""

import asyncio
import logging
import os
import traceback
import uuid

import clocks
import doc_examples
import in_meeting
import on_the_phone
import proofs
import refusals
import rights
import service_hosted
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from drivers import JavaScript, PythonSdk
from judge import Judge
from people import People
from webhook import Webhook

logging.getLogger("azure").setLevel(logging.CRITICAL)  # a wrong secret is a case here, and no news
GRAPH_SCOPE = ["https://graph.microsoft.com/.default"]
EVERYTHING = [
    "Calls.JoinGroupCall.All", "Calls.JoinGroupCallAsGuest.All", "Calls.Initiate.All", "Calls.InitiateGroupCall.All",
    "Calls.AccessMedia.All", "Calls.ReportSyntheticMedia.All",
]  # fmt: skip
# label, client, version, family, host, spelling of action names, typed by the SDK
DRIVERS = (
    ("python v1.0 /communications", "python", "v1.0", "communications", "127.0.0.1", "short", True),
    ("python v1.0 /app, raw", "python", "v1.0", "app", "127.0.0.1", "odd", False),
    ("python beta /communications", "python", "beta", "communications", "localhost", "short", True),
    ("python beta /app", "python", "beta", "app", "127.0.0.1", "short", True),
    ("javascript v1.0 /communications", "javascript", "v1.0", "communications", "127.0.0.1", "short", True),
    ("javascript v1.0 /app, qualified", "javascript", "v1.0", "app", "localhost", "qualified", True),
    (
        "javascript beta /communications, qualified",
        "javascript",
        "beta",
        "communications",
        "127.0.0.1",
        "qualified",
        True,
    ),
    ("javascript beta /app, odd case", "javascript", "beta", "app", "127.0.0.1", "odd", True),
)


class Run:
    """Two emulators (one whose clock is moved), one webhook, all drivers."""

    def __init__(self, emulator, moved, identity, node):
        self.emulator, self.moved, self.node = emulator, moved, node
        self.judge = Judge()
        self.webhook = Webhook(identity, self.judge.notification)
        self.only = [word for word in os.environ.get("ANTIPHON_CASES", "").split(",") if word]

    def wanted(self, name):
        return not self.only or any(word in name for word in self.only)

    async def driver(self, emulator, spec, app=None):
        """A driver with an application of its own."""
        label, client, version, family, host, spelling, typed = spec
        app = dict(app or {})
        consent = app.pop("consent", True)
        wanted = {"displayName": label, "permissions": EVERYTHING, **app}
        if not wanted.get("withoutCalling"):
            wanted["appId"] = app_id = str(uuid.uuid4())
            wanted["webhookUrl"] = f"{self.webhook.url}/{app_id}/{version}-incoming"
        made = await asyncio.to_thread(emulator.admin, "POST", "/apps", wanted)
        if consent:
            await asyncio.to_thread(emulator.admin, "POST", f"/apps/{made['appId']}/consent", {})
        url = emulator.url.replace("127.0.0.1", host)
        args = (label, version, family, url, made["appId"])
        if client == "python":
            found = self.credential(url, emulator.tenant, made, version, family)
            if (
                version == "v1.0"
            ):  # the synchronous one: its first token is fetched here, not on the loop that all share
                scope = found["scopes"] or [f"https://{host}/.default"]
                await asyncio.to_thread(found["credential"].get_token, *scope)
            return PythonSdk(*args, spelling=spelling, typed=typed, **found)
        settings = {"ca_file": emulator.ca_file, "secret": made["clientSecret"], "tenant": emulator.tenant}
        return JavaScript(
            *args,
            spelling=spelling,
            node=self.node,
            script=os.path.join(os.path.dirname(__file__), "client.mjs"),
            **settings,
        )

    @staticmethod
    def credential(url, tenant, app, version, family):
        """Each of the two credentials, with a scope that is named or left to the SDK."""
        kind = ClientSecretCredential if version == "v1.0" else AsyncClientSecretCredential
        credential = kind(tenant, app["appId"], app["clientSecret"], authority=url, disable_instance_discovery=True)
        return {"credential": credential, "scopes": None if family == "communications" else GRAPH_SCOPE}

    async def guarded(self, driver, name, work):
        """A scenario that breaks off is a failure of its own, and hides no other."""
        if not self.wanted(name) and not self.wanted(driver.label):
            work.close()
            return
        try:
            await work
        except Exception as error:
            async with self.judge.case(driver, f"scenario {name}") as case:
                where = traceback.extract_tb(error.__traceback__)[-1]
                case.expect(False, f"broke off in {where.name}, line {where.lineno}: {type(error).__name__}: {error}")

    async def drive(self, spec):
        driver = await self.driver(self.emulator, spec)
        bench = People(driver, self.emulator, self.webhook, self.judge)
        scenarios = {
            "meeting": in_meeting.meeting, "forms": in_meeting.forms, "service-hosted": service_hosted.service_hosted,
            "outgoing": on_the_phone.outgoing, "group": on_the_phone.group, "incoming": on_the_phone.incoming,
            "invited": on_the_phone.invited, "recording": on_the_phone.recording, "sharing": on_the_phone.sharing,
            "guest": on_the_phone.guest, "quality": on_the_phone.quality, "creation": refusals.creation,
            "unknown": refusals.unknown, "habits": refusals.habits, "telling": refusals.telling, "examples": doc_examples.all_of,
        }  # fmt: skip
        try:
            await asyncio.gather(*(self.guarded(driver, name, scenario(bench)) for name, scenario in scenarios.items()))
            await self.guarded(driver, "rights", self.rights(bench, spec))
        finally:
            await driver.close()

    async def rights(self, bench, spec):
        """What concerns the client and not the path: once for each client."""
        if spec[2:4] != ("v1.0", "communications"):
            return

        async def driver_of(bench, app):
            return await self.driver(bench.emulator, spec, app)

        await rights.discovery(bench)
        if spec[1] == "python":
            found = await bench.admin("GET", f"/apps/{bench.driver.app}")
            await rights.python_tokens(bench, found["appId"], found["clientSecret"])
        else:
            await rights.javascript_tokens(bench)
        await rights.without_token(bench)
        await rights.without_role(bench, driver_of)
        await rights.quota(bench, driver_of)

    async def all(self):
        """Everything; the judge knows the outcome."""
        await self.webhook.start()
        for emulator in (self.emulator, self.moved):
            self.webhook.trust(emulator.url, emulator.ca_file)
        await proofs.of_the_judge(self.judge)
        await proofs.of_the_webhook(self.judge, self.webhook)
        specs = [spec for spec in DRIVERS if spec[1] == "python" or self.node]
        await asyncio.gather(*(self.drive(spec) for spec in specs))
        await self.clocks()
        if not self.node:
            self.judge.skip("the JavaScript client", "no node with the packages of interop/package.json")
        async with self.judge.case("webhook", "every notification was signed for its application") as case:
            case.equal(self.webhook.refused, [], "refused notifications")
            case.expect(self.webhook.notes, "none came")
        await self.webhook.stop()

    async def clocks(self):
        """Limits that take time: on an emulator of their own, since moving its clock moves every call in it, and alone,
        since the clock goes on by itself too."""
        driver = await self.driver(self.moved, DRIVERS[0])
        bench = People(driver, self.moved, self.webhook, self.judge)
        await self.guarded(driver, "clocks", clocks.all_of(bench))
        await driver.close()
