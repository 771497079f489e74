"""``/api/rehearsal/scripts``: how the simulated managers behave. Beyond the reference."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from tokportal_server.http.answers import Answer
from tokportal_server.http.call import Call
from tokportal_server.http.registry import Router
from tokportal_server.orders.errors import BundleNotFoundError
from tokportal_server.rehearsal.clock import NotARehearsalError, require_rehearsal
from tokportal_server.rehearsal.routes import BASE_PATH
from tokportal_server.rehearsal.scripts import (
    DESCRIPTIONS,
    HIGHEST_WEIGHT,
    Script,
    choose_script,
    read_settings,
    write_settings,
)

router = Router("Rehearsal")

Seed = Annotated[int, Meta(ge=0, lt=2**53, description="Same seed and weights, same story.")]
Weight = Annotated[int, Meta(ge=0, le=HIGHEST_WEIGHT)]


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each script is drawn, beside the others."""

    prompt: Weight = 0
    slow: Weight = 0
    careless: Weight = 0
    broken_download: Weight = 0
    releases: Weight = 0
    bans: Weight = 0

    def above_zero(self) -> dict[str, int]:
        """Give the scripts that can be drawn."""
        return {name: weight for name, weight in msgspec.structs.asdict(self).items() if weight}


class ScriptsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the scripts of bundles are drawn by from now on."""

    weights: Annotated[
        Weights,
        Meta(description="By script: `slow` 1 and `prompt` 3 make every fourth bundle slow."),
    ]
    seed: Seed = 0


class ScriptDescription(msgspec.Struct, frozen=True):
    """A script that there is."""

    name: Script
    description: str


class Scripts(msgspec.Struct, frozen=True, kw_only=True):
    """How the managers of this rehearsal behave."""

    seed: int
    weights: dict[str, int]
    scripts: list[ScriptDescription]


class BundleScriptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The script to follow."""

    script: Script


class BundleScript(msgspec.Struct, frozen=True, kw_only=True):
    """The script that the managers follow with a bundle."""

    bundle_id: UUID
    script: Script


@router.operation(
    "GET",
    "/scripts",
    "getRehearsalScripts",
    summary="Read how simulated managers behave",
    returns=Scripts,
    errors=(NotARehearsalError,),
    base_path=BASE_PATH,
)
async def get_scripts(call: Call) -> Answer:
    """The scripts there are, and what those of new bundles are drawn by."""
    await require_rehearsal(call.conn, call.who.workspace_id)
    seed, weights = await read_settings(call.conn, call.who.workspace_id)
    return Answer(_scripts(seed, dict(weights)))


@router.operation(
    "PUT",
    "/scripts",
    "setRehearsalScripts",
    summary="Set how simulated managers behave",
    returns=Scripts,
    errors=(NotARehearsalError,),
    base_path=BASE_PATH,
)
async def set_scripts(call: Call, body: ScriptsRequest) -> Answer:
    """Set weights and seed for bundles that managers have not come upon yet."""
    await require_rehearsal(call.tx.conn, call.tx.workspace_id)
    weights = body.weights.above_zero()
    await write_settings(tx=call.tx, seed=body.seed, weights=weights)
    return Answer(_scripts(body.seed, weights))


@router.operation(
    "PUT",
    "/bundles/{id}/script",
    "setRehearsalBundleScript",
    summary="Choose the script of a bundle",
    returns=BundleScript,
    errors=(NotARehearsalError,),
    path_errors=(BundleNotFoundError,),
    base_path=BASE_PATH,
)
async def set_bundle_script(call: Call, body: BundleScriptRequest) -> Answer:
    """Choose what the simulated managers do with one bundle from now on.

    The same can be said at its creation, with an `external_ref` such as `rehearsal:slow:spring-7`.
    """
    bundle_id = call.id("id", BundleNotFoundError)
    await choose_script(tx=call.tx, bundle_id=bundle_id, script=body.script)
    await require_rehearsal(call.tx.conn, call.tx.workspace_id)
    return Answer(BundleScript(bundle_id=bundle_id, script=body.script))


def _scripts(seed: int, weights: dict[str, int]) -> Scripts:
    described = [ScriptDescription(name, told) for name, told in DESCRIPTIONS.items()]
    return Scripts(seed=seed, weights=weights, scripts=described)
