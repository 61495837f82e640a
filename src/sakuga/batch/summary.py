"""What a run of a batch has done, told while it goes and at the end."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from sakuga.console import tell

SHOWN_FAILURES = 10


@dataclass
class Summary:
    """What a run did."""

    out: str  # the folder of the results, for people
    painted: int = 0
    failed: int = 0
    left_out: int = 0  # being results of Sakuga themselves
    before: int = 0  # done by earlier runs, failures included
    elapsed_s: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)  # the first: source, error

    @property
    def done(self) -> int:
        """Of this run."""
        return self.painted + self.failed + self.left_out

    def note(self, elapsed_s: float) -> str:
        """How fast it goes, for the progress bar."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done / max(1e-3, elapsed_s):.1f} pictures/s{failed}"

    def tell(self, *, as_json: bool, quiet: bool) -> int:
        """Print it; gives the exit status, 1 if OUT lacks pictures that failed."""
        if as_json:
            print(json.dumps({**asdict(self), "elapsed_s": round(self.elapsed_s, 2)}))
        elif not quiet:
            rate = self.painted / max(1e-3, self.elapsed_s)
            own = f", {self.left_out} left out that are painted already" if self.left_out else ""
            before = f", {self.before} were done before" if self.before else ""
            tell(
                f"{self.out}: {self.painted} painted in {self.elapsed_s:.0f} s ({rate:.1f}/s), "
                f"{self.failed} failed{own}{before}"
            )
        for source, error in self.failures:
            tell(f"sakuga: {source}: {error.removeprefix(f'{source}: ')}")
        if len(self.failures) == SHOWN_FAILURES:
            tell(f"sakuga: all failures are in {self.out}/manifest; --retry tries them again")
        return 1 if self.failures else 0
