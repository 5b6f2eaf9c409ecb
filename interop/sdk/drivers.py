"""The clients that carry a case to the service: the Python SDKs (typed, and raw through their adapter) and the JavaScript client.

All answer `Reply`: what was on the wire (kept by a hook below the SDK) and what the SDK made of it. A driver is one
combination of client, version, path family and spelling of action names, with an application of its own.
"""

import asyncio
import contextvars
import importlib
import json
import os
import re
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.headers_collection import HeadersCollection
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_serialization_json.json_parse_node import JsonParseNode
from kiota_serialization_json.json_serialization_writer import JsonSerializationWriter

PACKAGES = {"v1.0": "msgraph", "beta": "msgraph_beta"}
BY = {
    "call": "by_call_id",
    "participant": "by_participant_id",
    "group": "by_audio_routing_group_id",
    "session": "by_content_sharing_session_id",
    "operation": "by_comms_operation_id",
}
ON_THE_WIRE = contextvars.ContextVar("on_the_wire")


@dataclass
class Reply:
    """One exchange."""

    status: int
    headers: dict
    raw: bytes
    typed: object = None  # the SDK's own object, or the JavaScript client's value
    error: dict | None = None  # code, message and requestId, as the SDK tells them
    tries: int = 1
    request: dict = field(default_factory=dict)

    @property
    def json(self):
        return json.loads(self.raw) if self.raw else None


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def pascal(name):
    return name[0].upper() + name[1:]


class Driver:
    """What all clients have in common: where they send, and how they spell a path."""

    def __init__(self, label, version, family, host, app, spelling="short"):
        self.label, self.version, self.family, self.app = label, version, family, app
        self.host, self.spelling = host, spelling
        self.throttled = asyncio.Event()  # a 429 was on the wire, whatever the client made of it

    def path(self, row, ids):
        """The row's path in this driver's family and spelling, ids percent-encoded as the SDKs do."""
        path = row.path.replace("/communications/", f"/{self.family}/")
        if row.action and self.spelling != "short":
            head, _, name = path.rpartition("/")
            path = f"{head}/microsoft.graph.{name}"
        if self.spelling == "odd":
            path = re.sub(r"\{\w+\}|[^{}]+", lambda part: part[0] if part[0].startswith("{") else odd(part[0]), path)
        return re.sub(r"\{(\w+)\}", lambda name: quote(ids[name[1]], safe=""), path)

    async def close(self):
        pass


def odd(text):
    """The same letters in another case."""
    return "".join(letter.upper() if index % 2 else letter.lower() for index, letter in enumerate(text))


class Watched(httpx.AsyncBaseTransport):
    """Below the SDK's middleware: sees the tries that its retry handler hides."""

    def __init__(self, transport, driver):
        self.transport, self.driver = transport, driver

    async def handle_async_request(self, request):
        response = await self.transport.handle_async_request(request)
        if response.status_code == 429:
            self.driver.throttled.set()
        return response

    async def aclose(self):
        await self.transport.aclose()


