from __future__ import annotations

import asyncio

import aiohttp

from tokportal_server.reference.site import Site

_TYPES = {
    "/docs": "text/html; charset=utf-8",
    "/docs/": "text/html; charset=utf-8",
    "/docs/errors": "text/html; charset=utf-8",
    "/docs/guides/webhooks": "text/html; charset=utf-8",
    "/docs/guides/webhooks.md": "text/markdown; charset=utf-8",
    "/docs/operations/createBundle": "text/html; charset=utf-8",
    "/docs/operations/createBundle.md": "text/markdown; charset=utf-8",
    "/docs/assets/style.css": "text/css; charset=utf-8",
    "/docs/assets/search-index.js": "text/javascript; charset=utf-8",
    "/docs/assets/icon.svg": "image/svg+xml",
    "/docs/postman.json": "application/json",
    "/llms.txt": "text/plain; charset=utf-8",
}
_NO_PAGES = (
    "/docs/nothing",
    "/docs/operations",
    "/docs/operations/nothing",
    "/docs/assets/..%2Froutes.py",
    "/docs/templates/base.html",
    "/docs/assets/%00",
)


async def test_each_page_is_served_with_its_type_and_a_strict_policy(server: str) -> None:
    types, policies = {}, set()
    async with aiohttp.ClientSession(server) as session:
        for path in _TYPES:
            async with session.get(path) as answer:
                assert answer.status == 200
                assert await answer.read()
                types[path] = answer.headers["Content-Type"]
                policies.add(answer.headers["Content-Security-Policy"])
    assert types == _TYPES
    assert len(policies) == 1
    policy = policies.pop()
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy


async def test_every_page_and_file_of_the_reference_is_served(server: str, site: Site) -> None:
    async with aiohttp.ClientSession(server) as session:
        for target in [*site.targets, "openapi.json"]:
            elsewhere = {"llms.txt": "/llms.txt", "openapi.json": "/api/ext/openapi.json"}
            async with session.get(elsewhere.get(target, f"/docs/{target}")) as answer:
                assert answer.status == 200, target


async def test_what_is_no_page_is_not_found(server: str) -> None:
    told = {}
    async with aiohttp.ClientSession(server) as session:
        for path in _NO_PAGES:
            async with session.get(path) as answer:
                told[path] = (answer.status, (await answer.json())["error"]["code"])
    assert set(told.values()) <= {(404, "NOT_FOUND"), (400, "VALIDATION_ERROR")}


async def test_a_page_answers_a_request_for_its_head(server: str) -> None:
    async with aiohttp.ClientSession(server) as session, session.head("/docs") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_first_readers_who_come_at_once_get_the_same_page(server: str) -> None:
    async def read(session: aiohttp.ClientSession) -> bytes:
        async with session.get("/docs") as answer:
            return await answer.read()

    async with aiohttp.ClientSession(server) as session:
        texts = await asyncio.gather(*(read(session) for _ in range(8)))
    assert len(set(texts)) == 1
