"""The vocabularies our facts are told in: RSIT classes and types, countries, sectors. Tables and look-ups only.

Unknown words come back as they were sent: a vocabulary helps to compare, it does not decide what may be said.
"""

from __future__ import annotations

RSIT: dict[str, tuple[str, ...]] = {
    "abusive-content": ("spam", "harmful-speech", "violence"),
    "malicious-code": ("infected-system", "c2-server", "malware-distribution", "malware-configuration"),
    "information-gathering": ("scanner", "sniffing", "social-engineering"),
    "intrusion-attempts": ("ids-alert", "brute-force", "exploit"),
    "intrusions": (
        "privileged-account-compromise",
        "unprivileged-account-compromise",
        "application-compromise",
        "system-compromise",
        "burglary",
    ),
    "availability": ("dos", "ddos", "misconfiguration", "sabotage", "outage"),
    "information-content-security": (
        "unauthorised-information-access",
        "unauthorised-information-modification",
        "data-loss",
        "data-leak",
    ),
    "fraud": ("unauthorised-use-of-resources", "copyright", "masquerade", "phishing"),
    "vulnerable": (
        "weak-crypto",
        "ddos-amplifier",
        "potentially-unwanted-accessible",
        "information-disclosure",
        "vulnerable-system",
    ),
    "other": ("other", "undetermined"),
    "test": ("test",),
}
"""Class to types: Reference Security Incident Taxonomy, machine version 1003 (ENISA task force, CC0 1.0)."""

SECTORS = frozenset(
    (
        "agriculture aerospace automotive chemical commercial communications construction defense education energy "
        "entertainment financial-services government emergency-services government-local government-national "
        "government-public-services government-regional healthcare hospitality-leisure infrastructure dams nuclear water "
        "insurance manufacturing mining non-profit pharmaceuticals retail technology telecommunications transportation "
        "utilities"
    ).split()
)
"""STIX 2.1 section 10.15, industry-sector-ov."""

PRECISIONS = ("second", "minute", "hour", "day", "week", "month", "year", "unknown")

