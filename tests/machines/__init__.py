"""Real machines and real shares for the tests: Debian under QEMU, samba and nfs-ganesha on the host's loopback."""
