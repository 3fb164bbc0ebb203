"""The whole page: its tabs in one Blocks, and its launch."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from app.api.endpoints import add_endpoints, hide_from_tools
from app.api.health_routes import health_routes
from app.api.metrics_routes import metrics_routes
from app.api.routes import SerialQueue, routes
from app.pages.arena_tab import build_arena
from app.pages.compare import result_cards
from app.pages.compare.compare_tab import WORKER, build_compare
from app.pages.control.control_tab import build_control
from app.pages.feedback.feedback_tab import build_feedback
from app.pages.feedback.job_panel import JobDefaults
from app.pages.results.results_tab import build_results
from app.pages.sweep.sweep_tab import build_sweep
from app.services.arena import Arena, open_arena
from app.services.arena_workers import ArenaWorkers
from app.services.background import settle_memory, short_turns, start_trimming
from app.services.drawing_process import DrawingProcess, worker_environment
from app.services.engines import EngineManager
from app.services.gpu_calls import ZeroGPU
from app.services.health import HealthMonitor
from app.services.health_collector import HealthCollector
from app.services.loop_runner import Owner, open_runner
from app.services.same_origin import SameOriginSession
from app.services.settings import AppSettings
from app.services.uploads import BodyLimit
from app.theme import CSS_FILES, DICE_ICON, Calm, page_script
from hypersd.utils.hub_client import limit_silence
from hypersd.utils.log_format import adopt_server_logs

log = logging.getLogger(__name__)

_HEADER = """
<header class="hs-header"><h1>Hyper-SD, <em>side by side</em></h1>
<p>One prompt, one seed, the same initial noise. Compare the quality and the cost of methods for fast diffusion.</p>
</header>
"""
_TABS = ("compare", "sweep", "control", "arena", "results", "feedback")


def build(settings: AppSettings) -> gr.Blocks:
    """Build the page. Its models are loaded on the first visit."""
    engines = EngineManager(settings.families(), settings.family, settings.families, bases=settings.bases)
    engines.prepare()
    return _build(settings, engines, open_arena(engines, settings))


def launch(settings: AppSettings, *, block: bool = True, gpu: ZeroGPU | None = None, **options: Any) -> gr.Blocks:
    """Serve the page, then load the models and start the arena's workers in the background.

    Args:
        settings: of the page.
        block: do not return while the page is served.
        gpu: draws in GPU calls, on a ZeroGPU Space.
        options: more arguments for Gradio's `launch`.
    """
    short_turns()
    if settings.publish.startswith("hf://") or settings.owner_token or settings.owner_name:
        limit_silence()
    engines = EngineManager(settings.families(), settings.family, settings.families, gpu, settings.bases)
    engines.prepare()
    arena = open_arena(engines, settings)
    demo = _build(settings, engines, arena)
    own_prompts = SerialQueue()
    monitor = HealthMonitor(
        engines,
        arena,
        settings.storage.data,
        waiting=lambda: len(own_prompts.waiting) + _queue_length(demo),
    )
    monitor.failures.attach()
    engines.metrics.registry.register(HealthCollector(monitor.report))
    served = {
        "routes": [
            *health_routes(monitor),
            *metrics_routes(engines.metrics.registry, settings.owner_token),
            *(routes(arena, own_prompts) if arena else []),
        ],
        "middleware": [
            Middleware(SameOriginSession, hosts=settings.hosts),
            Middleware(BodyLimit, metrics=engines.metrics),
        ],
    }
    demo.launch(prevent_thread_lock=True, **launch_options(), app_kwargs=served, **options)
    hide_from_tools(demo)
    adopt_server_logs()
    engines.wake()
    workers = _workers(arena, engines, settings) if arena else None
    if workers:
        workers.start()
    if block:
        _serve_until_end(demo, engines, workers)
    return demo


def _workers(arena: Arena, engines: EngineManager, settings: AppSettings) -> ArenaWorkers:
    """The arena's background workers; pairs are drawn where the settings say."""
    apart = settings.draws == "apart"
    process = DrawingProcess(worker_environment(settings), engines.busy, engines.metrics) if apart else None
    return ArenaWorkers(arena, process, supplied=settings.draws == "elsewhere")


def _serve_until_end(demo: gr.Blocks, engines: EngineManager, workers: ArenaWorkers | None) -> None:
    """Serve until the process is told to end; then take no more votes, and publish the last ones."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        settle_memory()
        engines.join()
        settle_memory()
        start_trimming(threading.Event(), engines.busy)
        demo.block_thread()
    finally:
        demo.close()
        if workers:
            workers.stop()


def _queue_length(demo: gr.Blocks) -> int:
    """Events in the page's queue; Gradio tells it only over HTTP."""
    return len(demo._queue)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def launch_options() -> dict[str, Any]:
    """Arguments for Gradio's `launch`: our theme and scripts, without installable app, analytics or remote files.

    Rendering on a Node server is up to the environment (`GRADIO_SSR_MODE`), which alone decides on a Space.
    """
    return {
        "theme": Calm(),
        "css_paths": CSS_FILES,
        "js": page_script(),
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,  # anyone could make it print its key
    }


def _build(settings: AppSettings, engines: EngineManager, arena: Arena | None) -> gr.Blocks:
    # Gradio would serve a cached copy, and delete it with visitors' files after a day, or when another app ends.
    gr.set_static_paths([DICE_ICON])
    with gr.Blocks(title="Hyper-SD, side by side", analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        gr.HTML(_HEADER)
        first = engines.family(engines.first)
        status = gr.HTML(result_cards.status(first, None, engines.state(first.name)), elem_id="hs-status")
        with gr.Tabs(elem_id="hs-tabs") as tabs:
            with gr.Tab("Compare", id="compare"):
                build_compare(demo, engines, status)
            with gr.Tab("Sweep", id="sweep"):
                build_sweep(engines)
            with gr.Tab("Control", id="control") as control:
                build_control(control, engines)
            with gr.Tab("Arena", id="arena"):
                build_arena(
                    open_=arena is not None,
                    published=bool(settings.publish),
                    draws=not (arena and arena.library),
                    signs_in=settings.signs_in,
                )
            with gr.Tab("Results", id="results"):
                build_results(demo, arena)
            with gr.Tab("Feedback", id="feedback"):
                build_feedback(
                    demo,
                    open_runner(settings),
                    Owner(settings.owner_token, settings.owner_name),
                    arena=arena,
                    contestants=settings.registered,
                    jobs=JobDefaults.of(settings),
                )
        add_endpoints(engines, arena, WORKER)
        demo.load(_chosen_tab, None, tabs, queue=False, show_progress="hidden", api_visibility="private")
    return demo.queue()


def _chosen_tab(request: gr.Request) -> Any:
    """The tab named in the address: `?tab=arena`."""
    wanted = request.query_params.get("tab")
    return gr.Tabs(selected=wanted) if wanted in _TABS else gr.skip()
