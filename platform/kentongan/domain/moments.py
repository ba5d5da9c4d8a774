"""When it happened, read from a STIX property or from a reporter's own words."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone

from kentongan.domain.incident import Moment
from kentongan.domain.vocabulary import PRECISIONS

_TIMESTAMP = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?)?)?)?", re.I
)
_FIDELITIES = {"time": "second", "millisecond": "second", "seconds": "second", "minutes": "minute", "hours": "hour"}


def timestamp(sent: object, precision: object = None) -> Moment | None:
    """A moment from a property: RFC 3339, or a date, a month or a year alone; None for anything else.

    `precision` is what the reporter says of it, in our words or those of the incident core extension (`fidelity`);
    without it, what is spelled out counts: `2025-06` is known to the month.
    """
    found = _TIMESTAMP.fullmatch(sent.strip()) if isinstance(sent, str) else None
    if found is None:
        return None
    spelled = ("year", "month", "day", "minute", "second")[sum(found.group(part) is not None for part in (2, 3, 4, 6))]
    at = _instant(found)
    return Moment(at, _precision(precision, spelled)) if at else None


def _precision(said: object, spelled: str) -> str:
    word = said.strip().lower() if isinstance(said, str) else ""
    word = _FIDELITIES.get(word, word)
    return word if word in PRECISIONS else spelled


def _instant(found: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute, second = (
        int(part or low) for part, low in zip(found.groups()[:6], (0, 1, 1, 0, 0, 0), strict=True)
    )
    micro = int((found.group(7) or "0")[:6].ljust(6, "0"))
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59), micro, tzinfo=_zone(found.group(8)))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(sent: str | None) -> timezone:
    """An offset such as `+07:00`, `GMT+8`, `WIB`; UTC where none is given."""
    word = (sent or "").strip().upper()
    if word in _ZONES:
        return timezone(timedelta(minutes=round(_ZONES[word] * 60)))
    offset = re.search(r"([+-])(\d{1,2}):?(\d\d)?$", word)
    if not offset:
        return UTC
    minutes = int(offset.group(2)) * 60 + int(offset.group(3) or 0)
    return timezone(timedelta(minutes=minutes if offset.group(1) == "+" else -minutes)) if minutes < 1440 else UTC


_ZONES = {
    "WIB": 7,
    "WITA": 8,
    "WIT": 9,
    "MYT": 8,
    "SGT": 8,
    "PHT": 8,
    "PST": 8,
    "ICT": 7,
    "MMT": 6.5,
    "BNT": 8,
    "TLT": 9,
}
"""The region's zones; PST is Philippine Standard Time here."""