_COUNTRIES = """
AD AND Andorra; AE ARE United Arab Emirates; AF AFG Afghanistan; AG ATG Antigua and Barbuda; AI AIA Anguilla; AL ALB
Albania; AM ARM Armenia; AO AGO Angola; AQ ATA Antarctica; AR ARG Argentina; AS ASM American Samoa; AT AUT Austria;
AU AUS Australia; AW ABW Aruba; AX ALA Aland Islands; AZ AZE Azerbaijan; BA BIH Bosnia and Herzegovina; BB BRB
Barbados; BD BGD Bangladesh; BE BEL Belgium; BF BFA Burkina Faso; BG BGR Bulgaria; BH BHR Bahrain; BI BDI Burundi;
BJ BEN Benin; BL BLM Saint Barthelemy; BM BMU Bermuda; BN BRN Brunei; BO BOL Bolivia; BQ BES Bonaire, Saint
Eustatius and Saba ; BR BRA Brazil; BS BHS Bahamas; BT BTN Bhutan; BV BVT Bouvet Island; BW BWA Botswana; BY BLR
Belarus; BZ BLZ Belize; CA CAN Canada; CC CCK Cocos Islands; CD COD Democratic Republic of the Congo; CF CAF Central
African Republic; CG COG Republic of the Congo; CH CHE Switzerland; CI CIV Ivory Coast; CK COK Cook Islands; CL CHL
Chile; CM CMR Cameroon; CN CHN China; CO COL Colombia; CR CRI Costa Rica; CU CUB Cuba; CV CPV Cabo Verde; CW CUW
Curacao; CX CXR Christmas Island; CY CYP Cyprus; CZ CZE Czechia; DE DEU Germany; DJ DJI Djibouti; DK DNK Denmark; DM
DMA Dominica; DO DOM Dominican Republic; DZ DZA Algeria; EC ECU Ecuador; EE EST Estonia; EG EGY Egypt; EH ESH
Western Sahara; ER ERI Eritrea; ES ESP Spain; ET ETH Ethiopia; FI FIN Finland; FJ FJI Fiji; FK FLK Falkland Islands;
FM FSM Micronesia; FO FRO Faroe Islands; FR FRA France; GA GAB Gabon; GB GBR United Kingdom; GD GRD Grenada; GE GEO
Georgia; GF GUF French Guiana; GG GGY Guernsey; GH GHA Ghana; GI GIB Gibraltar; GL GRL Greenland; GM GMB Gambia; GN
GIN Guinea; GP GLP Guadeloupe; GQ GNQ Equatorial Guinea; GR GRC Greece; GS SGS South Georgia and the South Sandwich
Islands; GT GTM Guatemala; GU GUM Guam; GW GNB Guinea-Bissau; GY GUY Guyana; HK HKG Hong Kong; HM HMD Heard Island
and McDonald Islands; HN HND Honduras; HR HRV Croatia; HT HTI Haiti; HU HUN Hungary; ID IDN Indonesia; IE IRL
Ireland; IL ISR Israel; IM IMN Isle of Man; IN IND India; IO IOT British Indian Ocean Territory; IQ IRQ Iraq; IR IRN
Iran; IS ISL Iceland; IT ITA Italy; JE JEY Jersey; JM JAM Jamaica; JO JOR Jordan; JP JPN Japan; KE KEN Kenya; KG KGZ
Kyrgyzstan; KH KHM Cambodia; KI KIR Kiribati; KM COM Comoros; KN KNA Saint Kitts and Nevis; KP PRK North Korea; KR
KOR South Korea; KW KWT Kuwait; KY CYM Cayman Islands; KZ KAZ Kazakhstan; LA LAO Laos; LB LBN Lebanon; LC LCA Saint
Lucia; LI LIE Liechtenstein; LK LKA Sri Lanka; LR LBR Liberia; LS LSO Lesotho; LT LTU Lithuania; LU LUX Luxembourg;
LV LVA Latvia; LY LBY Libya; MA MAR Morocco; MC MCO Monaco; MD MDA Moldova; ME MNE Montenegro; MF MAF Saint Martin;
MG MDG Madagascar; MH MHL Marshall Islands; MK MKD North Macedonia; ML MLI Mali; MM MMR Myanmar; MN MNG Mongolia; MO
MAC Macao; MP MNP Northern Mariana Islands; MQ MTQ Martinique; MR MRT Mauritania; MS MSR Montserrat; MT MLT Malta;
MU MUS Mauritius; MV MDV Maldives; MW MWI Malawi; MX MEX Mexico; MY MYS Malaysia; MZ MOZ Mozambique; NA NAM Namibia;
NC NCL New Caledonia; NE NER Niger; NF NFK Norfolk Island; NG NGA Nigeria; NI NIC Nicaragua; NL NLD Netherlands; NO
NOR Norway; NP NPL Nepal; NR NRU Nauru; NU NIU Niue; NZ NZL New Zealand; OM OMN Oman; PA PAN Panama; PE PER Peru; PF
PYF French Polynesia; PG PNG Papua New Guinea; PH PHL Philippines; PK PAK Pakistan; PL POL Poland; PM SPM Saint
Pierre and Miquelon; PN PCN Pitcairn; PR PRI Puerto Rico; PS PSE Palestinian Territory; PT PRT Portugal; PW PLW
Palau; PY PRY Paraguay; QA QAT Qatar; RE REU Reunion; RO ROU Romania; RS SRB Serbia; RU RUS Russia; RW RWA Rwanda;
SA SAU Saudi Arabia; SB SLB Solomon Islands; SC SYC Seychelles; SD SDN Sudan; SE SWE Sweden; SG SGP Singapore; SH
SHN Saint Helena; SI SVN Slovenia; SJ SJM Svalbard and Jan Mayen; SK SVK Slovakia; SL SLE Sierra Leone; SM SMR San
Marino; SN SEN Senegal; SO SOM Somalia; SR SUR Suriname; SS SSD South Sudan; ST STP Sao Tome and Principe; SV SLV El
Salvador; SX SXM Sint Maarten; SY SYR Syria; SZ SWZ Eswatini; TC TCA Turks and Caicos Islands; TD TCD Chad; TF ATF
French Southern Territories; TG TGO Togo; TH THA Thailand; TJ TJK Tajikistan; TK TKL Tokelau; TL TLS Timor Leste; TM
TKM Turkmenistan; TN TUN Tunisia; TO TON Tonga; TR TUR Turkey; TT TTO Trinidad and Tobago; TV TUV Tuvalu; TW TWN
Taiwan; TZ TZA Tanzania; UA UKR Ukraine; UG UGA Uganda; UM UMI United States Minor Outlying Islands; US USA United
States of America; UY URY Uruguay; UZ UZB Uzbekistan; VA VAT Vatican; VC VCT Saint Vincent and the Grenadines; VE
VEN Venezuela; VG VGB British Virgin Islands; VI VIR U.S. Virgin Islands; VN VNM Vietnam; VU VUT Vanuatu; WF WLF
Wallis and Futuna; WS WSM Samoa; YE YEM Yemen; YT MYT Mayotte; ZA ZAF South Africa; ZM ZMB Zambia; ZW ZWE Zimbabwe
"""
"""ISO 3166-1: alpha-2, alpha-3, English name."""

