"""The measurements behind docs/explanation/performance.md; run by `make bench`, no part of the tests."""
