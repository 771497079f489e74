"""Rules that JSON Schema cannot express: why a call that fits the document may still be refused.

A refusal that is not named here, given to a request that the document allows, is a failure: the
document then promises what the server does not take.
"""

from __future__ import annotations

BUSINESS_CODES = {
    "ACCOUNT_ID_NOT_ALLOWED": "whether an account may be named depends on the kind of bundle",
    "BUNDLE_CLOSED_FOR_SLOTS": "how far a bundle is, is history",
    "BUNDLE_TYPE_HAS_NO_VIDEOS": "the bundle's kind is not in the request",
    "COMMENT_ACCOUNT_UNAVAILABLE": "which accounts can comment is history",
    "COMMENT_LIMIT_PER_TARGET": "whether a post was commented on today is history",
    "COMMENT_PLATFORM_MISMATCH": "a post must be on the account's platform",
    "COMMENT_TEXT_DUPLICATE": "what other accounts were given is history",
    "COUNTRY_NOT_ENABLED": "which countries are open is data of the installation",
    "DRY_RUN_ID_IN_LIVE_REQUEST": "an id that a dry run made up looks like any other",
    "EDIT_REQUEST_NO_CM": "whether a manager looks after an account is history",
    "IDEMPOTENCY_KEY_REUSED": "whether a key was used before is history",
    "INSUFFICIENT_CREDITS": "what is left of the credits is history",
    "INVALID_DATE": "how soon is too soon depends on the day",
    "MEDIA_NOT_FOUND": "which uploads there are is history",
    "MEDIA_UNREADABLE": "whether bytes can be decoded is known after decoding them",
    "NO_EDIT_SLOTS": "how many edits are left is history",
    "REFRESH_PROVIDER_FAILED": "what a platform gives is its own affair",
    "UNSUPPORTED_MEDIA_TYPE": "the bytes decide what a file is",
    "VIDEO_NOT_EDITABLE": "whether words and dates may change depends on how far the slot is",
    "VIDEOS_PER_DAY_EXCEEDED": "how full a day is depends on the other slots",
}
"""Codes that answer well-formed requests, and what it is that decides."""

UNSTORABLE = "must not contain U+0000 or a lone surrogate"
"""How the refusal of a text begins that PostgreSQL cannot hold; any field may meet it."""
FRACTION = "must be a whole number"
"""How the refusal of 85.0 or 1e2 begins: JSON Schema calls them integers, our bodies do not."""

_WEBHOOK = {"url"}
_PERIOD = {"from", "to"}
_MEDIA = {"video_url", "carousel_images", "story_image_url", "story_repost_url"}
RULES_OF_FIELDS = {
    "createBundle": {
        "account_id",
        "country",
        "edits_quantity",
        "moderation_notice",
        "niche_warming_instructions",
        "platform",
        "videos_quantity",
        "wants_deep_warming",
        "wants_moderation",
        "wants_niche_warming",
    },
    "createBundlesBulk": {
        "country",
        "external_ref",
        "moderation_notice",
        "niche_warming_instructions",
        "platforms",
        "upload_accounts_count",
        "videos_per_account",
        "wants_deep_warming",
        "wants_moderation",
        "wants_niche_warming",
    },
    "addVideoSlots": {"quantity"},
    "addEditSlots": {"quantity"},
    "configureBundleAccount": {"link_in_bio", "profile_picture_url"},
    "configureBundleVideo": {
        "carousel_title",
        "description",
        "instagram_add_to_story",
        "instagram_audio_name",
        "instagram_collaborators",
        "instagram_content_type",
        "instagram_location",
        "instant_repost_as_story",
        "target_publish_date",
        "tiktok_sound_url",
        "video_type",
        *_MEDIA,
    },
    "patchBundleVideo": {
        "description",
        "target_publish_date",
        "target_publish_start_date",
        "target_publish_end_date",
    },
    "batchConfigureBundleVideos": {"videos"},
    "importBundleVideosCsv": {"file"},
    "fixBundleVideoDownload": {"body", "video_url", "carousel_images", "story_image_url"},
    "createCommentTasks": {
        "saved_account_id",
        "target_video_url",
        "comment_text",
        "brief_id",
        "tasks",
    },
    "disputeCommentTask": {"reason"},
    "listCommentTasks": {"status"},
    "createAccountEditRequest": {"requested_link_in_bio", "requested_profile_picture_url"},
    "listAccountBans": {"since"},
    "listEvents": {"after"},
    "advanceRehearsalClock": {"hours"},
    "setRehearsalScripts": {"weights"},
    "listAnalyticsAccountComments": {"postId", "trackedPostId"},
    **dict.fromkeys(
        (
            "createAnalyticsReport",
            "exportAnalyticsReportHtml",
            "exportAnalyticsVideos",
            "getAnalyticsDashboard",
            "getAnalyticsSeries",
            "getCommentPulse",
            "listAnalyticsAccountRawSnapshots",
            "listAnalyticsPostRawSnapshots",
        ),
        _PERIOD,
    ),
    "createWebhookEndpoint": _WEBHOOK,
    "updateWebhookEndpoint": _WEBHOOK,
    "uploadImageFromUrl": _WEBHOOK,
}
"""Fields that a ``VALIDATION_ERROR`` may name although each has a value of its schema.

They depend on each other, on the bundle's platform, or on where an address leads.
"""


def is_business(operation_id: str, error: dict[str, object]) -> bool:
    """Whether an error breaks a named rule, and not what the document says."""
    if error["code"] in BUSINESS_CODES:
        return True
    details = error.get("details")
    if error["code"] != "VALIDATION_ERROR" or not isinstance(details, dict):
        return False
    named = {
        str(problem["field"]).partition("[")[0]
        for problem in details["errors"]
        if not _is_about_spelling(problem)
    }
    return named <= RULES_OF_FIELDS.get(operation_id, set())


def _is_about_spelling(problem: dict[str, object]) -> bool:
    """Whether a value is right for its schema, and only cannot be taken as it is written."""
    message, value = str(problem["message"]), problem.get("value")
    whole = isinstance(value, float) and value.is_integer()
    return message.startswith(UNSTORABLE) or (message.startswith(FRACTION) and whole)
