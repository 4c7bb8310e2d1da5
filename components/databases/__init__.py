"""Databases on volumes. Each kind is a file; others attach to one by its `host`, `port` and `url`."""

from components.databases.mysql import MySQLDatabase, MySQLDatabaseArgs, MySQLUser

__all__ = ["MySQLDatabase", "MySQLDatabaseArgs", "MySQLUser"]
