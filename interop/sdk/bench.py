"""What a scenario works with: one driver, its application, the emulator's administration and the webhook.

`endpoint` sends one row as one case and checks what holds for every reply: status, headers, the SDK's object, the
metadata, `Location`, and of an operation how it ends. Scenarios add what is particular.
"""

import asyncio
import re
import uuid

import bodies
from rows import ROW
from webhook import plain

GUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


def told(reply):
    """An answer in a few words: what an error says, or how a body begins."""
    try:
        error = reply.json["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, TypeError, KeyError):
        return repr(reply.raw[:120])


class Bench:
    """One driver's world."""

    def __init__(self, driver, emulator, webhook, judge):
        self.driver, self.emulator, self.webhook, self.judge = driver, emulator, webhook, judge
        self.version, self.tenant = driver.version, emulator.tenant

    async def admin(self, method, path, body=None):
        return await asyncio.to_thread(self.emulator.admin, method, path, body)

    async def meeting(self, **more):
        return await self.admin("POST", "/meetings", {"subject": f"of {self.driver.label}", **more})

    async def user(self, name="Pia", action="answer", **more):
        """Somebody who can be called; `more` goes into their script."""
        return await self.admin(
            "POST", "/users", {"displayName": name, "answering": {"action": action, "afterMs": 0, **more}}
        )

    async def joins(self, meeting, name="Pia", **more):
        """A participant of a meeting, without media."""
        return (await self.admin("POST", f"/meetings/{meeting['id']}/participants", {"displayName": name, **more}))[
            "participantId"
        ]

    def callback(self):
        """A callback address of its own, so that notifications tell whose they are."""
        return f"{self.webhook.url}/{self.driver.app}/{self.version}-{uuid.uuid4()}"

    def case(self, name):
        return self.judge.case(self.driver, name)

    async def endpoint(self, name, ids=None, body=None, *, say=None, then=None, settles=True):
        """One row as one case; `then(case, reply)` checks what is particular. Returns the reply."""
        row, reply = ROW[name], None
        async with self.case(say or name) as case:
            since = self.webhook.mark()
            reply = await self.driver.send(row, ids, body)
            self.check(case, row, reply)
            if case.problems:
                case.problems[0] += f"; it said {told(reply)}"
                return reply
            if row.ends:
                await self.operation(case, row, reply, ids["call"], body, since, settles)
            if then:
                outcome = then(case, reply)
                if asyncio.iscoroutine(outcome):
                    await outcome
            if not case.problems:
                self.judge.exercised.add((name, self.version, self.driver.family))
        return reply

    def check(self, case, row, reply):
        """What holds for every right answer."""
        statuses = row.status if isinstance(row.status, tuple) else (row.status,)
        if not case.expect(reply.status in statuses, f"HTTP {reply.status}, expected {row.status}"):
            return
        case.expect(GUID.fullmatch(reply.headers.get("request-id", "")), "no request-id")
        case.expect(reply.headers.get("client-request-id"), "no client-request-id")
        kind = reply.headers.get("content-type", "")
        if row.result is None:
            case.expect(not reply.raw, f"a body where none is documented: {reply.raw[:80]!r}")
            case.expect("json" not in kind, f"an empty answer calls itself {kind}")
        elif row.result == "image/png":
            case.equal(kind.partition(";")[0], "image/png", "the content type")
            case.expect(reply.raw.startswith(b"\x89PNG\r\n\x1a\n"), "the picture is no PNG")
        else:
            case.equal(kind.partition(";")[0], "application/json", "the content type")
        for problem in self.driver.typed_problems(row, reply) + self.judge.shape(self.driver, row, reply):
            case.expect(False, problem)

    async def operation(self, case, row, reply, call, body, since, settles):
        """An operation's reply, and its end as notification or in the reply itself."""
        found = reply.json
        case.equal(found.get("@odata.type"), f"#microsoft.graph.{row.result}", "@odata.type")
        context = (body or {}).get("clientContext")
        case.equal(found.get("clientContext"), context, "clientContext")
        location = f"{self.driver.host}/{self.version}/communications/calls/{call}/operations/{found.get('id')}"
        case.equal(plain(reply.headers.get("location", "none")), plain(location), "Location")
        final = found.get("status") in ("Completed", "Failed")
        if row.ends == "sync":
            case.equal(found.get("status"), "Completed", "status")
        elif row.ends == "async":
            case.expect(not final, f"status is {found.get('status')}, but the operation is to end by notification")
        if final or not settles:
            return
        end = await self.ended(call, found["id"], context, since)
        case.equal(end.data.get("status"), "Completed", "the operation's last status")
        case.equal(end.data.get("@odata.type"), f"#microsoft.graph.{row.result}", "@odata.type of the notification")
        case.equal(end.data.get("clientContext"), context, "clientContext of the notification")
        result = end.data.get("resultInfo")
        case.expect(result is None or result.get("code") == 200, f"resultInfo is {result}")

    async def ended(self, call, operation, context, since):
        """The notification that an operation is over."""

        def over(note):
            mine = note.kind == "operations" and note.change == "deleted" and isinstance(note.data, dict)
            return mine and (
                plain(note.rest.rpartition("/")[2]) == plain(operation)
                or (context and note.data.get("clientContext") == context)
            )

        return await self.webhook.wait(over, "the operation's end", since, call=call)

    async def state(self, call, state, since=0):
        return await self.webhook.wait(lambda note: note.state == state, f"state {state}", since, call=call)

    async def roster(self, call, wanted, what, since=0):
        """A roster in which `wanted(participants by id)` holds."""

        def holds(note):
            if note.kind != "participants":
                return False
            people = {plain(one["id"]): one for one in note.participants() if one.get("id")}
            return wanted(people)

        return await self.webhook.wait(holds, f"a roster {what}", since, call=call)

    async def create(self, body, *, say=None, then=None, established=True):
        """A call, as a case of its own; returns its resource, or raises when there is none to go on with."""
        since = self.webhook.mark()

        async def particular(case, reply):
            made = reply.json
            case.equal(made.get("state"), "establishing", "state")
            case.equal(made.get("direction"), "outgoing", "direction")
            for member in ("id", "callChainId", "myParticipantId"):
                case.expect(GUID.fullmatch(made.get(member) or ""), f"{member} is {made.get(member)!r}")
            location = f"{self.driver.host}/{self.version}/communications/calls/{made.get('id')}"
            case.equal(plain(reply.headers.get("location", "none")), plain(location), "Location")
            case.equal(made.get("tenantId"), self.tenant, "tenantId")
            case.equal(made.get("callbackUri"), body["callbackUri"], "callbackUri")
            if established:
                note = await self.state(made["id"], "established", since)
                self.signed(case, note, made)
            if then:
                outcome = then(case, reply)
                if asyncio.iscoroutine(outcome):
                    await outcome

        reply = await self.endpoint("create", {}, body, say=say, then=particular)
        if reply is None or reply.status != 201:
            raise AssertionError(f"no call to go on with: {say or 'create'} was answered {reply and reply.status}")
        return reply.json

    def signed(self, case, note, call):
        """Envelope, headers and token of a notification."""
        case.equal(note.change, "updated", "changeType")
        case.equal(note.url.lower(), f"/communications/calls/{call['id']}".lower(), "resourceUrl")
        case.equal((note.one.get("resource") or "").lower(), f"/app/calls/{call['id']}".lower(), "the legacy resource")
        case.equal(note.claims.get("tid"), self.tenant, "tid of the notification's token")
        case.equal(
            note.headers.get("content-type", "").partition(";")[0], "application/json", "content type of a notification"
        )
        case.equal(
            plain(note.headers.get("x-microsoft-skype-chain-id", "")),
            plain(call["callChainId"]),
            "X-Microsoft-Skype-Chain-ID",
        )
        case.expect(note.headers.get("x-microsoft-skype-message-id"), "no X-Microsoft-Skype-Message-ID")

    async def join(self, meeting=None, *, media=None, say=None, **more):
        """The driver's application in a meeting; returns (call, meeting)."""
        meeting = meeting or await self.meeting()
        form = more.pop("form", None) or bodies.by_organizer(meeting)
        body = bodies.call(self.callback(), self.tenant, media or bodies.app_hosted(), **form, **more)
        return await self.create(body, say=say or "create: join a meeting by organizer"), meeting

    async def place(self, *users, media=None, say=None, established=True, **more):
        """A call to people: peer to peer, or a group call of several."""
        targets = [bodies.invitation(user) for user in users]
        body = bodies.call(self.callback(), self.tenant, media or bodies.app_hosted(), targets=targets, **more)
        kind = "peer to peer" if len(users) == 1 else "group call"
        return await self.create(body, say=say or f"create: {kind}", established=established)

    async def hang_up(self, call):
        """Without a case: the end of a scenario."""
        await self.driver.send(ROW["deleteCall"], {"call": call["id"]})

    async def refused(self, say, reply, status, code=None, case=None):
        """An error reply: status, code as the SDK tells it, Graph's envelope and headers."""
        async with self.case(say) as case:
            reply = await reply
            self.check_error(case, reply, status, code)
        return reply

    def check_error(self, case, reply, status, code=None):
        statuses = status if isinstance(status, tuple) else (status,)
        case.expect(reply.status in statuses, f"HTTP {reply.status}, expected {status}; it said {told(reply)}")
        case.expect(reply.raw, "no body")
        case.expect(reply.error and reply.error["code"], f"the SDK reads no error.code from {reply.raw[:160]!r}")
        if code is not None and reply.error:
            case.equal(reply.error["code"], code, "the SDK's error.code")
        case.equal(reply.headers.get("content-type", "").partition(";")[0], "application/json", "the content type")
        case.expect(GUID.fullmatch(reply.headers.get("request-id", "")), "no request-id")
        if reply.raw and reply.json.get("error"):
            inner = reply.json["error"].get("innerError") or {}
            case.equal(inner.get("request-id"), reply.headers.get("request-id"), "innerError.request-id")
            case.expect(
                reply.error and reply.error["requestId"] == inner.get("request-id"), "the SDK reads no request id"
            )
        for problem in self.judge.shape(self.driver, None, reply):
            case.expect(False, problem)
