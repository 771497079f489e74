"""The front page."""

from __future__ import annotations

from html import escape

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from tokportal_server import __version__

_LINKS = (
    ("/docs", "The reference: every operation with examples, and guides"),
    ("/api/ext/openapi.json", "The API as an OpenAPI 3.1 document"),
    ("/api/ext/countries", "Countries in which accounts can be set up"),
    ("/api/ext/credit-costs", "Prices"),
    ("/api/ext/webhooks/events", "Every webhook event with its schema and an example"),
    ("/readyz", "Whether the server is ready"),
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tokportal-server</title>
<style>
:root {{ color-scheme: light dark; font: 17px/1.55 system-ui, sans-serif; }}
body {{ max-width: 38rem; margin: 3rem auto; padding: 0 1.2rem; }}
h1 {{ font-size: 1.6rem; }}
li {{ margin: .45rem 0; }}
code {{ background: light-dark(#eef1f6, #222a38); padding: .1em .35em; border-radius: 4px; }}
code {{ white-space: nowrap; }}
.note {{ border-left: 4px solid #c77700; padding-left: 1rem; }}
</style>
<main>
<h1>tokportal-server {version}</h1>
<p>The server is up. Its API is under <code>/api/ext</code>; send your key in the
<code>X-API-Key</code> header.</p>
<p class="note">The pages for customers, managers and operators are not built yet, so there is
nothing to sign in to here. Everything that works, works through the API and the
<code>tokportal-server</code> command.</p>
<ul>
{links}
</ul>
</main>
</html>
"""


def page() -> str:
    """Give the front page."""
    links = "\n".join(
        f'<li><a href="{escape(path)}">{escape(text)}</a></li>' for path, text in _LINKS
    )
    return _PAGE.format(version=escape(__version__), links=links)


def front_routes() -> list[HTTPRouteHandler]:
    """Give the routes of the pages that there are."""
    content = page()
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

    @get(["/", "/console"])
    async def front() -> Response[str]:
        """Say what there is."""
        return Response(content, media_type=MediaType.HTML, headers=headers)

    return [front]
