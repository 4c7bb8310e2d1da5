"""Two machines and one share: `python -m tests.machines.example`."""

from tests.machines import snapshot
from tests.machines.samba import SambaServer

if __name__ == "__main__":
    saved = snapshot.ensure()
    with SambaServer() as server, saved.restore("one") as one, saved.restore("two") as two:
        server.add_share("logs")
        options = f"vers=3.1.1,port={server.port},credentials=/root/credentials,seal,mfsymlinks,uid=999,gid=999"
        for machine in (one, two):
            machine.put(server.credentials, "/root/credentials", 0o600)
            machine.run(f"mkdir /mnt/logs && mount -t cifs -o {options} //{machine.share_address}/logs /mnt/logs")
        one.run("hostname >/mnt/logs/testfile")
        print(two.run("cat /mnt/logs/testfile").out, [turn.client for turn in server.turns("logs")])
