"""What the Results tab says, in Chinese: by what it says in English, so that the code reads like the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from app.texts import reads_chinese

PHRASES: Mapping[str, str] = MappingProxyType(
    {
        # which votes
        "Results": "结果",
        "All": "全部",
        "People": "真人",
        "Simulated voters": "模拟投票者",
        "Not yet": "请稍候",
        "Being computed. It takes a few seconds.": "正在计算，请稍候几秒。",
        "This part of the votes is being computed; try again in a few seconds.": "这部分投票正在计算，请几秒后再试。",
        "A part of the votes: only those {parts}.": "部分投票：仅限{parts}的投票。",
        "between contestants of {family}": " {family} 系列内部",
        "with both at {steps} step": "双方均为 {steps} 步",
        "with both at {steps} steps": "双方均为 {steps} 步",
        "on the prompts of {prompts}": "提示词集为 {prompts} ",
        ", ": "、",
        "Votes: {votes:,}. Voters: {voters:,}. Votes that count: {kept:,}, by rules of version {rules}.": (
            "投票：{votes:,}。投票者：{voters:,}。计入：{kept:,} 票（规则版本 {rules}）。"
        ),
        "No person voted here: these votes are simulated.": "此处没有真人投票：这些投票均为模拟。",
        "No ranking yet: {problem}.": "尚无排名：{problem}。",
        "A contestant is shown from {least} votes on.": "参赛模型获得 {least} 票后才会显示。",
        # strength
        "Strength": "实力",
        "Rank": "名次",
        "Contestant": "参赛模型",
        "Interval": "区间",
        "Votes": "票数",
        "Seconds": "秒",
        "preliminary": "初步",
        "{low:.0f} to {high:.0f}": "{low:.0f} 至 {high:.0f}",
        "{low:.2f} to {high:.2f}": "{low:.2f} 至 {high:.2f}",
        (
            "Strength is on Elo's scale: 1000 on average, 100 more wins 64 % of battles. Ranks are 95 % intervals, "
            "clustered by voter. Preliminary: fewer than {least} votes."
        ): (
            "实力采用 Elo 刻度：平均为 1000，高出 100 分者赢得 64 % 的对决。名次为按投票者聚类的 95 % 区间。"
            "初步：少于 {least} 票。"
        ),
        (
            "All of these votes are one voter's, so their intervals cannot be clustered by voter. Those shown take "
            "each vote for another person's, and do not say how far other people differ."
        ): (
            "这些投票全部来自同一位投票者，因此区间无法按投票者聚类。此处的区间把每一票都当作不同的人所投，"
            "并不能说明其他人之间的差异。"
        ),
        "Not yet comparable, since no votes connect them with those above: {groups}.": (
            "以下模型与上面的模型之间没有投票相连，暂时无法比较：{groups}。"
        ),
        "Quality against time": "质量与耗时",
        "Strength against seconds": "实力与秒数",
        "seconds for a picture (logarithmic: {low:.2f} to {high:.2f})": (
            "每张图的秒数（对数刻度：{low:.2f} 至 {high:.2f}）"
        ),
        "strength": "实力",
        "Who wins against whom": "谁胜过谁",
        "Win rates": "胜率",
        "settled": "已定",
        (
            "Percent of battles that the row's contestant won, ties as halves. \N{CHECK MARK}: settled, by a test that "
            "may be looked at after every vote."
        ): "行内模型赢得对决的百分比，平局计一半。\N{CHECK MARK}：已定，所用检验可在每次投票后查看。",
        # Figure 5 and studies
        "Figure 5's comparisons": "图 5 的对比",
        "Share of decisive votes for the first; the paper's own numbers, where it has them, are marked.": (
            "分出胜负的投票中支持前者的比例；论文给出的数值已标注。"
        ),
        "{ours} against {rival}": "{ours} 对 {rival}",
        "{share:.0f} % of {count}": "{count} 票中的 {share:.0f} %",
        "no votes yet": "尚无投票",
        "paper: {share} %": "论文：{share} %",
        "Comparison": "对比",
        "For the first": "支持前者",
        "Paper": "论文",
        "{given:,} of {wanted:,} votes, {complete} of {comparisons} comparisons complete.": (
            "已有 {given:,} / {wanted:,} 票，{comparisons} 组对比中已完成 {complete} 组。"
        ),
        (
            "Only votes that were given in the study count here. Intervals know that one person's votes resemble each "
            "other: those of a single voter say as much as one vote."
        ): "此处只计入研究中的投票。区间考虑了同一人的投票彼此相似：单个投票者的全部投票只相当于一票。",
        (
            "Only votes that were given in the study count here, where one of the two had to be chosen. Intervals know "
            "that one person's votes resemble each other: those of a single voter say as much as one vote."
        ): ("此处只计入研究中的投票，且必须二选一。区间考虑了同一人的投票彼此相似：单个投票者的全部投票只相当于一票。"),
        "{who} cannot be drawn here: {problem}": "{who} 无法在此绘制：{problem}",
        "{count:,} of {wanted:,}": "{count:,} / {wanted:,}",
        # the judge
        "What a judge says": "评判模型的看法",
        "Judge": "评判模型",
        (
            "A reward model that learned from votes can judge the same pictures. There is none here yet: a round on "
            "the Feedback tab makes one, or {command} and {setting}."
        ): (
            "从投票中学习的奖励模型可以评判同样的图片。此处还没有：可在“反馈”页运行一轮，"
            "或使用 {command} 和 {setting}。"
        ),
        "Mean reward": "平均奖励",
        "one prompt only": "仅一个提示词",
        (
            "A reward model, learned from votes, looked at the same pictures. {agreement} A difference of one in "
            "reward is odds of e to 1."
        ): "从投票中学习的奖励模型看了同样的图片。{agreement}奖励相差 1 相当于 e 比 1 的胜算。",
        "No vote is on a prompt that it did not learn from, so its agreement with the voters is not known.": (
            "没有投票涉及它未学习过的提示词，因此无从得知它与投票者的一致程度。"
        ),
        (
            "It agrees with the voters in {value:.0%} ({low:.0%} to {high:.0%}) of {n:,} decisive votes on prompts "
            "that it did not learn from{own}.{waiting}"
        ): (
            "在它未学习过的提示词上，它与投票者的一致率为 {value:.0%}（{low:.0%} 至 {high:.0%}，"
            "共 {n:,} 张分出胜负的票）{own}。{waiting}"
        ),
        "; they agree with themselves in {value:.0%} of {n:,}": "；投票者与自己的一致率为 {value:.0%}（共 {n:,} 次）",
        " {count:,} votes wait for it to look.": "还有 {count:,} 票等待它查看。",
        # trust
        "Can it be trusted?": "结果可信吗？",
        "Left side chosen": "选择左侧的比例",
        "Voters agree with themselves": "投票者与自己的一致程度",
        "Voters agree with each other (Krippendorff's \N{GREEK SMALL LETTER ALPHA})": (
            "投票者之间的一致程度（Krippendorff \N{GREEK SMALL LETTER ALPHA}）"
        ),
        "Leaving out any one voter": "去掉任意一位投票者",
        "moves {contestant} by {shift}": "最多使 {contestant} 的名次变动 {shift}",
        "changes no rank": "名次不变",
        "not measured yet": "尚未测量",
        "{value:.0%} of {n:,} ({low:.0%} to {high:.0%})": "{n:,} 次中的 {value:.0%}（{low:.0%} 至 {high:.0%}）",
        "{value:.2f} ({low:.2f} to {high:.2f}, {n:,} pairs)": "{value:.2f}（{low:.2f} 至 {high:.2f}，{n:,} 对）",
        "Votes that do not count": "未计入的投票",
        "skipped": "跳过",
        "both bad": "都不好",
        "own prompt": "自拟提示词",
        "gold pair": "检查对",
        "repeat": "重复对",
        "withdrawn": "已撤回",
        "identical": "两图相同",
        "gate": "未通过来源检查",
        "too fast": "过快",
        "seen before": "此前看过",
        "burst": "短时间大量投票",
        "one-sided": "总选一侧",
        "hasty voter": "投票者过于匆忙",
        "failed gold pairs": "投票者未通过检查对",
        # publishing
        "Votes are published: {when}, {waiting:,} waiting.": "投票会公开发布：{when}，{waiting:,} 票待发送。",
        "last sent {moment:%Y-%m-%d %H:%M} UTC": "最近一次发送于 {moment:%Y-%m-%d %H:%M} UTC",
        "nothing sent yet": "尚未发送",
        " The last attempt failed: {reason}.": "最近一次发送失败：{reason}。",
    }
)

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "there are no votes": "还没有投票",
        "no votes connect these groups, so they cannot be compared: {groups}": (
            "以下各组之间没有投票相连，因此无法比较：{groups}"
        ),
        "how far voters differ can be said only from two voters on": "至少有两位投票者才能判断他们之间的差异",
        "the strengths have no finite maximum; use a prior of one game or so": "实力没有有限的最大值，请使用先验",
        "of another family than {family}": "不属于 {family} 系列",
        "no such model at so many steps": "没有这个步数的模型",
        "no base model in {folder}": "{folder} 中没有基础模型",
        "{file} is not in {folder}": "{folder} 中没有 {file}",
        "needs about {memory} GB of GPU memory": "约需 {memory} GB 显存",
        "not downloaded and no network": "尚未下载且没有网络",
    }
)
"""Why something cannot be, as the package below says it, with what it names in braces."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says things in a visitor's language. What it has no Chinese for stays English.

    Args:
        language: as HTML names it: "en" or "zh".
    """

    language: str = "en"

    @property
    def chinese(self) -> bool:
        """Whether it speaks Chinese."""
        return self.language == "zh"

    def __call__(self, phrase: str, **values: object) -> str:
        """The phrase with these values in its gaps. They are HTML already if it is to be."""
        return (PHRASES.get(phrase, phrase) if self.chinese else phrase).format(**values)

    def because(self, reason: str) -> str:
        """A reason from the package below, whatever it names."""
        for english, chinese in REASONS.items() if self.chinese else ():
            if found := _pattern(english).fullmatch(reason):
                return chinese.format(**found.groupdict())
        return reason


ENGLISH, CHINESE = Speaker(), Speaker("zh")


def speaker(languages: str) -> Speaker:
    """Who speaks the language that an `Accept-Language` header begins with."""
    return CHINESE if reads_chinese(languages) else ENGLISH


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    """What fits a phrase, whatever is in its gaps."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(phrase)))
