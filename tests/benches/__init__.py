"""The benchmark's driver: see docs/benchmarks.md for what is measured and how.

Each subject (`poll`, `change`, `push`, …) is a file with one `measure` function; `tools` has the
three that are compared, `repositories` what they follow, `server` what serves it, `goals` and
`report` the table.
"""
