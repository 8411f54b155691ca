"""What tests of several packages share, and what is no test: peers, lines, clocks, pages, certificates."""
