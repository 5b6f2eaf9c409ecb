"""Calls to and from people: peer to peer and group, answered, rejected, redirected, transferred, recorded by policy."""

import uuid

import bodies
from in_meeting import context, users_of
from rows import ROW
from webhook import plain


async def outgoing(bench):
    """What becomes of a call that the bot places, by what the person does."""
    for say, action, pairs in (
        ("who declines", "reject", None),
        ("who is busy", "busy", None),
        ("who has no endpoint", "unreachable", {(480, 10037)}),
    ):
        user, since = await bench.user("Una", action), bench.webhook.mark()
        call = await bench.place(user, say=f"create: call {say}", established=False)
        async with bench.case(f"a call to somebody {say} ends") as case:
            note = await bench.state(call["id"], "terminated", since)
            case.equal(note.change, "deleted", "changeType")
            result = note.data.get("resultInfo") or {}
            case.expect(result.get("code", 0) >= 400, f"resultInfo is {result}")
            if pairs:
                case.expect(
                    (result.get("code"), result.get("subcode")) in pairs,
                    f"resultInfo is {result}, expected one of {pairs}",
                )
    user, since = await bench.user("Pia", "answer", hangUpAfterMs=300), bench.webhook.mark()
    call = await bench.place(user, say="create: call who hangs up")
    async with bench.case("a person who hangs up ends a peer-to-peer call") as case:
        note = await bench.state(call["id"], "terminated", since)
        result = note.data.get("resultInfo") or {}
        case.equal((result.get("code"), result.get("subcode")), (200, 4521), "code and subcode")
    other = await bench.user("Ole")
    forwarding = await bench.user("Fay", "forward", forwardTo=other["id"])
    call = await bench.place(forwarding, say="create: call who forwards")
    await bench.hang_up(call)
    number = f"+1555{uuid.uuid4().int % 10**7:07}"
    await bench.admin("POST", "/users", {"displayName": "Tel", "phoneNumber": number, "answering": {"afterMs": 0}})
    instance = {
        "@odata.type": "#microsoft.graph.participantInfo",
        "identity": bodies.identity("applicationInstance", str(uuid.uuid4()), "Front desk"),
    }
    targets = [
        {"@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": bodies.identity("phone", number)}
    ]
    body = bodies.call(bench.callback(), bench.tenant, bodies.service_hosted(), targets=targets, source=instance)
    call = await bench.create(body, say="create: call a telephone number")
    await bench.hang_up(call)
    if bench.version == "beta":
        call = await bench.place(
            other, say="create: with a ringing timeout", ringingTimeoutInSeconds=30, routingPolicies=["noMissedCall"]
        )
        await bench.hang_up(call)


async def group(bench):
    """A call to several: everybody who answers is in one conversation."""
    users, since = [await bench.user(name) for name in ("Pia", "Ole", "Lea")], bench.webhook.mark()
    call = await bench.place(*users, subject="a group call")
    async with bench.case("a group call: who answers is in the roster") as case:
        wanted = {user["id"] for user in users}
        note = await bench.roster(call["id"], lambda people: wanted <= users_of(people), "of everybody", since)
        case.equal(len(note.participants()), 4, "participants")
    extra = await bench.user("Ida")
    body = {"participants": [bodies.invitation(extra)], "clientContext": context()}
    since = bench.webhook.mark()

    async def there(case, reply):
        await bench.roster(call["id"], lambda people: extra["id"] in users_of(people), "with Ida", since)

    await bench.endpoint("invite", {"call": call["id"]}, body, say="invite: into a group call", then=there)
    await bench.hang_up(call)
    six = [bodies.invitation(await bench.user(f"U{number}")) for number in range(6)]
    body = bodies.call(bench.callback(), bench.tenant, bodies.app_hosted(), targets=six)
    await bench.refused("create: six targets", bench.driver.send(ROW["create"], {}, body), 400)


