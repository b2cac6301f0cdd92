"""The registry behind the proxy that deploy/NGINX.md describes, with that page's configuration."""

import os
import re
import socket

from cases.protocol import curl
from cases.served import wait_for
from harness import case
from images import digest_of

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../deploy/NGINX.md")
NAME = "registry.example.com"


def blocks(language):
    with open(PAGE, encoding="utf-8") as page:
        return re.findall(rf"```{language}\n(.*?)```", page.read(), re.DOTALL)


def setting(key):
    """What the page's configuration of varved says for the key."""
    found = re.search(rf'^{key} = "(.*)"$', "".join(blocks("toml")), re.MULTILINE)
    assert found, f"{PAGE} sets no {key}"
    return found.group(1)


def replace_once(text, old, new):
    assert text.count(old) == 1, f"{old} stands {text.count(old)} times in {PAGE}"
    return text.replace(old, new)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def proxy_config(context, port, upstream):
    """The page's server with a certificate, a password and places of this case."""
    folder = context.folder
    context.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "2", "-subj", f"/CN={NAME}", "-addext",
                f"subjectAltName=DNS:{NAME}", "-keyout", f"{folder}/key", "-out", f"{folder}/pem")
    with open(f"{folder}/htpasswd", "w", encoding="ascii") as passwords:
        passwords.write("someone:{PLAIN}secret\n")
    server = blocks("nginx")[0]
    for old, new in (("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
                     ("/etc/ssl/registry.example.com.pem", f"{folder}/pem"),
                     ("/etc/ssl/private/registry.example.com.key", f"{folder}/key"),
                     ("/etc/nginx/registry.htpasswd", f"{folder}/htpasswd"),
                     ("http://127.0.0.1:5000;", f"{upstream};")):
        server = replace_once(server, old, new)
    path = f"{folder}/nginx.conf"
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""
    with open(path, "w", encoding="ascii") as config:
        config.write(f"{user}pid {folder}/nginx.pid;\ndaemon off;\nerror_log stderr;\n"
                     f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n")
    return path


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def push_and_pull(context, port):
    folder = context.folder
    through = ("--cacert", f"{folder}/pem", "--resolve", f"{NAME}:{port}:127.0.0.1",
               "--user", "someone:secret")
    base = f"https://{NAME}:{port}"
    content = os.urandom(3 << 20)
    with open(f"{folder}/blob", "wb") as file:
        file.write(content)
    status, _, _ = curl(context, *through[:4], f"{base}/v2/")
    assert status == 401, f"{status} without a password"
    status, headers, body = curl(context, *through, "--request", "POST", "--header",
                                 "Content-Length: 0", f"{base}/v2/proxied/blobs/uploads/")
    assert status == 202, (status, body)
    location = headers["location"]
    assert location.startswith("/v2/"), location
    status, _, body = curl(context, *through, "--upload-file", f"{folder}/blob",
                           f"{base}{location}?digest={digest_of(content)}")
    assert status == 201, (status, body)
    status, _, body = curl(context, *through, f"{base}/v2/proxied/blobs/{digest_of(content)}")
    assert status == 200 and body == content, status


@case
def nginx_on_the_loopback_address(context):
    context.need("nginx", "curl", "openssl")
    port = free_port()
    with context.own_daemon(REGISTRY_HOSTNAMES=setting("hostnames")) as daemon:
        config = proxy_config(context, port, f"http://{daemon.address}")
        with context.background("nginx", "-c", config, ready=lambda: answers(port)):
            push_and_pull(context, port)
    # Without the key the daemon says which one it is.
    with context.own_daemon() as daemon:
        status, _, body = curl(context, "--header", f"Host: {NAME}", f"http://{daemon.address}/v2/")
        assert status == 421 and b"[registry] hostnames" in body, (status, body)
        # The line is written when the answer has gone out.
        wait_for("a line of the log that names the key",
                 lambda: "[registry] hostnames" in daemon.log())


@case
def nginx_on_a_unix_socket(context):
    context.need("nginx", "curl", "openssl")
    port = free_port()
    assert setting("listen") == "unix:/run/varve/registry.sock"
    path = f"{context.folder}/registry.sock"
    with context.own_daemon(registry=f"unix:{path}"):
        config = proxy_config(context, port, f"http://unix:{path}")
        with context.background("nginx", "-c", config, ready=lambda: answers(port)):
            push_and_pull(context, port)
    assert not os.path.exists(path), "a stopped daemon leaves its socket"
