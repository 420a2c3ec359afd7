"""Lies here so that pytest puts this folder on the import path, for tests/oracle as well."""
