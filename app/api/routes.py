"""HTTP routes of the arena: small JSON requests that never wait behind a model."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gradio as gr
import orjson
from gradio.context import LocalContext
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.services.arena import Arena
from app.services.client_ip import client_address, is_local_address, network_of
from app.services.same_origin import signed_in_account
from app.texts import sentence
from hypersd.arena.service.vote_rules import RateLimited, VoteRejected
from hypersd.arena.store.store import DuplicateVote
from hypersd.arena.votes.battle import Client
from hypersd.utils.environment import Network

log = logging.getLogger(__name__)

JSONObject = dict[str, Any]


class FastJSONResponse(JSONResponse):
    """An answer as JSON. Most of it is a picture, for which the standard library takes a tenth of a vote's time."""

    def render(self, content: JSONObject) -> bytes:
        """Encode."""
        return orjson.dumps(content)


Handler = Callable[[str, JSONObject], JSONObject]
Worker = Callable[[Handler, str, JSONObject], Awaitable[JSONObject]]

_LARGEST = 16_384
_LONGEST_LINE = 12
_THREADS = 4
"""Few: they take turns with one interpreter, and threads that wait for it cost more than they do.

With 40 (Starlette's number) a full replica gave 58 votes a second and spent 16 ms on each; with 4 it gives 147 and
spends 5 (docs/scale.md). While one waits for the database the others work; what waits longer has a thread of its own
(`SerialQueue`).
"""

_COUNTED = "already counted: your first vote is kept"
_CROWDED = "too many requests come from your address; this one was not accepted, so please try again in a moment"
_NO_VOTE = "no vote with this receipt is stored here"
_AWAY = "the arena cannot be reached for a moment; please try again"
_NOT_TAKEN = "the arena cannot be reached for a moment; your vote was not counted, so please try again"


def routes(arena: Arena, own_prompts: SerialQueue | None = None) -> list[Route]:
    """POST routes under `/arena`; each takes and answers a JSON object. The visitor's token is in `X-Voter`.

    `GET /arena/receipt/RECEIPT` needs no token: it tells only whether the vote of a receipt is stored.

    Args:
        arena: of the page.
        own_prompts: the queue of visitors whose own prompts are drawn; a new one by default.
    """
    handlers: dict[str, Handler] = {
        "draw": lambda voter, words: arena.draw(
            voter, text(words, "besides", ""), text(words, "study") if "study" in words else None
        ),
        "show": lambda voter, words: arena.show(voter, text(words, "battle")),
        "vote": partial(_vote, arena),
        "undo": lambda voter, words: arena.undo(voter, text(words, "battle")),
        "answer": lambda voter, words: arena.answer(voter, text(words, "battle"), text(words, "choice")),
        "own": lambda voter, words: arena.own(voter, text(words, "prompt")),
        "progress": lambda voter, _: arena.progress(voter),
    }
    workers: dict[str, Worker] = {"own": own_prompts or SerialQueue()}
    threads = RequestThreads()
    away: dict[str, str] = {"vote": _NOT_TAKEN, "answer": _NOT_TAKEN}
    receipt = Route("/arena/receipt/{receipt}", receipt_endpoint(arena), methods=["GET"])
    return [receipt] + [
        Route(
            f"/arena/{name}",
            endpoint(
                arena,
                handle,
                workers.get(name, threads),
                own=name == "own",
                unavailable_message=away.get(name, _AWAY),
            ),
            methods=["POST"],
        )
        for name, handle in handlers.items()
    ]


def _vote(arena: Arena, voter: str, words: JSONObject) -> JSONObject:
    """A vote; with `shown`, the battle that the page shows next, also its showing and the battle after it."""
    vote = voter, text(words, "battle"), text(words, "choice"), client(words)
    if "shown" not in words:
        return arena.vote(*vote)
    study = text(words, "study") if "study" in words else None
    return arena.vote_and_advance(*vote, shown=text(words, "shown"), study=study)


