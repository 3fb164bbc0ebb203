"""What the page says in English and Chinese: its labels, the arena, and the answers to what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

LANGUAGES = ("en", "zh")

Words = Callable[[str], Any]
"""A label in the visitor's language, by its key: what `gr.I18n` gives, to be translated in the browser."""

TABS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "tab_compare": "Compare",
            "tab_arena": "Arena",
            "tab_results": "Results",
            "tab_feedback": "Feedback",
        },
        "zh": {"tab_compare": "对比", "tab_arena": "竞技场", "tab_results": "结果", "tab_feedback": "反馈"},
    }
)

FEEDBACK: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "feedback_round": "Round",
            "feedback_pictures": "Before and after",
            "feedback_owner": "For the owner of this page",
            "feedback_token": "The owner's token",
            "feedback_start": "Start a round",
            "feedback_cancel": "Cancel",
        },
        "zh": {
            "feedback_round": "轮次",
            "feedback_pictures": "之前与之后",
            "feedback_owner": "页面所有者",
            "feedback_token": "所有者令牌",
            "feedback_start": "开始一轮",
            "feedback_cancel": "取消",
        },
    }
)

RESULTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "results_voters": "Voters",
            "results_family": "Family",
            "results_steps": "Steps of both",
            "results_prompts": "Prompts",
            "results_download": "Download as JSON",
        },
        "zh": {
            "results_voters": "投票者",
            "results_family": "系列",
            "results_steps": "双方步数",
            "results_prompts": "提示词",
            "results_download": "下载 JSON",
        },
    }
)

CLOSED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "closed_arena": (
                "The arena is closed: its votes cannot be kept. Whoever runs this page finds the reason in its log; "
                "DATABASE_URL says where votes are kept."
            ),
            "closed_results": "The arena is closed, so there are no results.",
        },
        "zh": {
            "closed_arena": (
                "竞技场未开放：投票无法保存。页面运行者可在日志中找到原因；DATABASE_URL 指定投票的保存位置。"
            ),
            "closed_results": "竞技场未开放，因此没有结果。",
        },
    }
)

