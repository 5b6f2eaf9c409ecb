"""A bot in a meeting: joining in each form, roster, participants, routing, its own actions, sharing, recording."""

import uuid

import bodies
from rows import ROW
from webhook import plain


def context():
    return str(uuid.uuid4())


async def meeting(bench):
    """One meeting with two people; everything a bot can do there, in the order in which one builds on the other."""
    room = await bench.meeting()
    pia, ole = await bench.joins(room, "Pia"), await bench.joins(room, "Ole")
    since = bench.webhook.mark()

    async def complete(case, reply):
        me = plain(reply.json["myParticipantId"])
        note = await bench.roster(
            reply.json["id"], lambda people: me in people and len(people) == 3, "of three with the bot", since
        )
        case.equal(note.change, "updated", "changeType of the roster")
        case.expect(isinstance(note.data, list), "a full roster is an array")
        streams = [stream for one in note.participants() for stream in one.get("mediaStreams") or []]
        case.expect(streams, "nobody has a mediaStream")
        for stream in streams:
            case.expect(
                stream.get("sourceId", "").isdigit(),
                f"a stream's sourceId is {stream.get('sourceId')!r}, no decimal string",
            )

    body = bodies.call(bench.callback(), bench.tenant, bodies.app_hosted(), **bodies.by_organizer(room))
    call = await bench.create(body, say="create: join a meeting by organizer", then=complete)
    ids = {"call": call["id"], "participant": pia}
    await bench.endpoint(
        "getCall",
        ids,
        then=lambda case, reply: (
            case.equal(plain(reply.json["id"]), plain(call["id"]), "id"),
            case.equal(reply.json.get("state"), "established", "state"),
            case.equal((reply.json.get("chatInfo") or {}).get("threadId"), room["threadId"], "chatInfo.threadId"),
            None,
        )[-1],
    )
    await bench.endpoint("keepAlive", ids)
    await participants(bench, call, ids, ole)
    await own_actions(bench, call, ids)
    await routing(bench, call, pia, ole)
    await operations(bench, ids, ole)
    await recording(bench, call, ids)
    await inviting(bench, call, ids)
    await removing(bench, call, ids)
    await leaving(bench, call)


async def participants(bench, call, ids, other):
    me, pia = plain(call["myParticipantId"]), plain(ids["participant"])

    def listed(case, reply):
        found = {plain(one["id"]) for one in reply.json["value"]}
        case.equal(found, {me, pia, plain(other)}, "the participants' ids")

    await bench.endpoint("listParticipants", ids, then=listed)
    await bench.endpoint(
        "getParticipant", ids, then=lambda case, reply: case.equal(plain(reply.json["id"]), pia, "id") and None
    )
    since = bench.webhook.mark()

    async def muted(case, reply):
        await bench.roster(
            call["id"], lambda people: people.get(pia, {}).get("isMuted") is True, "in which Pia is muted", since
        )

    await bench.endpoint("muteParticipant", ids, {"clientContext": context()}, then=muted)
    held = {"customPrompt": bodies.prompt(), "clientContext": context()}
    await bench.endpoint("startHoldMusic", ids, held)
    await bench.endpoint("stopHoldMusic", ids, {"clientContext": context()})
    if bench.version == "beta":
        since = bench.webhook.mark()

        async def all_muted(case, reply):
            await bench.roster(
                call["id"], lambda people: people.get(plain(other), {}).get("isMuted") is True, "with all muted", since
            )

        await bench.endpoint(
            "muteAll", ids, {"participants": [ids["participant"], other], "clientContext": context()}, then=all_muted
        )
        level = {"participant": other, "level": 50, "duckOthers": False}
        levels = {"participant": ids["participant"], "exclusiveMode": False, "sourceLevels": [level]}
        await bench.endpoint(
            "configureMixer", ids, {"participantMixerLevels": [levels], "clientContext": context()}, settles=False
        )
        since, report = bench.webhook.mark(), bodies.synthetic_media()

        async def reported(case, reply):
            await bench.roster(
                call["id"],
                lambda people: (
                    (people.get(pia, {}).get("syntheticMediaDetection") or {}).get("detectionId") == report["id"]
                ),
                "with the report about Pia",
                since,
            )

        await bench.endpoint("reportSyntheticMedia", ids, report, then=reported)