@dataclass
class RequestThreads:
    """Threads of the arena's own: a vote waits for no other part of the page.

    Handing a request to such a thread takes two thirds of the processor's time of `run_in_threadpool`.
    """

    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "arena"))

    async def __call__(self, handle: Handler, voter: str, words: JSONObject) -> JSONObject:
        """Run `handle` on a free thread, or the first that becomes free."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, handle, voter, words)


@dataclass
class SerialQueue:
    """Queue of visitors who wait for the models: one request per visitor, limited length.

    They wait on a separate thread, so that votes always find a free thread.
    """

    waiting: set[str] = field(default_factory=set[str])
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "own-prompt"))

    async def __call__(self, handle: Handler, voter: str, words: JSONObject) -> JSONObject:
        """Run `handle` when it is this voter's turn.

        Raises:
            VoteRejected: the visitor waits already, or the queue is full.
        """
        if voter in self.waiting:
            raise VoteRejected("your pair is being drawn already; it comes when it is ready")
        if len(self.waiting) >= _LONGEST_LINE:
            raise VoteRejected("many visitors wait for the models; try again in a minute")
        self.waiting.add(voter)
        try:
            # GPU calls read from the context whose request this is.
            context = copy_context()
            return await asyncio.get_running_loop().run_in_executor(
                self.thread, lambda: context.run(handle, voter, words)
            )
        finally:
            self.waiting.discard(voter)


def endpoint(
    arena: Arena, handle: Handler, worker: Worker, *, own: bool, unavailable_message: str
) -> Callable[[Request], Any]:
    """An endpoint that answers every request with JSON, and reports its time in `Server-Timing`.

    200; 409: duplicate vote; 422: invalid; 429: rate limit of a voter or address, with `Retry-After`; 503: unavailable.
    """

    async def answer(request: Request) -> JSONResponse:
        headers: dict[str, str] = {}
        home = address(request, arena.proxies, on_space=arena.on_space)
        try:
            words = parsed(await _body(request))
            admit(arena, home, own=own)
            voter = arena.voter(home, request.headers.get("x-voter", ""), signed_in_account(request.scope))
            if own:
                LocalContext.request.set(gr.Request(request))
            return FastJSONResponse(await worker(handle, voter, words))
        except RateLimited as later:
            said, status, reason = str(later), 429, "rate limit"
            headers["retry-after"] = str(math.ceil(later.seconds))
        except DuplicateVote:
            said, status, reason = _COUNTED, 409, "duplicate vote"
        except (VoteRejected, ValueError) as error:
            said, status, reason = str(error).strip(), 422, "invalid"
        except Exception:
            log.exception("a request to the arena failed")
            said, status, reason = unavailable_message, 503, "unavailable"
        arena.metrics.count_refusal(reason)
        return JSONResponse({"error": sentence(said)}, status, headers=headers)

    async def timed(request: Request) -> JSONResponse:
        start = time.perf_counter()
        response = await answer(request)
        response.headers["server-timing"] = f"arena;dur={1000 * (time.perf_counter() - start):.1f}"
        return response

    return timed


def receipt_endpoint(arena: Arena) -> Callable[[Request], Any]:
    """An endpoint that tells whether the vote of a receipt is stored.

    200: it is; 404: it is not; 429: rate limit of the address, with `Retry-After`; 503: unavailable.
    """

    async def answer(request: Request) -> JSONResponse:
        headers = {"cache-control": "no-store"}
        try:
            admit(arena, address(request, arena.proxies, on_space=arena.on_space), own=False)
            kept = await run_in_threadpool(arena.receipt, request.path_params["receipt"])
        except RateLimited as later:
            said, status = str(later), 429
            headers["retry-after"] = str(math.ceil(later.seconds))
            arena.metrics.count_refusal("rate limit")
        except Exception:
            log.exception("a receipt could not be looked up")
            arena.metrics.count_refusal("unavailable")
            said, status = _AWAY, 503
        else:
            if kept:
                return JSONResponse(kept, headers=headers)
            said, status = _NO_VOTE, 404
        error = sentence(said)
        return JSONResponse({"kept": False, "error": error} if status == 404 else {"error": error}, status, headers)

    return answer


def admit(arena: Arena, home: str, *, own: bool) -> None:
    """Count a request from an address, one for an own prompt if `own`.

    Raises:
        RateLimited: the address has reached its limit.
    """
    if seconds := arena.wait(home, own=own):
        raise RateLimited(_CROWDED, seconds)


def address(request: Request, proxies: Sequence[Network] = (), *, on_space: bool = False) -> str:
    """Address of a visitor according to the trusted proxies; on a Space without any, according to the Space's proxy.

    Nobody is forwarded from this machine itself: who says so wants to pass for it.
    """
    peer = request.client.host if request.client else ""
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    if on_space and not proxies:
        first = network_of(forwarded.partition(",")[0].strip())
        return first if first and not is_local_address(first) else network_of(peer)
    return client_address(peer, forwarded, proxies)


async def _body(request: Request) -> bytes:
    """The request's bytes; reading stops when they exceed the limit."""
    read = b""
    async for chunk in request.stream():
        read += chunk
        if len(read) > _LARGEST:
            break
    return read


def parsed(body: bytes) -> JSONObject:
    """The request's JSON object.

    Raises:
        ValueError: it is none, or too long.
    """
    if len(body) > _LARGEST:
        raise ValueError("the request is too long")
    try:
        words = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, dict):
        raise ValueError("the request is not a JSON object")  # noqa: TRY004 - what was sent is wrong, no call
    return words


def text(words: JSONObject, name: str, default: str | None = None) -> str:
    """A text of the request.

    Raises:
        ValueError: it is missing, or is no text, or has characters that no database keeps.
    """
    value = words.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing, or is not a text")  # noqa: TRY004 - as above
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{name} has characters in it that cannot be kept")
    return value


def client(words: JSONObject) -> Client:
    """Parse the browser's report about the vote.

    Raises:
        ValueError: the time is no number of milliseconds, or the input unknown.
    """
    took = words.get("decision_ms")
    if took is not None and (isinstance(took, bool) or not isinstance(took, int)):
        raise ValueError("decision_ms is a whole number of milliseconds")
    given: Any = text(words, "input", "api")
    return Client(decision_ms=took, input=given)
