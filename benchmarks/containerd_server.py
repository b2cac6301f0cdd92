"""Debian's containerd with its content store only, as a rival of the native API."""

import pathlib
import socket
import time

from servers import Server, debian_program, first_line

# What the content store does not need. Its database does not start without any snapshotter, so
# "native" stays.
DISABLED = (
    "io.containerd.grpc.v1.cri", "io.containerd.grpc.v1.diff", "io.containerd.grpc.v1.tasks",
    "io.containerd.grpc.v1.snapshots", "io.containerd.grpc.v1.introspection",
    "io.containerd.service.v1.diff-service", "io.containerd.service.v1.tasks-service",
    "io.containerd.service.v1.snapshots-service", "io.containerd.service.v1.introspection-service",
    "io.containerd.runtime.v1.linux", "io.containerd.runtime.v2.task",
    "io.containerd.monitor.v1.cgroups", "io.containerd.differ.v1.walking",
    "io.containerd.internal.v1.opt", "io.containerd.internal.v1.restart",
    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.zfs")


class Containerd(Server):
    """Syncs a blob's file and its database before it acknowledges a commit, but not the directory
    that names the file."""

    name = "containerd"
    kind = "content"  # a protocol of its own, which only the native workloads speak
    weaker_sync = "syncs files, not directories"

    @staticmethod
    def program():
        return debian_program("containerd", "containerd")

    @property
    def socket_path(self):
        return f"{self.directory}/containerd.sock"

    def command(self):
        config = pathlib.Path(self.directory, "config.toml")
        disabled = ", ".join(f'"{plugin}"' for plugin in DISABLED)
        config.write_text(f'version = 2\nroot = "{self.directory}/store"\n'
                          f'state = "{self.directory}/state"\ndisabled_plugins = [{disabled}]\n'
                          f'[grpc]\naddress = "{self.socket_path}"\n'
                          '[ttrpc]\naddress = ""\n')
        return [self.program(), "--config", str(config), "--log-level", "error"]

    def try_to_connect(self):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(self.socket_path)

    @classmethod
    def version(cls):
        return first_line(cls.program(), "--version")


SERVERS = {Containerd.name: Containerd}