ARENA: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "question": "Which picture is better?",
            "left": "Left",
            "right": "Right",
            "tie": "Tie",
            "both_bad": "Both bad",
            "skip": "Skip",
            "left_picture": "Left picture",
            "right_picture": "Right picture",
            "slider": "Lay one over the other",
            "zoom": "Zoom",
            "drawing": "The first pairs are being drawn. This takes a few seconds.",
            "empty": "You have seen every pair there is. New ones are being drawn.",
            "chose": "You chose {name}.",
            "chose_tie": "You called it a tie.",
            "chose_both_bad": "You found both bad.",
            "chose_skip": "You skipped this one.",
            "check": "This one was a check: one of the two is a spoiled copy of the other.",
            "named": "{name}, {steps} steps",
            "named_one": "{name}, {steps} step",
            "took": "{calls} model calls, {seconds} s",
            "took_one": "{calls} model call, {seconds} s",
            "seed": "seed {seed}",
            "counted": "Counted.",
            "undo": "Undo",
            "undone": "Taken back: this vote does not count. You have seen the models, so the pair is not asked again.",
            "away": "The arena cannot be reached; please try again.",
            "receipt": "Receipt {receipt}",
            "check_receipt": "Check that it is kept",
            "your_receipt": "A receipt of a vote",
            "look_up": "Check a receipt",
            "kept": "This vote is kept, since {day}.",
            "kept_withdrawn": "This vote of {day} was taken back; it does not count.",
            "private": "Your own prompt: counted for you, not on the public board.",
            "knowing": "Knowing the time each took, which would you use?",
            "same": "Either",
            "thanks": "Noted.",
            "count": "{votes} votes so far",
            "count_one": "{votes} vote so far",
            "today": "{today} of them today",
            "toward": "{left} more until you see what you prefer yourself",
            "mine": "What you prefer",
            "battles": "{share} % of {battles}",
            "own": "Or have two models draw what you like",
            "draw": "Draw a pair",
            "working": "Drawing your pair \N{HORIZONTAL ELLIPSIS}",
            "coming": "Your pair is ready: it comes next.",
            "offline": "The arena cannot be reached. Your vote was not taken; please try again.",
            "part": "What you vote on",
            "open": "Open arena",
            "progress": "{given} of {wanted} votes, {complete} of {comparisons} comparisons complete.",
            "forced": "Here one of the two has to be chosen; skip a pair if you cannot.",
            "done": "This study has all the votes that it needs here. Thank you! The open arena goes on.",
            "cannot": "{title}: cannot be held here ({problem}).",
            "kept_private": (
                "With each vote we keep a pseudonym, never your address, and your prompt if it is your own. "
                "Votes and own prompts may be published as a dataset."
            ),
            "kept_published": (
                "With each vote we keep a pseudonym, never your address, and your prompt if it is your own. "
                "Votes and own prompts are published as a dataset."
            ),
        },
        "zh": {
            "question": "哪张图更好？",
            "left": "左",
            "right": "右",
            "tie": "平局",
            "both_bad": "都不好",
            "skip": "跳过",
            "left_picture": "左图",
            "right_picture": "右图",
            "slider": "叠放对比",
            "zoom": "放大",
            "drawing": "正在绘制第一批图片，请稍候几秒。",
            "empty": "您已看完所有图片对，新的正在绘制。",
            "chose": "您选择了 {name}。",
            "chose_tie": "您认为是平局。",
            "chose_both_bad": "您认为两张都不好。",
            "chose_skip": "您跳过了这一对。",
            "check": "这一对是检查：其中一张是另一张的劣化副本。",
            "named": "{name}，{steps} 步",
            "named_one": "{name}，{steps} 步",
            "took": "{calls} 次模型调用，{seconds} 秒",
            "took_one": "{calls} 次模型调用，{seconds} 秒",
            "seed": "种子 {seed}",
            "counted": "已计入。",
            "undo": "撤回",
            "undone": "已撤回：此票不计入。您已看到模型名称，因此不会再次询问这一对。",
            "away": "无法连接竞技场，请重试。",
            "receipt": "回执 {receipt}",
            "check_receipt": "查询是否已保存",
            "your_receipt": "投票回执",
            "look_up": "查询回执",
            "kept": "此票已保存，日期 {day}。",
            "kept_withdrawn": "{day} 的这一票已撤回，不计入。",
            "private": "您自己的提示词：计入您自己的偏好，不计入公开榜单。",
            "knowing": "知道耗时之后，您会用哪一个？",
            "same": "都可以",
            "thanks": "已记录。",
            "count": "已投 {votes} 票",
            "count_one": "已投 {votes} 票",
            "today": "其中今天 {today} 票",
            "toward": "再投 {left} 票即可看到您自己的偏好",
            "mine": "您的偏好",
            "battles": "{battles} 次中的 {share} %",
            "own": "或者让两个模型画您想要的",
            "draw": "画一对",
            "working": "正在绘制您的图片对……",
            "coming": "您的图片对已就绪，将在下一轮出现。",
            "offline": "无法连接竞技场，您的投票未被记录，请重试。",
            "part": "投票项目",
            "open": "公开竞技场",
            "progress": "已有 {given} / {wanted} 票，{comparisons} 组对比中已完成 {complete} 组。",
            "forced": "此处必须二选一；无法选择时请跳过。",
            "done": "本研究在此所需的投票已全部收齐，谢谢！公开竞技场仍在继续。",
            "cannot": "{title}：无法在此进行（{problem}）。",
            "kept_private": (
                "每次投票会保存一个化名（绝不保存您的地址），以及您自己的提示词。投票和自拟提示词可能作为数据集公开。"
            ),
            "kept_published": (
                "每次投票会保存一个化名（绝不保存您的地址），以及您自己的提示词。投票和自拟提示词会作为数据集公开。"
            ),
        },
    }
)

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "already counted: your first vote stands": "已计入：以您的第一次投票为准。",
        "this battle is not yours; load the page again for one of your own": "这不是您的图片对，请重新加载页面。",
        "this battle has expired; here is the next one": "这一对已过期，请看下一对。",
        "there is no vote of yours on this pair": "您没有对这一对投票。",
        "this pair was a check and counts for no model, so its vote cannot be taken back": (
            "这一对是检查，不计入任何模型，因此无法撤回。"
        ),
        "only your last vote can be taken back, and only until the next one": (
            "只能撤回最近一票，且须在下一次投票之前。"
        ),
        "you took this vote back, so it needs no second answer": "您已撤回此票，无需再回答。",
        "no vote of this receipt is kept here": "此处没有保存该回执对应的投票。",
        "these pictures have not been shown yet; look at them first": "这些图片尚未显示，请先查看。",
        "that was many votes in a short time; rest your eyes for a minute, then go on": (
            "短时间内投票太多，请休息一分钟再继续。"
        ),
        "that was very many votes for one day; thank you, and come back tomorrow": (
            "今天的投票已经很多，谢谢，请明天再来。"
        ),
        "in this study one of the two has to be chosen; skip the pair if you cannot": (
            "本研究必须二选一，无法选择时请跳过。"
        ),
        "there is no such study here; the open arena is": "此处没有这项研究，请参与公开竞技场。",
        "vote first; the times are shown afterwards": "请先投票，之后会显示耗时。",
        "the page has lost its name for you; load it again": "页面已失去您的标识，请重新加载。",
        "the models are still loading; try again in a moment": "模型仍在加载，请稍后再试。",
        "the models could not draw that; try other words": "模型无法绘制该内容，请换个说法。",
        "no two models can run here, so there is nothing to compare": "此处没有两个可运行的模型，无法对比。",
        "your pair is being drawn already; it comes when it is ready": "您的图片对正在绘制，完成后即会出现。",
        "too much comes from your address at once; nothing was taken, so please try again in a moment": (
            "您的地址短时间内请求过多，未记录任何内容，请稍后再试。"
        ),
        "many visitors wait for the models; try again in a minute": "等待的访客较多，请一分钟后再试。",
        "the prompt is empty; say what to draw, for example: a big cat on a blue background": (
            "提示词为空，请说明要画什么，例如：a big cat on a blue background"
        ),
        "the arena cannot be reached for a moment; please try again": "竞技场暂时无法访问，请重试。",
        "the arena cannot be reached for a moment; your vote was not taken, so please try again": (
            "竞技场暂时无法访问，您的投票未被记录，请重试。"
        ),
    }
)
"""What the arena's door answers in Chinese, by what it says otherwise; a sentence with a value in it stays English."""


def reads_chinese(languages: str) -> bool:
    """Whether a visitor's `Accept-Language` begins with Chinese."""
    return languages.strip().lower().startswith("zh")


def sentence(said: str, languages: str = "") -> str:
    """A message as a sentence, in Chinese where the visitor's `Accept-Language` begins with it and there is one."""
    if reads_chinese(languages) and said in SENTENCES:
        return SENTENCES[said]
    return f"{said[:1].upper()}{said[1:]}{'' if said.endswith(('.', '!', '?')) else '.'}"
