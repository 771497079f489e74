# ruff: noqa: RUF001 - mails come in many scripts
"""The code of a mail, in the languages that platforms write, and what is no code."""

from __future__ import annotations

import pytest

from tokportal_server.accounts.mail_codes import find_code, text_of_html

PLAIN = {
    "English": ("Your verification code is 482913. It expires in 10 minutes.", "482913"),
    "English, code first": ("482913 is your Instagram code. Don't share it.", "482913"),
    "German": ("Dein Bestätigungscode lautet:\n\n 771204\n\nGültig für 1440 Minuten.", "771204"),
    "French": ("Votre code de vérification : 90 41 12 77 n'est pas ici. Code : 904112", "904112"),
    "Spanish": ("Tu código de confirmación es 55120. Pedido 884412.", "55120"),
    "Portuguese": ("O seu código é 663 218. Não o partilhe.", "663218"),
    "Italian": ("Il tuo codice di sicurezza è 30981.", "30981"),
    "Polish": ("Twój kod weryfikacyjny to 118273.", "118273"),
    "Turkish": ("Doğrulama kodun: 440192", "440192"),
    "Russian": ("Ваш код подтверждения: 559031. Заказ 77120034.", "559031"),
    "Greek": ("Ο κωδικός σου είναι 220418.", "220418"),
    "Arabic": ("رمز التحقق الخاص بك هو ٤٨٢٩١٣", "482913"),
    "Hebrew": ("קוד האימות שלך הוא 771882", "771882"),
    "Hindi": ("आपका सत्यापन कोड 918273 है", "918273"),
    "Thai": ("รหัสยืนยันของคุณคือ 330177", "330177"),
    "Chinese": ("您的验证码是882731，10分钟内有效。", "882731"),
    "Japanese": ("認証コードは 482913 です。", "482913"),
    "Korean": ("인증번호는 123987 입니다.", "123987"),
    "Vietnamese": ("Mã xác minh của bạn là 605518.", "605518"),
    "Indonesian": ("Kode verifikasi Anda adalah 7741.", "7741"),
    "Dutch": ("Je verificatiecode is 441 902.", "441902"),
    "four digits": ("PIN: 0071", "0071"),
    "eight digits in groups": ("Security code 1234 5678", "12345678"),
    "with a prefix": ("G-482913 is your code.", "482913"),
    "full-width digits": ("Your code: ４８２９１３", "482913"),
    "digits apart": ("Your code:\n4 8 2 9 1 3\nThanks", "482913"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_finds_the_code_of_a_plain_mail(name: str) -> None:
    text, code = PLAIN[name]
    assert find_code(text=text) == code


NO_CODE = {
    "an order": "Your order 482913 has been shipped. Invoice 99120, phone 5550123.",
    "a year": "© 2026 TikTok. Use the code in the app. Copyright 2026.",
    "a promotion": "Use discount code 202611 for 20 % off your next order.",
    "a postal code": "Postal code 10115 Berlin",
    "a date": "The code was sent on 2026-11-23 at 08:15.",
    "an amount": "Your code purchase cost $4829 or 4829,13 EUR.",
    "a longer number": "The code is in message 1234567890123.",
    "an address of a page": "Get your code at https://example.com/verify/482913?u=77120",
    "a mail address": "Your code was sent to anna482913@mail.example",
    "three digits": "Your code is 482.",
    "nothing": "",
}


@pytest.mark.parametrize("name", NO_CODE)
def test_takes_nothing_else_for_a_code(name: str) -> None:
    assert find_code(text=NO_CODE[name]) is None


def test_prefers_the_code_to_an_order_and_a_year_beside_it() -> None:
    text = "Order 2207714 of 2026: your login code is 904112. Order code? No: 2026."
    assert find_code(text=text) == "904112"


def test_takes_a_year_that_a_code_word_leads_right_to() -> None:
    assert find_code(text="Your code is 2024.") == "2024"


def test_a_code_in_the_subject_is_found() -> None:
    assert find_code(subject="482913 is your verification code", text="Hello!") == "482913"


def test_a_lone_number_counts_if_the_subject_speaks_of_a_code() -> None:
    assert find_code(subject="Your security code", text="Hi Anna,\n\n482913\n\nBye") == "482913"


HTML = """
<html><head><title>Code 111111</title><style>.a{color:#482001;width:600px}</style></head>
<body><table><tr><td><p>Enter this code to confirm it's you:</p></td></tr>
<tr><td style="font-size:32px"><b>904</b>&nbsp;<b>112</b></td></tr></table>
<script>var code = 777777;</script>
<p>Order no. 5512098 &middot; &copy; 2026 &middot; <a href="https://x.example/c/666666">Help</a></p>
</body></html>
"""


def test_finds_the_code_of_an_html_mail_and_not_what_nobody_sees() -> None:
    assert find_code(html=HTML) == "904112"


def test_what_nobody_sees_is_no_text() -> None:
    seen = text_of_html(HTML)
    assert "904" in seen
    assert not any(hidden in seen for hidden in ("111111", "482001", "777777", "666666"))


def test_the_plain_part_goes_before_the_html_part() -> None:
    assert find_code(text="Your code: 111222", html="<p>Your code: 333444</p>") == "111222"
    assert find_code(text="Read this as HTML.", html="<p>Your code: 333444</p>") == "333444"


def test_a_huge_mail_is_read_in_bounded_time() -> None:
    assert find_code(text="1 " * 400_000, html="<div>" * 200_000) is None
