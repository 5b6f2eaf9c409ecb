"""Tokens and roles: how each identity library gets a token, what the service says without one, or without the role."""

import asyncio
import json
import ssl
import urllib.error
import urllib.request
import uuid

import bodies
from rows import ROW


async def plain_request(bench, method, path, headers=None, body=None):
    """A request without any SDK: (status, headers, JSON)."""

    def go():
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{bench.driver.host}{path}", data=data, method=method, headers=headers or {})
        try:
            reply = urllib.request.urlopen(
                request, context=ssl.create_default_context(cafile=bench.emulator.ca_file), timeout=20
            )
        except urllib.error.HTTPError as error:
            reply = error
        text = reply.read()
        return (
            reply.status,
            {name.lower(): value for name, value in reply.headers.items()},
            json.loads(text) if text else None,
        )

    return await asyncio.to_thread(go)


async def discovery(bench):
    """The documents that identity libraries and bots read first."""
    host, tenant = bench.driver.host, bench.tenant
    async with bench.case("openid-configuration of the tenant") as case:
        status, _, found = await plain_request(bench, "GET", f"/{tenant}/v2.0/.well-known/openid-configuration")
        case.equal(status, 200, "status")
        for member in ("token_endpoint", "authorization_endpoint", "issuer", "jwks_uri"):
            case.expect(
                str(found.get(member)).startswith(host),
                f"{member} is {found.get(member)!r}, not under the host that was asked",
            )
    async with bench.case("openid-configuration of the notifications") as case:
        status, _, found = await plain_request(bench, "GET", "/v1/.well-known/OpenIdConfiguration")
        case.equal(status, 200, "status")
        _, _, keys = await plain_request(bench, "GET", found["jwks_uri"].removeprefix(host))
        for key in keys["keys"]:
            case.expect(
                key.get("kty") == "RSA" and key.get("kid") and len(key.get("n", "")) >= 340,
                f"not an RSA key of 2048 bits: {sorted(key)}",
            )
    form = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
    for say, fields in (
        ("a grant of another kind", b"grant_type=password&client_id=x"),
        (
            "an unknown application",
            b"grant_type=client_credentials&client_id=x&client_secret=y&scope=https%3A%2F%2Fx%2F.default",
        ),
        ("nothing at all", b""),
    ):
        async with bench.case(f"token endpoint: {say}") as case:
            request = urllib.request.Request(f"{host}/{tenant}/oauth2/v2.0/token", data=fields, headers=form)
            status, found = await asyncio.to_thread(error_of, request, bench.emulator.ca_file)
            case.expect(status in (400, 401), f"HTTP {status}")
            for member in ("error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"):
                case.expect(found.get(member), f"no {member}")


def error_of(request, ca_file):
    try:
        urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca_file), timeout=20)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    raise AssertionError("it was granted")


