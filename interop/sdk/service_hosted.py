"""Calls whose media the service hosts: prompts, recording a response, key presses."""

import bodies
from in_meeting import context
from rows import ROW


async def service_hosted(bench):
    """Prompts, recording a response and key presses: media that the service plays."""
    pia = await bench.user()
    call = await bench.place(pia, media=bodies.service_hosted(), say="create: peer to peer, service-hosted")
    ids = {"call": call["id"]}
    async with bench.case("peer to peer has no roster") as case:
        reply = await bench.driver.send(ROW["listParticipants"], ids)
        case.equal((reply.status, reply.json.get("value")), (200, []), "status and value")
    await bench.endpoint("playPrompt", ids, {"prompts": [bodies.prompt()], "clientContext": context()})
    wanted = {
        "prompts": [bodies.prompt()],
        "bargeInAllowed": True,
        "initialSilenceTimeoutInSeconds": 5,
        "maxSilenceTimeoutInSeconds": 2,
        "maxRecordDurationInSeconds": 1,
        "playBeep": True,
        "stopTones": ["#", "1", "*"],
        "clientContext": context(),
    }
    for name in ("recordResponse", "record") if bench.version == "beta" else ("recordResponse",):
        await recorded(bench, call, ids, name, {**wanted, "clientContext": context()})
    await cancelled(bench, call, ids)
    await bench.endpoint("subscribeToTone", ids, {"clientContext": context()})
    await pressed(bench, call)
    await bench.endpoint(
        "sendDtmfTones",
        ids,
        {"tones": ["tone1", "a", "flash"], "clientContext": context()},
        say="sendDtmfTones: service-hosted",
    )
    for say, name, body in (
        ("playPrompt: no prompts", "playPrompt", {"prompts": [], "clientContext": context()}),
        (
            "playPrompt: clientContext of 257 characters",
            "playPrompt",
            {"prompts": [bodies.prompt()], "clientContext": "x" * 257},
        ),
        ("mute: peer to peer", "mute", {"clientContext": context()}),
        ("changeScreenSharingRole: peer to peer", "changeScreenSharingRole", {"role": "sharer"}),
        ("invite: peer to peer", "invite", {"participants": [bodies.invitation(pia)], "clientContext": context()}),
    ):
        await bench.refused(say, bench.driver.send(ROW[name], ids, body), 400)
    await bench.hang_up(call)


async def recorded(bench, call, ids, name, body):
    since = bench.webhook.mark()

    async def told(case, reply):
        end = await bench.ended(call["id"], reply.json["id"], body["clientContext"], since)
        result = end.data.get("resultInfo") or {}
        case.equal((result.get("code"), result.get("subcode")), (200, 8515), "code and subcode at the longest duration")
        # Both members belong to the end; null says that nothing was kept, an address comes with the token to fetch it.
        for member in ("recordingLocation", "recordingAccessToken"):
            case.expect(member in end.data, f"no {member}")
        place, token = end.data.get("recordingLocation"), end.data.get("recordingAccessToken")
        case.expect(place is None or str(place).startswith("https://"), f"recordingLocation is {place!r}")
        case.expect((place is None) == (token is None), "a recordingLocation and its token come together")

    await bench.endpoint(name, ids, body, then=told)


async def cancelled(bench, call, ids):
    """What is queued when media processing is cancelled ends as failed, 400/8508."""
    since, mine = bench.webhook.mark(), context()
    long = {
        "prompts": [bodies.prompt()],
        "clientContext": mine,
        "initialSilenceTimeoutInSeconds": 120,
        "maxRecordDurationInSeconds": 120,
    }
    started = await bench.driver.send(ROW["recordResponse"], ids, long)

    async def ended(case, reply):
        end = await bench.ended(call["id"], started.json["id"], mine, since)
        case.equal(end.data.get("status"), "Failed", "status of the cancelled operation")
        result = end.data.get("resultInfo") or {}
        case.equal((result.get("code"), result.get("subcode")), (400, 8508), "its code and subcode")

    await bench.endpoint("cancelMediaProcessing", ids, {"clientContext": context()}, then=ended)


async def pressed(bench, call):
    """Key presses arrive as `toneInfo`, numbered, after subscribeToTone."""
    async with bench.case("tones: each key press is told, numbered") as case:
        since = bench.webhook.mark()
        await bench.presses(call, ["tone1", "pound"])

        def tone(name):
            return lambda note: note.kind == "call" and ((note.data or {}).get("toneInfo") or {}).get("tone") == name

        one = await bench.webhook.wait(tone("tone1"), "tone1", since, call=call["id"])
        two = await bench.webhook.wait(tone("pound"), "pound", since, call=call["id"])
        case.equal((one.change, one.state), ("updated", "established"), "changeType and state")
        case.expect(one.data["toneInfo"]["sequenceId"] < two.data["toneInfo"]["sequenceId"], "sequenceId rises")
