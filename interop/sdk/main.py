"""The official SDKs against `antiphon emulator`: every endpoint, both versions, both path families. Exits 1 on any failure.

    main.py ANTIPHON [NODE]

One case is one request or claim on one driver (client, version, path family, spelling). What no driver got right, and
each difference of a reply or notification from the metadata, is a failure at the end. ANTIPHON_NODE_MODULES names the
folder with the packages of interop/package.json; ANTIPHON_CASES=word,word runs only scenarios and drivers with a word in
their name. Identity libraries read the CA bundle when they are imported: the emulators are started before that.
"""

import asyncio
import os
import sys
import tempfile
import time

LONGEST = 900  # seconds for everything: a case that hangs ends the run

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from certificates import certificate  # noqa: E402
from rows import ROWS  # noqa: E402
from service import Emulator  # noqa: E402


def trust_both(folder, emulators):
    """One CA file for this process and the Node processes under it."""
    bundle = os.path.join(folder, "bundle.pem")
    with open(bundle, "w") as out:
        for emulator in emulators:
            with open(emulator.ca_file) as ca:
                out.write(ca.read())
    os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = bundle


def main():
    antiphon, node = (sys.argv[1:] + [None])[:2]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="antiphon-sdk-", ignore_cleanup_errors=True) as folder:
        identity = certificate(folder)
        emulators = []
        try:
            for name in ("ca", "moved-ca"):
                emulators.append(Emulator(antiphon, folder, identity[0], name))
            trust_both(folder, emulators)
            from suite import Run

            run = Run(*emulators, identity, node)
            asyncio.run(asyncio.wait_for(run.all(), LONGEST))
            finished = True
        except (asyncio.TimeoutError, TimeoutError):
            finished = False
        finally:
            for emulator in emulators:
                emulator.stop()
    well = run.judge.summary(ROWS, complete=not run.only)
    print(
        f"sdk: {time.monotonic() - began:.0f} s{'' if finished else ': FAIL, the run did not end by itself'}",
        flush=True,
    )
    return 0 if well and finished else 1


if __name__ == "__main__":
    sys.exit(main())
