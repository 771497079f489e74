"""Every piece of code in the pages is what it looks like; those that can be run are (proof)."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.cast import World, give_credits
from tests.client import Client
from tests.house.doc_blocks import Block, blocks, program
from tests.orders.walk import claimed, in_days, ordered, published, set_up
from tokportal_server.entry.demo.sample import write_sample_video
from tokportal_server.entry.operations import all_operations
from tokportal_server.entry.rehearsing.scenario import read_scenario
from tokportal_server.http.validation import decode_body
from tokportal_server.lib.clock import real_now
from tokportal_server.lib.db import Connection
from tokportal_server.lib.jobs import enqueue
from tokportal_server.lib.ports import Ports
from tokportal_server.lib.settings import Settings
from tokportal_server.lib.unit_of_work import unit_of_work
from tokportal_server.rehearsal.create_rehearsal import create_rehearsal
from tokportal_server.workbench.operations.cancel_bundle import cancel_bundle
from tokportal_server.workspaces.operations.api_keys import create_api_key
from tokportal_server.workspaces.operations.create_person import create_person

BLOCKS = list(blocks())
BEST_PLAN = "UPDATE workspaces SET plan = 'full'"
HOLD = "UPDATE pgqueuer SET status = 'failed' RETURNING id"
ANN = "ann@example.com"
# What a command asks for before it does what nobody can take back, and what a reader types then.
ASKED = {"workspace erase": "Stage\n", "person erase": f"{ANN}\n"}
# Pages that begin with a server in which there is nobody.
FROM_NOTHING = ("docs/operate/install.md", "docs/guides/start-operators.md")
# What sets up a machine is not for the one that the tests run on.
OF_A_MACHINE = {
    "docs/operate/deploy.md": "installs services; tests/deploy checks the files that it names",
}
# Programs that are not run here, and why.
NOT_HERE = {
    "make": "its targets are checked to be there; they run the suite itself",
    "pip": "installs from a package registry",
    "export": "sets what the tests set",
}
# Commands that are not run here by how they begin, and why.
NOT_NOW = {
    "tokportal-server serve": "runs until it is stopped; tests/entry/test_serve.py",
    "OTEL_EXPORTER_OTLP_ENDPOINT=": "as serve; tests/entry/test_traces.py",
    "tokportal-server backup": "writes to the operator's places; tests/cli/test_backup.py",
    "tokportal-server upgrade": "is for an embedded PostgreSQL; tests/cli/test_upgrade.py",
    "TOKPORTAL_HOME=": "is another installation; tests/cli/test_backup_restore.py",
    "tokportal-server proof verify": "needs a proof of a finalized slot; tests/videos has one",
    "tokportal-server rehearse": "plays for minutes; tests/entry/test_rehearsing.py",
    "curl -X PUT": "the address comes from the answer of the call before; tests/uploads",
}


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind in kinds]


def place(block: Block) -> str:
    return block.place


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    kinds = {"shell", "http", "json", "python", "yaml", "sql", "mermaid", "cron", "fragment"}
    assert [b.place for b in BLOCKS if b.kind not in kinds] == []
    assert len(of_kind("shell")) > 30


@pytest.mark.parametrize("block", of_kind("python"), ids=place)
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("block", of_kind("json"), ids=place)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of_kind("yaml"), ids=place)
def test_a_scenario_can_be_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(block.text)
    assert read_scenario(file).steps


@pytest.mark.parametrize("block", of_kind("http"), ids=place)
def test_a_call_is_one_that_the_server_has_and_takes(block: Block) -> None:
    head, _, body = block.text.strip().partition("\n")
    method, _, target = head.partition(" ")
    path = re.sub(r"\{\w+\}", "{}", target.partition("?")[0])
    found = [
        operation
        for operation in all_operations()
        if operation.method == method
        and re.sub(r"\{\w+\}", "{}", operation.base_path + operation.path) == path
    ]
    assert len(found) == 1, head
    if body:
        assert found[0].body is not None
        decode_body(found[0].body, body.encode())


@pytest.mark.parametrize("block", of_kind("shell"), ids=place)
def test_a_command_names_a_program_that_is_run_here_or_says_why_not(block: Block) -> None:
    if block.page in OF_A_MACHINE:
        return
    for command in block.commands():
        assert program(command) in {"tokportal-server", "curl", "jq", *NOT_HERE}, command


def test_every_reason_not_to_run_something_is_still_needed() -> None:
    commands = [(b.page, command) for b in of_kind("shell") for command in b.commands()]
    assert set(NOT_HERE) <= {program(command) for _, command in commands}
    assert set(OF_A_MACHINE) <= {page for page, _ in commands}
    for start in NOT_NOW:
        assert any(command.startswith(start) for _, command in commands), start


def runnable(*pages: str, without: tuple[str, ...] = ()) -> list[Block]:
    """Give the blocks of some pages (all, if none is named) that have a command to be run."""
    return [
        block
        for block in of_kind("shell")
        if (not pages or block.page in pages)
        and block.page not in (*without, *OF_A_MACHINE)
        and any(_is_run(command) for command in block.commands())
    ]


def _is_run(command: str) -> bool:
    return program(command) not in NOT_HERE and not command.startswith(tuple(NOT_NOW))


@dataclass
class Shell:
    """Runs commands as a reader would, on the test's own server."""

    settings: Settings
    folder: Path
    names: Mapping[str, str] = field(default_factory=dict)

    async def run(self, command: str, *, typed: str = "", **names: str) -> str:
        """Run one to its end, with what is ``typed`` when it asks; give what it printed."""
        address = f"http://127.0.0.1:{self.settings.port}"
        known = {
            "http://127.0.0.1:8000": address,
            "https://tokportal.example": address,
            "curl ": "curl --fail-with-body -sS --max-time 60 ",
            **self.names,
            **names,
        }
        for name, value in known.items():
            # A variable of the shell is in the environment.
            command = re.sub(rf"(?<![$\w]){re.escape(name)}", value, command)
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", command,
            cwd=self.folder,
            env=self._environment(address),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate(typed.encode())
        assert process.returncode == 0, f"{command}\n{output.decode()}"
        return output.decode()

    def _environment(self, address: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TOKPORTAL_")}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TOKPORTAL_DATABASE_URL": self.settings.database_url or "",
            "TOKPORTAL_HOME": str(self.settings.home),
            "TOKPORTAL_PORT": str(self.settings.port),
            "TOKPORTAL_BASE_URL": f"{address}/api/ext",
            "TOKPORTAL_API_KEY": self.names.get("sk_…", ""),
            "KEY": self.names.get("sk_…", ""),
            "BUNDLE_ID": self.names.get("BUNDLE_ID", ""),
        }


