"""What the service refuses, as each client sees it: bad requests, rights, unknown things, limits, and the SDKs' habits on the way."""

import gzip
import json
import uuid

import bodies
from rows import BETA, ROW, ROWS
from webhook import plain


def without(body, *members):
    return {key: value for key, value in body.items() if key not in members}


async def creation(bench):
    """The order of checks at creation: each breaks one thing."""
    room = await bench.meeting()
    right = bodies.call(bench.callback(), bench.tenant, bodies.app_hosted(), **bodies.by_organizer(room))
    target = [bodies.invitation(await bench.user())]
    raw = "/communications/calls" if bench.driver.family == "communications" else "/app/calls"
    for say, body, status, code in (
        ("no callbackUri", without(right, "callbackUri"), 400, None),
        ("http callbackUri", {**right, "callbackUri": "http://bot.contoso.com/callback"}, 400, None),
        ("relative callbackUri", {**right, "callbackUri": "/callback"}, 400, None),
        ("no mediaConfig", without(right, "mediaConfig"), 400, None),
        (
            "mediaConfig of no known type",
            {**right, "mediaConfig": {"@odata.type": "#microsoft.graph.chatInfo", "threadId": "x"}},
            400,
            None,
        ),
        ("no requestedModalities", {**right, "requestedModalities": []}, 400, None),
        ("targets and meetingInfo", {**right, "targets": target}, 400, None),
        ("neither targets nor meetingInfo", without(right, "meetingInfo", "chatInfo"), 400, None),
        ("organizer without chatInfo", without(right, "chatInfo"), 400, None),
        ("another tenant", {**right, "tenantId": str(uuid.uuid4())}, 403, "7505"),
        ("no tenant", without(right, "tenantId"), 403, "7505"),
        ("a number where text is due", {**right, "subject": 7}, 400, None),
        ("malformed JSON", b'{"callbackUri": ', 400, None),
    ):
        await bench.refused(
            f"create: {say}",
            bench.driver.raw("POST", raw, body)
            if isinstance(body, dict) or bench.driver.label.startswith("python")
            else malformed(bench, raw),
            status,
            code,
        )


async def malformed(bench, path):
    """The JavaScript client writes its own JSON; a list is what it can get wrong."""
    return await bench.driver.raw("POST", path, [])


