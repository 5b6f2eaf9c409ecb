"""The documentation's own examples for *answer* and *invite* in Python, run as published with placeholders filled in.

Pages: Graph reference v1.0, "call: answer" (call-answer: first example, service-hosted, app-hosted) and
"participant: invite" (participant-invite: one, several, replacing a call). `'call-id'`, `callbackUri-value`, the blob and
the ids of people are the placeholders; `doc_examples.mjs` has the JavaScript ones. The beta client runs the same
statements from its own package.
"""

import importlib
import uuid

import bodies
from drivers import JavaScript
from in_meeting import context, users_of


def classes(package):
    """What the examples import, from the package of the version."""

    def named(module, name):
        return getattr(importlib.import_module(f"{package}.generated.{module}"), name)

    calls = "communications.calls.item"
    return {
        "AnswerPostRequestBody": named(f"{calls}.answer.answer_post_request_body", "AnswerPostRequestBody"),
        "InvitePostRequestBody": named(f"{calls}.participants.invite.invite_post_request_body", "InvitePostRequestBody"),
        **{
            name: named(f"models.{module}", name)
            for module, name in (
                ("app_hosted_media_config", "AppHostedMediaConfig"), ("service_hosted_media_config", "ServiceHostedMediaConfig"),
                ("media_info", "MediaInfo"), ("modality", "Modality"), ("incoming_call_options", "IncomingCallOptions"),
                ("invitation_participant_info", "InvitationParticipantInfo"), ("identity_set", "IdentitySet"), ("identity", "Identity"),
            )
        },
    }  # fmt: skip


async def answer(graph_client, sdk, call_id, values):
    request_body = sdk["AnswerPostRequestBody"](
        callback_uri=values["callbackUri"],
        media_config=sdk["AppHostedMediaConfig"](
            odata_type="#microsoft.graph.appHostedMediaConfig",
            blob=values["blob"],
        ),
        accepted_modalities=[
            sdk["Modality"].Audio,
        ],
        call_options=sdk["IncomingCallOptions"](
            odata_type="#microsoft.graph.incomingCallOptions",
            is_content_sharing_notification_enabled=True,
            is_delta_roster_enabled=True,
        ),
        participant_capacity=200,
    )

    await graph_client.communications.calls.by_call_id(call_id).answer.post(request_body)


async def answer_service_hosted_media(graph_client, sdk, call_id, values):
    request_body = sdk["AnswerPostRequestBody"](
        callback_uri=values["callbackUri"],
        accepted_modalities=[
            sdk["Modality"].Audio,
        ],
        media_config=sdk["ServiceHostedMediaConfig"](
            odata_type="#microsoft.graph.serviceHostedMediaConfig",
            pre_fetch_media=[
                sdk["MediaInfo"](
                    uri="https://cdn.contoso.com/beep.wav",
                    resource_id="1D6DE2D4-CD51-4309-8DAA-70768651088E",
                ),
                sdk["MediaInfo"](
                    uri="https://cdn.contoso.com/cool.wav",
                    resource_id="1D6DE2D4-CD51-4309-8DAA-70768651088F",
                ),
            ],
        ),
    )

    await graph_client.communications.calls.by_call_id(call_id).answer.post(request_body)


async def answer_app_hosted_media(graph_client, sdk, call_id, values):
    request_body = sdk["AnswerPostRequestBody"](
        callback_uri=values["callbackUri"],
        accepted_modalities=[
            sdk["Modality"].Audio,
        ],
        media_config=sdk["AppHostedMediaConfig"](
            odata_type="#microsoft.graph.appHostedMediaConfig",
            blob=values["blob"],
        ),
    )

    await graph_client.communications.calls.by_call_id(call_id).answer.post(request_body)


def invitee(sdk, user, **more):
    return sdk["InvitationParticipantInfo"](
        odata_type="#microsoft.graph.invitationParticipantInfo",
        identity=sdk["IdentitySet"](
            odata_type="#microsoft.graph.identitySet",
            user=sdk["Identity"](
                odata_type="#microsoft.graph.identity",
                id=user,
                additional_data={
                    "identityProvider": "AAD",
                },
            ),
        ),
        **more,
    )


async def invite(graph_client, sdk, call_id, values):
    request_body = sdk["InvitePostRequestBody"](
        participants=[
            invitee(sdk, values["users"][0], replaces_call_id=values["replaces"]),
        ],
        client_context=values["clientContext"],
    )

    return await graph_client.communications.calls.by_call_id(call_id).participants.invite.post(request_body)


async def invite_multiple(graph_client, sdk, call_id, values):
    request_body = sdk["InvitePostRequestBody"](
        participants=[invitee(sdk, user, participant_id=str(uuid.uuid4())) for user in values["users"]],
        client_context=values["clientContext"],
    )

    return await graph_client.communications.calls.by_call_id(call_id).participants.invite.post(request_body)


ANSWERS = {
    "answer": answer,
    "answerServiceHostedMedia": answer_service_hosted_media,
    "answerAppHostedMedia": answer_app_hosted_media,
}
INVITES = {"invite": invite, "inviteMultiple": invite_multiple}


async def run(bench, name, call_id, values):
    """The example in this driver's language."""
    if isinstance(bench.driver, JavaScript):
        answered = await bench.driver.ask(do="example", name=name, values={"id": call_id, **values})
        problem = answered.get("crash") or answered.get("error")
        if problem:
            raise AssertionError(f"the example threw {problem}")
        return answered.get("value")
    result = await (ANSWERS | INVITES)[name](bench.driver.client, classes(bench.driver.package), call_id, values)
    return result and {
        "status": getattr(result.status, "value", None),
        "clientContext": result.client_context,
        "id": result.id,
    }


async def all_of(bench):
    """Each example once per language and version, on `/communications` as published."""
    if bench.driver.family != "communications":
        return
    pia = await bench.user("Pia", "ring")
    for name in ANSWERS:
        announced = await bench.is_called_by(pia)
        since, callback = bench.webhook.mark(), bench.callback()
        async with bench.case(f"the documentation's example: {name}") as case:
            await run(bench, name, announced.call, {"callbackUri": callback, "blob": bodies.BLOB})
            note = await bench.state(announced.call, "established", since)
            case.equal(note.tag, callback.rpartition("/")[2], "where it is told")
        await bench.hang_up({"id": announced.call})
    call, _ = await bench.join(say="create: for the examples of invite")
    lea = await bench.user("Lea")
    single = await bench.place(lea, media=bodies.service_hosted(), say="create: to be replaced by the example")
    for name, users, replaces in (
        ("invite", [lea], single["id"]),
        ("inviteMultiple", [await bench.user("Ida"), await bench.user("Jon")], None),
    ):
        since, mine = bench.webhook.mark(), context()
        async with bench.case(f"the documentation's example: {name}") as case:
            values = {"users": [user["id"] for user in users], "replaces": replaces, "clientContext": mine}
            result = await run(bench, name, call["id"], values)
            case.equal(result.get("status"), "Running", "status")
            case.equal(result.get("clientContext"), mine, "clientContext")
            end = await bench.ended(call["id"], result["id"], mine, since)
            case.equal(end.data.get("status"), "Completed", "the operation's last status")
            wanted = {user["id"] for user in users}
            await bench.roster(call["id"], lambda people: wanted <= users_of(people), "with whom was invited", since)
    await bench.hang_up(call)
