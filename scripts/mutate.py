"""Do the tests of the SQL files notice when one of them is wrong? Says which faults none noticed.

python -m scripts.mutate                       every file; the share a layer
python -m scripts.mutate scores/rfm core       a file, a layer
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from kreislauf.warehouse.models import Model, ModelError, load_models
from kreislauf.warehouse.mutation import Report, mutate
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import CaseError, load_cases

REPOSITORY = Path(__file__).resolve().parents[1]
SQL = REPOSITORY / "include" / "sql"
CASES = REPOSITORY / "tests" / "sql"


def main() -> int:
    """0 when at least the wanted share was noticed."""
    arguments = _arguments()
    names = _chosen(arguments.files)
    killed, total = Counter(), Counter()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for name, report in zip(names, pool.map(_report, names), strict=True):
            layer = name.partition(".")[0]
            if isinstance(report, ModelError | CaseError | FileNotFoundError):
                print(f"{name}: {report}", file=sys.stderr)
                continue
            killed[layer] += report.killed
            total[layer] += report.total
            if arguments.files or arguments.verbose:
                print(f"{name}: {report.killed} of {report.total} noticed")
                for mutant in report.survivors:
                    print(f"  {_path(name)}:{mutant.line}: {mutant.what}")
    for layer in total:
        print(f"{layer:<12} {killed[layer]:>6} of {total[layer]:>6}  {_share(killed[layer], total[layer])}")
    share = _share(sum(killed.values()), sum(total.values()))
    print(f"{'all':<12} {sum(killed.values()):>6} of {sum(total.values()):>6}  {share}")
    return 0 if sum(killed.values()) >= arguments.at_least / 100 * sum(total.values()) else 1


def _report(name: str) -> Report | Exception:
    models, schema = _models()
    try:
        return mutate(models[name], load_cases(CASES / f"{name.replace('.', '/')}.yaml"), schema)
    except (ModelError, CaseError, FileNotFoundError) as error:
        return error


@cache
def _models() -> tuple[dict[str, Model], Schema]:
    models = load_models(SQL, check=False)  # one broken file is no reason to stop
    return models, Schema(models)


def _chosen(files: list[str]) -> list[str]:
    wanted = [file.removesuffix(".sql").replace("/", ".") for file in files]
    names = [name for name, model in _models()[0].items() if model.is_file]
    for given in wanted:
        if given not in names and given not in {name.partition(".")[0] for name in names}:
            sys.exit(f"there is no file and no layer {given}")
    return [name for name in names if not wanted or name in wanted or name.partition(".")[0] in wanted]


def _path(name: str) -> str:
    return f"include/sql/{name.replace('.', '/')}.sql"


def _share(killed: int, total: int) -> str:
    return f"{killed / total:6.1%}" if total else "   -"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", help="layer/table or layer; default: all")
    parser.add_argument("--at-least", type=float, default=80, metavar="PERCENT", help="default: 80")
    parser.add_argument("--processes", type=int, help="default: one a core")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what was not noticed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