async def unknown(bench):
    """Unknown ids 404, foreign calls 404, unsupported methods 405, what only permission data knows 501."""
    family = bench.driver.family
    nobody = {
        "call": str(uuid.uuid4()),
        "participant": str(uuid.uuid4()),
        "group": "x",
        "session": "0" * 64,
        "operation": str(uuid.uuid4()),
    }
    for name in ("getCall", "deleteCall", "keepAlive", "listParticipants", "listGroups", "listSharing"):
        await bench.refused(f"{name}: unknown call", bench.driver.send(ROW[name], nobody), 404, "8522")
    for name, body in (
        ("answer", bodies.answer(bench.callback(), bodies.app_hosted())),
        ("reject", {"reason": "busy"}),
        ("mute", {}),
    ):
        await bench.refused(f"{name}: unknown call", bench.driver.send(ROW[name], nobody, body), 404, "8522")
    call, room = await bench.join(say="create: for what is refused in it")
    mine = {**nobody, "call": call["id"]}
    for name in ("getParticipant", "deleteParticipant", "getGroup", "deleteGroup", "getSharing", "getOperation"):
        await bench.refused(f"{name}: unknown, in a call", bench.driver.send(ROW[name], mine), 404)
    base, one = f"/{family}/calls", f"/{family}/calls/{call['id']}"
    for method, path in (
        ("GET", base),
        ("PATCH", one),
        ("PUT", one),
        ("POST", f"{one}/participants"),
        ("PATCH", f"{one}/participants/{nobody['participant']}"),
        ("POST", f"{one}/operations"),
        ("DELETE", f"{one}/operations/{nobody['operation']}"),
        ("POST", f"{one}/contentSharingSessions"),
        ("DELETE", f"{one}/contentSharingSessions/{nobody['session']}"),
        ("GET", f"{one}/answer"),
        ("DELETE", f"{one}/keepAlive"),
    ):
        body = {} if method in ("POST", "PATCH", "PUT") else None
        say = (
            path.replace(call["id"], "{call}")
            .replace(nobody["participant"], "{p}")
            .replace(nobody["operation"], "{o}")
            .replace(nobody["session"], "{s}")
        )
        await bench.refused(f"{method} {say}: not supported", bench.driver.raw(method, path, body), 405)
    for path in (f"/{family}/nothing", f"{one}/dance", f"{one}/participants/{nobody['participant']}/dance", "/users"):
        await bench.refused(
            f"GET {path.replace(call['id'], '{call}').replace(nobody['participant'], '{p}')}: no such thing",
            bench.driver.raw("GET", path),
            404,
        )
    if bench.version == "beta":
        for name in ("raiseHand", "lowerHand", "participants/lowerAllHands", "participants/admitAllFromLobby"):
            await bench.refused(
                f"{name}: known to permission data only", bench.driver.raw("POST", f"{one}/{name}", {}), 501
            )
    else:
        for row in ROWS:
            if row.versions == BETA and row.name != "slide":
                ids = {**mine, "participant": call["myParticipantId"]}
                path = bench.driver.path(row, ids)
                await bench.refused(
                    f"{row.name}: not in v1.0", bench.driver.raw(row.method, path, {}), (400, 404, 405, 501)
                )
    for say, name, body, status in (
        ("clientContext of 257 characters", "mute", {"clientContext": "x" * 257}, 400),
        ("no role", "changeScreenSharingRole", {}, 400),
        ("no tones", "sendDtmfTones", {"tones": []}, 400),
        ("nobody", "invite", {"participants": []}, 400),
        ("no target", "transfer", {}, 400),
        ("no quality", "logTeleconferenceDeviceQuality", {}, 400),
        ("app-hosted", "playPrompt", {"prompts": [bodies.prompt()]}, 400),
        ("app-hosted", "subscribeToTone", {}, 400),
        ("an outgoing call", "answer", bodies.answer(bench.callback(), bodies.app_hosted()), (400, 409)),
        ("an outgoing call", "reject", {"reason": "busy"}, (400, 409)),
    ):
        await bench.refused(f"{name}: {say}", bench.driver.send(ROW[name], mine, body), status)
    async with bench.case("what was refused changed nothing") as case:
        found = (await bench.driver.send(ROW["getCall"], mine)).json
        case.equal(found.get("state"), "established", "state")
    await bench.hang_up(call)


async def habits(bench):
    """Headers, query options, spellings of ids and paths that clients use."""
    call, _ = await bench.join(say="create: for the clients' habits")
    one = f"/{bench.driver.family}/calls/{call['id']}"
    mine = str(uuid.uuid4())
    async with bench.case("client-request-id is echoed") as case:
        reply = await bench.driver.raw("GET", one, headers={"client-request-id": mine})
        case.equal(reply.headers.get("client-request-id"), mine, "client-request-id")
        case.expect(reply.headers.get("request-id"), "no request-id")
        for name in ("date", "strict-transport-security"):
            case.expect(reply.headers.get(name), f"no {name}")
        case.expect(reply.headers.get("x-ms-ags-diagnostic", "").startswith("{"), "x-ms-ags-diagnostic is no JSON")
    for say, path in (
        ("upper-case hex without dashes", one.replace(call["id"], plain(call["id"]).upper())),
        ("a path in another case", one.upper().replace("/APP", "/App")),
        ("query options", f"{one}/participants?$select=id,info&$top=5"),
        ("a query option with %24", f"{one}/participants?%24expand=info"),
    ):
        async with bench.case(f"GET with {say}") as case:
            reply = await bench.driver.raw("GET", path)
            case.equal(reply.status, 200, "status")
    for say, body, headers in (
        ("an empty body", None, {}),
        (
            "content type with parameters",
            {"clientContext": "x"},
            {"content-type": "application/json;odata.metadata=minimal;charset=utf-8"},
        ),
        (
            "additional members and annotations",
            {"clientContext": "x", "@odata.type": "#microsoft.graph.mute", "strange": {"a": [1]}},
            {},
        ),
    ):
        async with bench.case(f"POST mute with {say}") as case:
            reply = await bench.driver.raw("POST", f"{one}/mute", body, headers)
            case.equal(reply.status, 200, "status")
            case.equal(reply.json.get("@odata.type"), "#microsoft.graph.muteParticipantOperation", "@odata.type")
    async with bench.case("no redirect for a trailing slash") as case:
        reply = await bench.driver.raw("GET", f"{one}/")
        case.expect(reply.status in (200, 404), f"HTTP {reply.status}")
    if bench.driver.label.startswith("python"):
        await compressed(bench, one)
    await bench.hang_up(call)


