"""``routingrules``: which mailboxes are watched, for which names, and what is started for a message there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Action, Call, Collection
from stages.sterling.simulator.conventions import coded, row_number
from stages.sterling.simulator.entities import Rule
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.wire import ApiError, Reply

RULE = {
    "name": Field(required=True, limit=255),
    "mailboxes": Field("texts", required=True),
    "messageNamePattern": Field(),
    "evaluationMode": Field("enum", required=True, codes=frozenset({"automatic", "manual"})),
    "actionType": Field("enum", required=True, codes=frozenset({"bp", "contract"})),
    "action": Field(required=True, limit=255),
    "runRuleAs": Field(required=True),
}


class RoutingRules(Collection):
    """Rules by name. ``evaluate`` runs one now; the scheduled service, which is off by default, runs the automatic ones."""

    name: ClassVar[str] = "routingrules"
    kind: ClassVar[str] = "RoutingRule"

    def candidates(self, call: Call) -> Iterable[Rule]:
        return self.hub.rules.values()

    def find(self, key: str) -> Rule | None:
        return self.hub.rules.get(key)

    def key(self, item: Rule) -> str:
        return item.name

    def view(self, item: Rule, call: Call) -> dict[str, Any]:
        return {
            "name": item.name,
            "mailboxes": [str(number) for number in item.mailboxes],
            "messageNamePattern": item.pattern,
            "evaluationMode": coded("automatic" if item.automatic else "manual"),
            "actionType": coded(item.kind),
            "action": item.action,
            "runRuleAs": item.run_as,
        }

    def create(self, call: Call) -> str:
        fields = read_fields(RULE, call.fields(creating=True), creating=True)
        name = str(fields["name"])
        if name in self.hub.rules:
            raise ApiError(400, f"Duplicate RoutingRule {name}")
        rule = self.hub.rules[name] = self._rule(name, fields)
        self.hub.log("rule.created", rule=name, mailboxes=list(rule.mailboxes))
        return name

    def update(self, call: Call, item: Rule) -> None:
        fields = read_fields(RULE, call.fields(), creating=False)
        if fields.get("name", item.name) != item.name:
            raise ApiError(400, "The field 'name' cannot be changed")
        before = {name: spec for name, spec in self._written(item).items() if name not in fields}
        changed = self._rule(item.name, {**before, **fields})
        changed.taken = item.taken
        self.hub.rules[item.name] = changed
        self.hub.log("rule.updated", rule=item.name)

    def remove(self, call: Call, item: Rule) -> None:
        del self.hub.rules[item.name]
        self.hub.log("rule.deleted", rule=item.name)

    def actions(self) -> Mapping[str, Action]:
        return {"evaluate": self._evaluate}

    def _evaluate(self, call: Call, item: Rule) -> Reply:
        started = self.hub.evaluate(item, list(self.hub.messages.values()))
        return Reply({"response": f"{started} messages processed"}, written=True)

    def _written(self, item: Rule) -> dict[str, Any]:
        return {
            "mailboxes": [str(number) for number in item.mailboxes],
            "messageNamePattern": item.pattern,
            "evaluationMode": "automatic" if item.automatic else "manual",
            "actionType": item.kind,
            "action": item.action,
            "runRuleAs": item.run_as,
        }

    def _rule(self, name: str, fields: Mapping[str, Any]) -> Rule:
        numbers = [row_number(text) for text in fields["mailboxes"]]
        for text, number in zip(fields["mailboxes"], numbers, strict=True):
            if number not in self.hub.mailboxes:
                raise ApiError(400, f"The mailbox {text} does not exist")
        if not numbers:
            raise ApiError(400, "The field 'mailboxes' is required")
        if fields["runRuleAs"] not in self.hub.accounts:
            raise ApiError(400, f"The user {fields['runRuleAs']} does not exist")
        automatic = fields["evaluationMode"] == "automatic"
        pattern = fields.get("messageNamePattern") or ""
        return Rule(name, numbers, pattern, automatic, fields["actionType"], fields["action"], fields["runRuleAs"])