class PythonSdk(Driver):
    """`msgraph` or `msgraph_beta`; typed where the SDK has a builder, else raw through its request adapter."""

    def __init__(self, *args, credential, scopes=None, typed=True, **named):
        super().__init__(*args, **named)
        self.package = PACKAGES[self.version]
        self.credential = credential
        self.client = importlib.import_module(self.package).GraphServiceClient(credential, scopes)
        self.adapter = self.client.request_adapter
        self.adapter.base_url = f"{self.host}/{self.version}"
        self.typed = typed
        self.http = self.adapter._http_client
        self.http.event_hooks["response"].append(self._keep)
        pipeline = self.http._transport.pipeline
        pipeline._transport = Watched(pipeline._transport, self)
        self.failure = importlib.import_module(f"{self.package}.generated.models.o_data_errors.o_data_error").ODataError

    async def _keep(self, response):
        await response.aread()
        ON_THE_WIRE.get([]).append(response)

    def expresses(self, row):
        return self.typed and self.version in row.sdk

    async def send(self, row, ids=None, body=None, headers=None):
        if self.expresses(row):
            return await self._exchange(self._typed(row, ids or {}, body, headers))
        return await self.raw(row.method, self.path(row, ids or {}), body, headers)

    async def _typed(self, row, ids, body, headers):
        builder, module = self.client, f"{self.package}.generated"
        for segment in row.path.replace("/communications/", f"/{self.family}/").strip("/").split("/"):
            if segment.startswith("{"):
                builder = getattr(builder, BY[segment[1:-1]])(ids[segment[1:-1]])
                module += ".item"
            else:
                builder = getattr(builder, snake(segment))
                module += f".{snake(segment)}"
        configuration = RequestConfiguration()
        if headers:
            configuration.headers = HeadersCollection()
            for name, value in headers.items():
                configuration.headers.add(name, value)
        send = getattr(builder, row.method.lower())
        model = self._body_class(row, module)
        if row.method in ("GET", "DELETE") or model is None:
            return await send(configuration)
        return await send(JsonParseNode(body or {}).get_object_value(model), configuration)

    def _body_class(self, row, module):
        models = {"create": ("call", "Call"), "createGroup": ("audio_routing_group", "AudioRoutingGroup")}
        models["updateGroup"] = models["createGroup"]
        if row.name in models:
            name, model = models[row.name]
            return getattr(importlib.import_module(f"{self.package}.generated.models.{name}"), model)
        action = row.path.rpartition("/")[2]
        try:
            found = importlib.import_module(f"{module}.{snake(action)}_post_request_body")
        except ModuleNotFoundError:
            return None  # keepAlive takes no body
        return getattr(found, f"{pascal(action)}PostRequestBody")

    async def raw(self, method, path, body=None, headers=None, content_type="application/json"):
        """A request that no builder expresses: the SDK's adapter, its token and its middleware, and our URL."""
        information = RequestInformation()
        information.http_method = Method[method]
        information.url = f"{self.adapter.base_url}{path}"
        information.headers.try_add("Accept", "application/json")
        for name, value in (headers or {}).items():
            information.headers.try_add(name, value)
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            information.set_stream_content(content, content_type)
        return await self._exchange(self.adapter.send_primitive_async(information, "bytes", {"XXX": self.failure}))

    async def _exchange(self, work):
        wire = []
        ON_THE_WIRE.set(wire)
        typed = error = None
        try:
            typed = await work
        except self.failure as failure:
            inner = failure.error and failure.error.inner_error
            error = {
                "code": failure.error and failure.error.code,
                "message": failure.error and failure.error.message,
                "requestId": inner and inner.request_id,
            }
        if not wire:
            raise RuntimeError("the SDK sent nothing")
        last = wire[-1]
        headers = {name.lower(): value for name, value in last.headers.items()}
        sent = {
            "headers": {name.lower(): value for name, value in last.request.headers.items()},
            "url": str(last.request.url),
        }
        tries = int(sent["headers"].get("retry-attempt", 0)) + 1
        return Reply(last.status_code, headers, last.content, typed, error, tries, sent)

    def typed_problems(self, row, reply):
        """Where the SDK's object is not of its own class, or has lost something that was on the wire."""
        if not self.expresses(row) or reply.error:
            return []
        if row.result is None:
            return [] if reply.typed is None else [f"the SDK made {type(reply.typed).__name__} of an empty answer"]
        if row.result == "image/png":
            return [] if reply.typed == reply.raw else ["the SDK's bytes are not the service's"]
        collection = row.result.startswith("[")
        element = pascal(row.result.strip("[]"))
        if collection:
            if type(reply.typed).__name__ != f"{element}CollectionResponse":
                return [f"the SDK made {type(reply.typed).__name__}, not {element}CollectionResponse"]
            found, wire = reply.typed.value or [], reply.json["value"]
            if len(found) != len(wire):
                return [f"the SDK's collection has {len(found)} of {len(wire)} entries"]
            pairs = zip(found, wire, strict=True)
        else:
            pairs = [(reply.typed, reply.json)]
        problems = []
        for typed, wire in pairs:
            told = pascal(wire["@odata.type"].rpartition(".")[2]) if "@odata.type" in wire else element
            if type(typed).__name__ != told:
                problems.append(f"the SDK made {type(typed).__name__}, not {told}")
                continue
            writer = JsonSerializationWriter()
            writer.write_object_value(None, typed)
            again = json.loads(writer.get_serialized_content())
            lost = list(differences(without_nulls(wire), without_nulls(again), "$"))
            problems += [f"the SDK's {told} has not kept {where}" for where in lost]
        return problems

    async def close(self):
        await self.http.aclose()
        closing = getattr(self.credential, "close", None)
        if asyncio.iscoroutinefunction(closing):
            await closing()


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def differences(wire, kept, path):
    """Where `kept` lacks or changes what `wire` says."""
    if isinstance(wire, dict) and isinstance(kept, dict):
        for key, item in wire.items():
            if key in kept:
                yield from differences(item, kept[key], f"{path}.{key}")
            elif item not in ([], {}):
                yield f"{path}.{key}"
    elif isinstance(wire, list) and isinstance(kept, list) and len(wire) == len(kept):
        for index, (one, other) in enumerate(zip(wire, kept, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif str(wire) != str(kept) and not same_time(wire, kept):
        yield f"{path} ({wire!r} became {kept!r})"


def same_time(one, other):
    return (
        isinstance(one, str)
        and isinstance(other, str)
        and re.match(r"\d{4}-\d\d-\d\dT", one)
        and one[:19] == other[:19]
    )


class JavaScript(Driver):
    """`@microsoft/microsoft-graph-client` with `@azure/identity`, in a Node process that carries one request per line."""

    limit = 8 * 1024 * 1024

    def __init__(self, *args, node, script, ca_file, secret, tenant, **named):
        super().__init__(*args, **named)
        self.command = [node, script]
        settings = {"host": self.host, "tenant": tenant, "app": self.app, "secret": secret}
        self.environment = {**os.environ, "NODE_EXTRA_CA_CERTS": ca_file, "ANTIPHON_INTEROP": json.dumps(settings)}
        self.waiting, self.next, self.process = {}, 0, None
        self.starting = asyncio.Lock()

    def expresses(self, row):
        return True

    async def start(self):
        async with self.starting:
            if self.process is None:
                pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
                self.process = await asyncio.create_subprocess_exec(
                    *self.command, **pipes, env=self.environment, limit=self.limit
                )
                self.reader = asyncio.ensure_future(self._read())

    async def _read(self):
        while line := await self.process.stdout.readline():
            answer = json.loads(line)
            if "throttled" in answer:
                self.throttled.set()
                continue
            self.waiting.pop(answer["id"]).set_result(answer)
        for future in self.waiting.values():
            future.set_exception(RuntimeError("the JavaScript process ended; its message is above"))

    async def ask(self, **what):
        """One line to the process, one line back."""
        await self.start()
        if self.reader.done():
            raise RuntimeError("the JavaScript process has ended; its message is above")
        self.next += 1
        future = self.waiting[self.next] = asyncio.get_running_loop().create_future()
        self.process.stdin.write((json.dumps({"id": self.next, **what}) + "\n").encode())
        await self.process.stdin.drain()
        return await asyncio.wait_for(future, 60)

    async def send(self, row, ids=None, body=None, headers=None):
        if body is None and row.method == "POST":
            headers = headers or {}
        return await self.raw(row.method, self.path(row, ids or {}), body, headers, picture=row.result == "image/png")

    async def raw(self, method, path, body=None, headers=None, picture=False):
        answer = await self.ask(
            do="request",
            version=self.version,
            method=method,
            path=path,
            body=body,
            headers=headers or {},
            picture=picture,
        )
        if "crash" in answer:
            raise RuntimeError(f"the JavaScript client threw: {answer['crash']}")
        wire = answer["wire"]
        raw = bytes.fromhex(wire["body"])
        return Reply(
            wire["status"],
            wire["headers"],
            raw,
            answer.get("value"),
            answer.get("error"),
            answer["tries"],
            wire["request"],
        )

    def typed_problems(self, row, reply):
        if reply.error:
            return []
        if row.result is None:
            return [] if reply.typed is None else [f"the client made {reply.typed!r} of an empty answer"]
        if row.result == "image/png":
            return [] if reply.typed == reply.raw.hex() else ["the client's bytes are not the service's"]
        return [] if reply.typed == reply.json else ["the client's value is not the service's JSON"]

    async def close(self):
        if self.process:
            self.process.stdin.close()
            try:
                await asyncio.wait_for(self.process.wait(), 10)
            except (asyncio.TimeoutError, TimeoutError):
                self.process.kill()
