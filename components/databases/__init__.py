"""Databases on volumes: MySQL, and what its server takes. Others attach to one by its `host`, `port` and `url`."""

from components.databases.mysql import MySQLDatabase, MySQLDatabaseArgs, MySQLUser
from components.databases.options import MySQLOptions, MySQLOptionsArgs

__all__ = ["MySQLDatabase", "MySQLDatabaseArgs", "MySQLOptions", "MySQLOptionsArgs", "MySQLUser"]