async def incoming(bench):
    """A person calls the bot, which answers, rejects or redirects; each of them once."""
    pia = await bench.user("Pia", "ring")
    announced = await bench.is_called_by(pia)
    call = announced.data
    async with bench.case("an incoming call is announced") as case:
        case.equal(
            (announced.change, call.get("state"), call.get("direction")),
            ("created", "incoming", "incoming"),
            "changeType, state, direction",
        )
        source = (((call.get("source") or {}).get("identity") or {}).get("user") or {}).get("id")
        case.equal(source, pia["id"], "source.identity.user.id")
        targets = [
            ((one.get("identity") or {}).get("application") or {}).get("id") for one in call.get("targets") or []
        ]
        case.equal(targets, [bench.driver.app], "targets")
        case.equal(call.get("tenantId"), bench.tenant, "tenantId")
        case.equal(announced.claims.get("tid"), bench.tenant, "tid of the token")
        case.expect("scenario-id" not in announced.headers, "Scenario-Id on a first notification")
    ids, since = {"call": announced.call}, bench.webhook.mark()
    callback = bench.callback()
    options = {"@odata.type": "#microsoft.graph.incomingCallOptions", "isContentSharingNotificationEnabled": True}

    async def answered(case, reply):
        note = await bench.state(announced.call, "established", since)
        case.equal(note.tag, callback.rpartition("/")[2], "where it is told: the callbackUri of the answer")
        found = (await bench.driver.send(ROW["getCall"], ids)).json
        case.equal((found.get("state"), found.get("direction")), ("established", "incoming"), "state and direction")

    await bench.endpoint(
        "answer", ids, bodies.answer(callback, bodies.app_hosted(), callOptions=options), then=answered
    )
    again = bench.driver.send(ROW["answer"], ids, bodies.answer(callback, bodies.app_hosted()))
    await bench.refused("answer: answered already", again, 409)
    await transferred(bench, announced.call)

    announced = await bench.is_called_by(pia)
    since = bench.webhook.mark()

    async def declined(case, reply):
        note = await bench.webhook.wait(
            lambda one: one.kind == "call" and one.change == "deleted", "the end", since, call=announced.call
        )
        case.equal(note.state, None, "state after a rejection")

    body = {"reason": "busy", "callbackUri": bench.callback()}
    await bench.endpoint("reject", {"call": announced.call}, body, then=declined)
    await bench.refused(
        "answer: rejected already",
        bench.driver.send(ROW["answer"], {"call": announced.call}, bodies.answer(callback, bodies.app_hosted())),
        404,
    )

    announced, ole = await bench.is_called_by(pia), await bench.user("Ole")
    since = bench.webhook.mark()

    async def passed_on(case, reply):
        note = await bench.state(announced.call, "terminated", since)
        case.equal(note.change, "deleted", "changeType")

    body = {"targets": [bodies.invitation(ole)], "timeout": 30, "callbackUri": bench.callback()}
    if bench.version == "beta":
        body |= {"maskCaller": False, "maskCallee": False, "targetDisposition": "forward"}
    await bench.endpoint("redirect", {"call": announced.call}, body, then=passed_on)

    announced, una, since = await bench.is_called_by(pia), await bench.user("Una", "reject"), bench.webhook.mark()
    body = {"targets": [bodies.invitation(una), bodies.invitation(ole)], "callbackUri": bench.callback()}
    await bench.endpoint("redirect", {"call": announced.call}, body, say="redirect: to two at once", then=passed_on)

    announced, since = await bench.is_called_by(pia), bench.webhook.mark()

    async def at_home(case, reply):
        note = await bench.state(announced.call, "established", since)
        case.equal(note.tag, announced.tag, "where it is told: the application's registered webhook")

    body = bodies.answer("", bodies.service_hosted())
    del body["callbackUri"]
    await bench.endpoint("answer", {"call": announced.call}, body, say="answer: without callbackUri", then=at_home)
    await bench.hang_up({"id": announced.call})

    announced = await bench.is_called_by(pia)
    body = {"targets": [bodies.invitation(ole)], "timeout": 5}
    await bench.refused(
        "redirect: timeout of 5 s", bench.driver.send(ROW["redirect"], {"call": announced.call}, body), 400
    )
    await bench.driver.send(ROW["reject"], {"call": announced.call}, {"reason": "none"})