async def own_actions(bench, call, ids):
    me = plain(call["myParticipantId"])
    for name, wanted in (("mute", True), ("unmute", False)):
        since = bench.webhook.mark()

        async def heard(case, reply):
            await bench.roster(
                call["id"],
                lambda people: people.get(me, {}).get("isMuted") is wanted,
                f"with the bot's isMuted {wanted}",
                since,
            )

        await bench.endpoint(name, ids, {"clientContext": context()}, then=heard)
    since = bench.webhook.mark()

    async def shared(case, reply):
        def sends(people):
            streams = people.get(me, {}).get("mediaStreams") or []
            return any(
                one.get("mediaType") == "videoBasedScreenSharing" and one.get("direction") == "sendOnly"
                for one in streams
            )

        await bench.roster(call["id"], sends, "with the bot's screen", since)

    await bench.endpoint(
        "changeScreenSharingRole", ids, {"role": "sharer"}, say="changeScreenSharingRole: sharer", then=shared
    )
    await bench.endpoint("changeScreenSharingRole", ids, {"role": "viewer"}, say="changeScreenSharingRole: viewer")
    since = bench.webhook.mark()

    async def gallery(case, reply):
        def large(people):
            for one in people.values():
                application = ((one.get("info") or {}).get("identity") or {}).get("application") or {}
                if str(application.get("ApplicationType") or application.get("applicationType")).startswith(
                    "LargeGallery"
                ):
                    return True
            return False

        await bench.roster(call["id"], large, "with the large gallery", since)

    await bench.endpoint("addLargeGalleryView", ids, {"clientContext": context()}, then=gallery)
    tones = {"tones": ["tone1", "star", "pound"], "delayBetweenTonesMs": 100, "clientContext": context()}
    await bench.endpoint("sendDtmfTones", ids, tones, say="sendDtmfTones: app-hosted")
    outside = bench.driver.send(ROW["updateRecordingStatus"], ids, {"status": "recording", "clientContext": context()})
    await bench.refused("updateRecordingStatus: outside policy recording", outside, 403, "8506")


async def routing(bench, call, pia, ole):
    """The five methods, Graph's rules for both modes, and an id that has to be percent-encoded."""
    me = call["myParticipantId"]
    ids = {"call": call["id"], "group": "oneToOne"}

    def same(case, reply, wanted):
        found = reply.json
        case.equal(
            (found.get("id"), found.get("routingMode")), (wanted["id"], wanted["routingMode"]), "id and routingMode"
        )
        for members in ("sources", "receivers"):
            case.equal(sorted(map(plain, found.get(members) or [])), sorted(map(plain, wanted[members])), members)

    def group(name, mode, sources, receivers):
        wanted = {"@odata.type": "#microsoft.graph.audioRoutingGroup", "id": name, "routingMode": mode}
        return {**wanted, "sources": sources, "receivers": receivers}

    one = group("oneToOne", "oneToOne", [me], [pia])
    await bench.endpoint(
        "createGroup", ids, one, say="createGroup: oneToOne", then=lambda case, reply: same(case, reply, one)
    )
    strange = group(f"19:x/={uuid.uuid4()}", "multicast", [me], [pia, ole])
    await bench.endpoint(
        "createGroup",
        ids,
        strange,
        say="createGroup: multicast, id with / and :",
        then=lambda case, reply: same(case, reply, strange),
    )
    await bench.endpoint(
        "getGroup",
        {**ids, "group": strange["id"]},
        say="getGroup: id percent-encoded",
        then=lambda case, reply: same(case, reply, strange),
    )

    def listed(case, reply):
        case.equal({found["id"] for found in reply.json["value"]}, {"oneToOne", strange["id"]}, "the groups' ids")

    await bench.endpoint("listGroups", ids, then=listed)
    await bench.endpoint("getGroup", ids, then=lambda case, reply: same(case, reply, one))
    changed = group("oneToOne", "oneToOne", [me], [ole])
    await bench.endpoint("updateGroup", ids, changed, then=lambda case, reply: same(case, reply, changed))
    for say, body in (
        ("two receivers in oneToOne", group("g1", "oneToOne", [me], [pia, ole])),
        ("two sources in multicast", group("g2", "multicast", [me, pia], [ole])),
        ("a member who is not in the call", group("g3", "oneToOne", [me], [str(uuid.uuid4())])),
        ("no such mode", group("g4", "everybody", [me], [pia])),
    ):
        if (
            bench.driver.expresses(ROW["createGroup"])
            and body["routingMode"] == "everybody"
            and bench.driver.label.startswith("python")
        ):
            continue  # the SDK cannot say a mode that is not in its enum
        await bench.refused(f"createGroup: {say}", bench.driver.send(ROW["createGroup"], ids, body), 400)
    await bench.refused("createGroup: id that is taken", bench.driver.send(ROW["createGroup"], ids, one), 409)
    await bench.endpoint("deleteGroup", ids)
    await bench.refused("getGroup: deleted", bench.driver.send(ROW["getGroup"], ids), 404)