_MONTHS_BY_NUMBER = (
    "january jan januari januar janeiro janeiru enero janvier มกราคม ม.ค. ມັງກອນ មករា ဇန်နဝါရီ",
    "february feb februari pebruari februar fevereiro fevereiru febrero pebrero février กุมภาพันธ์ ก.พ. ກຸມພາ កុម្ភៈ ဖေဖော်ဝါရီ",
    "march mar maret mac märz março marsu marzo marso mars มีนาคม มี.ค. ມີນາ មីនា မတ်",
    "april apr abril avril เมษายน เม.ย. ເມສາ មេសា ဧပြီ",
    "may mei mai maio maiu mayo พฤษภาคม พ.ค. ພຶດສະພາ ឧសភា မေ",
    "june jun juni junho junhu junio hunyo juin มิถุนายน มิ.ย. ມິຖຸນາ មិថុនា ဇွန်",
    "july jul juli julai julho julhu julio hulyo juillet กรกฎาคม ก.ค. ກໍລະກົດ កក្កដា ဇူလိုင်",
    "august aug agustus ags ogos agosto agostu août สิงหาคม ส.ค. ສິງຫາ សីហា ဩဂုတ်",
    "september sep sept setembro setembru septiembre setyembre septembre กันยายน ก.ย. ກັນຍາ កញ្ញា စက်တင်ဘာ",
    "october oct oktober okt outubro outubru octubre oktubre octobre ตุลาคม ต.ค. ຕຸລາ តុលា အောက်တိုဘာ",
    "november nov nopember novembro novembru noviembre nobyembre novembre พฤศจิกายน พ.ย. ພະຈິກ វិច្ឆិកា နိုဝင်ဘာ",
    "december dec desember des disember dis dezembro dezembru diciembre disyembre décembre ธันวาคม ธ.ค. ທັນວາ ធ្នូ ဒီဇင်ဘာ",
)
_MONTHS = {name: number for number, names in enumerate(_MONTHS_BY_NUMBER, 1) for name in names.split()}
_MONTH = "(?P<name>" + "|".join(sorted(map(re.escape, _MONTHS), key=len, reverse=True)) + r")\.?"
_YEAR = r"(?P<year>(?:19|20|25)\d\d)"
_OF = r"\s*(?:,|de|of|bulan|tahun|พ\.ศ\.|ค\.ศ\.|ปี|năm|tahun|thn)?\s*"
_ORDINAL = r"(?:st|nd|rd|th|º|ª)?"
_CLOCK = (
    r"(?P<clock>(?:\s*[,T]?\s*(?P<about>about|around|approx\w*|circa|ca\.|sekitar|kira-kira|kurang lebih|lebih kurang|jam|pukul|"
    r"khoảng|ประมาณ|por volta d[ae]s?|cerca d[ae]s?|~|at|às|lúc|เวลา)?\s*)(?P<hour>[01]?\d|2[0-3])[:.h](?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?\s*(?P<pm>[ap]\.?m\.?\b)?\s*"
    r"(?P<zone>Z\b|(?:UTC|GMT)(?:\s*[+-]\d{1,2}(?::?\d\d)?)?|[+-]\d\d:?\d\d|WIB|WITA|WIT|MYT|SGT|PHT|PST|ICT|MMT|BNT|TLT)?)?"
)
_WEEK_WORD = r"(?:week|wk|minggu|pekan|tuần|semana|linggo|สัปดาห์ที่|ສັບປະດາທີ|សប្តាហ៍ទី)"
_SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        r"(?P<year>\d{4})-?W(?P<week>\d\d)\b",
        rf"{_WEEK_WORD}\s*(?:ke-?|no\.?|thứ)?\s*(?P<week>\d{{1,2}}){_OF}{_YEAR}",
        rf"(?P<of_week>{_WEEK_WORD}\s*(?:of|commencing|beginning|starting|dari|de|ngày|yang bermula)?\s*)"
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})(?!\d){_CLOCK}",
        rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second_part>\d{{1,2}})(?P=mark){_YEAR}(?!\d){_CLOCK}",
        rf"(?:ngày\s*)?(?P<day>\d{{1,2}})\s*tháng\s*(?P<month>\d{{1,2}}){_OF}{_YEAR}{_CLOCK}",
        rf"(?P<year>\d{{4}})年(?P<month>\d{{1,2}})月(?:(?P<day>\d{{1,2}})日)?{_CLOCK}",
        rf"(?P<day>\d{{1,2}}){_ORDINAL}{_OF}{_MONTH}{_OF}{_YEAR}(?!\d){_CLOCK}",
        rf"{_MONTH}\s*(?P<day>\d{{1,2}}){_ORDINAL}\s*,?\s+{_YEAR}(?!\d){_CLOCK}",
        rf"tháng\s*(?P<month>\d{{1,2}}){_OF}{_YEAR}",
        rf"{_MONTH}{_OF}{_YEAR}(?!\d)",
        r"(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)(?![\d-])",
        r"(?P<month>0[1-9]|1[0-2])/(?P<year>20\d\d)(?!\d)",
        r"(?P<year>(?:19|20)\d\d)(?=\s*(?:[.,;:)\n]|$))",
    )
)
_LABEL = re.compile(
    r"(?:\b(?:(?:incident|event|attack|detection|occurrence)\s+(?:date|time)|"
    r"date(?:\s+and\s+time)?\s+of\s+(?:the\s+)?(?:incident|event|attack|detection)|"
    r"(?:occurred|happened|detected|observed|discovered|took\s+place|first\s+seen)(?:\s+(?:on|at|in))?|"
    r"(?:tanggal|waktu|tgl\.?)\s+(?:kejadian|insiden|deteksi)|(?:tarikh|masa)\s+(?:kejadian|insiden|dikesan)|"
    r"(?:terjadi|terdeteksi|berlaku|dikesan|diketahui)\s+pada(?:\s+tanggal)?|"
    r"(?:ngày|thời gian)\s+(?:xảy ra|phát hiện|sự cố)|data\s+d[oa]\s+(?:incidente|ocorrência|insidente)|"
    r"fecha\s+del\s+incidente|petsa\s+ng\s+(?:insidente|pangyayari))|"
    r"วันที่เกิดเหตุ|วันเกิดเหตุ|เกิดเหตุเมื่อ|ວັນທີເກີດເຫດ|កាលបរិច្ឆេទ)\s*[:：=-]?\s*(?:on\s+|pada\s+|ngày\s+|เมื่อวันที่\s*)?",
    re.IGNORECASE,
)