_REGION = {
    "BN": "Brunei; புருனே; บรูไน; ບຣູໄນ; ဘရူနိုင်း; ព្រុយណេ; 文莱",
    "KH": "Cambodia; Camboja; Campuchia; Kamboja; Kemboja; கம்போடியா; กัมพูชา; ກຳປູເຈຍ; ကမ္ဘောဒီးယား; កម្ពុជា; 柬埔寨",
    "ID": "Indonesia; Indonésia; இந்தோனேசியா; อินโดนีเซีย; ອິນໂດເນເຊຍ; အင်ဒိုနီးရှား; ឥណ្ឌូណេស៊ី; 印度尼西亚",
    "LA": "Laos; Lào; லாவோஸ்; ลาว; ລາວ; လာအို; ឡាវ; 老挝",
    "MY": "Malaysia; Malásia; மலேசியா; มาเลเซีย; ມາເລເຊຍ; မလေးရှား; ម៉ាឡេស៊ី; 马来西亚",
    "MM": "Mianmar (Birmânia); Myanmar (Burma); Myanmar (Miến Điện); மியான்மார் (பர்மா); "
    "เมียนมา (พม่า); ມຽນມາ (ເບີມາ); မြန်မာ; មីយ៉ាន់ម៉ា (ភូមា); 缅甸",
    "PH": "Filipina; Filipinas; Philippines; Pilipinas; பிலிப்பைன்ஸ்; ฟิลิปปินส์; ຟິລິບປິນ; ဖိလစ်ပိုင်; ហ្វ៊ីលីពីន; 菲律宾",
    "SG": "Singapore; Singapura; சிங்கப்பூர்; สิงคโปร์; ສິງກະໂປ; စင်္ကာပူ; សិង្ហបុរី; 新加坡",
    "TH": "Tailândia; Thailand; Thái Lan; தாய்லாந்து; ไทย; ໄທ; ထိုင်း; ថៃ; 泰国",
    "VN": "Vietnam; Vietnã; Việt Nam; வியட்நாம்; เวียดนาม; ຫວຽດນາມ; ဗီယက်နမ်; វៀតណាម; 越南",
    "TL": "Timor Leste; Timor-Leste; திமோர்-லெஸ்தே; ติมอร์-เลสเต; ທິມໍ-ເລສເຕ; အရှေ့တီမော; ទីម័រលេស្តេ; 东帝汶",
}
"""The region's countries as its languages name them (Unicode CLDR)."""

_OTHER_NAMES = {
    "GB": "UK; Great Britain; England; Scotland; Wales",
    "US": "USA; United States of America; Amerika Serikat; Amerika Syarikat",
    "BN": "Brunei Darussalam",
    "LA": "Lao PDR; Lao People's Democratic Republic",
    "MM": "Burma; Myanmar",
    "TL": "Timor Leste; Timor-Leste; East Timor; Timor Lorosa'e",
    "VN": "Viet Nam; Vietnam",
    "KR": "Republic of Korea; Korea, South",
    "CN": "PRC; People's Republic of China; Tiongkok",
    "RU": "Russian Federation",
    "TR": "Türkiye",
    "CZ": "Czechia",
}


def _country_codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    for row in " ".join(_COUNTRIES.split()).split("; "):
        alpha2, alpha3, name = row.split(" ", 2)
        codes |= {alpha2.casefold(): alpha2, alpha3.casefold(): alpha2, name.casefold(): alpha2}
    for table in (_REGION, _OTHER_NAMES):
        for alpha2, names in table.items():
            codes |= {name.casefold(): alpha2 for name in names.split("; ")}
    return codes


_CODES = _country_codes()


def country(sent: str) -> str:
    """Upper-case ISO 3166-1 alpha-2 where the word is a code or name of a country, else the word as sent.

    Examples: `id`, `IDN`, `Indonesia` and `อินโดนีเซีย` are `ID`; `Atlantis` stays `Atlantis`.
    """
    word = " ".join(sent.split())
    return _CODES.get(word.casefold().replace("_", " "), _CODES.get(word.casefold().replace("-", " "), word))


def is_country_code(sent: str) -> bool:
    """Is the word an alpha-2 code of ISO 3166-1, in either case?"""
    return len(sent) == 2 and _CODES.get(sent.casefold()) == sent.upper()


def is_country(sent: str) -> bool:
    """Is the word a code or name of a country?"""
    return country(sent) != " ".join(sent.split()) or " ".join(sent.split()) in _CODES.values()


def sector(sent: str) -> str:
    """A sector as STIX spells it where only case, blanks or underscores differ, else as sent."""
    word = "-".join(sent.replace("_", " ").lower().split())
    return word if word in SECTORS else sent.strip()


def rsit(label: str) -> tuple[str, str | None] | None:
    """RSIT class and type of a machine tag; None for other labels. Words outside the taxonomy are kept as sent.

    Examples: `rsit:fraud="phishing"` is (`fraud`, `phishing`); `rsit:fraud` is (`fraud`, None).
    """
    namespace, colon, rest = label.strip().partition(":")
    if not colon or namespace.strip().lower() != "rsit":
        return None
    predicate, _, value = rest.partition("=")
    predicate, value = (word.strip().strip("\"'“”").strip() for word in (predicate, value))
    known = predicate.lower() in RSIT
    return (predicate.lower(), value.lower() or None) if known else (predicate, value or None) if predicate else None