@dataclass
class Scene:
    """What the commands of a page are about."""

    alice: Client
    conn: Connection
    world: World
    ports: Ports

    async def bundle(self) -> str:
        """Order, and publish."""
        return await published(self.alice, videos=3, title="Spring launch")

    async def account(self) -> str:
        """Have an account delivered; give its id."""
        bundle = await published(self.alice, videos=0)
        await claimed(self.conn, self.world, self.ports, bundle)
        account = await set_up(
            self.conn, self.world, self.ports, bundle, f"https://www.tiktok.com/@{uuid4().hex[:12]}"
        )
        assert (await self.alice.post(f"/bundles/{bundle}/account/finalize")).status == 200
        return str(account)

    async def names(self, command: str, bundle: str) -> dict[str, str]:
        """Give what a reader would write in the place of the page's names."""
        workspace, key = self.world.acme, self.world.alice_key
        if "/api/rehearsal/" in command or "workspace erase" in command:
            workspace = await self._rehearsal()
            _, key = await self._key(workspace)
        names = {"WORKSPACE_ID": str(workspace), "6f0c…": str(workspace), "sk_…": key}
        if "person invite" in command:
            # Everybody of the cast is there already.
            names["mona@"] = names["bob@"] = f"{uuid4().hex}@"
        if ANN in command:
            await create_person(conn=self.conn, email=ANN, name="Ann")
        if "4711 4712" in command:
            names["4711 4712"] = " ".join(map(str, await self._held_jobs()))
        if "BUNDLE_ID" in command:
            names["BUNDLE_ID"] = await self._bundle_for(command, bundle)
        if "ACCOUNT_ID" in command:
            names["ACCOUNT_ID"] = await self.account()
        if "KEY_ID" in command:
            names["KEY_ID"] = str((await self._key(self.world.acme))[0])
        if "DEBIT_ID" in command:
            await ordered(self.alice)
            history = (await self.alice.get("/credits/history")).data
            names["DEBIT_ID"] = next(e["id"] for e in history if e["type"] == "debit")
        return names

    async def _bundle_for(self, command: str, bundle: str) -> str:
        """Give a bundle in the state that the command is about."""
        if "--preview" in command:
            return bundle
        if "reverse-charges" in command:
            return await ordered(self.alice)
        fresh = await self.bundle()
        if "archive" in command:
            async with unit_of_work(self.conn, self.world.acme, now=real_now()) as tx:
                await cancel_bundle(
                    tx=tx, actor=self.world.as_olga, bundle_id=UUID(fresh), reason="Over"
                )
        return fresh

    async def _held_jobs(self) -> list[int]:
        for subject in ("one", "another"):
            await enqueue(self.conn, "notice_mail", {"subject": subject})
        return [row["id"] for row in await self.conn.fetch(HOLD)]

    async def _rehearsal(self) -> UUID:
        workspace = await create_rehearsal(
            conn=self.conn, name="Stage", owner_id=self.world.alice, plan="full"
        )
        await give_credits(self.conn, workspace, 1000)
        return workspace

    async def _key(self, workspace: UUID) -> tuple[UUID, str]:
        return await create_api_key(
            conn=self.conn, workspace_id=workspace, person_id=self.world.alice, name="Another"
        )