async def operations(bench, ids, other):
    """An operation that is under way can be listed and read: one that nothing ends until it is asked to."""
    mine, since = context(), bench.webhook.mark()
    reply = await bench.endpoint(
        "startHoldMusic", ids, {"clientContext": mine}, say="startHoldMusic: again", settles=False
    )
    if reply.status != 202:
        return
    operation = reply.json["id"]

    def found(case, reply):
        case.expect(isinstance(reply.json["value"], list), "value is a list")

    await bench.endpoint("listOperations", ids, then=found)
    async with bench.case("getOperation") as case:
        reply = await bench.driver.send(ROW["getOperation"], {**ids, "operation": operation})
        case.expect(
            reply.status in (200, 404), f"HTTP {reply.status}, expected the operation, or 404 when it has ended"
        )
        if reply.status == 200:
            bench.check(case, ROW["getOperation"], reply)
            case.equal(reply.json.get("id"), operation, "id")
        if not case.problems:
            bench.judge.exercised.add(("getOperation", bench.version, bench.driver.family))
    await bench.refused(
        "getOperation: unknown", bench.driver.send(ROW["getOperation"], {**ids, "operation": str(uuid.uuid4())}), 404
    )
    await bench.ended(ids["call"], operation, mine, since)
    second = bench.driver.send(ROW["startHoldMusic"], {**ids, "participant": other}, {"clientContext": context()})
    await bench.refused("startHoldMusic: for a second participant", second, 409)
    await bench.endpoint("stopHoldMusic", ids, {"clientContext": context()}, say="stopHoldMusic: again")
    await bench.refused(
        "stopHoldMusic: nobody is on hold",
        bench.driver.send(ROW["stopHoldMusic"], ids, {"clientContext": context()}),
        (400, 409),
    )


async def recording(bench, call, ids):
    """The meeting's own recording and transcription: beta only."""
    if bench.version != "beta":
        return
    await bench.endpoint("startRecording", ids, {"clientContext": context()})
    await bench.endpoint("stopRecording", ids, {"clientContext": context()})
    for name, state in (("startTranscription", "active"), ("stopTranscription", "inactive")):
        since = bench.webhook.mark()

        async def told(case, reply):
            def is_so(note):
                return (
                    note.kind == "call"
                    and isinstance(note.data, dict)
                    and (note.data.get("transcription") or {}).get("state") == state
                )

            await bench.webhook.wait(is_so, f"transcription {state}", since, call=call["id"])

        await bench.endpoint(name, ids, {"language": "en-us", "clientContext": context()}, then=told)


def users_of(people):
    """Object ids of the users in a roster."""
    return {(((one.get("info") or {}).get("identity") or {}).get("user") or {}).get("id") for one in people.values()}


async def inviting(bench, call, ids):
    """One, several, one who does not answer, and one out of a call that the invitation replaces."""

    async def arrive(say, users, body):
        since = bench.webhook.mark()

        async def there(case, reply):
            found = [(one.get("identity") or {}).get("user", {}).get("id") for one in reply.json["participants"]]
            case.equal(found, [user["id"] for user in users], "the operation's participants")
            wanted = {user["id"] for user in users}
            note = await bench.roster(
                call["id"], lambda people: wanted <= users_of(people), "with whom was invited", since
            )
            end = await bench.ended(call["id"], reply.json["id"], body["clientContext"], since)
            case.expect(end.arrival < note.arrival, "the operation's end comes before the roster")

        await bench.endpoint("invite", ids, body, say=f"invite: {say}", then=there)

    def body(users, **more):
        return {"participants": [bodies.invitation(user, **more) for user in users], "clientContext": context()}

    lea = await bench.user("Lea")
    await arrive("one", [lea], body([lea]))
    pair = [await bench.user("Ida"), await bench.user("Jon")]
    await arrive("several", pair, body(pair))
    tom = await bench.user("Tom")
    single = await bench.place(tom, media=bodies.service_hosted(), say="create: peer to peer, to be replaced")
    since = bench.webhook.mark()
    await arrive("replacing a call", [tom], body([tom], replacesCallId=single["id"]))
    async with bench.case("invite: the replaced call ends") as case:
        note = await bench.state(single["id"], "terminated", since)
        case.equal(note.change, "deleted", "changeType")
    una = await bench.user("Una", "reject")
    async with bench.case("invite: who declines fails the operation") as case:
        since, wanted = bench.webhook.mark(), body([una])
        reply = await bench.driver.send(ROW["invite"], ids, wanted)
        if not case.equal(reply.status, 200, "status"):
            return
        end = await bench.ended(call["id"], reply.json["id"], wanted["clientContext"], since)
        case.equal(end.data.get("status"), "Failed", "the operation's last status")
        case.expect(
            (end.data.get("resultInfo") or {}).get("code", 0) >= 400, f"resultInfo is {end.data.get('resultInfo')}"
        )


