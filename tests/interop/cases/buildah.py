"""buildah: an image made from scratch, pushed, removed, pulled; the image id covers every byte."""

from harness import case
from registry import Registry

# vfs and chroot need nothing of the kernel: they work in containers, too.
BUILDAH = ("buildah", "--storage-driver", "vfs")


@case
def build_push_pull(context):
    context.need("buildah")
    context.need_root()
    storage = (*BUILDAH, "--root", f"{context.folder}/root", "--runroot", f"{context.folder}/run")
    with open(f"{context.folder}/Containerfile", "w") as file:
        file.write("FROM scratch\nCOPY data /data\nLABEL made.by=buildah\n")
    with open(f"{context.folder}/data", "wb") as file:
        file.write(bytes(range(256)) * 4096)
    remote = f"{context.address}/buildah/image:v1"
    context.run(*storage, "build", "--isolation=chroot", "--tag", remote, context.folder)
    image_id = context.run(*storage, "images", "--quiet", "--no-trunc", remote).strip()
    context.run(*storage, "push", "--tls-verify=false", "--digestfile",
                f"{context.folder}/digest", remote, f"docker://{remote}")
    with open(f"{context.folder}/digest") as file:
        digest = file.read().strip()
    stored = Registry(context.address).read_image("buildah/image", "v1")
    assert digest in stored, f"pushed as {digest}, stored are {sorted(stored)}"
    for reference in (remote, f"{context.address}/buildah/image@{digest}"):
        context.run(*storage, "rmi", "--all", "--force")
        context.run(*storage, "pull", "--tls-verify=false", reference)
        pulled = context.run(*storage, "images", "--quiet", "--no-trunc").split()
        assert pulled == [image_id], f"pulled {pulled}, pushed {image_id}"