async def telling(bench):
    """What a bot sends at creation comes back with the notifications, and one that was not taken comes again."""
    room, chain, scenario = await bench.meeting(), str(uuid.uuid4()), str(uuid.uuid4())
    callback, since = bench.callback(), bench.webhook.mark()
    tag = callback.rpartition("/")[2]
    bench.webhook.statuses[tag] = [503]
    async with bench.case("callChainId, Scenario-Id and a delivery that failed once") as case:
        body = bodies.call(callback, bench.tenant, bodies.app_hosted(), callChainId=chain, **bodies.by_organizer(room))
        reply = await bench.driver.send(ROW["create"], {}, body, {"Scenario-Id": scenario})
        case.equal(reply.status, 201, "status")
        call = reply.json
        case.equal(call.get("callChainId"), chain, "callChainId")
        await bench.state(call["id"], "established", since)
        notes = bench.webhook.of(call["id"], since)
        case.equal(
            [note.state for note in notes if note.state],
            ["establishing", "established"],
            "states in order, the first of them repeated",
        )
        case.equal({note.headers.get("scenario-id") for note in notes}, {scenario}, "Scenario-Id of the notifications")
        case.equal(
            {note.headers.get("x-microsoft-skype-chain-id") for note in notes}, {chain}, "X-Microsoft-Skype-Chain-ID"
        )
        ids = [note.headers.get("x-microsoft-skype-message-id") for note in notes]
        case.equal(len(set(ids)), len(ids), "different message ids")
        case.equal(bench.webhook.statuses[tag], [], "deliveries still to refuse")
        await bench.hang_up(call)


async def compressed(bench, one):
    """Request bodies with a content encoding: gzip is read (or 415 makes the SDK repeat), others are 415."""
    body = gzip.compress(json.dumps({"clientContext": "packed"}).encode())
    async with bench.case("a gzip request body is read") as case:
        reply = await bench.driver.raw("POST", f"{one}/mute", body, {"content-encoding": "gzip"})
        case.equal(reply.status, 200, "status")
        case.equal(reply.json.get("clientContext"), "packed", "clientContext")
    odd = bench.driver.raw("POST", f"{one}/mute", body, {"content-encoding": "x-unheard-of"})
    await bench.refused("another content encoding", odd, 415)
    await bench.refused(
        "a body that is no JSON",
        bench.driver.raw("POST", f"{one}/mute", b"<xml/>", content_type="application/xml"),
        (400, 415),
    )
    big = json.dumps({"clientContext": "x" * (5 * 1024 * 1024)}).encode()
    await bench.refused("a body of 5 MiB", bench.driver.raw("POST", f"{one}/mute", big), 413)
    bomb = gzip.compress(b" " * (64 * 1024 * 1024))
    await bench.refused(
        "a small body that unpacks to 64 MiB",
        bench.driver.raw("POST", f"{one}/mute", bomb, {"content-encoding": "gzip"}),
        413,
    )