async def removing(bench, call, ids):
    """Removing a participant; the meeting's tenant allows it to this application."""
    since, gone = bench.webhook.mark(), plain(ids["participant"])

    async def left(case, reply):
        await bench.roster(call["id"], lambda people: gone not in people, "without Pia", since)

    await bench.endpoint("deleteParticipant", ids, then=left)
    for name in ("getParticipant", "muteParticipant", "deleteParticipant"):
        body = {} if name == "muteParticipant" else None
        await bench.refused(f"{name}: who has left", bench.driver.send(ROW[name], ids, body), 404)


async def leaving(bench, call):
    since = bench.webhook.mark()

    async def over(case, reply):
        going = await bench.state(call["id"], "terminating", since)
        case.equal(going.change, "updated", "changeType of terminating")
        gone = await bench.state(call["id"], "terminated", since)
        case.equal(gone.change, "deleted", "changeType of terminated")
        case.expect(going.arrival < gone.arrival, "terminating comes before terminated")
        result = gone.data.get("resultInfo") or {}
        case.equal((result.get("code"), result.get("subcode")), (200, 7000), "code and subcode")

    await bench.endpoint("deleteCall", {"call": call["id"]}, then=over)
    for name in ("getCall", "keepAlive", "deleteCall", "listParticipants"):
        await bench.refused(
            f"{name}: the call has ended", bench.driver.send(ROW[name], {"call": call["id"]}), 404, "8522"
        )


async def forms(bench):
    """The other ways into a meeting: by id and passcode, as a guest through the lobby, with delta rosters."""
    room = await bench.meeting()
    pia = await bench.joins(room)
    call, _ = await bench.join(room, form=bodies.by_meeting_id(room), say="create: join by meeting id")
    wrong = {**bodies.by_meeting_id(room), "tenantId": bench.tenant}
    wrong["meetingInfo"]["passcode"] = "not this"
    body = bodies.call(bench.callback(), bench.tenant, bodies.app_hosted(), **wrong)
    await bench.refused("create: wrong passcode", bench.driver.send(ROW["create"], {}, body), (400, 403, 404))
    since = bench.webhook.mark()
    options = {"@odata.type": "#microsoft.graph.outgoingCallOptions", "isDeltaRosterEnabled": True}
    second, _ = await bench.join(room, callOptions=options, say="create: join again, with delta rosters")
    async with bench.case("delta roster: the first has everybody, later ones what changed") as case:
        me = plain(second["myParticipantId"])
        first = await bench.roster(
            second["id"], lambda people: me in people and plain(pia) in people, "as first delta", since
        )
        case.equal(first.data.get("@odata.type"), "#microsoft.graph.deltaParticipants", "@odata.type")
        await bench.driver.send(ROW["muteParticipant"], {"call": second["id"], "participant": pia}, {})
        change = await bench.roster(
            second["id"], lambda people: people.get(plain(pia), {}).get("isMuted") is True, "with the change", since
        )
        case.equal({plain(one["id"]) for one in change.participants()}, {plain(pia)}, "who is in the second delta")
        await bench.admin("DELETE", f"/meetings/{room['id']}/participants/{pia}")
        gone = await bench.roster(
            second["id"], lambda people: people.get(plain(pia), {}).get("removedState"), "with removedState", since
        )
        case.expect(gone.participants()[0]["removedState"].get("reason"), "removedState has a reason")
        numbers = [
            note.data["sequenceNumber"] for note in bench.webhook.of(second["id"], since) if note.kind == "participants"
        ]
        case.equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "sequence numbers")
    apart = {**bodies.app_hosted(), "removeFromDefaultAudioGroup": True}
    third, _ = await bench.join(room, media=apart, say="create: join outside the default audio group")
    await bench.endpoint("getCall", {"call": third["id"]}, say="getCall: outside the default audio group")
    await bench.hang_up(third)
    async with bench.case("leaving one leg leaves the other") as case:
        await bench.hang_up(second)
        await bench.state(second["id"], "terminated", since)
        reply = await bench.driver.send(ROW["getCall"], {"call": call["id"]})
        case.equal(reply.status, 200, "status of the first leg")
    await bench.hang_up(call)
