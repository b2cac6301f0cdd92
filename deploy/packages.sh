# The one list of Debian 12 packages, by what they are needed for. Sourced by deploy/run and
# tests/run; require_packages installs only what is missing.

# A release build.
packages_build=(
  g++ cmake ninja-build pkg-config protobuf-compiler protobuf-compiler-grpc
  libabsl-dev libarchive-dev libboost1.81-dev libcli11-dev libgrpc++-dev libgrpc-dev
  libprotobuf-dev librocksdb-dev libssl-dev libtomlplusplus-dev libxxhash-dev libzstd-dev
  zlib1g-dev)

# deploy/run --demo.
packages_demo=(skopeo python3)

# Tests, sanitizers, lint.
packages_test=(
  ccache clang clang-format clang-tidy git libclang-rt-14-dev libgmock-dev libgtest-dev lld llvm
  python3)

packages_coverage=(gcovr)

# varve_micro, which is left out of the build without it.
packages_benchmark=(libbenchmark-dev)

# Real clients. Each is also optional: a case whose client is missing is a visible skip.
packages_interop=(
  buildah containerd crun curl docker.io nginx-light openssl podman protobuf-compiler python3
  python3-grpcio python3-protobuf runc skopeo)

package_missing() {
  ! dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# require_packages <package…>: returns 1, with a sentence on what to do, when it cannot.
require_packages() {
  local missing=() package root=()
  for package in "$@"; do
    if package_missing "$package"; then missing+=("$package"); fi
  done
  if [ ${#missing[@]} -eq 0 ]; then return 0; fi
  if ! command -v apt-get >/dev/null; then
    echo "These Debian packages are missing and this machine has no apt: ${missing[*]}" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Missing packages; run this as root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    root=(sudo)
  fi
  echo "installing ${missing[*]}"
  local log
  log=$(mktemp)
  # Nothing that is installed here shall start a service: dockerd and containerd are run by hand.
  if ! { "${root[@]}" apt-get update &&
         "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
           apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install: ${missing[*]} (whole log: $log)" >&2
    return 1
  fi
  rm -f "$log"
}