async def transferred(bench, call):
    """Blind, then (with two calls) consultative; and one that fails and leaves the call as it was."""

    async def moves(call, say, target):
        since = bench.webhook.mark()

        async def done(case, reply):
            going = await bench.state(call, "transferring", since)
            accepted = await bench.state(call, "transferAccepted", since)
            gone = await bench.state(call, "terminated", since)
            case.expect(
                going.arrival < accepted.arrival < gone.arrival,
                "transferring, transferAccepted, terminated come in this order",
            )
            result = gone.data.get("resultInfo") or {}
            case.equal((result.get("code"), result.get("subcode")), (0, 7015), "code and subcode")

        await bench.endpoint("transfer", {"call": call}, {"transferTarget": target}, say=f"transfer: {say}", then=done)

    una, since = await bench.user("Una", "reject"), bench.webhook.mark()
    async with bench.case("transfer: one that fails leaves the call established") as case:
        reply = await bench.driver.send(ROW["transfer"], {"call": call}, {"transferTarget": bodies.invitation(una)})
        case.equal(reply.status, 202, "status")
        going = await bench.state(call, "transferring", since)
        back = await bench.webhook.wait(
            lambda note: note.state == "established", "established again", going.arrival, call=call
        )
        result = back.data.get("resultInfo") or {}
        case.equal((result.get("code"), result.get("subcode")), (500, 7000), "code and subcode")
    await moves(call, "blind", bodies.invitation(await bench.user("Ole")))
    first = await bench.place(await bench.user("Pia"), say="create: to be transferred")
    lea = await bench.user("Lea")
    second = await bench.place(lea, say="create: the consultation")
    since = bench.webhook.mark()
    await moves(first["id"], "consultative", bodies.invitation(lea, replacesCallId=second["id"]))
    async with bench.case("transfer: the consultation ends with it") as case:
        note = await bench.state(second["id"], "terminated", since)
        case.equal(note.change, "deleted", "changeType")


async def invited(bench):
    """A person in a meeting calls the bot in: chat, meeting and a token come with the call, and the token joins too."""
    room = await bench.meeting()
    pia = await bench.user("Pia", "ring")
    await bench.joins(room, userId=pia["id"])
    announced = await bench.is_called_by(pia, room)
    call = announced.data
    async with bench.case("a meeting's invitation carries chat and token") as case:
        case.equal((call.get("chatInfo") or {}).get("threadId"), room["threadId"], "chatInfo.threadId")
        info = call.get("meetingInfo") or {}
        case.equal(info.get("@odata.type"), "#microsoft.graph.tokenMeetingInfo", "meetingInfo")
        case.expect(info.get("token"), "no token")
    since = bench.webhook.mark()

    async def roster(case, reply):
        await bench.state(announced.call, "established", since)
        await bench.roster(announced.call, lambda people: len(people) == 2, "of two", since)

    body = bodies.answer(bench.callback(), bodies.app_hosted())
    await bench.endpoint("answer", {"call": announced.call}, body, say="answer: into a meeting", then=roster)
    token = (call.get("meetingInfo") or {}).get("token", "")
    again, _ = await bench.join(room, form=bodies.by_token(token), say="create: join by token")
    for one in (announced.call, again["id"]):
        await bench.hang_up({"id": one})


