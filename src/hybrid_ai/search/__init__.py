"""The search: untrusted, ends in a claim with a certificate, a counterexample, or unknown with a reason."""

from hybrid_ai.search.branch import Budget as Budget
from hybrid_ai.search.branch import Progress as Progress
from hybrid_ai.search.outcome import Claimed as Claimed
from hybrid_ai.search.outcome import Effort as Effort
from hybrid_ai.search.outcome import Outcome as Outcome
from hybrid_ai.search.outcome import Refuted as Refuted
from hybrid_ai.search.outcome import Unknown as Unknown
from hybrid_ai.search.run import run_search as run_search
