// varve_floor: the least that a registry must do on this machine, as a measure for the daemon. A
// push is received, hashed, written and synced with its directory; a pull is sendfile. One pass,
// one thread a connection, no index, no checks, nothing remembered after the process ends.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

#include "benchmarks/floor/blob_folder.h"
#include "benchmarks/floor/connection.h"

namespace varve::floor_server {
namespace {

int Listen(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Connections inherit it: nothing waits for the timers of a congestion control that paces.
  constexpr char kUnpaced[] = "reno";
  (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kUnpaced, sizeof(kUnpaced) - 1);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the socket API.
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd, SOMAXCONN) != 0) {
    std::perror("varve_floor: listen");
    return -1;
  }
  return fd;
}

int Main(int argc, char** argv) {
  CLI::App app("Receives, hashes, writes and syncs blobs, and sends them: the floor",
               "varve_floor");
  uint16_t port = 0;
  std::string directory;
  app.add_option("--port", port, "On 127.0.0.1")->required();
  app.add_option("--directory", directory, "An existing one")->required();
  CLI11_PARSE(app, argc, argv);
  BlobFolder blobs(directory);
  const int listener = Listen(port);
  if (listener < 0) return 1;
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    std::thread([fd, &blobs] { Connection(fd, blobs).Serve(); }).detach();
  }
}

}  // namespace
}  // namespace varve::floor_server

int main(int argc, char** argv) { return varve::floor_server::Main(argc, argv); }