_OPENING = re.compile(
    r"(?:(?:on|in|pada|tanggal|tgl|tarikh|hari|ngày|vào|date|when|em|no dia|dia|noong|เมื่อ|วันที่|เมื่อวันที่)[\s:]*)*",
    re.IGNORECASE,
)


def stated(text: str) -> Moment | None:
    """The date that a description gives for its event: at the very beginning, or after words such as "Incident date".

    Dates elsewhere are left alone: they tell of reports, victims' letters and court days. `12/03/2025` is read the
    region's way, day first. Example: `Week 26 of 2025. Farseer.` is 23 June 2025 to the week.
    """
    plain = _western_digits(unicodedata.normalize("NFC", text[:4000])).strip()
    starts = [found.end() for found in _LABEL.finditer(plain)]
    opening = _OPENING.match(plain)
    for start in [opening.end() if opening else 0, *starts]:
        found = _at(plain, start)
        if found:
            return found
    return None


def _western_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in text)


def _at(text: str, start: int) -> Moment | None:
    for shape in _SHAPES:
        found = shape.match(text, start)
        moment = _read(found.groupdict()) if found else None
        if moment:
            return moment
    return None


def _read(parts: dict[str, str | None]) -> Moment | None:
    year = int(parts["year"] or 0)
    year -= 543 if year >= 2400 else 0
    try:
        if parts.get("week"):
            return _moment(date.fromisocalendar(year, int(parts["week"] or 0), 1), "week")
        month, day = _month_and_day(parts)
        if month is None:
            return _moment(date(year, 1, 1), "year")
        if day is None:
            return _moment(date(year, month, 1), "month")
        if parts.get("of_week"):
            return _moment(date(year, month, day), "week")
        return _with_clock(date(year, month, day), parts)
    except ValueError:
        return None


def _month_and_day(parts: dict[str, str | None]) -> tuple[int | None, int | None]:
    if parts.get("first"):
        day, month = int(parts["first"] or 0), int(parts["second_part"] or 0)
        return (day, month) if month > 12 >= day else (month, day)
    name, number, day_text = parts.get("name"), parts.get("month"), parts.get("day")
    month_number = _MONTHS[name.lower()] if name else int(number) if number else None
    return month_number, int(day_text) if day_text else None


def _moment(day: date, precision: str) -> Moment:
    return Moment(datetime(day.year, day.month, day.day, tzinfo=UTC), precision)


def _with_clock(day: date, parts: dict[str, str | None]) -> Moment:
    if not parts.get("clock") or not parts.get("hour"):
        return _moment(day, "day")
    hour = int(parts["hour"] or 0)
    hour = hour % 12 + (12 if (parts["pm"] or "").lower().startswith("p") else 0) if parts["pm"] else hour
    local = datetime(
        day.year,
        day.month,
        day.day,
        hour,
        int(parts["minute"] or 0),
        int(parts["second"] or 0),
        tzinfo=_zone(parts["zone"]),
    )
    vague = (parts["about"] or "").lower() not in ("", "at", "jam", "pukul", "às", "lúc", "เวลา")
    return Moment(local.astimezone(UTC), "hour" if vague else "second" if parts["second"] else "minute")
