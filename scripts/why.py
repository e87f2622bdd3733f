"""`make why contact=shop-1042 [flow=abandoned_cart]`: every decision about a person, newest first.

`contact` is a contact id, the id of one of the person's records or browsers, or an e-mail address. Of the
flows that decided nothing it says why, as far as the published build can tell; of one, in full.
"""

from __future__ import annotations

import argparse
import sys

from kreislauf.flow import why
from kreislauf.flow.explain import explain, undecided
from kreislauf.flow.files import read_all
from scripts import stores


def main(arguments: list[str]) -> int:
    """Exit code 1 when nobody is known by what was given."""
    usage = "make why contact=shop-1042 [flow=welcome]"
    parser = argparse.ArgumentParser(prog="make why", usage=usage, description=__doc__)
    parser.add_argument("contact", help="contact id, record id, visitor id or e-mail address")
    parser.add_argument("--flow", help="only this flow or campaign: its DAG's id or its file's name")
    given = parser.parse_args(arguments)
    try:
        flows = read_all()
        ledger, engine = stores.ledger(), stores.warehouse()
        wanted = why.flow_named(ledger, given.flow) if given.flow else None
        person = why.find(ledger, engine, given.contact)
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    told = why.decisions(ledger, engine, person, wanted)
    print(*explain(person, told, flows), sep="\n")
    decided = {one.decision.flow for one in told}
    print()
    for name, flow in flows.items():
        if name not in decided and wanted in (None, name):
            summary, *details = undecided(ledger, engine, flow, person)
            print(summary, *(details if wanted else ()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
