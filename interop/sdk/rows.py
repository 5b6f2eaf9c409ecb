"""The endpoint index as a table: every row of the calling API, what it answers, and how the Python SDKs express it.

`{call}` and so on in a path are filled in with ids. `builder` is the chain of request builders under `calls`
(`@name(id)` calls `by_…`), `body` the module and class of the SDK's request body; both None where no SDK expresses it.
Status and result type are those of the reference pages.
"""

from dataclasses import dataclass

BOTH = ("v1.0", "beta")


@dataclass(frozen=True)
class Row:
    """One endpoint."""

    name: str
    method: str
    path: str
    status: int
    result: str | None  # `call`, `[participant]`, `image/png`, or None for an empty body
    versions: tuple = BOTH
    sdk: tuple = BOTH  # versions whose Python SDK has a builder for it
    ends: str | None = None  # of an operation: `sync` or `async`

    @property
    def action(self):
        """Whether the last segment is a bound action, which may be qualified with its namespace."""
        last = self.path.rpartition("/")[2]
        return self.method == "POST" and last not in ("calls", "audioRoutingGroups")

    @property
    def label(self):
        return f"{self.method} {self.path}"


CALL = "/communications/calls/{call}"
PERSON = CALL + "/participants/{participant}"
GROUPS = CALL + "/audioRoutingGroups"
SHARING = CALL + "/contentSharingSessions"
BETA = ("beta",)


def act(name, parent, status, operation=None, ends=None, versions=BOTH, sdk=None):
    return Row(name, "POST", f"{parent}/{name}", status, operation, versions, versions if sdk is None else sdk, ends)


ROWS = [
    Row("create", "POST", "/communications/calls", 201, "call"),
    Row("getCall", "GET", CALL, 200, "call"),
    Row("deleteCall", "DELETE", CALL, 204, None),
    act("keepAlive", CALL, 200),
    act("answer", CALL, 202),
    act("reject", CALL, 202),
    act("redirect", CALL, 202),
    act("transfer", CALL, 202),
    act("mute", CALL, 200, "muteParticipantOperation", "sync"),
    act("unmute", CALL, 200, "unmuteParticipantOperation", "sync"),
    act("changeScreenSharingRole", CALL, 202),
    act("updateRecordingStatus", CALL, 200, "updateRecordingStatusOperation", "sync"),
    act("addLargeGalleryView", CALL, 202, "addLargeGalleryViewOperation", "async"),
    act("playPrompt", CALL, 200, "playPromptOperation", "async"),
    act("recordResponse", CALL, 200, "recordOperation", "async"),
    act("record", CALL, 200, "recordOperation", "async", BETA),
    act("cancelMediaProcessing", CALL, 200, "cancelMediaProcessingOperation", "sync"),
    act("subscribeToTone", CALL, 200, "subscribeToToneOperation", "sync"),
    act("sendDtmfTones", CALL, 200, "sendDtmfTonesOperation", "async"),
    act("startRecording", CALL, 202, "startRecordingOperation", "async", BETA),
    act("stopRecording", CALL, 202, "stopRecordingOperation", "either", BETA),
    act("startTranscription", CALL, 202, "startTranscriptionOperation", "async", BETA),
    act("stopTranscription", CALL, 202, "stopTranscriptionOperation", "async", BETA),
    Row("listParticipants", "GET", CALL + "/participants", 200, "[participant]"),
    Row("getParticipant", "GET", PERSON, 200, "participant"),
    Row("deleteParticipant", "DELETE", PERSON, 204, None),
    act("invite", CALL + "/participants", 200, "inviteParticipantsOperation", "async"),
    Row("muteParticipant", "POST", PERSON + "/mute", 200, "muteParticipantOperation", ends="sync"),
    act("startHoldMusic", PERSON, 202, "startHoldMusicOperation", "async"),
    act("stopHoldMusic", PERSON, 202, "stopHoldMusicOperation", "async"),
    act("muteAll", CALL + "/participants", 200, "muteParticipantsOperation", "sync", BETA),
    act("configureMixer", CALL + "/participants", (200, 202), "commsOperation", "async", BETA, ()),
    act("reportSyntheticMedia", PERSON, 204, None, None, BETA),
    Row("listGroups", "GET", GROUPS, 200, "[audioRoutingGroup]"),
    Row("createGroup", "POST", GROUPS, 200, "audioRoutingGroup"),
    Row("getGroup", "GET", GROUPS + "/{group}", 200, "audioRoutingGroup"),
    Row("updateGroup", "PATCH", GROUPS + "/{group}", 200, "audioRoutingGroup"),
    Row("deleteGroup", "DELETE", GROUPS + "/{group}", 204, None),
    Row("listSharing", "GET", SHARING, 200, "[contentSharingSession]"),
    Row("getSharing", "GET", SHARING + "/{session}", 200, "contentSharingSession"),
    Row("slide", "GET", SHARING + "/{session}/pngOfCurrentSlide", 200, "image/png", BETA, BETA),
    Row("listOperations", "GET", CALL + "/operations", 200, "[commsOperation]"),
    Row("getOperation", "GET", CALL + "/operations/{operation}", 200, "commsOperation"),
    act("logTeleconferenceDeviceQuality", "/communications/calls", 200),
]
ROW = {row.name: row for row in ROWS}
