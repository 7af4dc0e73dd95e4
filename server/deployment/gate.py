"""The gate: all that the world can reach of the server. It takes TLS and hands on what SuperNodes ask, nothing else.

A SuperLink answers SuperNodes, whoever submits runs or registers nodes, and its own ServerApps on one port, and only
the first have to show a key. So it listens on 127.0.0.1 alone, and from outside nothing but /v1/fleet/ is there; and
which shards of a run are withdrawn, for whoever knows the run's id.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from fedrec.deployment.settings import ServerSettings, read_settings
from server.deployment.withheld import withheld_of

LARGEST = 64 * 2**20  # bytes of a request; Flower sends arrays in chunks of 5 MiB
_SECONDS = 60.0
_AT_ONCE = 1000  # connections
_OF_ONE_HOP = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length")
)


def gate(settings: ServerSettings) -> Starlette:
    """The application."""
    trust = ssl.create_default_context(cafile=str(settings.ca))
    superlink = httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{settings.control}", verify=trust, timeout=_SECONDS,
        limits=httpx.Limits(max_connections=_AT_ONCE), trust_env=False,
    )  # fmt: skip

    async def fleet(request: Request) -> Response:
        """What a SuperNode says, whose key the SuperLink checks."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return PlainTextResponse("too large", 413)
        path = f"/v1/fleet/{request.path_params['what']}"
        try:
            answer = await superlink.post(path, content=bytes(body), headers=_kept(request.headers))
        except httpx.HTTPError:
            return PlainTextResponse("the SuperLink does not answer", 502)
        return Response(answer.content, answer.status_code, _kept(answer.headers, "content-encoding"))

    async def health(request: Request) -> Response:
        """200 where the SuperLink takes connections."""
        try:
            await superlink.get("/health", timeout=5.0)
        except httpx.HTTPError:
            return PlainTextResponse("the SuperLink does not answer", 503)
        return PlainTextResponse("ok")

    async def shards(request: Request) -> Response:
        """Those of a run that its clients are not to answer from."""
        found = withheld_of(settings.state, request.path_params["run"])
        return PlainTextResponse("no such run", 404) if found is None else JSONResponse({"withheld": found})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await superlink.aclose()

    routes = [
        Route("/v1/fleet/{what:str}", fleet, methods=["POST"]),
        Route("/v1/runs/{run:str}", shards, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _kept(headers: Mapping[str, str], *but: str) -> dict[str, str]:
    """Those that are not of one hop."""
    gone = _OF_ONE_HOP.union(but)
    return {name: value for name, value in headers.items() if name.lower() not in gone}


def main(path: Path) -> None:
    """Serve until told to end."""
    settings = read_settings(path, ServerSettings)
    uvicorn.run(
        gate(settings), host=settings.host, port=settings.port, ssl_certfile=str(settings.certificate),
        ssl_keyfile=str(settings.key), limit_concurrency=_AT_ONCE, access_log=False, log_level="warning",
        server_header=False, timeout_graceful_shutdown=3,
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
