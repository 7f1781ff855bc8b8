"""The server of the page: for this machine alone, and it speaks to no other.

It listens at 127.0.0.1. A browser is told to fetch from nowhere else, gradio's reports of its use
are off, and what visitors upload is removed at the end.
"""

import os
import socket
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from model.serve.opened import OpenedModel
from schemas.errors import UsageError
from schemas.limits import MAX_IMAGE_BYTES

HOST = "127.0.0.1"
_LAST_PORT = 65_535
_HOSTS = [HOST, "localhost"]  # names that a request may give: no foreign name leads here
_POLICY = (
    b"default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    b"style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


def serve_page(
    model: OpenedModel, *, port: int, max_new_tokens: int, on_ready: Callable[[str], None]
) -> None:
    """Serve the page until a signal comes, which is raised again then.

    Args:
        model: what is asked.
        port: where to listen; 0: a free one.
        max_new_tokens: of an answer, at most.
        on_ready: takes the page's address.

    Raises:
        UsageError: the port cannot be listened at.
        KeyboardInterrupt: a signal came.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    with TemporaryDirectory(prefix="regionforge-") as uploads, _listener(port) as listener:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        import uvicorn

        app = make_app(model, max_new_tokens)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=2
        )
        on_ready(f"http://{HOST}:{listener.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[listener])


def _take_no_addresses(block: Any) -> None:
    """Let a part of the page refuse an address in the place of a file, which gradio downloads."""
    from gradio.exceptions import InvalidPathError

    keep = block.async_move_resource_to_block_cache

    async def keep_file(path: Any) -> Any:
        if isinstance(path, str) and "://" in path:
            raise InvalidPathError(f"Cannot open {path}: it was not uploaded by a user.")
        return await keep(path)

    block.async_move_resource_to_block_cache = keep_file


def make_app(model: OpenedModel, max_new_tokens: int) -> Any:
    """Return the page as an ASGI application; gradio's settings are in the environment."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from model.serve.web.page import STYLE, make_page

    outer = FastAPI(openapi_url=None)
    outer.add_middleware(_Policy)
    outer.add_middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)
    page = make_page(model, max_new_tokens)
    page.has_launched = True  # only then does gradio refuse a path that nobody has uploaded
    for block in page.blocks.values():
        _take_no_addresses(block)
    return gr.mount_gradio_app(
        outer,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        max_file_size=MAX_IMAGE_BYTES,
        ssr_mode=False,
        mcp_server=False,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css=STYLE,
    )


class _Policy:
    """Tells a browser to fetch from this server alone."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, with one header more."""

        async def send_with(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"content-security-policy", _POLICY)]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_with)


def _listener(port: int) -> socket.socket:
    if port > _LAST_PORT:
        raise UsageError(f"--port {port}: expected {_LAST_PORT} at most")
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise UsageError(f"--port {port}: {reason}: name another one") from None
