"""Holds JSON against Graph's metadata: two CSDL extracts, of v1.0 and of beta.

The extracts are not part of this repository; by default they are looked for in the folder shared/graph next to its
checkout, or in the one that ANTIPHON_CSDL names. Without them nothing is held against the metadata, which is printed as "not run".

Knows kinds, nullability, enum members, base types, open types and collections. Strict on purpose: on an open type only
members that real traffic is known to carry pass (`KNOWN_OPEN`), since a misspelt member would otherwise hide there.
Pure: text in, list of findings out.
"""

import os
import re
import xml.etree.ElementTree as xml

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
FILES = {"v1.0": "communications.v1.0.csdl.xml", "beta": "communications.beta.csdl.xml"}

# Undeclared members that Graph itself is known to send on open types, by the open type that carries them.
KNOWN_OPEN = {
    "call": "activeModalities routingPolicies ringingTimeoutInSeconds answeredBy terminationReason meetingCapability"
    " applicationMetadata replacesContext",
    "identity": "tenantId identityProvider applicationType ApplicationType language hidden",
    "identitySet": "phone guest encrypted onPremises applicationInstance assertedIdentity azureCommunicationServicesUser",
    "invitationParticipantInfo": "endpointType id region languageId countryCode platformId",
    "organizerMeetingInfo": "allowConversationWithoutHost",
    "joinMeetingIdMeetingInfo": "allowConversationWithoutHost",
    "commsOperation": "completionReason",
    "commsNotification": "resource resourceData callbackUri",
    "contentSharingSession": "presenterParticipantId",
}
KNOWN_OPEN = {name: set(members.split()) for name, members in KNOWN_OPEN.items()}

PATTERNS = {
    "Edm.DateTimeOffset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)"),
    "Edm.Duration": re.compile(r"-?P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"),
    "Edm.Guid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
RANGES = {"Edm.Int32": 2**31, "Edm.Int64": 2**63}


