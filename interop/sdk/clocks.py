"""Limits that take time, on a clock that is moved: answering, keepAlive, ringing."""

import bodies
from rows import ROW
from webhook import plain


async def advance(bench, seconds):
    await bench.admin("POST", "/clock", {"advanceSeconds": seconds})


async def ends(bench, call, since, pair):
    """The call's last notification, with these codes."""
    note = await bench.state(call, "terminated", since)
    result = note.data.get("resultInfo") or {}
    return (result.get("code"), result.get("subcode")) == pair, f"it ended with {result}, expected {pair}"


async def answering(bench):
    """15 seconds to answer; then the call is gone."""
    pia = await bench.user("Pia", "ring")
    announced = await bench.is_called_by(pia)
    async with bench.case("an incoming call can be answered after 8 s") as case:
        await advance(bench, 8)
        reply = await bench.driver.send(
            ROW["answer"], {"call": announced.call}, bodies.answer(bench.callback(), bodies.app_hosted())
        )
        case.equal(reply.status, 202, "status")
    await bench.hang_up({"id": announced.call})
    announced = await bench.is_called_by(pia)
    await advance(bench, 16)
    late = bench.driver.send(
        ROW["answer"], {"call": announced.call}, bodies.answer(bench.callback(), bodies.app_hosted())
    )
    await bench.refused("answer: after 16 s the call is gone", late, 404, "8522")


async def recording(bench):
    """Five seconds to answer for a bot that is called to record by policy."""
    room, pia = await bench.meeting(), await bench.user("Pia", "ring")
    await bench.joins(room, userId=pia["id"])
    announced = await bench.is_to_record(pia, room)
    await advance(bench, 6)
    late = bench.driver.send(
        ROW["answer"], {"call": announced.call}, bodies.answer(bench.callback(), bodies.app_hosted())
    )
    await bench.refused("answer: after 6 s a recorder's call is gone", late, 404, "8522")


async def lobby(bench):
    """A guest whom nobody lets in."""
    room, since = await bench.meeting(lobby=True), bench.webhook.mark()
    await bench.joins(room)
    form = {**bodies.by_organizer(room), **bodies.guest("Guest bot")}
    body = bodies.call(bench.callback(), bench.tenant, bodies.app_hosted(), **form)
    call = await bench.create(body, say="create: a guest whom nobody lets in", established=False)
    async with bench.case("a guest who is not let in in time is out") as case:
        await advance(bench, 44 * 60)
        case.expect(*await ends(bench, call["id"], since, (200, 5855)))


async def keeping_alive(bench):
    """45 minutes without keepAlive end a call with 408/8537; each keepAlive starts them anew."""
    kept, _ = await bench.join(say="create: kept alive")
    left, _ = await bench.join(say="create: not kept alive")
    since = bench.webhook.mark()
    async with bench.case("45 minutes without keepAlive end a call, one with keepAlive goes on") as case:
        await advance(bench, 40 * 60)
        reply = await bench.driver.send(ROW["keepAlive"], {"call": kept["id"]})
        case.equal(reply.status, 200, "status of keepAlive")
        await advance(bench, 6 * 60)
        case.expect(*await ends(bench, left["id"], since, (408, 8537)))
        reply = await bench.driver.send(ROW["getCall"], {"call": kept["id"]})
        case.equal(reply.status, 200, "status of the call that was kept alive")
        gone = [note for note in bench.webhook.of(kept["id"], since) if note.change == "deleted"]
        case.equal(gone, [], "notifications of its end")
    await bench.hang_up(kept)


async def ringing(bench):
    """Somebody who does not pick up."""
    since = bench.webhook.mark()
    call = await bench.place(
        await bench.user("Pia", "ring"), say="create: call who does not pick up", established=False
    )
    async with bench.case("a call that nobody picks up ends") as case:
        await advance(bench, 180)
        note = await bench.state(call["id"], "terminated", since)
        result = note.data.get("resultInfo") or {}
        case.expect(
            (result.get("code"), result.get("subcode")) in {(480, 10037), (408, 10057)}, f"it ended with {result}"
        )
    async with bench.case("no notification of it says established") as case:
        states = [note.state for note in bench.webhook.of(plain(call["id"]), since)]
        case.expect("established" not in states, f"states were {states}")


async def all_of(bench):
    await answering(bench)
    await recording(bench)
    await lobby(bench)
    await keeping_alive(bench)
    await ringing(bench)
