"""Mails that came for the addresses of accounts, from anybody in the world."""

from __future__ import annotations

from tests.fuzz.parsers.target import Target, pieces_of, text_of
from tokportal_server.accounts.mail_codes import find_code, text_of_html
from tokportal_server.accounts.messages import read_message
from tokportal_server.lib.errors import ApiError

MESSAGE = (
    b"From: TikTok <no-reply@tiktok.example>\r\nTo: acme@mail.example\r\n"
    b"Subject: =?utf-8?q?482913_is_your_code?=\r\nMessage-ID: <1@tiktok.example>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYour code is 482913.\r\n"
    b"--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>Your code: <b>482=39=31=33</b>\r\n"
    b"--b--\r\n"
)


def read_rfc822(data: bytes) -> None:
    """A message is read into texts that can be stored, or refused."""
    try:
        mail = read_message(data, "message/rfc822")
    except ApiError:
        return
    for text in (mail.sender, mail.subject, mail.message_id, *mail.recipients):
        assert "\0" not in text
        text.encode()
    check_code(find_code(subject=mail.subject, text=mail.text, html=mail.html))


def read_json(data: bytes) -> None:
    """The JSON of a mail service is read, or refused."""
    try:
        read_message(data, "application/json")
    except ApiError:
        return


def find_a_code(data: bytes) -> None:
    """A code is four to eight digits, or there is none."""
    subject, text, html = (text_of(piece) for piece in pieces_of(data, 3))
    check_code(find_code(subject=subject, text=text, html=html))
    text_of_html(html)


def check_code(code: str | None) -> None:
    """Fail unless a code is none, or digits of ours."""
    assert code is None or (code.isascii() and code.isdigit() and 4 <= len(code) <= 8), code


TARGETS = (
    Target("mail_rfc822", read_rfc822, (MESSAGE,)),
    Target(
        "mail_json",
        read_json,
        (b'{"message_id":"1","recipients":["a@b.example"],"text":"Code 482913","html":"<p>x"}',),
    ),
    Target(
        "mail_code",
        find_a_code,
        (
            "Your code\xff482 913 \u0664\u0668\xff<p>Your <b>code</b>: 482-913".encode(
                "latin-1", "replace"
            ),
            b"code\xffG-482913 is your code. Order 77120\xff<!-- <script>1234</script>",
        ),
    ),
)
