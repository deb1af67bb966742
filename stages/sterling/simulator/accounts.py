"""``useraccounts``, ``usergroups``, ``permissions``, ``uservirtualroots``: who may call, and the rules of user ids and passwords."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from stages.sterling.simulator.collection import Call, Collection
from stages.sterling.simulator.conventions import coded, like
from stages.sterling.simulator.entities import Account
from stages.sterling.simulator.fields import Field, read_fields
from stages.sterling.simulator.switches import Switches
from stages.sterling.simulator.wire import ApiError

FORBIDDEN_IN_USER_ID = frozenset("!@#%^*()+?,<>{}[]|;\\\"'")
_SAVE = "API000175: Could not save user account: "


def check_user_id(user: str, switches: Switches) -> None:
    """Refuses what a user id may not hold."""
    bad = FORBIDDEN_IN_USER_ID if switches.dot_in_user_id else FORBIDDEN_IN_USER_ID | {"."}
    if bad & set(user):
        raise ApiError(400, f"{_SAVE}API000452: User ID not valid. It holds one of {' '.join(sorted(bad))}")


def check_password(password: str, switches: Switches) -> None:
    if len(password) < switches.password_minimum:
        raise ApiError(400, f"{_SAVE}The password is shorter than the policy's {switches.password_minimum} characters")


USER = {
    "userId": Field(required=True, limit=255),
    "password": Field(),
    "givenName": Field(required=True, limit=255),
    "surname": Field(required=True, limit=255),
    "email": Field(),
    "authenticationType": Field("enum", codes=frozenset({"Local", "External"}), any_case=True),
    "authenticationHost": Field(),
    "policy": Field(),
    "sessionTimeout": Field("integer"),
    "preferredLanguage": Field(limit=5),
    "userIdentity": Field(),
    "managerId": Field(),
    "pager": Field(),
    "groups": Field("names"),
    "permissions": Field("names"),
    "authorizedUserKeys": Field("names"),
}
_CODED = ("authenticationType", "preferredLanguage")
_LISTS = {"groups": "groups", "permissions": "permissions", "authorizedUserKeys": "keys"}


class UserAccounts(Collection):
    """Accounts by user id. An update replaces whole lists: what it leaves out of a list is taken away."""

    name: ClassVar[str] = "useraccounts"
    kind: ClassVar[str] = "UserAccount"
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read", "create", "update", "patch", "delete"})

    def candidates(self, call: Call) -> Iterable[Account]:
        return self.hub.accounts.values()

    def find(self, key: str) -> Account | None:
        return self.hub.accounts.get(key)

    def key(self, item: Account) -> str:
        return item.user

    def missing(self, key: str) -> ApiError:
        return ApiError(404, f"API000464: The user account {key} does not exist")

    def view(self, item: Account, call: Call) -> dict[str, Any]:
        lists = {name: [{"name": x} for x in getattr(item, attribute)] for name, attribute in _LISTS.items()}
        plain = {name: value for name, value in item.fields.items() if value is not None and name not in _CODED}
        language = item.fields.get("preferredLanguage")
        return {
            "userId": item.user,
            **plain,
            "authenticationType": coded(item.fields.get("authenticationType") or "Local"),
            **({"preferredLanguage": coded(language)} if language else {}),
            **lists,
        }

    def create(self, call: Call) -> str:
        fields = read_fields(USER, call.fields(creating=True), creating=True)
        user, password = str(fields.pop("userId")), fields.pop("password", None)
        check_user_id(user, self.switches)
        if user in self.hub.accounts:
            raise ApiError(400, f"{_SAVE}A user with the ID {user} already exists")
        if not password:
            raise ApiError(400, f"{_SAVE}The field 'password' is required")
        check_password(password, self.switches)
        lists = self._lists(fields)
        self.hub.add_account(
            Account(
                user, password, fields, lists.get("groups", []), lists.get("permissions", []), lists.get("keys", [])
            )
        )
        return user

    def update(self, call: Call, item: Account) -> None:
        fields = read_fields(USER, call.fields(), creating=False)
        if fields.pop("userId", item.user) != item.user:
            raise ApiError(400, f"{_SAVE}The field 'userId' cannot be changed")
        password = fields.pop("password", None)
        if password == item.password:
            raise ApiError(400, f"{_SAVE}API000393: The password was used before")
        if password:
            check_password(password, self.switches)
        lists = self._lists(fields)
        if self.switches.put_replaces and call.method == "PUT":
            lists = {attribute: lists.get(attribute, []) for attribute in _LISTS.values()}
        for attribute, value in lists.items():
            setattr(item, attribute, value)
        if password:
            self.hub.set_password(item, password)
        item.fields.update(fields)
        self.hub.log("user.updated", user=item.user)

    def remove(self, call: Call, item: Account) -> None:
        self.hub.remove_account(item.user)

    def _lists(self, fields: dict[str, Any]) -> dict[str, list[str]]:
        """Takes the lists out of the fields; unknown names are refused."""
        lists = {attribute: fields.pop(name) or [] for name, attribute in _LISTS.items() if name in fields}
        for group in lists.get("groups", []):
            if group not in self.hub.groups:
                raise ApiError(400, f"{_SAVE}The group {group} does not exist")
        for permission in lists.get("permissions", []):
            if permission not in self.hub.permissions:
                raise ApiError(400, f"{_SAVE}The permission {permission} does not exist")
        for key in lists.get("keys", []):
            if key not in self.hub.records.get("sshauthorizeduserkeys", {}):
                raise ApiError(400, f"{_SAVE}API000451: Invalid authorized user key {key}")
        return lists


class UserGroups(Collection):
    """Groups and their permissions. An update replaces the permissions as a whole."""

    name: ClassVar[str] = "usergroups"
    kind: ClassVar[str] = "UserGroup"

    def candidates(self, call: Call) -> Iterable[str]:
        return list(self.hub.groups)

    def find(self, key: str) -> str | None:
        return key if key in self.hub.groups else None

    def key(self, item: str) -> str:
        return item

    def view(self, item: str, call: Call) -> dict[str, Any]:
        permissions = [{"name": name} for name in sorted(self.hub.groups[item])]
        details = self.hub.group_details.get(item, {})
        subgroups = [{"name": name} for name in details.get("subgroups") or []]
        plain = {name: details[name] for name in ("owner", "entityId") if details.get(name)}
        return {"groupName": item, "groupID": item, **plain, "permissions": permissions, "subgroups": subgroups}

    def create(self, call: Call) -> str:
        fields = read_fields(GROUP, call.fields(creating=True), creating=True)
        name = str(fields["groupName"])
        if name in self.hub.groups:
            raise ApiError(400, f"A group with the name {name} already exists")
        self.hub.groups[name] = self._permissions(fields)
        self._keep_details(name, fields)
        self.hub.log("group.created", group=name)
        return name

    def update(self, call: Call, item: str) -> None:
        fields = read_fields(GROUP, call.fields(), creating=False)
        if fields.get("groupName", item) != item:
            raise ApiError(400, "The field 'groupName' cannot be changed")
        if "permissions" in fields:
            self.hub.groups[item] = self._permissions(fields)
        self._keep_details(item, fields)
        self.hub.log("group.updated", group=item)

    def remove(self, call: Call, item: str) -> None:
        if any(item in account.groups for account in self.hub.accounts.values()):
            raise ApiError(400, f"The group {item} still has users")
        del self.hub.groups[item]
        self.hub.log("group.deleted", group=item)

    def _keep_details(self, name: str, fields: dict[str, Any]) -> None:
        for subgroup in fields.get("subgroups") or []:
            if subgroup not in self.hub.groups:
                raise ApiError(400, f"The group {subgroup} does not exist")
        self.hub.group_details.setdefault(name, {}).update(fields)

    def _permissions(self, fields: dict[str, Any]) -> set[str]:
        named = set(fields.get("permissions") or [])
        for name in sorted(named - self.hub.permissions.keys()):
            raise ApiError(400, f"The permission {name} does not exist")
        return named


_PERMISSION_TYPES = {
    0: "UI", 1: "MailBox", 2: "Template", 3: "BP", 4: "Tracking", 5: "Community", 6: "Web Service", 7: "Service", 99: "Other",
    1000: "e-invoicing", 2000: "File Gateway",
}  # fmt: skip
GROUP = {
    "groupName": Field(required=True, limit=255, pattern=r"[^/\x00-\x1f]+"),
    "owner": Field(),
    "entityId": Field(),
    "permissions": Field("names"),
    "subgroups": Field("names"),
}
PERMISSION = {
    "permissionName": Field(required=True, limit=255),
    "permissionId": Field(),
    "permissionType": Field("integer"),
}


class Permissions(Collection):
    """Permission names and types. Each mailbox brings its own."""

    name: ClassVar[str] = "permissions"
    kind: ClassVar[str] = "Permission"

    def candidates(self, call: Call) -> Iterable[str]:
        return list(self.hub.permissions)

    def find(self, key: str) -> str | None:
        return key if key in self.hub.permissions else None

    def key(self, item: str) -> str:
        return item

    def view(self, item: str, call: Call) -> dict[str, Any]:
        kind = self.hub.permissions[item]
        return {"permissionName": item, "permissionId": item, "permissionType": coded(kind, _PERMISSION_TYPES[kind])}

    def create(self, call: Call) -> str:
        fields = read_fields(PERMISSION, call.fields(creating=True), creating=True)
        name, kind = str(fields["permissionName"]), self._kind(fields, 99)
        if name in self.hub.permissions:
            raise ApiError(400, f"A permission with the name {name} already exists")
        self.hub.permissions[name] = kind
        self.hub.log("permission.created", permission=name)
        return name

    def update(self, call: Call, item: str) -> None:
        fields = read_fields(PERMISSION, call.fields(), creating=False)
        if fields.get("permissionName", item) != item:
            raise ApiError(400, "The field 'permissionName' cannot be changed")
        self.hub.permissions[item] = self._kind(fields, self.hub.permissions[item])
        self.hub.log("permission.updated", permission=item)

    def _kind(self, fields: dict[str, Any], otherwise: int) -> int:
        kind = fields.get("permissionType")
        if kind is not None and kind not in _PERMISSION_TYPES:
            raise ApiError(400, f"The permission type {kind} is not known")
        return otherwise if kind is None else int(kind)

    def remove(self, call: Call, item: str) -> None:
        del self.hub.permissions[item]
        for account in self.hub.accounts.values():
            account.permissions[:] = [name for name in account.permissions if name != item]
        for permissions in self.hub.groups.values():
            permissions.discard(item)
        self.hub.log("permission.deleted", permission=item)


VIRTUAL_ROOT = {"userName": Field(required=True), "mailboxPath": Field(required=True)}


class UserVirtualRoots(Collection):
    """Which mailbox a user sees as ``/``; made and taken away, never changed."""

    name: ClassVar[str] = "uservirtualroots"
    kind: ClassVar[str] = "UserVirtualRoot"
    verbs: ClassVar[frozenset[str]] = frozenset({"list", "read", "create", "delete"})

    def candidates(self, call: Call) -> Iterable[Account]:
        named = like(call.query.get("userName", ""), ignore_case=self.switches.search_ignores_case)
        return [x for x in self.hub.accounts.values() if x.root and named(x.user)]

    def find(self, key: str) -> Account | None:
        account = self.hub.accounts.get(key)
        return account if account and account.root else None

    def key(self, item: Account) -> str:
        return item.user

    def view(self, item: Account, call: Call) -> dict[str, Any]:
        return {"userName": item.user, "mailboxPath": item.root}

    def create(self, call: Call) -> str:
        fields = read_fields(VIRTUAL_ROOT, call.fields(creating=True), creating=True)
        account, path = self.hub.accounts.get(str(fields["userName"])), str(fields["mailboxPath"])
        if account is None:
            raise ApiError(400, f"API000464: The user account {fields['userName']} does not exist")
        if path not in self.hub.paths:
            raise ApiError(400, f"The mailbox {path} does not exist")
        if account.root:
            raise ApiError(400, f"A virtual root for the user {account.user} already exists")
        account.root = path
        self.hub.log("root.created", user=account.user, path=path)
        return account.user

    def remove(self, call: Call, item: Account) -> None:
        item.root = ""
        self.hub.log("root.deleted", user=item.user)
