"""Words that stand near a verification code, or near a number that is none, in many languages."""

from __future__ import annotations

import re
from typing import Final

# Stems: endings may follow. Scripts without spaces between words are matched anywhere.
_CODE = (
    *("code", "passcode", "one-time password", "otp", "pin", "verification number"),
    *("bestätigungscode", "sicherheitscode", "einmalpasswort", "kennung", "tan"),
    *("código", "codigo", "clave", "codice", "cod", "kode", "koodi", "kod", "kód", "kods", "kodas"),
    *("κωδικό", "код", "mã", "doğrulama"),
)
_CODE_ANYWHERE = (
    *("رمز", "كود", "کد", "קוד", "कोड", "รหัส"),
    *("验证码", "驗證碼", "校验码", "代码", "認証番号", "確認番号", "コード", "인증번호", "코드"),
)
# A code of another kind has one of these before it.
_OTHER_CODES = (
    *("promo", "discount", "coupon", "voucher", "gutschein", "rabatt", "referral", "invite"),
    *("zip", "postal", "post", "area", "country", "error", "qr", "bar", "source", "dress"),
    *("promotionnel", "réduction", "descuento", "desconto", "sconto", "postleit"),
)
_NUMBERED = (
    *("order", "invoice", "receipt", "ticket", "case", "reference", "ref", "transaction"),
    *("booking", "zamówieni", "faktur", "sipariş", "objednáv", "beställning"),
    *("customer", "client", "phone", "tel", "fax", "call", "suite", "box", "version", "copyright"),
    *("bestell", "rechnung", "vorgang", "kunden", "auftrag", "telefon", "postfach"),
    *("commande", "facture", "dossier", "référence", "téléphone"),
    *("pedido", "factura", "fatura", "recibo", "teléfono", "telefone", "encomenda"),
    *("ordine", "fattura", "ricevuta"),
    *("заказ", "счёт", "счет", "телефон", "đơn hàng", "pesanan"),
)
_NUMBERED_ANYWHERE = (
    *("طلب", "فاتورة", "订单", "訂單", "电话", "注文", "電話", "주문"),
    *("©", "#", "№"),
)
_UNITS = (
    *("minute", "min", "hour", "day", "second", "sec", "stund", "tag", "sekund", "heure", "jour"),
    *("hora", "día", "dia", "segundo", "ore", "ora", "giorn", "godzin", "dakika", "saat", "gün"),
    *("минут", "час", "секунд", "phút", "menit", "jam", "timm", "uur", "credit", "eur", "usd"),
)
_UNITS_ANYWHERE = (
    *("دقيقة", "分钟", "分鐘", "分", "小时", "秒", "時間", "분", "시간"),
    *("€", "$", "£", "%"),
)


def _any_of(stems: tuple[str, ...], anywhere: tuple[str, ...]) -> str:
    longest_first = sorted(stems, key=len, reverse=True)
    words = "|".join(map(re.escape, longest_first))
    return rf"(?<!\w)(?:{words})\w*|{'|'.join(map(re.escape, anywhere))}"


# "der Bestätigungscode" and "Sicherheits-Code" end in the stem as well.
CODE_WORD: Final = re.compile(
    # From a word's beginning, or a text without blanks would be searched from each letter anew.
    rf"(?<!\w)\w*code\w*|{_any_of(_CODE, _CODE_ANYWHERE)}",
    re.IGNORECASE,
)
OTHER_CODE: Final = re.compile(
    rf"(?:{'|'.join(map(re.escape, _OTHER_CODES))})\w*[ -]?\Z", re.IGNORECASE
)
NUMBERED_THING: Final = re.compile(_any_of(_NUMBERED, _NUMBERED_ANYWHERE), re.IGNORECASE)
UNIT: Final = re.compile(rf"\s*(?:{_any_of(_UNITS, _UNITS_ANYWHERE)})", re.IGNORECASE)
