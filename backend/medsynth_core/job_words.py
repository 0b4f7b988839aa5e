"""The words of the list of jobs, the same in every viewer: what stands in its columns, on its buttons, and how a job is found."""

from __future__ import annotations

from medsynth_core.deed import Deed
from medsynth_core.protocol import JobInfo, JobState
from medsynth_core.quality import KEY
from medsynth_core.quality_words import Sign, sign

COLUMNS = ("Job", "State", "From", "When")
STATE = COLUMNS.index("State")
STARRED = "★ "
TIP = "Jobs of all programs; a double click opens the result"
SEARCH, SEARCH_TIP = "Search the jobs", "Words of engine, model, program, state or note"
STARRED_ONLY = "★ only"

AGAIN = Deed("Run again", "Exactly: the same arrays, seed and parameters")
COPY = Deed("Copy as Python", "A script that makes the same result")
STAR = Deed("Star", "A job with a star is never deleted to make room")
UNSTAR = Deed("Unstar", STAR.tip)


def opens(where: str) -> Deed:
    """Return the words for bringing a result somewhere, such as 'into the scene'."""
    return Deed("Open", f"Put the result {where}")


def row(job: JobInfo, now: float) -> tuple[str, ...]:
    """Return what the columns show of a job; `now` is in seconds since the epoch."""
    return title(job), state_text(job), job.request.client, age_text(job.created, now)


def title(job: JobInfo) -> str:
    """Return a job's engine and model, with its star."""
    return STARRED * job.starred + maker(job)


def maker(job: JobInfo) -> str:
    """Return a job's engine and model."""
    return " · ".join(part for part in (job.request.engine, job.request.model) if part)


def state_text(job: JobInfo) -> str:
    """Return how far a job is, in a few words."""
    if not job.state.ended and job.total:
        return f"{job.state} {job.done}/{job.total}"
    return f"{job.state}: {job.error}" if job.state is JobState.FAILED and job.error else str(job.state)


def quality(job: JobInfo) -> Sign | None:
    """Return how good a job's result is; None where it has none yet, or nobody has measured it."""
    return sign(job.recipe) if can_open(job) and KEY in job.recipe else None


def age_text(created: float, now: float) -> str:
    """Return how long ago a time (seconds since the epoch) was."""
    minutes = max(0, int((now - created) / 60))
    if minutes < 1:
        return "now"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h" if minutes < 36 * 60 else f"{minutes // 1440} d"


def fits(job: JobInfo, search: str, starred: bool) -> bool:
    """Whether a job is looked for: each word stands in its engine, model, client, state or note."""
    request = job.request
    where = " ".join((request.engine, request.model, request.client, request.note, str(job.state))).casefold()
    return (job.starred or not starred) and all(word in where for word in search.casefold().split())


def can_open(job: JobInfo | None) -> bool:
    """Whether a job, None if none is chosen, has a result to look at."""
    return job is not None and job.state is JobState.DONE


def can_star(job: JobInfo | None) -> bool:
    """Whether a job can be kept for good: one under way is never deleted anyhow."""
    return job is not None and job.state.ended


def star_word(job: JobInfo | None) -> Deed:
    """Return what the star's button says."""
    return UNSTAR if job is not None and job.starred else STAR
