"""The page's MCP server, asked by the protocol's own client."""

from __future__ import annotations

import ast
import asyncio
import base64
import io
from typing import Any

import gradio as gr
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ImageContent, TextContent, Tool
from PIL import Image

TOOLS = {"compare_pictures", "models", "leaderboard", "dataset"}


def tools(demo: gr.Blocks) -> list[Tool]:
    """The tools that the server lists."""

    async def ask() -> list[Tool]:
        async with (
            streamable_http_client(f"{demo.local_url}gradio_api/mcp/") as (reader, writer, _),
            ClientSession(reader, writer) as session,
        ):
            await session.initialize()
            return (await session.list_tools()).tools

    return asyncio.run(ask())


def call(demo: gr.Blocks, name: str, **words: Any) -> CallToolResult:
    """The answer of a tool."""

    async def ask() -> CallToolResult:
        async with (
            streamable_http_client(f"{demo.local_url}gradio_api/mcp/") as (reader, writer, _),
            ClientSession(reader, writer) as session,
        ):
            await session.initialize()
            return await session.call_tool(name, words)

    return asyncio.run(ask())


def test_the_tools_compare_and_read_and_never_vote(demo: gr.Blocks) -> None:
    listed = {tool.name: tool for tool in tools(demo)}
    assert set(listed) == TOOLS
    assert all(tool.description for tool in listed.values())
    assert set(listed["compare_pictures"].inputSchema["properties"]) == {"prompt", "seed", "family", "models", "steps"}
    assert listed["leaderboard"].inputSchema["properties"]["steps"]["type"] == "integer"


def test_a_comparison_comes_as_a_picture(demo: gr.Blocks) -> None:
    answer = call(demo, "compare_pictures", prompt="a big cat", models=["hyper", "turbo"], steps=[1])
    assert not answer.isError, answer
    (picture,) = (each for each in answer.content if isinstance(each, ImageContent))
    image = Image.open(io.BytesIO(base64.b64decode(picture.data)))
    assert image.format == "PNG"
    assert image.width > 2 * 256


def test_a_reading_tool_answers_with_records(demo: gr.Blocks) -> None:
    answer = call(demo, "models", family="emoji")
    (text,) = (each.text for each in answer.content if isinstance(each, TextContent))
    assert {record["name"] for record in ast.literal_eval(text)} == {"base", "hyper", "lightning", "turbo"}


def test_bad_input_is_answered_in_one_sentence(demo: gr.Blocks) -> None:
    answer = call(demo, "models", family="dalle")
    assert answer.isError
    assert "nknown family 'dalle'" in str(answer.content)


def test_what_is_no_tool_cannot_be_called(demo: gr.Blocks) -> None:
    for name in ("compare", "vote", "arena_vote", "begin", "draw"):
        answer = call(demo, name, prompt="a cat")
        assert answer.isError, name
