"""`make bench`: every benchmark in turn, each printing its own rows.

Two take longer and are run by themselves:

    python -m tests.benchmarks.rate_limited
    python -m tests.benchmarks.secure_link
"""

from __future__ import annotations

from tests.benchmarks import backlog, coap_rate, dtls, flush, footprint, held, wear


def main() -> None:
    """Runs them all."""
    for benchmark in (footprint, coap_rate, dtls, flush, held, backlog, wear):
        print(f"\n{benchmark.__name__.rpartition('.')[2]}: {(benchmark.__doc__ or '').splitlines()[0]}")
        benchmark.main()


if __name__ == "__main__":
    main()
