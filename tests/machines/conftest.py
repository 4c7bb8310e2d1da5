"""The machines' own tests."""

from tests.machines import fixtures

ganesha = fixtures.ganesha
machine = fixtures.machine
machine_plugin = fixtures.machine_plugin
machine_snapshot = fixtures.machine_snapshot
plugin_machine = fixtures.plugin_machine
restore_plugin = fixtures.restore_plugin
samba = fixtures.samba
two_machines = fixtures.two_machines
two_plugin_machines = fixtures.two_plugin_machines