def folder():
    """Where the extracts are looked for: the folder ANTIPHON_CSDL names, else shared/graph next to the checkout."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get("ANTIPHON_CSDL") or os.path.join(here, "..", "..", "shared", "graph")


def load():
    """The schemas by version, or None where the extracts are not at hand."""
    paths = {version: os.path.join(folder(), name) for version, name in FILES.items()}
    if not all(os.path.isfile(path) for path in paths.values()):
        return None
    return {version: Schema(path) for version, path in paths.items()}


class Type:
    """A complex or entity type as declared."""

    def __init__(self, element):
        self.name = element.get("Name")
        self.base = local(element.get("BaseType"))
        self.open = element.get("OpenType") == "true"
        self.abstract = element.get("Abstract") == "true"
        self.members = {}
        for member in list(element.findall(f"{EDM}Property")) + list(element.findall(f"{EDM}NavigationProperty")):
            navigation = member.tag == f"{EDM}NavigationProperty"
            self.members[member.get("Name")] = (member.get("Type"), member.get("Nullable") != "false", navigation)


def local(name):
    """`graph.call` and `#microsoft.graph.call` → `call`; None stays."""
    return name.rpartition(".")[2] if name else None


class Schema:
    """One version's metadata."""

    def __init__(self, path):
        root = xml.parse(path).getroot()
        self.types = {
            element.get("Name"): Type(element)
            for tag in ("ComplexType", "EntityType")
            for element in root.iter(EDM + tag)
        }
        self.enums = {
            element.get("Name"): (
                {member.get("Name") for member in element.findall(f"{EDM}Member")},
                element.get("IsFlags") == "true",
            )
            for element in root.iter(f"{EDM}EnumType")
        }

    def chain(self, name):
        """The type and its bases, nearest first."""
        while name:
            yield self.types[name]
            name = self.types[name].base

    def members(self, name):
        """Every declared member, inherited ones too."""
        found = {}
        for declared in reversed(list(self.chain(name))):
            found.update(declared.members)
        return found

    def is_a(self, name, base):
        return any(declared.name == base for declared in self.chain(name))

    def known_open(self, name):
        """Undeclared members that may appear; None on a closed type."""
        if not any(declared.open for declared in self.chain(name)):
            return None
        return set().union(*(KNOWN_OPEN.get(declared.name, set()) for declared in self.chain(name)))

    def judge(self, value, declared, path="$", partial=False):
        """Findings about `value` where `declared` (`call`, `Collection(graph.call)`, `Edm.String`) is due.

        `partial`: declared members that may not be null may still be absent (updates of a call).
        """
        found = []
        self._value(value, declared, path, partial, found)
        return found

    def _value(self, value, declared, path, partial, found):
        if declared.startswith("Collection("):
            if not isinstance(value, list):
                found.append(f"{path}: {show(value)} where a collection is declared")
                return
            for index, item in enumerate(value):
                self._value(item, declared[11:-1], f"{path}[{index}]", partial, found)
        elif declared.startswith("Edm."):
            if not edm(value, declared):
                found.append(f"{path}: {show(value)} is no {declared}")
        elif local(declared) in self.enums:
            self._enum(value, local(declared), path, found)
        elif local(declared) in self.types:
            self._object(value, local(declared), path, partial, found)
        else:
            found.append(f"{path}: no type {declared} in the metadata")

    def _enum(self, value, name, path, found):
        members, flags = self.enums[name]
        words = value.split(",") if flags and isinstance(value, str) else [value]
        if not all(isinstance(word, str) and word in members for word in words):
            found.append(f"{path}: {show(value)} is no member of {name}")

    def _object(self, value, name, path, partial, found):
        if not isinstance(value, dict):
            found.append(f"{path}: {show(value)} where an object of {name} is declared")
            return
        name = self._named(value, name, path, found)
        members, extra = self.members(name), self.known_open(name)
        partial = partial or "removedState" in value
        for key, item in value.items():
            if "@" in key:
                if not key.partition("@")[2].startswith("odata."):
                    found.append(f"{path}.{key}: no annotation of OData")
            elif key not in members:
                if extra is None:
                    found.append(f"{path}.{key}: undeclared on the closed type {name}")
                elif key not in extra:
                    found.append(f"{path}.{key}: neither declared on {name} nor known from Graph's traffic")
            elif item is None:
                if not members[key][1] and not members[key][0].startswith("Collection("):
                    found.append(f"{path}.{key}: null, but {name}.{key} is not nullable")
                elif members[key][0].startswith("Collection("):
                    found.append(f"{path}.{key}: null where a collection is declared")
            else:
                self._value(item, members[key][0], f"{path}.{key}", partial, found)
        if not partial:
            for key, (_, nullable, navigation) in members.items():
                if not nullable and not navigation and key not in value:
                    found.append(f"{path}.{key}: missing, but {name}.{key} is not nullable")

    def _named(self, value, name, path, found):
        """The type that `@odata.type` names, if it may stand here."""
        if "@odata.type" not in value:
            if self.types[name].abstract:
                found.append(f"{path}: {name} is abstract and there is no @odata.type")
            return name
        text = value["@odata.type"]
        told = local(text) if isinstance(text, str) else None
        if not isinstance(text, str) or not text.startswith("#microsoft.graph.") or told not in self.types:
            found.append(f"{path}.@odata.type: {show(text)} names no declared type")
        elif not self.is_a(told, name):
            found.append(f"{path}.@odata.type: {told} is no {name}")
        else:
            if self.types[told].abstract:
                found.append(f"{path}.@odata.type: {told} is abstract")
            return told
        return name

    def judge_collection(self, value, element):
        """Findings about a collection reply."""
        if not isinstance(value, dict) or "value" not in value:
            return [f"$: {show(value)} is no collection reply"]
        strange = [
            f"$.{key}: not part of a collection reply"
            for key in value
            if key != "value" and not key.startswith("@odata.")
        ]
        return strange + self.judge(value["value"], f"Collection({element})", "$.value")

    def judge_notifications(self, body):
        """Findings about the body of a notification: envelope and every resource in it."""
        found = self.judge(body, "commsNotifications")
        for index, one in enumerate(body.get("value") or [] if isinstance(body, dict) else []):
            path = f"$.value[{index}].resourceData"
            data = one.get("resourceData")
            for entry in data if isinstance(data, list) else [data] if data is not None else []:
                name = local(entry.get("@odata.type")) if isinstance(entry, dict) else None
                if name not in self.types:
                    found.append(f"{path}: {show(entry)} has no declared @odata.type")
                else:
                    found += self.judge(entry, name, path, partial=name == "call")
        return found


def judge_error(value):
    """Findings about an error body; its shape is the same in both versions."""
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict) or set(value) != {"error"}:
        return [f"$: {show(value)} is no error body"]
    found = [
        f"$.error.{key}: {show(error.get(key))} is no text"
        for key in ("code", "message")
        if not isinstance(error.get(key), str)
    ]
    inner = error.get("innerError")
    if not isinstance(inner, dict):
        found.append(f"$.error.innerError: {show(inner)}")
    else:
        for key in ("date", "request-id", "client-request-id"):
            if not isinstance(inner.get(key), str):
                found.append(f"$.error.innerError.{key}: {show(inner.get(key))} is no text")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(inner.get("date"))):
            found.append(f"$.error.innerError.date: {show(inner.get('date'))} is no UTC time without zone")
    strange = set(error) - {"code", "message", "innerError", "target", "details"}
    return found + [f"$.error.{key}: not part of an error" for key in sorted(strange)]


def edm(value, declared):
    if declared in RANGES:
        return isinstance(value, int) and not isinstance(value, bool) and -RANGES[declared] <= value < RANGES[declared]
    if declared == "Edm.Boolean":
        return isinstance(value, bool)
    if declared == "Edm.Double":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if declared == "Edm.Stream":
        return False  # a stream is fetched by its own URL, it is never a JSON value
    if declared in PATTERNS:
        return isinstance(value, str) and PATTERNS[declared].fullmatch(value) is not None
    return declared == "Edm.String" and isinstance(value, str)


def show(value):
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
