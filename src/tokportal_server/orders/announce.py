"""What events of an order tell (contract section 12), made from the rows at hand."""

from __future__ import annotations

from typing import Any

from tokportal_server.lib.clock import wire_day
from tokportal_server.orders.locks import Row


def about_bundle(bundle: Row) -> dict[str, Any]:
    """Give the data of a ``bundle.*`` event."""
    return {
        "bundle_id": bundle["id"],
        "external_ref": bundle["external_ref"],
        "bundle_type": bundle["bundle_type"],
        "platform": bundle["platform"],
    }


def about_profile(bundle: Row, profile: Row, **more: Any) -> dict[str, Any]:
    """Give the data of an ``account.*`` event; ``more`` replaces or adds members.

    ``username`` is the one that the account has; until there is an account, the wanted one.
    """
    submitted = profile["submitted"] or {}
    return {
        "account_id": profile["id"],
        "saved_account_id": bundle["saved_account_id"],
        "bundle_id": bundle["id"],
        "external_ref": bundle["external_ref"],
        "username": submitted.get("username", profile["username"]),
        "platform": bundle["platform"],
        **more,
    }


def about_slot(bundle: Row, slot: Row, **more: Any) -> dict[str, Any]:
    """Give the data of a ``video.*`` event; ``more`` replaces or adds members."""
    return {
        "video_id": slot["id"],
        "bundle_id": bundle["id"],
        "position": slot["position"],
        "external_ref": slot["external_ref"],
        "platform": bundle["platform"],
        "platform_url": slot["platform_url"],
        **more,
    }


def about_new_date(bundle: Row, slot: Row, *, previous: Any, new: Any) -> dict[str, Any]:
    """Give the data of ``video.rescheduled``; both dates are the first days of the windows."""
    return about_slot(
        bundle,
        slot,
        status=slot["status"],
        previous_status=slot["status"],
        previous_date=wire_day(previous),
        new_date=wire_day(new),
    )
