"""Samples that look like copies of training images do not leave, unless somebody says so, and then that is on record.

    parting = part(names, flagged, allowed=False)
    for name in parting.exported: ...
    manifest["copies"] = parting.record(); recipe |= parting.mark(name)

    rule = CopyRule(allowed=False, alone=False)                        # of results that come one after the other, by their badge
    if rule.check(recipe) == KEPT_OUT: ...
    manifest["copies"] = Parting.of({name: check}).record()

A copy shows a person whose image was learned from. Whoever overrides the rule must be findable by whoever gets the files: each
file's recipe says that it was flagged and exported all the same, and the manifest counts what was kept out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medsynth_core.errors import InputError
from medsynth_core.quality import Badge

OVERRIDE = "--allow-copies"
OVERRIDE_HELP = "of --count, save also what may be a copy; each file says so"
COPY_CHECK = "copy_check"
"""Where a file's recipe says what the rule made of it."""
UNLIKE, KEPT_OUT, ALLOWED = "no copy found", "kept out: flagged", f"flagged as a copy, exported by {OVERRIDE}"


@dataclass(frozen=True)
class Parting:
    """What is exported and what is kept out, by name in the order given; `flagged` are those that look like copies."""

    exported: tuple[str, ...]
    kept_out: tuple[str, ...]
    flagged: tuple[str, ...]

    @classmethod
    def of(cls, checks: Mapping[str, str]) -> Parting:
        """Return what became of samples by what was said of each, by name; one of which anything else is said was not checked."""
        said = {check: tuple(sorted(name for name in checks if checks[name] == check)) for check in (UNLIKE, KEPT_OUT, ALLOWED)}
        flagged = tuple(sorted((*said[KEPT_OUT], *said[ALLOWED])))
        return cls(tuple(sorted((*said[UNLIKE], *said[ALLOWED]))), said[KEPT_OUT], flagged)

    @property
    def overridden(self) -> bool:
        """Whether something flagged is exported."""
        return bool(set(self.flagged) & set(self.exported))

    def verdict(self, name: str) -> str:
        """Return what the rule says of a sample, in words for people and files."""
        if name in self.kept_out:
            return KEPT_OUT
        return ALLOWED if name in self.flagged else UNLIKE

    def mark(self, name: str) -> dict[str, str]:
        """Return what goes into the recipe of a file."""
        return marked(self.verdict(name))

    def record(self) -> dict[str, Any]:
        """Return what goes into the manifest of a folder."""
        return {
            "checked": len(self.exported) + len(self.kept_out),
            "flagged": list(self.flagged),
            "kept_out": list(self.kept_out),
            "override": OVERRIDE if self.overridden else "",
        }


@dataclass(frozen=True)
class CopyRule:
    """What becomes of a command's results by their badges: `allowed` saves possible copies all the same.

    A result that is made `alone` is what somebody looks at: it is saved, and its badge says what to look for.
    """

    allowed: bool = False
    alone: bool = False

    def check(self, recipe: Mapping[str, Any]) -> str:
        """Return what the rule says of a result by the badge in its recipe; nothing where that was not judged."""
        badge = Badge.of_recipe(recipe)
        if badge is None or badge.may_be_a_copy is None or self.alone:
            return ""
        if not badge.may_be_a_copy:
            return UNLIKE
        return ALLOWED if self.allowed else KEPT_OUT

    def stands(self, before: str, recipe: Mapping[str, Any]) -> bool:
        """Return whether what an earlier run said of a result holds; else it is to be saved now, or taken out, or marked."""
        now = self.check(recipe)
        return now == before or (before != KEPT_OUT and now in ("", UNLIKE))


def marked(check: str) -> dict[str, str]:
    """Return what goes into the recipe of a file of which this was said; nothing where nothing was."""
    return {COPY_CHECK: check} if check else {}


def not_saved(count: int) -> str:
    """Return the line that ends a command which has kept so many out; empty if none."""
    return f"{count} not saved: they may be copies of training images; {OVERRIDE} saves them, and says so" if count else ""


def part(names: Sequence[str], flagged: Collection[str], allowed: bool = False) -> Parting:
    """Return which samples may be exported. Raises InputError for a flagged name that is no sample, or if none is left."""
    if strange := sorted(set(flagged) - set(names)):
        raise InputError(f"{strange[0]} is flagged but not among the {len(names)} samples: check the samples that are exported")
    marked = tuple(name for name in names if name in set(flagged))
    kept_out = () if allowed else marked
    exported = tuple(name for name in names if name not in set(kept_out))
    if names and not exported:
        raise InputError(
            f"all {len(names)} samples look like copies of training images, so none is exported: train on more images or for "
            f"fewer steps; {OVERRIDE} exports them all the same, and says so in every file"
        )
    return Parting(exported, kept_out, marked)
