"""Counts cases and says what failed: one case is one request (or one claim) on one driver.

A case collects problems and passes with none. Replies and notifications are held against the metadata here, and which
endpoint was exercised by which driver is kept, so that an endpoint nobody drove is told as a failure at the end.
"""

import contextlib
import json
import os
import re
import traceback

import csdl

VARYING = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}|\d{4}-\d\d-\d\dT[\d:.]+")


def causes(error):
    """What an exception says, or where it came from, and the same of what caused it."""
    while error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        yield str(error) or f"{type(error).__name__} in {where.name}, line {where.lineno}"
        error = error.__cause__ or error.__context__


class Case:
    """What a case found wrong."""

    def __init__(self, name):
        self.name, self.problems = name, []

    def expect(self, holds, problem):
        if not holds:
            self.problems.append(problem)
        return holds

    def equal(self, found, expected, what):
        return self.expect(found == expected, f"{what} is {found!r}, expected {expected!r}")


class Judge:
    """All cases of a run."""

    def __init__(self):
        self.schemas = csdl.load()
        self.counts = {}  # driver label → [passed, failed]
        self.failures = {}  # (case, problem without ids) → (driver, problem) of each
        self.not_run = []
        self.exercised = set()  # (row name, version, family) that passed
        self.replies = self.notifications = 0
        self.findings = {}  # finding → where it was first seen, times

    @contextlib.asynccontextmanager
    async def case(self, driver, name):
        label = driver if isinstance(driver, str) else driver.label
        case = Case(name)
        try:
            yield case
        except Exception as error:
            text = "; ".join(causes(error))
            case.problems.append(text if isinstance(error, AssertionError) else f"{type(error).__name__}: {text}")
        passed, failed = self.counts.setdefault(label, [0, 0])
        if case.problems:
            self.counts[label] = [passed, failed + 1]
            for problem in case.problems:
                alike = VARYING.sub("…", problem.partition(" said ")[0])
                self.failures.setdefault((name, alike), []).append((label, problem))
        else:
            self.counts[label] = [passed + 1, failed]

    def skip(self, name, why):
        self.not_run.append((name, why))
        print(f"not run  {name:44} {why}", flush=True)

    def shape(self, driver, row, reply):
        """Findings about a reply's JSON against the metadata of the driver's version."""
        if self.schemas is None or not reply.raw or "json" not in reply.headers.get("content-type", ""):
            return []
        self.replies += 1
        body = json.loads(reply.raw)
        if reply.status >= 400:
            return self._found(csdl.judge_error(body), f"{driver.version} {row.label if row else ''} {reply.status}")
        if row is None or row.result is None:
            return []
        schema = self.schemas[driver.version]
        element = row.result.strip("[]")
        found = schema.judge_collection(body, element) if row.result.startswith("[") else schema.judge(body, element)
        return self._found(found, f"{driver.version} {row.label}")

    def notification(self, body, tag):
        """Held against the metadata of the version that the call was made with; the tag of its address begins with it."""
        if self.schemas is not None:
            self.notifications += 1
            version = tag.partition("-")[0]
            self._found(
                self.schemas[version].judge_notifications(body),
                f"{version} notification of {body['value'][0].get('resourceUrl')}",
            )

    def _found(self, findings, where):
        for finding in findings:
            first, times = self.findings.get(finding, (where, 0))
            self.findings[finding] = (first, times + 1)
        return [f"metadata: {finding}" for finding in findings]

    def uncovered(self, rows, families=("communications", "app")):
        """Endpoints that no driver got a right answer from, by version and family."""
        wanted = [(row.name, version, family) for row in rows for version in row.versions for family in families]
        return [one for one in wanted if one not in self.exercised]

    def summary(self, rows, complete=True):
        """Prints the closing lines; whether all is well. `complete`: nothing was left out on purpose."""
        for (name, _), cases in sorted(self.failures.items()):
            print(f"FAIL     {name}: {cases[0][1]}")
            labels = dict.fromkeys(label for label, _ in cases)
            everywhere = len(labels) == len(set(self.counts) - {"webhook", "judge"})
            print(f"         on {'every driver' if everywhere else '; '.join(labels)}")
        for label, (passed, failed) in self.counts.items():
            print(f"{'FAIL' if failed else 'ok':8} {label:44} {passed} cases passed, {failed} failed")
        missing = self.uncovered(rows) if complete else []
        total = sum(len(row.versions) * 2 for row in rows)
        detail = f"{total - len(missing)} of {total} (endpoint, version, family) answered as documented"
        if complete:
            print(f"{'FAIL' if missing else 'ok':8} {'every endpoint, both path families':44} {detail}")
        for name, version, family in missing:
            print(f"         not exercised, or never right: {name} {version} /{family}")
        if self.schemas is None:
            self.skip("replies against the CSDL", f"no extracts in {os.path.normpath(csdl.folder())}; ANTIPHON_CSDL names their folder")
        else:
            detail = f"{self.replies} replies, {self.notifications} notification bodies, {len(self.findings)} kinds of difference"
            print(f"{'FAIL' if self.findings else 'ok':8} {'replies and notifications against the CSDL':44} {detail}")
            for finding, (where, times) in sorted(self.findings.items()):
                print(f"         {times} times, first {where}: {finding}")
        passed, failed = (sum(count[index] for count in self.counts.values()) for index in (0, 1))
        print(
            f"sdk: {passed + failed} cases, {passed} passed, {failed} failed, {len(self.not_run)} not run", flush=True
        )
        return not failed and not missing and not self.findings
