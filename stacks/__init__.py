"""What stands together: the settings of a stack and one composition a file."""