async def recording(bench):
    """A policy makes the bot record a person: the recording status is told before media is kept."""
    room = await bench.meeting()
    pia = await bench.user("Pia", "ring")
    observed = await bench.joins(room, userId=pia["id"])
    announced = await bench.is_to_record(pia, room)
    call = announced.data
    async with bench.case("a policy recording's call says whom it observes") as case:
        found = (call.get("incomingContext") or {}).get("observedParticipantId")
        case.equal(plain(found or ""), plain(observed), "incomingContext.observedParticipantId")
    ids = {"call": announced.call}
    body = bodies.answer(bench.callback(), bodies.app_hosted(), participantCapacity=1)
    since = bench.webhook.mark()

    async def up(case, reply):
        await bench.state(announced.call, "established", since)

    await bench.endpoint("answer", ids, body, say="answer: policy recording", then=up)
    for status in ("recording", "notRecording"):
        since = bench.webhook.mark()

        async def told(case, reply):
            def says(people):
                return any((one.get("recordingInfo") or {}).get("recordingStatus") == status for one in people.values())

            await bench.roster(announced.call, says, f"with recordingStatus {status}", since)

        body = {"status": status, "clientContext": context()}
        await bench.endpoint("updateRecordingStatus", ids, body, say=f"updateRecordingStatus: {status}", then=told)
    await bench.hang_up({"id": announced.call})


async def sharing(bench):
    """Somebody shows a screen: told on request, listed, read, and (beta) seen."""
    room = await bench.meeting()
    pia = await bench.joins(room)
    options = {"@odata.type": "#microsoft.graph.outgoingCallOptions", "isContentSharingNotificationEnabled": True}
    call, _ = await bench.join(room, callOptions=options, say="create: with content sharing notifications")
    since = bench.webhook.mark()
    await bench.shares(room, pia)
    session = None
    async with bench.case("content sharing is told to who asked") as case:
        note = await bench.webhook.wait(
            lambda one: one.kind == "contentsharingsessions", "content sharing", since, call=call["id"]
        )
        case.equal(note.change, "created", "changeType")
        reply = await bench.driver.send(ROW["listSharing"], {"call": call["id"]})
        session = reply.json["value"][0]["id"]
        case.expect(len(session) == 64, f"the session's id is {session!r}, not 64 hexadecimal digits")
    if session:
        ids = {"call": call["id"], "session": session}
        await bench.endpoint(
            "listSharing", ids, then=lambda case, reply: case.equal(len(reply.json["value"]), 1, "sessions") and None
        )
        await bench.endpoint(
            "getSharing", ids, then=lambda case, reply: case.equal(reply.json["id"], session, "id") and None
        )
        if bench.version == "beta":
            await bench.endpoint("slide", ids)
    since = bench.webhook.mark()
    await bench.stops_sharing(room, pia)
    async with bench.case("the end of content sharing is told") as case:
        await bench.webhook.wait(
            lambda one: one.kind == "contentsharingsessions" and one.change == "deleted",
            "its end",
            since,
            call=call["id"],
        )
        reply = await bench.driver.send(ROW["listSharing"], {"call": call["id"]})
        case.equal(reply.json.get("value"), [], "value")
    await bench.hang_up(call)


async def guest(bench):
    """A bot that joins as a guest waits in the lobby until somebody lets it in."""
    room = await bench.meeting(lobby=True)
    await bench.joins(room)
    since = bench.webhook.mark()
    body = bodies.call(
        bench.callback(), bench.tenant, bodies.app_hosted(), **bodies.by_organizer(room), **bodies.guest("Guest bot")
    )
    call = await bench.create(body, say="create: join as a guest", established=False)
    async with bench.case("a guest is in the call once admitted, not before") as case:
        states = [note.state for note in bench.webhook.of(call["id"], since)]
        case.expect("established" not in states, "established while in the lobby")
        await bench.admits(call)
        await bench.state(call["id"], "established", since)
        me = plain(call["myParticipantId"])
        await bench.roster(
            call["id"],
            lambda people: people.get(me, {}).get("isInLobby") is False,
            "with the guest out of the lobby",
            since,
        )
    await bench.hang_up(call)


async def quality(bench):
    """The devices of a meeting room report; the answer is empty."""
    await bench.endpoint("logTeleconferenceDeviceQuality", {}, bodies.device_quality())
    missing = {"quality": {**bodies.device_quality()["quality"]}}
    del missing["quality"]["mediaQualityList"]
    wanted = bench.driver.send(ROW["logTeleconferenceDeviceQuality"], {}, missing)
    await bench.refused("logTeleconferenceDeviceQuality: no mediaQualityList", wanted, 400)
