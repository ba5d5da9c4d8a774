"""CSV: one incident in each row, by a mapping of columns that is saved with the feed."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson

from kentongan.domain.account import ANY, Account, in_stix
from kentongan.domain.feeding import Change, Converted, Fetched, WrongFeed, bundle_of
from kentongan.domain.gate import Problem, Unreadable
from kentongan.domain.incident import Moment
from kentongan.domain.marking import Level
from kentongan.domain.moments import timestamp
from kentongan.domain.observables.kinds import KINDS
from kentongan.domain.stix_making import StixObject, bundle_id, made_id
from kentongan_feeds.inbound.feed import Feed

MOST_ROWS: Final = 200_000
LONGEST_CELL: Final = 100_000
_ROWS_AT_ONCE: Final = 500
_ONE: Final = ("id", "name", "description", "created", "modified", "started", "threat_kind", "victim", "tlp")
_MANY: Final = ("country", "sector", "label", "reference", "malware", "technique", "vulnerability")
_LEVELS: Final = {level.label.removeprefix("TLP:").lower(): level for level in Level} | {"white": Level.CLEAR}
_DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_TARGETS: Final = frozenset({*_ONE, *_MANY, *KINDS, ANY})


@dataclass(frozen=True, slots=True)
class _Row:
    """One row by the names of its columns."""

    number: int
    cells: Mapping[str, str]

    def path(self) -> str:
        return f"row {self.number}"


class _WrongRow(Exception):
    """The row says no incident; the reason and the hint."""

    def __init__(self, rule: str, reason: str, hint: str) -> None:
        self.rule, self.reason, self.hint = rule, reason, hint
        super().__init__(reason)


class TablesFeed(Feed):
    """Tables with a row for each incident."""

    kind: ClassVar[str] = "csv"
    about: ClassVar[str] = "CSV with one incident in each row: a folder, a file or an https address"
    suffixes: ClassVar[frozenset[str]] = frozenset({".csv", ".tsv", ".txt"})
    content_types: ClassVar[tuple[str, ...]] = ("text/csv", "text/tab-separated-values")
    options: ClassVar[Mapping[str, str]] = {
        "columns": f'which column is what, as JSON: {{"name": "Title", "started": "Date", "{ANY}": ["IOC 1", "IOC 2"]}}',
        "delimiter": f"{', '.join(_DELIMITERS)}; default comma",
        "split": "by what several values in one cell are parted, e.g. ;",
        "tlp": f"the level of rows that say none: {', '.join(_LEVELS)}; without it they are read as amber",
    }

    def check(self) -> None:
        """The mapping names what there is. Raises WrongFeed."""
        self._columns = _mapping(self.chosen.get("columns", ""))
        if self.chosen.get("delimiter", "comma") not in _DELIMITERS:
            raise WrongFeed(f"delimiter is one of {', '.join(_DELIMITERS)}")
        if self.chosen.get("tlp", "amber").lower() not in _LEVELS:
            raise WrongFeed(f"tlp is one of {', '.join(_LEVELS)}")

    def convert(self, fetched: Fetched) -> Converted:
        """A bundle for every few hundred rows; a row that says no incident is a problem of its own."""
        rows = self._rows(fetched.raw)
        changes, problems = self._columns_left_out(rows), list[Problem]()
        documents: list[bytes] = []
        waiting: list[StixObject] = []
        for position, row in enumerate(rows):
            try:
                objects = self._incident(row, changes)
            except _WrongRow as wrong:
                problems.append(Problem(row.path(), wrong.rule, wrong.reason, wrong.hint))
                continue
            if len(waiting) + len(objects) > self.reach.limits.max_objects or (
                waiting and position % _ROWS_AT_ONCE == 0
            ):
                documents.append(_document(fetched.raw, len(documents), waiting))
                waiting = []
            waiting += objects
        if waiting:
            documents.append(_document(fetched.raw, len(documents), waiting))
        if not documents:
            raise Unreadable(problems or [Problem("$", "empty", "the table has no rows", "Look at the source.")])
        return Converted(tuple(documents), tuple(changes), tuple(problems))

    def _rows(self, raw: bytes) -> list[_Row]:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            reason = f"byte {error.start} is not UTF-8"
            raise Unreadable([Problem("$", "not-utf8", reason, "Save the table as UTF-8.")]) from None
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=_DELIMITERS[self.chosen.get("delimiter", "comma")], strict=True
        )
        try:
            header = [each.strip() for each in next(reader, [])]
            self._check_header(header)
            return list(_read(reader, header))
        except csv.Error as error:
            reason = f"line {reader.line_num}: {error}"
            raise Unreadable([Problem("$", "not-csv", reason, "Check the quotes and the delimiter.")]) from None

    def _check_header(self, header: Sequence[str]) -> None:
        if not any(header):
            raise Unreadable([Problem("$", "empty", "the table is empty", "Its first line names the columns.")])
        if doubled := sorted({each for each in header if each and header.count(each) > 1}):
            raise Unreadable(
                [Problem("$", "doubled-column", f"the column {doubled[0][:80]!r} stands twice", "Name columns apart.")]
            )
        if missing := [each for columns in self._columns.values() for each in columns if each not in header]:
            hint = f"The table has: {', '.join(header)[:300]}"
            raise Unreadable([Problem("$", "missing-column", f"there is no column {missing[0][:80]!r}", hint)])

    def _columns_left_out(self, rows: Sequence[_Row]) -> list[Change]:
        taken = {each for columns in self._columns.values() for each in columns}
        names = rows[0].cells if rows else ()
        return [
            Change(f"column {n[:80]}", "column-left-out", "columns that are mapped to nothing are left out")
            for n in names
            if n not in taken
        ]

    def _incident(self, row: _Row, changes: list[Change]) -> list[StixObject]:
        one = {target: " ".join(self._values(row, target, whole=True)) for target in _ONE}
        if not one["name"]:
            raise _WrongRow("no-name", "the row has no name", "The column mapped to name says what happened.")
        started = _moment(one["started"], "started")
        created = _moment(one["created"], "created") or started
        if created is None:
            raise _WrongRow("no-moment", "the row says no moment", "Fill the column mapped to created, or to started.")
        modified = _moment(one["modified"], "modified") or created
        many = {target: self._values(row, target) for target in _MANY}
        account = Account(
            stix_id=self._id(row, one["id"]),
            name=one["name"],
            created=min(created.at, modified.at),
            modified=modified.at,
            description=one["description"],
            started=started,
            threat_kind=one["threat_kind"],
            victim=one["victim"],
            countries=many["country"],
            sectors=many["sector"],
            labels=many["label"],
            references=many["reference"],
            malware=many["malware"],
            techniques=many["technique"],
            vulnerabilities=many["vulnerability"],
            observables=[(kind, value) for kind in sorted({*KINDS, ANY}) for value in self._values(row, kind)],
            level=self._level(one["tlp"]),
        )
        return in_stix(account, lambda rule, words: changes.append(Change(row.path(), rule, words)))

    def _id(self, row: _Row, stated: str) -> str:
        """Of what the row says it is within this source; without a column for that, of all that it says."""
        return made_id("incident", self.source, "id" if stated else "row", stated or orjson.dumps(row.cells).decode())

    def _values(self, row: _Row, target: str, *, whole: bool = False) -> list[str]:
        cells = [row.cells.get(column, "") for column in self._columns.get(target, ())]
        split = self.chosen.get("split", "")
        parts = [part for cell in cells for part in (cell.split(split) if split and not whole else [cell])]
        return [part.strip() for part in parts if part.strip()]

    def _level(self, stated: str) -> Level | None:
        word = (stated or self.chosen.get("tlp", "")).lower().removeprefix("tlp:").strip()
        if word and word not in _LEVELS:
            raise _WrongRow("tlp", f"{word[:40]!r} is no TLP level", f"Use {', '.join(_LEVELS)}.")
        return _LEVELS[word] if word else None


def _mapping(text: str) -> dict[str, tuple[str, ...]]:
    """Read the option `columns`. Raises WrongFeed."""
    try:
        told: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict) or not told:
        raise WrongFeed('columns is JSON that says which column is what: {"name": "Title", "started": "Date"}')
    found: dict[str, tuple[str, ...]] = {}
    for target, columns in told.items():
        names = [columns] if isinstance(columns, str) else columns
        if target not in _TARGETS:
            raise WrongFeed(f"a column can be {', '.join(sorted(_TARGETS))}, not '{target[:40]}'")
        if not isinstance(names, list) or not names or not all(isinstance(each, str) and each for each in names):
            raise WrongFeed(f"{target} is the name of a column, or a list of names")
        found[target] = tuple(names)
    if "name" not in found or not ({"created", "started"} & set(found)):
        raise WrongFeed("map a column to name, and one to created or started: an incident says what happened and when")
    if "id" in found and "modified" not in found:
        raise WrongFeed(
            "with a column for id map one to modified too: else nobody can tell which version of a row is newer"
        )
    return found


def _read(reader: Iterator[list[str]], header: Sequence[str]) -> Iterator[_Row]:
    for number, cells in enumerate(reader, 2):
        if number > MOST_ROWS + 1:
            reason = f"the table has more than {MOST_ROWS} rows"
            raise Unreadable([Problem("$", "too-many-rows", reason, "Divide it into smaller ones.")], too_large=True)
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(header) :]):
            reason = f"row {number} has more cells than there are columns"
            raise Unreadable([Problem(f"row {number}", "ragged", reason, "Quote cells that hold the delimiter.")])
        if any("\x00" in cell or len(cell) > LONGEST_CELL for cell in cells):
            reason = f"row {number} has a cell with a NUL character, or longer than {LONGEST_CELL}"
            raise Unreadable([Problem(f"row {number}", "cell", reason, "Repair the table.")])
        yield _Row(number, {name: cell for name, cell in zip(header, cells, strict=False) if name})


def _moment(text: str, target: str) -> Moment | None:
    if not text:
        return None
    if (found := timestamp(text)) is None:
        raise _WrongRow(
            "no-moment", f"what is mapped to {target} is no moment", "Write 2026-03-02, or 2026-03-02T12:00:00Z."
        )
    return found


def _document(raw: bytes, number: int, objects: Sequence[StixObject]) -> bytes:
    several = list({hashlib.sha256(orjson.dumps(obj)).digest(): obj for obj in objects}.values())
    return bundle_of(several, bundle_id(raw, str(number).encode()))
