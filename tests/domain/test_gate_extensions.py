"""The content of the incident extensions: ours, and the incident suite of OASIS."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from gate_stories import MORNING, NOON, UUID, alone, incident, rules_of, sdo
from kentongan.domain.gate import INCIDENT_EXTENSION_ID
from kentongan.domain.gate.extension import EVENT_ID, IMPACT_ID, INCIDENT_CORE_ID, TASK_ID

CORE = {"extension_type": "property-extension", "determination": "suspected", "investigation_status": "open"}
NEW_SDO = {"extension_type": "new-sdo"}


def ours(**content: Any) -> dict[str, Any]:
    return incident(extensions={INCIDENT_EXTENSION_ID: {"extension_type": "property-extension", **content}})


def core(**content: Any) -> dict[str, Any]:
    return incident(extensions={INCIDENT_CORE_ID: {**CORE, **content}})


def impact(category: str = "availability", **content: Any) -> dict[str, Any]:
    return sdo("impact", impact_category=category, extensions={IMPACT_ID: NEW_SDO, category: content})


def test_our_extension_id_is_derived_from_its_address():
    expected = uuid5(NAMESPACE_URL, "https://kentongan.example/stix/incident-extension")

    assert f"extension-definition--{expected}" == INCIDENT_EXTENSION_ID


@pytest.mark.parametrize(
    "obj",
    [
        ours(severity="C1", threat_kind="ransomware", reporting_phase="early-warning"),
        ours(incident_start=MORNING, incident_start_precision="week", incident_end=NOON, incident_end_precision="hour"),
        ours(incident_start=MORNING),
        ours(),
        core(),
        core(
            criticality=0,
            recoverability="extended",
            incident_types=["ransomware"],
            impacted_entity_counts={"system": 3},
        ),
        core(
            events=[
                {
                    "event_ref": f"event--{UUID}",
                    "next_steps": [
                        {"event_ref": f"event--{UUID}", "condition_type": "required", "transition_type": "success"}
                    ],
                }
            ]
        ),
        core(scores=[{"name": "exposure", "value": 7.5}, {"incident-score": {"name": "exposure", "value": 7}}]),
        impact(availability_impact=70),
        impact("monetary", variety="ransom-demand", currency="USD", min_amount=0, max_amount=14_413.05),
        impact("x-reputation", anything="goes"),
        sdo("event", status="occurred", start_time=MORNING, end_time=NOON, extensions={EVENT_ID: NEW_SDO}),
        sdo("task", outcome="successful", priority=100, extensions={TASK_ID: NEW_SDO}),
        incident(
            extensions={f"extension-definition--{UUID}": {"extension_type": "property-extension", "any": "thing"}}
        ),
    ],
)
def test_sound_content_passes_without_a_word(obj: dict[str, Any]):
    checked = alone(obj)

    assert (checked.problems, checked.warnings) == ((), ())


@pytest.mark.parametrize(
    ("obj", "rule", "end_of_path"),
    [
        (ours(severity="high"), "incident-extension", "].severity"),
        (ours(severity="C7"), "incident-extension", "].severity"),
        (ours(reporting_phase="some-day"), "incident-extension", "].reporting_phase"),
        (ours(threat_kind=7), "incident-extension", "].threat_kind"),
        (ours(incident_start="yesterday"), "incident-extension", "].incident_start"),
        (ours(incident_start="2026-02-30T00:00:00Z"), "no-such-day", "].incident_start"),
        (ours(incident_start=MORNING, incident_start_precision="fortnight"), "incident-extension", "_start_precision"),
        (ours(incident_start_precision="day"), "incident-extension", "]"),
        (ours(incident_start=NOON, incident_end=MORNING), "incident-extension", "].incident_end"),
        (core(determination="nonsense"), "incident-core", "].determination"),
        (core(investigation_status="asleep"), "incident-core", "].investigation_status"),
        (core(criticality=900), "incident-core", "].criticality"),
        (core(criticality=-1), "incident-core", "].criticality"),
        (core(recoverability="maybe"), "incident-core", "].recoverability"),
        (core(impact_refs=[f"event--{UUID}"]), "incident-core", "].impact_refs[0]"),
        (core(impacted_entity_counts={"system": -1}), "incident-core", "].impacted_entity_counts.system"),
        (incident(extensions={INCIDENT_CORE_ID: {"extension_type": "property-extension"}}), "incident-core", "]"),
        (impact(availability_impact=101), "incident-impact", ".availability.availability_impact"),
        (
            sdo("impact", impact_category="physical", extensions={IMPACT_ID: NEW_SDO}),
            "incident-impact",
            ".impact_category",
        ),
        (impact("integrity", alteration="scratched"), "incident-impact", ".integrity.alteration"),
        (sdo("event", status="unsure", extensions={EVENT_ID: NEW_SDO}), "incident-event", ".status"),
        (
            sdo("event", status="occurred", start_time=NOON, end_time=MORNING, extensions={EVENT_ID: NEW_SDO}),
            "incident-event",
            ".end_time",
        ),
        (sdo("task", extensions={TASK_ID: NEW_SDO}), "incident-task", "$.objects[0]"),
        (sdo("task", outcome="failed", priority=101, extensions={TASK_ID: NEW_SDO}), "incident-task", ".priority"),
    ],
)
def test_wrong_content_is_refused_at_its_place(obj: dict[str, Any], rule: str, end_of_path: str):
    checked = alone(obj)

    assert {problem.rule for problem in checked.problems if problem.path.endswith(end_of_path)} == {rule}


def test_an_event_without_its_extension_is_an_unknown_type():
    checked = alone(sdo("event", status="unsure"))

    assert checked.problems == ()
    assert rules_of(checked.warnings) == {"custom-type"}