@pytest.fixture
async def scene(alice: Client, conn: Connection, world: World, ports: Ports) -> Scene:
    return Scene(alice, conn, world, ports)


@pytest.mark.proof
@pytest.mark.parametrize("page", FROM_NOTHING)
async def test_a_first_day_can_be_typed_as_it_stands(
    page: str, server: str, settings: Settings, tmp_path: Path
) -> None:
    assert server
    shell = Shell(settings, tmp_path)
    workspace = ""
    for block in runnable(page):
        for command in filter(_is_run, block.commands()):
            said = await shell.run(command, WORKSPACE_ID=workspace)
            if "workspace create" in command:
                [workspace] = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", said)


@pytest.mark.proof
@pytest.mark.parametrize("block", runnable(without=FROM_NOTHING), ids=place)
async def test_what_a_page_says_to_type_can_be_typed(
    block: Block, scene: Scene, tmp_path: Path
) -> None:
    await scene.conn.execute(BEST_PLAN)
    (tmp_path / "server.log").write_text('{"event": "request", "request_id": "r", "ms": 3}\n')
    write_sample_video(tmp_path / "clip.mp4")
    bundle = await scene.bundle()
    (tmp_path / "slots.csv").write_text(
        "position,video_type,target_publish_date,description,video_url\n"
        f"1,video,{in_days(6)},Look at this.,https://media.example.com/a.mp4\n"
    )
    commands = list(filter(_is_run, block.commands()))
    # Before the first of them: it may stop everything.
    names = [await scene.names(command, bundle) for command in commands]
    for command, known in zip(commands, names, strict=True):
        typed = "".join(words for asks, words in ASKED.items() if asks in command)
        await Shell(scene.ports.settings, tmp_path, known).run(command, typed=typed)


@pytest.mark.proof
async def test_the_first_order_of_a_customer_runs_as_one_program(
    scene: Scene, tmp_path: Path
) -> None:
    page = "docs/guides/start-customers.md"
    (tmp_path / "order.py").write_text(
        "\n\n".join(b.text for b in of_kind("python") if b.page == page)
    )
    write_sample_video(tmp_path / "video.mp4")
    workspace = await scene._rehearsal()
    _, key = await scene._key(workspace)
    shell = Shell(scene.ports.settings, tmp_path, {"sk_…": key})
    said = await shell.run(f"{shlex.quote(sys.executable)} order.py")
    assert "to review: acme.daily" in said
    assert "finalized https://" in said
