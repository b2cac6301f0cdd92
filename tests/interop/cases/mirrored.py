"""Varve for other hosts, with the configuration that deploy/SECOND_HOST.md gives: as a mirror of
Docker Hub for skopeo (as podman reads it), docker and containerd, behind nginx, filled by regsync.
The names of the page become addresses of this machine; the real Docker Hub is not reached."""

import json
import os
import re

from cases import containerd, docker
from cases.go_tools import go_build
from cases.protocol import curl
from cases.proxied import answers, free_port
from harness import case
from images import Layout, expect_same_blobs, read_blobs
from registry import Registry

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../deploy/SECOND_HOST.md")


def block(language, holding):
    """The one block of the page in that language that holds the text."""
    with open(PAGE, encoding="utf-8") as page:
        found = [text for text in re.findall(rf"```{language}\n(.*?)```", page.read(), re.DOTALL)
                 if holding in text]
    assert len(found) == 1, f"{PAGE} has {len(found)} blocks of {language} with {holding}"
    return found[0]


def replaced(text, *pairs):
    for old, new in pairs:
        assert text.count(old) >= 1, f"{old} does not stand in {PAGE}"
        text = text.replace(old, new)
    return text


def write(context, name, text):
    path = f"{context.folder}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def image_of_the_hub(context, name):
    """Pushes an image as what Docker Hub calls library/`name`:v1."""
    layout = Layout(f"{context.folder}/image")
    root = layout.image(name)
    Registry(context.address).push_layout(f"library/{name}", layout, root, "v1")
    return layout


@case
def for_podman_and_skopeo(context):
    context.need("skopeo")
    layout = image_of_the_hub(context, "mirrored-skopeo")
    config = replaced(block("toml", "[[registry.mirror]]"),
                      ('"mirror.example.com"', f'"{context.address}"\ninsecure = true'))
    context.run("skopeo", "--insecure-policy", "--registries-conf",
                write(context, "registries.conf", config), "copy", "--quiet", "--preserve-digests",
                "docker://docker.io/library/mirrored-skopeo:v1", f"oci:{context.folder}/back:v1")
    expect_same_blobs(layout.blobs, read_blobs(f"{context.folder}/back"))


@case
def for_docker(context):
    context.need_root()
    client, server = docker.client(context), docker.daemon_command(context)
    image_of_the_hub(context, "mirrored-docker")
    settings = json.loads(replaced(block("json", "registry-mirrors"),
                                   ("https://mirror.example.com", f"http://{context.address}")))
    settings["insecure-registries"] = [context.address]
    config = write(context, "daemon.json", json.dumps(settings))
    with context.background(*server, "--config-file", config, ready=docker.answers(client)):
        context.run(*client, "pull", "mirrored-docker:v1")
        context.run(*client, "image", "inspect", "mirrored-docker:v1")


@case
def for_containerd(context):
    context.need("containerd", "ctr")
    context.need_root()
    layout = image_of_the_hub(context, "mirrored-ctr")
    write(context, "certs.d/docker.io/hosts.toml",
          replaced(block("toml", "capabilities"),
                   ("https://mirror.example.com", f"http://{context.address}")))
    ctr = containerd.ctr(context)
    with context.background(*containerd.configured(context), ready=containerd.answers(ctr)):
        context.run(*ctr, "images", "pull", "--hosts-dir", f"{context.folder}/certs.d",
                    "--snapshotter", "native", "docker.io/library/mirrored-ctr:v1")
        expect_same_blobs(layout.blobs, containerd.content_of(context, layout.blobs))


@case
def behind_nginx_for_reading(context):
    context.need("nginx", "curl", "openssl")
    port = free_port()
    names = re.search(r'^hostnames = "(.*)"$', block("toml", "hostnames"), re.MULTILINE).group(1)
    assert "mirror.example.com" in names.split(), names
    folder = context.folder
    context.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "2", "-subj", "/CN=mirror.example.com", "-addext",
                "subjectAltName=DNS:mirror.example.com", "-keyout", f"{folder}/key",
                "-out", f"{folder}/pem")
    with context.own_daemon(REGISTRY_HOSTNAMES=names,
                            REGISTRY_TRUSTED_PROXIES="127.0.0.1") as daemon:
        server = replaced(block("nginx", "limit_except"),
                          ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
                          ("/etc/ssl/mirror.example.com.pem", f"{folder}/pem"),
                          ("/etc/ssl/private/mirror.example.com.key", f"{folder}/key"),
                          ("http://127.0.0.1:5000", f"http://{daemon.address}"))
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        config = write(context, "nginx.conf",
                       f"{user}pid {folder}/nginx.pid;\ndaemon off;\nerror_log stderr;\n"
                       f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n")
        with context.background("nginx", "-c", config, ready=lambda: answers(port)):
            base = f"https://mirror.example.com:{port}"
            through = ("--cacert", f"{folder}/pem", "--resolve",
                       f"mirror.example.com:{port}:127.0.0.1")
            status, _, body = curl(context, *through, f"{base}/v2/")
            assert status == 200, (status, body)
            status, _, _ = curl(context, *through, "--head", f"{base}/v2/")
            assert status == 200, status
            for method in ("POST", "PUT", "DELETE"):
                status, _, _ = curl(context, *through, "--request", method, "--header",
                                    "Content-Length: 0", f"{base}/v2/a/blobs/uploads/")
                assert status == 403, (method, status)


@case
def filled_by_regsync(context):
    program = go_build("github.com/regclient/regclient/cmd/regsync", "v0.8.3")
    registry = Registry(context.address)
    layouts = {}
    for repository in ("hub/debian", "other/tool"):
        layouts[repository] = Layout(f"{context.folder}/{repository}")
        root = layouts[repository].image(repository)
        for tag in ("12", "13", "v1"):
            registry.push_layout(repository, layouts[repository], root, tag)
    # The registries of the page become repositories of the one that there is here.
    config = replaced(block("yaml", "sync:"),
                      ("127.0.0.1:5000", "HERE"), ("HERE/library/debian", "HERE/synced/debian"),
                      ("source: debian", "source: HERE/hub/debian"),
                      ("ghcr.io/example/tool", "HERE/other/tool"), ("HERE", context.address))
    context.run(program, "--config", write(context, "regsync.yml", config), "once")
    expect_same_blobs(layouts["hub/debian"].blobs, registry.read_image("synced/debian", "12"))
    registry.get_manifest("synced/debian", "13").expect(404)  # is not among those allowed
    expect_same_blobs(layouts["other/tool"].blobs, registry.read_image("example/tool", "v1"))
