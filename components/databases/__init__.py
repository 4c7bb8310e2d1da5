"""Databases on volumes. Each kind is a file; others attach to one by its `host`, `port` and `url`."""

from components.databases.mysql import MySQLDatabase, MySQLDatabaseArgs, MySQLUser
from components.databases.options import MySQLOptions, MySQLOptionsArgs

__all__ = ["MySQLDatabase", "MySQLDatabaseArgs", "MySQLOptions", "MySQLOptionsArgs", "MySQLUser"]
