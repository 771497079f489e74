"""Paths that are none, methods that are none, and operations that are not there."""

from __future__ import annotations

from tests.client import Client

ID = "7d4b4a0e-6f3c-4c9d-8e51-0d3d5c9b9a11"
NOT_OFFERED = [
    ("PATCH", "/me"),
    ("GET", f"/accounts/{ID}/managed-subscription"),
    ("POST", f"/accounts/{ID}/managed-subscription/reactivate"),
    ("POST", f"/accounts/{ID}/managed-subscription/cancel"),
    ("PATCH", f"/accounts/{ID}/commenting-profile"),
    ("POST", f"/accounts/{ID}/rewarm"),
    ("PUT", f"/bundles/{ID}/warming-terms"),
    ("GET", f"/accounts/{ID}/warming-sessions"),
    ("GET", f"/warming-sessions/{ID}"),
    ("POST", "/warming/generate-terms"),
    ("POST", f"/videos/{ID}/ad-code-request"),
    ("GET", f"/videos/{ID}/ad-code-request"),
]


async def test_a_path_that_is_none_is_not_found_even_without_a_key(nobody: Client) -> None:
    for path in ["/nowhere", "/bundle", "/bundles/a/b/c", "/ME", "/me/x", "/v1/me", "/bundles%00"]:
        reply = await nobody.get(path)
        assert (reply.status, reply.code) == (404, "NOT_FOUND")


async def test_doubled_and_trailing_slashes_change_nothing(alice: Client) -> None:
    for path in ["/me/", "//me", "/me//", f"//bundles///{ID}/"]:
        reply = await alice.get(path)
        assert reply.status == (200 if "me" in path else 404)
        assert reply.status == 200 or reply.code == "BUNDLE_NOT_FOUND"


async def test_another_method_is_405_and_says_which_there_are(nobody: Client) -> None:
    for method, path, allow in [
        ("GET", "/bundles/bulk", {"POST", "OPTIONS"}),
        ("DELETE", "/bundles/bulk", {"POST", "OPTIONS"}),
        ("DELETE", "/me", {"GET", "HEAD", "OPTIONS"}),
        ("HEAD", f"/bundles/{ID}/publish", {"POST", "OPTIONS"}),
        ("DELETE", "/bundles", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("PUT", f"/webhooks/{ID}", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("GET", f"/bundles/{ID}/videos/batch", {"PUT", "OPTIONS"}),
    ]:
        reply = await nobody.call(method, path)
        assert reply.status == 405
        assert {name.strip() for name in reply.headers["Allow"].split(",")} == allow
        if method != "HEAD":
            assert reply.code == "METHOD_NOT_ALLOWED"
            assert set(reply.details["allow"]) == allow


async def test_an_operation_of_newer_clients_is_named_as_not_offered(nobody: Client) -> None:
    for method, path in NOT_OFFERED:
        reply = await nobody.call(method, path)
        assert (reply.status, reply.code) == (404, "FEATURE_NOT_OFFERED")
        assert reply.details["operation_id"] in reply.json["error"]["message"]


async def test_there_are_twelve_of_those_with_names_of_their_own(nobody: Client) -> None:
    names = [(await nobody.call(*call)).details["operation_id"] for call in NOT_OFFERED]
    assert len(set(names)) == 12
