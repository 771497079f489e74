"""Coverage-guided fuzzing of one parser: ``python -m tests.fuzz.guided NAME --seconds 60``.

atheris watches which branches of our own modules an input reaches, keeps those that reach new ones
and changes them further. A failure ends the run with its input under ``build/fuzz``, which goes to
the target's seeds when it is mended. What has been found to be interesting stays in
``build/fuzz/NAME`` and is where the next run begins.
"""

from __future__ import annotations

import argparse
import inspect
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import atheris

from tests.fuzz.parsers import TARGETS

FOUND = Path(__file__).resolve().parents[2] / "build" / "fuzz"
# What is watched, by the first word of a target's name. All of the server would take minutes to
# instrument, and what does not read the input only adds noise.
WATCHED = {
    "address": ["lib.outbound", "orders.post_urls", "uploads.share_links", "pages.entering"],
    "body": ["http.validation", "http.multipart", "http.body", "pages.forms"],
    "csv": ["videos.csv_sheet", "videos.csv_columns", "analytics.providers.manual"],
    "cursor": ["webhooks.feed"],
    "heads": ["http", "lib.redaction", "pages.forms", "webhooks.schedule"],
    "mail": ["accounts.mail_codes", "accounts.messages"],
    "media": ["uploads.sniff", "uploads.image_size", "uploads.ranges", "uploads.serving"],
    "signature": ["lib.signing", "webhooks.verification"],
}
# Parsers of others that see the input first.
OTHERS = {"body": ["multipart"], "mail": ["email"], "signature": ["tokportal"]}
# One input may not take longer, nor the process more memory: both are failures.
SECONDS_EACH = 5
MEBIBYTES = 2048


def watch(module: ModuleType) -> None:
    """Have atheris see which branches of a module, or of a package's modules, are reached.

    Functions are changed where they are. Its hook for imports instruments a whole package, and the
    server's takes minutes.
    """
    for part in pkgutil.iter_modules(getattr(module, "__path__", ())):
        watch(import_module(f"{module.__name__}.{part.name}"))
    own = [one for one in vars(module).values() if inspect.getmodule(one) is module]
    for one in own:
        members = vars(one).values() if inspect.isclass(one) else [one]
        for member in members:
            if isinstance(member, FunctionType):
                atheris.instrument_func(member)


def main() -> None:
    """Fuzz one parser for some seconds."""
    asked = argparse.ArgumentParser()
    asked.add_argument("name", choices=sorted(TARGETS))
    asked.add_argument("--seconds", type=int, default=60)
    options = asked.parse_args()
    family = options.name.partition("_")[0]
    ours = [f"tokportal_server.{module}" for module in WATCHED[family]]
    for name in (*ours, *OTHERS.get(family, [])):
        watch(import_module(name))
    target = TARGETS[options.name]
    corpus = FOUND / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(
        [
            *(sys.argv[0], str(corpus), f"-artifact_prefix={FOUND}/{target.name}-"),
            *(f"-max_total_time={options.seconds}", f"-timeout={SECONDS_EACH}"),
            *(f"-rss_limit_mb={MEBIBYTES}", "-print_final_stats=1", "-max_len=65536"),
        ],
        target.check,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
