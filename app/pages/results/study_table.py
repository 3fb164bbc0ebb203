"""The declared studies on the Results tab: each comparison, its progress, and the share that preferred the first."""

from __future__ import annotations

from app.services.open_studies import OpenStudies
from app.templating import render
from hypersd.arena.votes.battle import Kind


def study_rows(studies: OpenStudies, kind: Kind) -> str:
    """Every study of the family as HTML, by the votes of one kind of voter."""
    progress = [studies.counting.progress(study, kind) for study in studies.declared.values()]
    return render("studies", studies=progress, unable=studies.unable())
