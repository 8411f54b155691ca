"""`make bench`: every benchmark in turn, each printing its own rows.

Some take longer and are run by themselves; the last five say themselves whether they are kept:

    python -m tests.benchmarks.gateway_device
    python -m tests.benchmarks.noise
    python -m tests.benchmarks.rate_limited
    python -m tests.benchmarks.secure_link
    python -m tests.benchmarks.partial_failure
    python -m tests.benchmarks.failing_in_part --share 0.3 --seconds 90
    python -m tests.benchmarks.cut_flush --secure
    python -m tests.benchmarks.ways
    python -m tests.benchmarks.fuzz_datagrams
"""

from __future__ import annotations

from tests.benchmarks import (
    backlog,
    coap_rate,
    decode,
    dtls,
    flush,
    footprint,
    held,
    large_site,
    line,
    many,
    network,
    process,
    spool,
    table,
    wear,
)

SHOWN = (
    line,
    decode,
    spool,
    network,
    process,
    footprint,
    many,
    large_site,
)  # in docs/performance, which is written by this very command


def main() -> None:
    """Run them all, and write docs/performance."""
    tables = []
    for benchmark in (*SHOWN, coap_rate, dtls, flush, held, backlog, wear):
        print(f"\n{benchmark.__name__.rpartition('.')[2]}: {(benchmark.__doc__ or '').splitlines()[0]}")
        rows = benchmark.main()
        if benchmark in SHOWN:
            tables.append(rows)
    table.write(tables)


if __name__ == "__main__":
    main()
