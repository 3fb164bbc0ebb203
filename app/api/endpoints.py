"""The page's interface for other programs: typed endpoints for `gradio_client`, and the tools of the MCP server.

Votes are given at `/arena/…` only, by whoever was handed the battle; no tool votes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr

from app.api.compare_endpoint import CompareEndpoint
from app.api.read_endpoints import ReadEndpoints
from app.services.arena import Arena
from app.services.engines import EngineManager

NO_TOOLS = ("compare",)
"""Public endpoints that are no tools: pictures as text would fill a language model's context."""

_READERS_AT_ONCE = 4


def add_endpoints(engines: EngineManager, arena: Arena | None, worker: dict[str, Any]) -> None:
    """Add the public endpoints to the page.

    Args:
        engines: of the page.
        arena: None if it is closed.
        worker: the queue of events that draw.
    """
    comparing, reading = CompareEndpoint(engines), ReadEndpoints(engines, arena)
    for draw in (comparing.compare, comparing.compare_pictures):
        gr.api(_typed(draw), api_name=draw.__name__, **worker)
    for read in (reading.models, reading.leaderboard, reading.dataset):
        gr.api(_typed(read), api_name=read.__name__, concurrency_limit=_READERS_AT_ONCE)


def hide_from_tools(demo: gr.Blocks) -> None:
    """Remove the endpoints of `NO_TOOLS` from the tools of a page's MCP server, if it has one."""
    server = demo.mcp_server_obj
    if server is not None:
        tools = {tool: endpoint for tool, endpoint in server.tool_to_endpoint.items() if endpoint[1:] not in NO_TOOLS}
        server.tool_to_endpoint = tools


def _typed(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method with its types resolved: Gradio does not resolve the return types of a postponed annotation."""

    @wraps(method)
    def call(*arguments: Any, **keywords: Any) -> Any:
        return method(*arguments, **keywords)

    signature = inspect.signature(method, eval_str=True)
    vars(call)["__signature__"] = signature
    call.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    call.__annotations__["return"] = signature.return_annotation
    return call