async def python_tokens(bench, app, secret):
    """`azure.identity`, both of its credentials, with each scope that an SDK derives."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientSecretCredential
    from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential

    settings = {"authority": bench.driver.host, "disable_instance_discovery": True}
    scopes = (
        "https://graph.microsoft.com/.default",
        "https://127.0.0.1/.default",
        "https://localhost/.default",
        "http://127.0.0.1/.default",
    )
    for scope in scopes:
        async with bench.case(f"azure.identity, scope {scope}") as case:
            found = await asyncio.to_thread(
                ClientSecretCredential(bench.tenant, app, secret, **settings).get_token, scope
            )
            case.expect(found.token.count(".") == 2, "the token is no JWT")
            async with AsyncClientSecretCredential(bench.tenant, app, secret, **settings) as credential:
                found = await credential.get_token(scope)
                case.expect(found.token.count(".") == 2, "the asynchronous credential's token is no JWT")
    async with bench.case("azure.identity, wrong secret") as case:
        try:
            await asyncio.to_thread(ClientSecretCredential(bench.tenant, app, "wrong", **settings).get_token, scopes[0])
            case.expect(False, "a token for a wrong secret")
        except ClientAuthenticationError as error:
            case.expect("AADSTS7000215" in error.message, f"the exception says {error.message[:120]!r}")


async def javascript_tokens(bench):
    """`@azure/identity`."""
    for scope in ("https://graph.microsoft.com/.default", "https://127.0.0.1/.default"):
        async with bench.case(f"@azure/identity, scope {scope}") as case:
            found = await bench.driver.ask(do="token", scope=scope)
            case.expect(str((found.get("value") or {}).get("token")).count(".") == 2, f"the answer is {found}")
    async with bench.case("@azure/identity, wrong secret") as case:
        found = await bench.driver.ask(do="token", scope="https://graph.microsoft.com/.default", secret="wrong")
        case.expect("AADSTS7000215" in found.get("crash", ""), f"the answer is {found}")


async def without_token(bench):
    """401 with a challenge that no SDK takes for a demand for claims."""
    path = f"/{bench.version}/{bench.driver.family}/calls/{uuid.uuid4()}"
    for say, headers in (
        ("no token", {}),
        ("a token that is none", {"Authorization": "Bearer x.y.z"}),
        ("another scheme", {"Authorization": "Basic eA=="}),
    ):
        async with bench.case(f"401: {say}") as case:
            status, found, body = await plain_request(bench, "GET", path, headers)
            case.equal(status, 401, "status")
            challenge = found.get("www-authenticate", "")
            case.expect(challenge.startswith("Bearer"), f"WWW-Authenticate is {challenge!r}")
            case.expect("claims=" not in challenge, "the challenge asks for claims")
            case.equal((body or {}).get("error", {}).get("code"), "InvalidAuthenticationToken", "error.code")
            case.expect(
                found.get("request-id") and found.get("client-request-id"), "no request-id or client-request-id"
            )


async def without_role(bench, driver_of):
    """403 with Graph's codes: a role that was not granted, consent that was not given, no calling bot, a foreign call."""
    room = await bench.meeting()
    call, _ = await bench.join(room, say="create: for another application to reach for")
    body = bodies.call(bench.callback(), bench.tenant, bodies.app_hosted(), **bodies.by_organizer(room))
    calm = {**body, "mediaConfig": bodies.service_hosted()}
    place = bodies.call(
        bench.callback(), bench.tenant, bodies.service_hosted(), targets=[bodies.invitation(await bench.user())]
    )
    both = [bodies.invitation(await bench.user()), bodies.invitation(await bench.user())]
    several = bodies.call(bench.callback(), bench.tenant, bodies.service_hosted(), targets=both)
    for say, app, request, code in (
        ("join without a role for it", {"permissions": ["Calls.Initiate.All"]}, calm, "7504"),
        ("a call to one without a role for it", {"permissions": ["Calls.JoinGroupCall.All"]}, place, "7504"),
        ("a group call without a role for it", {"permissions": ["Calls.Initiate.All"]}, several, "7504"),
        ("app-hosted media without Calls.AccessMedia.All", {"permissions": ["Calls.JoinGroupCall.All"]}, body, "7504"),
        (
            "roles without consent",
            {"permissions": ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"], "consent": False},
            body,
            "7504",
        ),
        (
            "no calling bot",
            {"permissions": ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"], "withoutCalling": True},
            body,
            "7503",
        ),
    ):
        driver = await driver_of(bench, app)
        await bench.refused(f"403: {say}", driver.send(ROW["create"], {}, request), 403, code)
        if say.startswith("join"):
            await bench.refused(
                "another application's call does not exist",
                driver.send(ROW["getCall"], {"call": call["id"]}),
                404,
                "8522",
            )
            await bench.refused(
                "and cannot be ended", driver.send(ROW["deleteCall"], {"call": call["id"]}), 404, "8522"
            )
        await driver.close()
    async with bench.case("nothing that was refused left a call behind") as case:
        found = await bench.admin("GET", f"/meetings/{room['id']}")
        case.equal(len(found["participants"]), 1, "participants of the meeting")
    await bench.hang_up(call)


async def quota(bench, driver_of):
    """The 101st call of an application: 429, which the SDK repeats; one call has ended by then, and exactly one is made."""
    driver = await driver_of(bench, {"permissions": ["Calls.JoinGroupCall.All"]})
    rooms = [await bench.meeting() for _ in range(20)]  # many rooms, since everybody in a room is told of everybody

    def body(number):
        callback = bench.callback().replace(bench.driver.app, driver.app)
        return bodies.call(
            callback, bench.tenant, bodies.service_hosted(), **bodies.by_organizer(rooms[number % len(rooms)])
        )

    async with bench.case("429 at the 101st call, repeated by the SDK, makes one call") as case:
        made = [await driver.send(ROW["create"], {}, body(number)) for number in range(100)]
        case.equal({reply.status for reply in made}, {201}, "statuses of the first hundred")
        late = asyncio.ensure_future(driver.send(ROW["create"], {}, body(100)))
        await asyncio.wait_for(driver.throttled.wait(), 20)
        await driver.send(ROW["deleteCall"], {"call": made[0].json["id"]})
        reply = await asyncio.wait_for(late, 60)
        case.equal(reply.status, 201, "status")
        case.expect(reply.tries > 1, "the SDK did not have to repeat it")
        found = [await bench.admin("GET", f"/meetings/{room['id']}") for room in rooms]
        case.equal(sum(len(room["participants"]) for room in found), 100, "calls in progress")
        case.expect(bench.version in reply.headers.get("location", ""), "no Location")
    for room in rooms:
        await bench.admin("DELETE", f"/meetings/{room['id']}")
    await driver.close()
