"""`make bench`: every benchmark in turn, each printing its own rows."""

from __future__ import annotations

from tests.benchmarks import coap_rate, footprint


def main() -> None:
    """Runs them all."""
    for benchmark in (footprint, coap_rate):
        print(f"\n{benchmark.__name__.rpartition('.')[2]}: {(benchmark.__doc__ or '').splitlines()[0]}")
        benchmark.main()


if __name__ == "__main__":
    main()
