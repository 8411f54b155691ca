"""`make bench`: every benchmark in turn, each printing its own rows.

One takes longer than all these and is run by itself: python -m tests.benchmarks.rate_limited
"""

from __future__ import annotations

from tests.benchmarks import backlog, coap_rate, flush, footprint, held, wear


def main() -> None:
    """Runs them all."""
    for benchmark in (footprint, coap_rate, flush, held, backlog, wear):
        print(f"\n{benchmark.__name__.rpartition('.')[2]}: {(benchmark.__doc__ or '').splitlines()[0]}")
        benchmark.main()


if __name__ == "__main__":
    main()
