"""Texts of what belongs to a person: the second factor, notices, mail, the search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "code.title": "Second step",
    "code.hint": (
        "Open your authenticator app and write down the six digits that it shows now, or use one"
        " of your recovery codes."
    ),
    "code.code": "Code",
    "code.do": "Sign in",
    "code.again": "Begin again",
    "factor.title": "Second step at sign-in",
    "factor.off": (
        "Off. With it, a stolen password alone opens nothing: signing in also takes a code from an"
        " app on your phone."
    ),
    "factor.on": "On since {day}. Recovery codes left: {n}.",
    "factor.begin": "Set it up",
    "factor.scan": "Read this picture with your authenticator app, or type the key into it.",
    "factor.key": "Key",
    "factor.picture": "Picture for the authenticator app",
    "factor.first": "Code that the app shows now",
    "factor.confirm": "Turn it on",
    "factor.stop": "Turn it off",
    "factor.stop_do": "Turn it off",
    "factor.password": "Your password",
    "factor.codes_title": "Recovery codes",
    "factor.codes": (
        "Keep these where your phone is not. Each signs you in once if the phone is lost. They are"
        " shown now and never again."
    ),
    "factor.codes_done": "I have kept them",
    "code.wrong": "This is not the code that the app shows now, or it was used before.",
    "code.limited": "There were too many tries. Wait a little, then try again.",
    "factor.wrong_password": "This is not your password.",
    "lost.title": "A new password",
    "lost.hint": "Write down the e-mail address that you sign in with.",
    "lost.do": "Send me a link",
    "lost.sent": (
        "If somebody here has this address, a link is on its way. It works once, within a day."
    ),
    "lost.no_mail": "This server sends no mail. The operator can give you a link.",
    "nav.notices": "Notices",
    "nav.unread": "{n} unread",
    "nav.search": "Search",
    "notices.title": "Notices",
    "notices.none": "Nothing yet. What needs you will be told here.",
    "notices.open": "Open",
    "notices.read_all": "Mark all as read",
    "notices.new": "new",
    "notices.choices": "What you want to be told",
    "notices.topic": "About",
    "notices.on_page": "On this page",
    "notices.by_mail": "By mail",
    "notices.no_mail": "This server sends no mail.",
    "notices.choose": "Keep this choice",
    "done.notices_read": "All are read.",
    "done.notices_chosen": "Your choice is kept.",
    "topic.review": "Something to review",
    "topic.corrections": "Corrections to make",
    "topic.claim_deadline": "Claim ends soon",
    "topic.overdue": "A post is overdue",
    "topic.media": "Media that fail",
    "topic.endpoint": "Webhook endpoints that fail",
    "topic.credits": "Credits low or expiring",
    "topic.ban": "An account was banned",
    "topic.edits": "Changes to a profile",
    "topic.invitation": "Invitations",
    "mail.on_its_way": "It is on its way to {to} by mail too.",
    "mail.invitation.subject": "You are invited",
    "mail.invitation.text": (
        "Hello {about},\n\nyou are invited to sign in. Choose your password here, within seven"
        " days:\n{link}\n"
    ),
    "mail.password_reset.subject": "A new password",
    "mail.password_reset.text": (
        "Hello {about},\n\nsomebody asked for a link to choose a new password for you. If it was"
        " you, it works once, within a day:\n{link}\n\nIf it was not, do nothing; your password"
        " stays as it is.\n"
    ),
    "mail.workspace_invitation.subject": "You are invited to {about}",
    "mail.workspace_invitation.text": (
        "Hello,\n\nyou are invited to the workspace {about}. Join here, within seven days:\n"
        "{link}\n"
    ),
    "mail.notice.subject": "{topic}: {workspace}",
    "mail.notice.text": (
        "{told}\n\n{link}\n\nChoose what you are told of by mail at {origin}/notices\n"
    ),
    "search.title": "Search",
    "search.what": "Title, reference, username or id",
    "search.do": "Search",
    "search.none": "Nothing that you may see begins with “{q}”.",
    "search.hint": "What begins with what you write is found, in small and capital letters.",
    "search.orders": "Orders of {name}",
    "search.claims": "Orders that you hold",
    "search.offers": "Orders that you can claim",
    "search.everywhere": "Orders of all workspaces",
    "matched.title": "by its title",
    "matched.external_ref": "by its reference",
    "matched.username": "by its account",
    "matched.id": "by its id",
    "done.factor_off": "The second step is off.",
}
